"""What does a person keep in mind? Delegations, decisions and facts of one ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, Table, delete, func, insert, select, text, update

from jarvis.core import matching
from jarvis.errors import NotFound, Refused
from jarvis.store.database import Database
from jarvis.store.rule_tables import decisions, delegations, known_facts
from jarvis.store.tables import to_micros

BATCH = 1_000
ENDS = {
    "completed": ("active",),
    "cancelled": ("active",),
    "executed": ("pending_execution", "deferred"),
    "deferred": ("pending_execution",),
    "reversed": ("pending_execution", "deferred", "executed"),
}
"""What something can become, and from what."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delegation:
    """One row. ``status``: active, completed or cancelled."""

    id: int
    task: str
    delegated_to: str
    due_date: date | None
    priority: str
    status: str
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """One row. ``status``: pending_execution, executed, deferred or reversed."""

    id: int
    decision: str
    status: str
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One row. ``confidence``: 0 to 1."""

    category: str
    key: str
    value: str
    confidence: float
    updated_at: datetime


class Known:
    """The memory tables; every call is its own transaction. Raises StoreError, NotFound and Refused in words."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # Delegations.

    def delegate(
        self, task: str, to: str, *, due: date | None = None, priority: str = "medium", at: datetime
    ) -> int:
        """Note what somebody was asked to do; returns its id."""
        row = {"task": task, "delegated_to": to, "due_date": due, "priority": priority, "status": "active"}
        return self._add(delegations, row, at)

    def delegations(self, *, status: str | None = None, limit: int = 100) -> list[Delegation]:
        """Those due first come first, those without a date last."""
        query = select(delegations).order_by(
            delegations.c.due_date.is_(None), delegations.c.due_date, delegations.c.id
        )
        return [Delegation(**row) for row in self._page(query, delegations, status, limit)]

    def end_delegation(self, number: int, status: str, at: datetime) -> Delegation:
        """Completed or cancelled. Raises NotFound, or Refused when it is over already."""
        return Delegation(**self._become(delegations, "delegation", number, status, at))

    def due(self) -> Iterator[matching.Delegation]:
        """Active delegations that have a date, however many there are."""
        columns = (delegations.c.task, delegations.c.delegated_to, delegations.c.due_date)
        query = select(*columns).where(delegations.c.status == "active", delegations.c.due_date.is_not(None))
        with self._database.read() as connection:
            for row in connection.execution_options(yield_per=BATCH).execute(query):
                yield matching.Delegation(task=row[0], delegated_to=row[1], due_date=row[2])

    # Decisions.

    def decide(self, decision: str, *, at: datetime) -> int:
        """Note a decision that is to be executed; returns its id."""
        return self._add(decisions, {"decision": decision, "status": "pending_execution"}, at)

    def decisions(self, *, status: str | None = None, limit: int = 100) -> list[Decision]:
        """The oldest first."""
        query = select(decisions).order_by(decisions.c.created_at, decisions.c.id)
        return [Decision(**row) for row in self._page(query, decisions, status, limit)]

    def settle(self, number: int, status: str, at: datetime) -> Decision:
        """Executed, deferred or reversed. Raises NotFound, or Refused when it cannot become that."""
        return Decision(**self._become(decisions, "decision", number, status, at))

    def pending(self) -> Iterator[matching.Decision]:
        """Decisions to be executed, however many there are."""
        query = select(decisions.c.decision, decisions.c.created_at).where(
            decisions.c.status == "pending_execution"
        )
        with self._database.read() as connection:
            for row in connection.execution_options(yield_per=BATCH).execute(query):
                yield matching.Decision(decision=row[0], created_at=row[1])

    # Facts.

    def know(self, category: str, key: str, value: str, *, confidence: float = 1.0, at: datetime) -> None:
        """Set a fact; what was known under the same category and key is replaced."""
        with self._database.write() as connection:
            connection.execute(
                text(
                    "INSERT INTO known_facts (category, key, value, confidence, updated_at)"
                    " VALUES (:category, :key, :value, :confidence, :at) ON CONFLICT (category, key)"
                    " DO UPDATE SET value = :value, confidence = :confidence, updated_at = :at"
                ),
                {"category": category, "key": key, "value": value, "confidence": confidence, "at": to_micros(at)},
            )  # fmt: skip

    def fact(self, category: str, key: str) -> Fact | None:
        """What is known, or None."""
        query = select(known_facts).where(known_facts.c.category == category, known_facts.c.key == key)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        return Fact(**row) if row else None

    def value(self, category: str, key: str) -> str | None:
        found = self.fact(category, key)
        return found.value if found else None

    def facts(self, *, category: str | None = None, limit: int = 100) -> list[Fact]:
        """By category and key."""
        query = select(known_facts).order_by(known_facts.c.category, known_facts.c.key).limit(limit)
        if category is not None:
            query = query.where(known_facts.c.category == category)
        with self._database.read() as connection:
            return [Fact(**row) for row in connection.execute(query).mappings()]

    def forget(self, category: str, key: str) -> None:
        """Raises NotFound when nothing is known there."""
        gone = delete(known_facts).where(known_facts.c.category == category, known_facts.c.key == key)
        with self._database.write() as connection:
            if connection.execute(gone).rowcount == 0:
                raise NotFound(f"nothing is known under {category}/{key}")

    # All of it.

    def prune(self, before: datetime) -> int:
        """Delegations and decisions that were over before; never the newest, so that no number is given twice."""
        gone = 0
        with self._database.write() as connection:
            for table, going_on in (
                (delegations, ("active",)),
                (decisions, ("pending_execution", "deferred")),
            ):
                newest = select(func.max(table.c.id)).scalar_subquery()
                over = table.c.status.not_in(going_on) & (table.c.changed_at < before) & (table.c.id < newest)
                gone += connection.execute(delete(table).where(over)).rowcount
        return gone

    def _add(self, table: Table, row: dict[str, Any], at: datetime) -> int:
        with self._database.write() as connection:
            result = connection.execute(insert(table).values(**row, created_at=at, changed_at=at))
            return int(result.inserted_primary_key[0])  # type: ignore[index]

    def _page(self, query: Select[Any], table: Table, status: str | None, limit: int) -> list[dict[str, Any]]:
        if status is not None:
            query = query.where(table.c.status == status)
        with self._database.read() as connection:
            return [dict(row) for row in connection.execute(query.limit(limit)).mappings()]

    def _become(self, table: Table, what: str, number: int, status: str, at: datetime) -> dict[str, Any]:
        with self._database.write() as connection:
            known = connection.execute(select(table).where(table.c.id == number)).mappings().first()
            if known is None:
                raise NotFound(
                    f"there is no {what} {number}: 'jarvis memory {what}s list' shows those there are"
                )
            if known["status"] not in ENDS[status]:
                was = known["status"].replace("_", " ")
                raise Refused(f"{what} {number} is {was}; it cannot become {status}")
            change = update(table).where(table.c.id == number).values(status=status, changed_at=at)
            connection.execute(change)
            return dict(known) | {"status": status, "changed_at": at}
