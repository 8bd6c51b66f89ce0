"""Is the scheduler still alive? If its loop stands still the process ends, so that it is started again.

Counts its own ticks, not time: a process that was stopped or asleep as a whole has not hung.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping

log = logging.getLogger("jarvis.watchdog")

TICK = 5.0
STUCK_AFTER = 12
"""Ticks without a pass: a minute."""

EXIT_CODE = 70


class Watchdog:
    """``counts`` answer how often each loop came round; ``alive`` is called when all have moved since the last call."""

    def __init__(
        self,
        counts: Mapping[str, Callable[[], int]],
        *,
        alive: Callable[[], object],
        stuck_after: int = STUCK_AFTER,
    ) -> None:
        self._counts = counts
        self._alive = alive
        self._stuck_after = stuck_after
        self._stop = threading.Event()
        self._still = dict.fromkeys(counts, 0)
        self._last = dict.fromkeys(counts, -1)
        self._moved: set[str] = set()
        self._thread = threading.Thread(target=self._loop, name="jarvis-watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _loop(self) -> None:
        while not self._stop.wait(TICK):
            stuck = self.tick()
            if stuck:
                self._end(stuck)
            if self._moved == self._counts.keys():
                self._moved.clear()
                self._alive()

    def tick(self) -> str | None:
        """One look; the loop that has stood still for too long, if any."""
        for name, count in self._counts.items():
            now = count()
            if now != self._last[name]:
                self._moved.add(name)
                self._still[name] = 0
            else:
                self._still[name] += 1
            self._last[name] = now
        return next((name for name, still in self._still.items() if still >= self._stuck_after), None)

    def _end(self, stuck: str) -> None:
        log.critical(
            "the %s has stood still for %d s; ending, so that Jarvis is started again",
            stuck,
            self._stuck_after * TICK,
        )
        faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
        for handler in logging.getLogger().handlers:
            handler.flush()
        os._exit(EXIT_CODE)
