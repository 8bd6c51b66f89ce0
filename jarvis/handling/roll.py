"""Which runs still have an end to be told, and how is each of them followed?"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from jarvis.handling.lean import processes
from jarvis.handling.request import Request
from jarvis.handling.rundir import Claim

ADOPTED = -1
"""The generation of runs that no spawner of this launcher has been given."""


TRIES = 3
"""How many supervisors may die over one run before anything was started."""


@dataclass(kw_only=True, slots=True)
class Entry:
    """A run on the roll.

    ``request`` is kept until its supervisor is known to have started it; ``generation`` says which spawner has
    it; ``pidfd`` becomes readable when its supervisor ends; ``polled``: there is no such descriptor.
    """

    request: Request | None
    generation: int
    tries: int = 0
    pidfd: int | None = None
    polled: bool = False


class Roll:
    """The open runs of one launcher; any thread may use it."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._lock = threading.Lock()

    def enter(self, requests: Sequence[Request], generation: int) -> None:
        """These are being handed to the spawner of this generation."""
        with self._lock:
            for request in requests:
                entry = self._entries.setdefault(request.run, Entry(request=request, generation=generation))
                entry.generation = generation

    def adopt(self, run: int) -> None:
        """This one was started by somebody else."""
        with self._lock:
            self._entries.setdefault(run, Entry(request=None, generation=ADOPTED))

    def strike(self, run: int) -> bool:
        """Off the roll: True for the one caller that may tell the run's end."""
        with self._lock:
            entry = self._entries.pop(run, None)
        if entry and entry.pidfd is not None:
            os.close(entry.pidfd)
        return entry is not None

    def started(self, run: int) -> bool:
        """Its first program runs; False when nobody is waiting for news of it."""
        with self._lock:
            entry = self._entries.get(run)
            if entry:
                entry.request = None
            return entry is not None

    def again(self, run: int, *, died: bool) -> Request | None:
        """The request of a run that never started, to be handed over once more.

        ``died``: its own supervisor did; that may be the request's doing and is tried ``TRIES`` times only.
        """
        with self._lock:
            entry = self._entries.get(run)
            if entry is None:
                return None
            entry.tries += died
            return entry.request if entry.tries < TRIES else None

    def orphans(self, generation: int) -> list[int]:
        """The runs that no living spawner looks after; each is named once."""
        with self._lock:
            found = [run for run, entry in self._entries.items() if entry.generation < generation]
            for run in found:
                self._entries[run].generation = generation
            return found

    def follow(self, run: int, claim: Claim) -> None:
        """Its supervisor is alive: notice when it ends."""
        with self._lock:
            entry = self._entries.get(run)
            if entry and entry.pidfd is None:
                entry.request = None
                entry.pidfd = _pidfd(claim)
                entry.polled = entry.pidfd is None

    def followed(self) -> tuple[dict[int, int], list[int]]:
        """Descriptors to wait for (with their runs), and runs to look at from time to time."""
        with self._lock:
            fds = {entry.pidfd: run for run, entry in self._entries.items() if entry.pidfd is not None}
            return fds, [run for run, entry in self._entries.items() if entry.polled]

    def clear(self) -> None:
        """Forget everything."""
        for run in list(self._entries):
            self.strike(run)


def _pidfd(claim: Claim) -> int | None:
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        fd = os.pidfd_open(claim.pid)
    except OSError:
        return None
    # the number may have passed to another process before the descriptor was open
    if processes.alive(claim.pid, claim.started):
        return fd
    os.close(fd)
    return None
