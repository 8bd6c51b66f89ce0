"""Is a service worth asking, or did it fail so often that it is left alone for a while?

A circuit breaker per service (pybreaker), its state in the ledger: shared by the daemon and the runs, and known after
a restart. Closed: calls go through. Open: calls raise ``pybreaker.CircuitBreakerError`` at once. Half-open: one call
may try.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from jarvis.store.alert_tables import breakers
from jarvis.store.database import Database

if TYPE_CHECKING:
    import pybreaker

FAILURES = 3
RECOVERY = timedelta(seconds=60)
TRIALS = 1

Excluded = type[BaseException] | Callable[[Any], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """A breaker as the ledger knows it. ``state``: closed, open or half-open; ``failures``: in a row."""

    name: str
    state: str
    failures: int
    opened_at: datetime | None
    changed_at: datetime | None


class Breakers:
    """The breakers of one ledger, made when first asked for.

    pybreaker holds a breaker's lock during the call: one breaker per service, never one for several.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._made: dict[str, pybreaker.CircuitBreaker] = {}

    def get(
        self,
        name: str,
        *,
        failures: int = FAILURES,
        recovery: timedelta = RECOVERY,
        trials: int = TRIALS,
        exclude: Sequence[Excluded] = (),
    ) -> pybreaker.CircuitBreaker:
        """The breaker of that name; its numbers are those of the first time it is asked for.

        ``failures`` in a row open it, after ``recovery`` one call may try, ``trials`` successes close it. ``exclude``:
        errors (types, or functions that recognize them) that say nothing about the service. ``call`` raises what the
        function raised, or CircuitBreakerError without calling it.
        """
        import pybreaker

        from jarvis.store.breaker_storage import LedgerStorage

        with self._lock:
            if name not in self._made:
                self._made[name] = pybreaker.CircuitBreaker(
                    fail_max=failures,
                    reset_timeout=recovery.total_seconds(),
                    success_threshold=trials,
                    exclude=list(exclude),
                    state_storage=LedgerStorage(self._database, name, recovery),
                    name=name,
                    throw_new_error_on_trip=False,
                )
            return self._made[name]

    def forget(self, name: str) -> None:
        """Make a new breaker when it is asked for again: the old one's lock is held by a call that does not end."""
        with self._lock:
            self._made.pop(name, None)

    def states(self) -> list[State]:
        """Every breaker that was ever used, by name."""
        with self._database.read() as connection:
            return [
                State(
                    name=row.name,
                    state=row.state,
                    failures=row.failures,
                    opened_at=row.opened_at,
                    changed_at=None
                    if row.changed_at is None
                    else datetime.fromtimestamp(row.changed_at, UTC),
                )
                for row in connection.execute(select(breakers).order_by(breakers.c.name))
            ]
