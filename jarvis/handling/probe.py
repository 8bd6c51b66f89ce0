"""Does importing these handler files leave a process alive? Asked in a child before the daemon imports them.

``python -m jarvis.handling.probe FILE…`` imports one file after the other and writes a line after each;
the file whose line is missing is the one that ended, crashed or hung the process. ``deadly`` starts such
children, as many as it takes, and says which files they were.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import IO

import jarvis
from jarvis.handling import mount
from jarvis.handling.contract import Broken

LIMIT = timedelta(seconds=10)


def deadly(files: Sequence[Path], *, limit: timedelta = LIMIT) -> dict[Path, str]:
    """The files that must not be imported here, each with the reason in a sentence.

    A file that merely raises is not among them: that can be seen safely at the real import.
    """
    left, found = list(files), {}
    while left:
        reached, reason = _probe(left, limit)
        if reason is not None:
            found[left[reached]] = reason
        left = left[reached + 1 :]
    return found


def _probe(files: Sequence[Path], limit: timedelta) -> tuple[int, str | None]:
    """How far one child came, and why it came no further; None when it came through."""
    root = str(Path(jarvis.__file__).parents[1])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "jarvis.handling.probe", *map(str, files)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert process.stdout is not None
    with process.stdout as pipe:
        reached, in_time = _follow(pipe, len(files), limit)
    if not in_time:
        os.killpg(process.pid, signal.SIGKILL)
    code = process.wait()
    if reached == len(files):
        return reached, None
    if not in_time:
        return (
            reached,
            f"importing it did not end within {limit.total_seconds():g} s: move the work into run()",
        )
    return reached, _ending(code)


def _follow(pipe: IO[bytes], count: int, limit: timedelta) -> tuple[int, bool]:
    """How many files are through; False when the next one takes too long."""
    through, text, due = 0, b"", time.monotonic() + limit.total_seconds()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while through < count:
            if not selector.select(max(0.0, due - time.monotonic())):
                return through, False
            chunk = os.read(pipe.fileno(), 4096)
            if not chunk:
                return through, True
            text += chunk
            if (lines := text.count(b"\n")) > through:
                through, due = lines, time.monotonic() + limit.total_seconds()
    return through, True


def _ending(code: int) -> str:
    if code < 0:
        return f"importing it crashed the process ({signal.Signals(-code).name})"
    return f"importing it ended the process (exit code {code}): move the work into run()"


def main(files: Sequence[str]) -> None:
    """The child: says one line after each file, through a pipe the files do not know of."""
    pipe = os.dup(1)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    for file in files:
        try:
            mount.load(Path(file))
        except Broken as error:
            said = str(error)
        else:
            said = "ok"
        os.write(pipe, json.dumps(said).encode() + b"\n")
    os._exit(0)  # a thread that a file left running must not hold the answer


if __name__ == "__main__":
    main(sys.argv[1:])
