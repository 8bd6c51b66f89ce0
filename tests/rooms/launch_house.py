"""A launcher in a temporary folder, and what it has said: for the tests of launching and supervising."""

from __future__ import annotations

import itertools
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from jarvis.handling import launch, rundir, transcript

PATIENCE = 45.0
"""Longer than anything here takes; reached only when a test fails."""


class House:
    """``runs`` and the notices of one launcher."""

    def __init__(self, runs: Path, **options: Any) -> None:
        self.runs = runs
        self.heard: list[launch.Notice] = []
        self._news = threading.Condition()
        self._numbers = itertools.count(1)
        self.launcher = launch.Launcher(runs=runs, notify=self._hear, **options)

    def _hear(self, notice: launch.Notice) -> None:
        with self._news:
            self.heard.append(notice)
            self._news.notify_all()

    def request(self, *argv: str, **fields: Any) -> launch.Request:
        run = fields.pop("run", None) or next(self._numbers)
        env = {"PATH": os.environ["PATH"], "HOME": "/", "JARVIS_RUN_ID": str(run)} | fields.pop("env", {})
        return launch.Request(run=run, job="job", fire=f"manual:{run}", argv=argv, env=env, **fields)

    def start(self, *argv: str, **fields: Any) -> int:
        """Launch and come back at once; the run."""
        request = self.request(*argv, **fields)
        self.launcher.launch([request])
        return request.run

    def run(self, *argv: str, **fields: Any) -> launch.Result:
        """Launch and wait for the result."""
        return self.result(self.start(*argv, **fields))

    def sh(self, script: str, **fields: Any) -> launch.Result:
        return self.run("/bin/sh", "-c", script, **fields)

    def overtime(self, *argv: str, ready: Callable[[], Any], **fields: Any) -> launch.Result:
        """Run into a timeout, once ``ready``: where that was not so in time, try again with a longer one."""
        for seconds in (0.4, 4.0, 40.0):
            request = self.request(*argv, timeout=timedelta(seconds=seconds), **fields)
            if self._gets(request, ready):
                return self.result(request.run)
        raise AssertionError(f"not ready within {seconds} s: {argv}")

    def _gets(self, request: launch.Request, ready: Callable[[], Any]) -> bool:
        """Start it; does it get ready before it ends?"""
        self.launcher.launch([request])
        seen = until(lambda: "ready" if ready() else self.said("ended", request.run), 2 * PATIENCE)
        return bool(seen == "ready")

    def notice(self, kind: str, run: int) -> launch.Notice:
        """Wait until this has been said."""
        with self._news:
            self._news.wait_for(lambda: self.said(kind, run), PATIENCE)
            found = self.said(kind, run)
        assert found, f"no {kind!r} notice of run {run} in {PATIENCE} s; heard {self.heard}"
        return found[0]

    def said(self, kind: str, run: int) -> list[launch.Notice]:
        return [one for one in self.heard if one.kind == kind and one.run == run]

    def result(self, run: int) -> launch.Result:
        self.notice("ended", run)
        finding = self.launcher.find(run)
        assert isinstance(finding, launch.Finished)
        return finding.result

    def output(self, run: int) -> bytes:
        """All there is to read, read in pieces."""
        text, position = b"", 0
        while True:
            part, position = transcript.read(self.runs, run, position, 50_000)
            if not part:
                return text
            text += part

    def file(self, run: int, name: str) -> Path:
        return rundir.folder(self.runs, run) / name

    def supervisors(self) -> list[int]:
        """The pids of the supervisors of this house; not those another one of this process may have left."""
        spawners = [pid for pid in _children(os.getpid()) if _is_spawner(pid, self.runs)]
        return [pid for spawner in spawners for pid in _children(spawner)]


@contextmanager
def house(runs: Path, **options: Any) -> Iterator[House]:
    """A started launcher; afterwards closed, and its supervisors gone."""
    made = House(runs, **options)
    made.launcher.start()
    try:
        yield made
    finally:
        made.launcher.close()


def until(what: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Wait until something is true; its value."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if value := what():
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {patience} s")


def running(mark: str) -> list[int]:
    """The pids whose command line contains ``mark``."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path(f"/proc/{name}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if mark in line and int(name) != os.getpid():
            found.append(int(name))
    return found


def sleeping(mark: str) -> list[int]:
    """The pids of ``sleep`` for that time; what was forked but is not yet that program does not count."""
    found = []
    for pid in running(mark):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if os.path.basename(words[0]) == b"sleep":
            found.append(pid)
    return found


def mark() -> str:
    """A duration, far beyond any test's, that no other process on this machine sleeps."""
    return str(secrets.randbelow(9 * 10**11) + 10**11)


def end_all(mark: str) -> list[int]:
    """End every process whose command line contains the mark; which there were."""
    left = running(mark)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return left


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    try:
        return [int(word) for task in tasks.iterdir() for word in (task / "children").read_text().split()]
    except OSError:  # it ended while it was looked at
        return []


def _is_spawner(pid: int, runs: Path) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(runs) in words and any(word.endswith(b"spawner.py") for word in words)
