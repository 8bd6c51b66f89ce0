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

STUCK_AFTER = 60
"""Ticks of one second without a pass."""

EXIT_CODE = 70


class Watchdog:
    """``counts`` answer how often each loop came round; ``alive`` is called each tick in which all of them moved."""

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
        self._thread = threading.Thread(target=self._loop, name="jarvis-watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _loop(self) -> None:
        while not self._stop.wait(1):
            stuck = self.tick()
            if stuck:
                self._end(stuck)
            if not any(self._still.values()):
                self._alive()

    def tick(self) -> str | None:
        """One look; the loop that has stood still for too long, if any."""
        for name, count in self._counts.items():
            now = count()
            self._still[name] = 0 if now != self._last[name] else self._still[name] + 1
            self._last[name] = now
        return next((name for name, still in self._still.items() if still >= self._stuck_after), None)

    def _end(self, stuck: str) -> None:
        log.critical(
            "the %s has stood still for %d s; ending, so that Jarvis is started again",
            stuck,
            self._stuck_after,
        )
        faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
        for handler in logging.getLogger().handlers:
            handler.flush()
        os._exit(EXIT_CODE)
