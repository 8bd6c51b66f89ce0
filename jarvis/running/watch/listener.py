"""Who listens to whole trees? An ear in a process of its own: the daemon goes on while thousands of folders are added.

watchfiles keeps the interpreter's lock until the system knows each folder, and that is four seconds for 34,000 of them.

    daemon ──{"folders": …, "patience": …}──▶ listener      the end of this pipe ends the listener
    daemon ◀──{"deaf": …}, then [path, …] or null, a line each── listener
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from jarvis.running.watch.ears import Ear, Hear

log = logging.getLogger("jarvis.ears")

ENDED_WITHIN = 2.0
"""Seconds a listener has to end after it was told to."""


class Listener:
    """What an Ear is, for folders with all that is below them. ``ready`` is called once: when it listens, or cannot.

    ``listens``: that moment has come; only then ``deaf`` is known. An end nobody asked for is told as ``hear(None)``.
    """

    def __init__(
        self, folders: Iterable[str], *, hear: Hear, ready: Callable[[], None], patience: int
    ) -> None:
        self.folders = frozenset(folders)
        self.deaf: dict[str, str] = {}
        self.patience = patience
        self.listens = False
        self._hear = hear
        self._ready = ready
        self._closed = False
        self._process: subprocess.Popen[str] | None = None
        try:
            self._process = self._start()
        except OSError as error:
            self._begin(dict.fromkeys(self.folders, f"no process can be started to listen: {error.strerror}"))
            return
        threading.Thread(
            target=self._loop, args=(self._process,), name="jarvis-listener", daemon=True
        ).start()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
            text=True,
            start_new_session=True,  # Ctrl-C is for the daemon
        )
        assert process.stdin is not None
        try:
            process.stdin.write(
                json.dumps({"folders": sorted(self.folders), "patience": self.patience}) + "\n"
            )
            process.stdin.flush()
        except BrokenPipeError:  # it ended already: its end is heard by whoever reads
            log.warning("the listener (pid %d) ended before it was told what to listen to", process.pid)
        return process

    def _loop(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                if not line.endswith("\n"):  # it ended in the middle of a word
                    break
                said = json.loads(line)
                if isinstance(said, dict):
                    self._begin(said)
                else:
                    self._hear(None if said is None else frozenset(said))
        code = process.wait()
        if self._closed:
            return
        if self.listens:
            log.warning("the listener (pid %d) ended (%d); everything is looked at again", process.pid, code)
            self._hear(None)
        else:
            self._begin(dict.fromkeys(self.folders, f"the process that should listen ended with {code}"))

    def _begin(self, deaf: dict[str, str]) -> None:
        self.deaf, self.listens = deaf, True
        self._ready()

    def close(self, *, wait: bool = True) -> None:
        """Listen no longer. ``wait``: until the process has ended (two seconds at most, then it is killed)."""
        self._closed = True
        if self._process is None:
            return
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:  # what it was to be told is of no interest any more
            log.debug("the listener (pid %d) had ended", self._process.pid)
        if wait:
            try:
                self._process.wait(ENDED_WITHIN)
            except subprocess.TimeoutExpired:  # the system keeps it busy
                self._process.kill()


def main() -> None:
    """Listen until the daemon closes its end or is gone."""
    line = sys.stdin.readline()
    if not line.endswith("\n"):  # the daemon was gone before it had said everything
        return
    asked = json.loads(line)
    speaking = threading.Lock()

    def say(what: Any) -> None:
        with speaking:
            try:
                print(json.dumps(what), flush=True)
            except BrokenPipeError:  # nobody is there to hear it
                os._exit(0)

    def hear(paths: frozenset[str] | None) -> None:
        say(None if paths is None else sorted(paths))

    ear = Ear(asked["folders"], recursive=True, hear=hear, patience=asked["patience"])
    say(ear.deaf)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
