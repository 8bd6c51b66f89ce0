"""Where does pybreaker keep the state of a circuit breaker? In the ledger's table ``breakers``.

Of several processes only one gets the half-open call: it is claimed by a compare-and-set, and the claim of a process
that died is void after the recovery time. A ledger that cannot be read or written must not keep anybody from calling a
service: then what this process knew last is used.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pybreaker
from sqlalchemy import Connection, insert, select, update

from jarvis.errors import StoreError
from jarvis.store.alert_tables import breakers
from jarvis.store.database import Database

log = logging.getLogger("jarvis.breakers")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    state: str = pybreaker.STATE_CLOSED
    failures: int = 0
    successes: int = 0
    opened_at: datetime | None = None
    changed_at: float | None = None


class LedgerStorage(pybreaker.CircuitBreakerStorage):
    """One row of ``breakers``; see pybreaker's CircuitBreakerStorage for what each part means."""

    def __init__(self, database: Database, name: str, recovery: timedelta) -> None:
        super().__init__(name)
        self._database = database
        self._recovery = recovery
        self._known = _Row()
        self._mine = False
        self._unwritten = False

    @property
    def state(self) -> str:
        """A half-open call that is another process' looks open from here."""
        row = self._read()
        return pybreaker.STATE_OPEN if self._taken(row) else row.state

    @state.setter
    def state(self, state: str) -> None:
        now = _now()

        def change(row: _Row) -> _Row:
            if state == pybreaker.STATE_HALF_OPEN and self._claimed(row, now):
                raise pybreaker.CircuitBreakerError(f"{self.name}: another process is trying it just now")
            opened_at = None if state == pybreaker.STATE_CLOSED else row.opened_at
            return replace(row, state=state, opened_at=opened_at, changed_at=now.timestamp())

        self._change(change)
        self._mine = state == pybreaker.STATE_HALF_OPEN

    def increment_counter(self) -> None:
        self._change(lambda row: replace(row, failures=row.failures + 1))

    def reset_counter(self) -> None:
        if self._read().failures:
            self._change(lambda row: replace(row, failures=0))

    def increment_success_counter(self) -> None:
        self._change(lambda row: replace(row, successes=row.successes + 1))

    def reset_success_counter(self) -> None:
        if self._read().successes:
            self._change(lambda row: replace(row, successes=0))

    @property
    def counter(self) -> int:
        return self._read().failures

    @property
    def success_counter(self) -> int:
        return self._read().successes

    @property
    def opened_at(self) -> datetime | None:
        """When it opened, or when another process took the half-open call; None once the clock was set back."""
        row = self._read()
        at = row.opened_at
        if self._taken(row) and row.changed_at is not None:
            at = datetime.fromtimestamp(row.changed_at, UTC)
        return at if at is None or at <= _now() else None

    @opened_at.setter
    def opened_at(self, at: datetime) -> None:
        self._change(lambda row: replace(row, opened_at=at))

    def _taken(self, row: _Row) -> bool:
        return row.state == pybreaker.STATE_HALF_OPEN and not self._mine

    def _claimed(self, row: _Row, now: datetime) -> bool:
        if not self._taken(row) or row.changed_at is None:
            return False
        return 0 <= now.timestamp() - row.changed_at < self._recovery.total_seconds()

    def _read(self) -> _Row:
        if self._unwritten:
            return self._known
        try:
            with self._database.read() as connection:
                self._known = self._row(connection) or _Row()
        except StoreError as error:
            log.warning("the breaker of %s is taken as it was last: %s", self.name, error)
        return self._known

    def _change(self, change: Callable[[_Row], _Row]) -> None:
        try:
            with self._database.write() as connection:
                row = self._row(connection)
                changed = change(self._known if self._unwritten else row or _Row())
                self._put(connection, changed, new=row is None)
            self._unwritten = False
        except StoreError as error:
            log.warning("the breaker of %s changes in this process only: %s", self.name, error)
            changed, self._unwritten = change(self._known), True
        self._known = changed

    def _row(self, connection: Connection) -> _Row | None:
        columns = breakers.c
        query = select(
            columns.state, columns.failures, columns.successes, columns.opened_at, columns.changed_at
        ).where(columns.name == self.name)
        found = connection.execute(query).first()
        return None if found is None else _Row(**found._mapping)

    def _put(self, connection: Connection, row: _Row, *, new: bool) -> None:
        values: dict[str, Any] = {
            "state": row.state, "failures": row.failures, "successes": row.successes,
            "opened_at": row.opened_at, "changed_at": row.changed_at,
        }  # fmt: skip
        if new:
            connection.execute(insert(breakers).values(name=self.name, **values))
        else:
            connection.execute(update(breakers).where(breakers.c.name == self.name).values(**values))


def _now() -> datetime:
    return datetime.now(UTC)
