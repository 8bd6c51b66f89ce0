"""How is what a job left behind brought to an end?

Below a sub-reaper (Linux) every process of the run stays a descendant, whatever it does. Elsewhere, and after a
timeout or a cancellation also there, processes started with the run's folder in their environment are looked
for among all processes.
"""

from __future__ import annotations

import os
import signal
import time

from . import processes
from .watch import Watch

UNKILLABLE = 5.0
"""Seconds after SIGKILL at which a process counts as unkillable (uninterruptible I/O)."""


class Remains:
    """What was left of a run: ``ended`` counts processes that had to be ended, ``unkillable`` are pids."""

    def __init__(self, folder: str) -> None:
        self._mark = f"JARVIS_RUN_DIR={folder}"
        self._found: set[tuple[int, int]] = set()
        self.unkillable: list[int] = []

    @property
    def ended(self) -> int:
        return len(self._found)

    def clear(self, watch: Watch, *, grace: float, thorough: bool) -> None:
        """SIGTERM, ``grace`` seconds, SIGKILL until nothing is left or nothing more can be done."""
        watch.reap()
        kill_at = time.monotonic() + grace
        asked: set[int] = set()
        # below a sub-reaper only having no children says for certain that nothing was overlooked
        while (left := self._look(watch, thorough)) or not watch.childless:
            self._found |= {(seen.pid, seen.started) for seen in left}
            now = time.monotonic()
            if now >= kill_at + UNKILLABLE:
                self.unkillable += [seen.pid for seen in left if seen.pid not in self.unkillable]
                return
            if now >= kill_at or not left:
                processes.send(signal.SIGKILL, left)
                watch.turn(now + 0.02)
                continue
            new = [seen for seen in left if seen.pid not in asked]
            asked |= {seen.pid for seen in new}
            processes.send(signal.SIGTERM, new)
            processes.send(signal.SIGCONT, new)
            watch.turn(min(kill_at, now + 0.1))

    def _look(self, watch: Watch, thorough: bool) -> list[processes.Seen]:
        thorough = thorough or processes.MACOS
        if watch.childless and not thorough:
            return []
        table = processes.everybody()
        found = [] if watch.childless else processes.below([os.getpid()], table)
        if thorough:
            known = {seen.pid for seen in found} | {os.getpid()}
            found += [seen for seen in processes.marked(self._mark, table) if seen.pid not in known]
        return found
