"""What happens while a run's programs run: output arrives, processes end, signals come."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Sequence

from .ears import Ears
from .output import Capture
from .passage import Passage
from .stdin import Feed


class Watch:
    """The one place where a supervisor waits.

    ``status`` is the wait status of the program watched for, None while it runs; ``childless`` says that no
    process is left below this one; ``max_rss`` (as the kernel counts it) and ``cpu`` (seconds) are of
    all processes collected so far.
    """

    def __init__(self, ears: Ears) -> None:
        self.ears = ears
        self.pid = 0
        self.status: int | None = None
        self.childless = True
        self.max_rss = 0
        self.cpu = 0.0
        self._feed: Feed | None = None
        self._sources: dict[int, Capture | Passage] = {}
        self._poll = select.poll()
        self._poll.register(ears.wake, select.POLLIN)

    def capture(self, output: Capture | Passage) -> None:
        """Move what arrives there."""
        fd, event = output.awaits
        self._sources[fd] = output
        self._poll.register(fd, event)

    def feed(self, feed: Feed) -> None:
        """Keep a program's standard input filled."""
        self._feed = feed
        feed.register(self._poll)

    def expect(self, pid: int) -> None:
        """Watch for the end of this program."""
        self.pid, self.status = pid, None

    def turn(self, until: float | None) -> None:
        """Wait for something to happen, at most until then (monotonic), and deal with it."""
        for fd, _ in self._poll.poll(_milliseconds(until)):
            if fd == self.ears.wake:
                self.ears.clear()
                self.reap()
            elif fd in self._sources:
                self._move(fd)
            elif self._feed:
                self._feed.pump(self._poll)

    def _move(self, fd: int) -> None:
        output = self._sources[fd]
        goes_on = output.pump() != 0
        if not goes_on or output.awaits[0] != fd:
            self._poll.unregister(fd)
            del self._sources[fd]
            if goes_on:
                self.capture(output)

    def reap(self) -> None:
        """Collect every process that has ended."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                self.childless = True
                return
            if pid == 0:
                self.childless = False
                return
            self.max_rss = max(self.max_rss, usage.ru_maxrss)
            self.cpu += usage.ru_utime + usage.ru_stime
            if pid == self.pid:
                self.status = status

    def linger(self, outputs: Sequence[Capture | Passage]) -> None:
        """Take what detached processes still write, until none is left that could: losing the reader kills them."""
        for output in outputs:
            output.close_writer()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while (outputs := [output for output in outputs if output.linger()]) and not self.ears.end:
            self.stand_by(outputs, None)

    def stand_by(self, outputs: Sequence[Capture | Passage], until: float | None) -> None:
        """Wait until one of these can go on or a signal comes, at most until then (monotonic)."""
        poll = select.poll()
        for fd, event in (*(output.awaits for output in outputs), (self.ears.wake, select.POLLIN)):
            poll.register(fd, event)
        poll.poll(_milliseconds(until))
        self.ears.clear()


def _milliseconds(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - time.monotonic()) * 1000 + 1
