"""What is wrong with Jarvis itself right now? Kept in memory, so that it can be said when nothing can be written."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

log = logging.getLogger("jarvis.trouble")


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """One thing that is wrong: where, since when, why, how often it was tried."""

    what: str
    since_at: datetime
    why: str
    tries: int = 1


class Troubles:
    """All current troubles by name; degraded means there is at least one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._current: dict[str, Trouble] = {}
        self.heard: Callable[[], None] = lambda: None
        """Called when something new is wrong, and when it is over."""

    def note(self, what: str, why: str, at: datetime) -> Trouble:
        """Something does not work (still, or newly)."""
        with self._lock:
            known = self._current.get(what)
            now = Trouble(
                what=what,
                since_at=known.since_at if known else at,
                why=why,
                tries=known.tries + 1 if known else 1,
            )
            self._current[what] = now
        if known is None or known.why != why:
            log.error("degraded: %s: %s", what, why)
        if known is None:
            self.heard()
        return now

    def clear(self, what: str) -> Trouble | None:
        """It works again; the trouble that is over, if there was one."""
        with self._lock:
            over = self._current.pop(what, None)
        if over:
            log.warning("recovered: %s (since %s, %d tries)", what, over.since_at.isoformat(), over.tries)
            self.heard()
        return over

    def current(self) -> Mapping[str, Trouble]:
        """A copy of what is wrong."""
        with self._lock:
            return dict(self._current)
