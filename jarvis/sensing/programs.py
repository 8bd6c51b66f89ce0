"""Which programs know more about a moment that was wrong, and how are they run without waiting for them for ever?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from jarvis.sensing import pmset

POLL = 0.05
KERNEL_LINES = "2000"
LIMIT = timedelta(seconds=20)
PREDICATE = (
    'process == "kernel" OR process == "WindowServer" OR process == "powerd" OR '
    'eventMessage CONTAINS[c] "memorystatus" OR eventMessage CONTAINS[c] "hang"'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """What writes one file of a capture. ``alternatives`` are tried in turn; ``{file}`` in one is where it writes
    itself, otherwise its output is kept. ``root``: only root may.
    """

    file: str
    alternatives: Sequence[Sequence[str]]
    root: bool = False
    limit: timedelta = LIMIT


def known(from_at: datetime, until_at: datetime, platform: str = sys.platform) -> list[Program]:
    """The programs of this system, asked about a stretch of time."""
    return _macos(from_at, until_at) if platform == "darwin" else _linux(from_at, until_at)


def _linux(from_at: datetime, until_at: datetime) -> list[Program]:
    since, until = (f"@{at.timestamp():.0f}" for at in (from_at, until_at + timedelta(seconds=1)))
    journal = (
        "journalctl", "--dmesg", "--since", since, "--until", until, "--lines", KERNEL_LINES, "--output",
        "short-iso-precise", "--no-pager", "--quiet",
    )  # fmt: skip
    return [Program(file="kernel.log", alternatives=(journal, ("dmesg", "--time-format", "iso")))]


def _macos(from_at: datetime, until_at: datetime) -> list[Program]:
    start, end = (
        at.astimezone().strftime("%Y-%m-%d %H:%M:%S%z") for at in (from_at, until_at + timedelta(seconds=1))
    )
    show = (
        "/usr/bin/log", "show", "--style", "syslog", "--start", start, "--end", end, "--predicate", PREDICATE,
    )  # fmt: skip
    return [
        Program(file="trace.tailspin", root=True, alternatives=[("/usr/bin/tailspin", "save", "{file}")]),
        Program(
            file="spindump.txt",
            root=True,
            alternatives=[("/usr/sbin/spindump", "-notarget", "5", "10", "-file", "{file}")],
        ),
        Program(file="system.log", alternatives=[show]),
        Program(file="pmset.log", alternatives=[pmset.ARGV]),
    ]


def run(program: Program, folder: Path, limit: timedelta, most: int, ending: threading.Event) -> str | None:
    """Let it write its file, within so much time and so many bytes; why it could not, or None.

    A file that is too long is kept up to there, and said.
    """
    if program.root and os.geteuid() != 0:
        return "needs root"
    why = "nothing to run"
    for words in program.alternatives:
        why = _attempt(words, folder / program.file, min(limit, program.limit), most, ending) or ""
        if not why or why.startswith("cut"):
            return why or None
    return why


def _attempt(
    words: Sequence[str], file: Path, limit: timedelta, most: int, ending: threading.Event
) -> str | None:
    writes = "{file}" in words
    argv = [str(file) if word == "{file}" else word for word in words]
    name = Path(argv[0]).name
    try:
        with open(os.devnull if writes else file, "wb", opener=_private) as output:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, process_group=0
            )
    except OSError as error:
        file.unlink(missing_ok=True)
        return f"{name}: {error.strerror}"
    stopped = _wait(process, file, limit, most, ending)
    said = _said(process)
    if stopped is None and process.returncode:
        file.unlink(missing_ok=True)
        return f"{name}: {said or f'exit code {process.returncode}'}"
    if file.exists() and file.stat().st_size > most:
        os.truncate(file, most)
        return f"cut: {name} wrote more than {most} bytes"
    if stopped is None and (not file.exists() or not file.stat().st_size):
        file.unlink(missing_ok=True)
        return f"{name}: it had nothing to say{f' ({said})' if said else ''}"
    return f"cut: {name} {stopped}" if stopped else None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _wait(
    process: subprocess.Popen[bytes], file: Path, limit: timedelta, most: int, ending: threading.Event
) -> str | None:
    """Until it ends; or end it, with everything it started, and say why."""
    until = time.monotonic() + limit.total_seconds()
    while process.poll() is None:
        too_long = time.monotonic() >= until
        too_much = file.exists() and file.stat().st_size > most
        if too_long or too_much or ending.wait(POLL):
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                process.kill()
            process.wait()
            if too_much:
                return "wrote too much"
            return f"took longer than {limit.total_seconds():.0f} s" if too_long else "was ended with Jarvis"
    return None


def _said(process: subprocess.Popen[bytes]) -> str:
    """The first line of what it complained about."""
    assert process.stderr is not None
    os.set_blocking(process.stderr.fileno(), False)  # something it started may hold the other end
    with process.stderr:
        data = process.stderr.read() or b""
    return data.decode("utf-8", "replace").strip().partition("\n")[0][:300]
