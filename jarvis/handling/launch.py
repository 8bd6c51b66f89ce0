"""How does a run get its supervisor, and how does the daemon learn what became of it?

    launch ──frame──▶ spawner ──fork──▶ supervisor ──exec──▶ the job
    notify ◀──────── one pipe, one thread ◀──┘

Nothing here is the truth about a run: that is in its directory, and every doubt (a lost notice, a spawner that
was killed, a supervisor of an earlier daemon) is settled by reading it.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jarvis.errors import LaunchError
from jarvis.handling import burial, rundir, transcript
from jarvis.handling.lean import processes
from jarvis.handling.link import Link
from jarvis.handling.request import Notice, Request, StepRequest, Stream
from jarvis.handling.roll import ADOPTED, Roll
from jarvis.handling.rundir import Alive, Claim, Dead, Finding, Finished, NeverStarted, Result

__all__ = ["Launcher", "Notice", "Request", "StepRequest", "Stream"]
__all__ += ["Alive", "Claim", "Dead", "Finding", "Finished", "NeverStarted", "Result"]

FRAME = 64
"""Requests per frame: small, so that the first run of a large batch starts at once."""

LOOK_EVERY = 0.5
RESTART_AFTER = (0.0, 0.5, 2.0, 10.0)

log = logging.getLogger(__name__)


class Launcher:
    """All supervised runs of one daemon. Its methods may be called from any thread."""

    def __init__(self, *, runs: Path, notify: Callable[[Notice], None], python: str = sys.executable) -> None:
        """``notify`` is called from one thread of the launcher's own; it should only pass the notice on."""
        self._runs = runs.absolute()
        self._notify = notify
        self._python = python
        self._roll = Roll()
        self._sending = threading.Lock()
        self._link: Link | None = None
        self._generation = 0
        self._failures = 0
        self._restart_at: float | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._listen, name="jarvis-notices", daemon=True)

    def start(self) -> None:
        """Start the spawner and listen. Raises LaunchError when it cannot be started."""
        self._runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._reader, self._writer = os.pipe()
        self._woken, self._waker = os.pipe()
        for end in (self._reader, self._writer, self._woken, self._waker):
            os.set_blocking(end, False)
        try:
            with self._sending:
                self._relink()
        except LaunchError:
            self._close_pipes()
            raise
        self._thread.start()

    def launch(self, requests: Sequence[Request]) -> None:
        """Hand the runs over, in order. Raises LaunchError when nothing was started and nothing will be."""
        frames = [requests[at : at + FRAME] for at in range(0, len(requests), FRAME)]
        with self._sending:
            for number, frame in enumerate(frames):
                try:
                    self._send(frame)
                except LaunchError:
                    if number == 0:
                        raise
                    # part of the batch has started: the rest is ours to deliver, once there is a spawner again
                    self._roll.enter([one for later in frames[number:] for one in later], ADOPTED)
                    self._restart_at = time.monotonic()
                    self._wake()
                    return

    def stop_run(self, run: int, reason: str) -> None:
        """Ask the run's supervisor to end it, also one of an earlier daemon, also one just being started."""
        try:
            rundir.ask_to_stop(self._runs, run, reason)
        except OSError as error:
            log.warning("the reason for stopping run %d could not be written: %s", run, error.strerror)
        finding = self.find(run)
        if isinstance(finding, Alive):
            processes.send(signal.SIGUSR1, filter(None, [processes.look(finding.claim.pid)]))

    def find(self, run: int) -> Finding:
        """What the run's directory says now."""
        return rundir.find(self._runs, run)

    def left(self, run: int) -> dict[str, Any] | None:
        """What a Python handler left in the run's directory."""
        return rundir.read_outcome(self._runs, run)

    def tail(self, run: int, size: int, most: int) -> str:
        """The last bytes of the ``size`` that a run wrote."""
        return transcript.read(self._runs, run, max(0, size - most), most)[0].decode("utf-8", "replace")

    def bury(self, run: int) -> int:
        """End what is left of a run whose supervisor is dead; how many processes were killed."""
        finding = self.find(run)
        return burial.bury(self._runs, finding.claim) if isinstance(finding, Dead) else 0

    def watch(self, run: int) -> None:
        """Tell the end of a run that an earlier daemon started."""
        self._roll.adopt(run)
        self._wake()

    def close(self) -> None:
        """Stop listening and end the spawner; supervisors go on."""
        self._closing = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join()
        with self._sending:
            if self._link:
                self._link.close()
                self._link = None
        self._roll.clear()
        self._close_pipes()

    def _send(self, requests: Sequence[Request]) -> None:
        """Send one frame, with a new spawner if the old one is gone. The caller holds ``_sending``."""
        frames = b"".join(request.frame(self._runs) for request in requests)
        for _ in range(2):
            try:
                if self._link is None:
                    self._relink()
            except LaunchError:
                break
            assert self._link is not None
            self._roll.enter(requests, self._generation)
            if self._link.send(frames):
                return
            self._unlink()
        for request in requests:
            self._roll.strike(request.run)
        raise LaunchError(
            f"{len(requests)} run(s) could not be handed to the spawner and were not started: it is gone and"
            " cannot be started again; see the daemon's log for why"
        )

    def _relink(self) -> None:
        self._link = Link(runs=self._runs, notices=self._writer, python=self._python)
        self._generation += 1
        self._failures = 0
        self._restart_at = None
        self._wake()

    def _unlink(self) -> None:
        if self._link:
            log.warning("the spawner (pid %d) is gone; its supervisors go on", self._link.pid)
            self._link.close()
            self._link = None

    def _wake(self) -> None:
        try:
            os.write(self._waker, b"!")
        except (BlockingIOError, AttributeError):
            return

    def _close_pipes(self) -> None:
        for end in (self._reader, self._writer, self._woken, self._waker):
            os.close(end)

    def _listen(self) -> None:
        """The thread: hear notices, notice deaths, settle doubts, until closed."""
        rest = b""
        while not self._closing:
            try:
                ready = self._wait()
                if self._woken in ready:
                    os.read(self._woken, 4_096)
                if self._reader in ready:
                    *lines, rest = (rest + os.read(self._reader, 1_048_576)).split(b"\n")
                    for line in lines:
                        self._hear(line)
                self._mend(ready)
                self._settle()
                self._look_at_followed(ready)
            except Exception:
                log.exception("the notice thread met an error and goes on")
                time.sleep(0.05)

    def _wait(self) -> set[int]:
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        link = self._link
        if link and link.socket.fileno() >= 0:
            poll.register(link.socket.fileno(), select.POLLIN)
        fds, looked_at = self._roll.followed()
        for fd in fds:
            poll.register(fd, select.POLLIN)
        waits = [LOOK_EVERY] if looked_at else []
        if self._restart_at is not None:
            waits.append(max(0.0, self._restart_at - time.monotonic()))
        return {fd for fd, _ in poll.poll(min(waits) * 1000 + 1 if waits else None)}

    def _hear(self, line: bytes) -> None:
        kind, run, pid, at, reason = json.loads(line)
        moment = datetime.fromtimestamp(at, UTC)
        if kind == "started":
            if self._roll.started(run):
                self._say(Notice(kind="started", run=run, pid=pid, at=moment))
        elif kind == "taken":
            self._attend(run)
        elif kind == "left":
            request = self._attend(run, died=True)
            self._launch_again([request] if request else [])
        else:
            self._final(Notice(kind=kind, run=run, at=moment, reason=reason))

    def _mend(self, ready: set[int]) -> None:
        """A spawner that ended is replaced; after failures with growing pauses."""
        link = self._link
        died = link is not None and link.socket.fileno() in ready
        if not died and (self._restart_at is None or time.monotonic() < self._restart_at):
            return
        with self._sending:
            if died and self._link is link:
                self._unlink()
            if self._link is not None:
                self._restart_at = None
                return
            try:
                self._relink()
            except LaunchError as error:
                log.error("%s", error)
                self._failures += 1
                self._restart_at = (
                    time.monotonic() + RESTART_AFTER[min(self._failures, len(RESTART_AFTER) - 1)]
                )

    def _settle(self) -> None:
        """What became of the runs whose spawner died, and of those of an earlier daemon?"""
        again = [self._attend(run) for run in self._roll.orphans(self._generation)]
        self._launch_again([request for request in again if request])

    def _look_at_followed(self, ready: set[int]) -> None:
        fds, looked_at = self._roll.followed()
        for run in [*(run for fd, run in fds.items() if fd in ready), *looked_at]:
            self._attend(run)

    def _attend(self, run: int, *, died: bool = False) -> Request | None:
        """Nobody will report on this run: look at it; the request when it has to be launched again."""
        finding = self.find(run)
        if isinstance(finding, Alive):
            self._roll.follow(run, finding.claim)
        elif isinstance(finding, Finished):
            self._final(Notice(kind="ended", run=run, at=finding.result.ended_at))
        elif isinstance(finding, Dead):
            self._final(Notice(kind="gone", run=run, at=_now(), reason="its supervisor died"))
        elif request := self._roll.again(run, died=died):
            return request
        elif rundir.burn(self._runs, run):
            self._final(Notice(kind="gone", run=run, at=_now(), reason="no supervisor ever started it"))
        else:
            return self._attend(run)
        return None

    def _launch_again(self, requests: Sequence[Request]) -> None:
        if not requests:
            return
        log.warning("%d run(s) are handed over again: who had them died before starting them", len(requests))
        try:
            self.launch(requests)
        except LaunchError:
            self._roll.enter(requests, ADOPTED)
            self._restart_at = time.monotonic() + RESTART_AFTER[1]

    def _final(self, notice: Notice) -> None:
        if self._roll.strike(notice.run):
            self._say(notice)

    def _say(self, notice: Notice) -> None:
        try:
            self._notify(notice)
        except Exception:
            log.exception("a notice about run %d could not be passed on", notice.run)


def _now() -> datetime:
    return datetime.now(UTC)
