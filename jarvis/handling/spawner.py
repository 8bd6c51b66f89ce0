"""Who starts the supervisors, so that the daemon never has to fork itself?

    python -S -E -s -X utf8 spawner.py RUNS SOCKET NOTICES

A process of a few megabytes that never imports the daemon: forking it is cheap and safe. It reads requests from
SOCKET, forks a supervisor for each, and says on NOTICES when one ends without having told so itself. A supervisor
whose run is over, with nothing left of it, may be given the next one: that saves the fork, which is
half the cost of a short run. When the daemon ends the spawner ends too, at once; its supervisors go on in
their own sessions. Only cheap stdlib modules and the files beside it may be imported.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from jarvis.handling import shift, supervisor
    from jarvis.handling.lean import frames, memory, notices, processes
else:
    # what lies beside this file must never stand in for a module of the standard library
    sys.path.append(sys.path.pop(0))
    import shift
    import supervisor
    from lean import frames, memory, notices, processes

POOL = 32
"""Supervisors that can be given another run; any others there are end with their first."""

IDLE = 2.0
"""Seconds an idle supervisor is kept: long enough for a job of every second to find one."""

AT_ONCE, SETTLED = 8, 0.008
"""So many supervisors may be busy starting; after these seconds one counts as started, however slow it is."""

COLLECT_EVERY = 10_000


class Hand:
    """One supervisor. ``channel`` -1: it ends with its run. ``run`` None: it is idle."""

    __slots__ = ("channel", "pid", "run", "since")

    def __init__(self, pid: int, channel: int, run: int) -> None:
        self.pid = pid
        self.channel = channel
        self.run: int | None = run
        self.since = time.monotonic()


class Spawner:
    """One daemon's spawner."""

    def __init__(self, runs: str, daemon: int, notices: int) -> None:
        self.daemon = daemon
        self.place = supervisor.Place(
            runs=runs,
            boot=processes.boot(),
            notices=notices,
            null=os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC),
            memory=memory.counter(),
        )
        self.received = frames.Buffer()
        self.waiting: deque[tuple[int, bytes]] = deque()
        self.unsaid: deque[bytes] = deque()
        self.hands: dict[int, Hand] = {}
        self.pooled: dict[int, Hand] = {}
        self.idle: list[Hand] = []
        self.recent: list[Hand] = []
        self.forked = 0

    def serve(self) -> None:
        """Until the daemon is gone: take requests, start them, reap, report."""
        self.wake, self.wake_writer = os.pipe()
        for end in (self.wake, self.wake_writer, self.daemon):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self.wake_writer, warn_on_full_buffer=False)
        self.poll = select.poll()
        self.poll.register(self.daemon, select.POLLIN)
        self.poll.register(self.wake, select.POLLIN)
        os.write(self.daemon, b"!")
        gc.collect()
        gc.freeze()
        while self._turn():
            self._dismiss()
            while self.waiting and self._may_start():
                self._start(*self.waiting.popleft())

    def _turn(self) -> bool:
        """Hear what there is to hear; False once the daemon is gone."""
        goes_on = True
        for fd, _ in self.poll.poll(self._patience()):
            if fd == self.wake:
                os.read(self.wake, 4_096)
                self._reap()
            elif fd == self.daemon:
                goes_on = self._receive()
            elif fd in self.pooled:
                self._hear(self.pooled[fd])
        self._say()
        return goes_on

    def _patience(self) -> float | None:
        """Milliseconds until something has to be done without being asked."""
        now = time.monotonic()
        waits = []
        if self.waiting:
            waits.append(self.recent[0].since + SETTLED - now if self.recent else 0.0)
        if self.idle:
            waits.append(self.idle[0].since + IDLE - now)
        if self.unsaid:
            waits.append(0.05)
        return max(0.0, min(waits)) * 1000 if waits else None

    def _receive(self) -> bool:
        try:
            data = os.read(self.daemon, 1_048_576)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.received.add(data)
        self.waiting.extend(self.received.take())
        return bool(data)

    def _may_start(self) -> bool:
        """A burst is worked off a few at a time: short runs then follow each other in the same supervisors."""
        oldest = time.monotonic() - SETTLED
        self.recent = [hand for hand in self.recent if hand.run is not None and hand.since > oldest]
        return len(self.recent) < AT_ONCE

    def _start(self, run: int, request: bytes) -> None:
        while self.idle and len(request) <= frames.ATOMIC:
            hand = self.idle.pop()
            if not frames.put(hand.channel, run, request):
                self._release(hand)
                continue
            hand.run, hand.since = run, time.monotonic()
            if hand not in self.recent:
                self.recent.append(hand)
            return
        try:
            self._fork(run, request)
        except OSError as error:
            self._note("gone", run, f"cannot start a process: {error.strerror}; nothing was started")

    def _fork(self, run: int, request: bytes) -> None:
        ours, theirs = frames.channel() if len(self.pooled) < POOL else (-1, -1)
        try:
            pid = os.fork()
        except OSError:
            for fd in (ours, theirs):
                if fd >= 0:
                    os.close(fd)
            raise
        if pid == 0:
            self._become_supervisor(run, request, ours, theirs)
        hand = self.hands[pid] = Hand(pid, ours, run)
        if ours >= 0:
            os.close(theirs)
            self.pooled[ours] = hand
            self.poll.register(ours, select.POLLIN)
        self.recent.append(hand)
        self.forked += 1
        if self.forked % COLLECT_EVERY == 0:
            gc.collect()

    def _become_supervisor(self, run: int, request: bytes, ours: int, theirs: int) -> NoReturn:
        code = supervisor.UNTOLD
        try:
            signal.set_wakeup_fd(-1)
            for fd in (self.daemon, self.wake, self.wake_writer, *self.pooled):
                os.close(fd)
            if ours >= 0:
                os.close(ours)
            code = shift.serve(run, request, self.place, theirs)
        finally:
            os._exit(code)

    def _hear(self, hand: Hand) -> None:
        """A supervisor says that its run is over and that it can take another."""
        try:
            said = os.read(hand.channel, 1)
        except OSError:
            said = b""
        if not said:
            self._release(hand)
            return
        self._over(hand, said[0])
        hand.since = time.monotonic()
        self.idle.append(hand)

    def _over(self, hand: Hand, code: int) -> None:
        if hand.run is not None and code != supervisor.TOLD:
            self._note("taken" if code == supervisor.TAKEN else "left", hand.run, None)
        hand.run = None

    def _release(self, hand: Hand) -> None:
        """It will get nothing more from here; at the end of its channel it ends."""
        if hand.channel >= 0:
            self.poll.unregister(hand.channel)
            del self.pooled[hand.channel]
            os.close(hand.channel)
            hand.channel = -1

    def _dismiss(self) -> None:
        """Idle supervisors are used from the end of the list: the first has been idle longest."""
        while self.idle and time.monotonic() - self.idle[0].since >= IDLE:
            self._release(self.idle.pop(0))

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            hand = self.hands.pop(pid, None)
            if hand is None:
                continue
            if hand.channel >= 0 and hand.run is not None and select.select([hand.channel], [], [], 0)[0]:
                self._hear(hand)
            self._over(hand, os.waitstatus_to_exitcode(status))
            self._release(hand)
            if hand in self.idle:
                self.idle.remove(hand)

    def _note(self, kind: str, run: int, reason: str | None) -> None:
        """Say it when there is room: waiting for the daemon here could make both wait for ever."""
        self.unsaid.append(notices.line(kind, run, None, reason))

    def _say(self) -> None:
        while self.unsaid:
            try:
                os.write(self.place.notices, self.unsaid[0])
            except OSError:
                return
            self.unsaid.popleft()


def main(runs: str, daemon: str, notices: str) -> None:
    """Serve the daemon at the other end of these descriptors."""
    gc.disable()
    for fd in (int(daemon), int(notices)):
        os.set_inheritable(fd, False)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    processes.title("jarvis-spawner")
    Spawner(runs, int(daemon), int(notices)).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
