"""What do the memory tables of an existing database say? delegations, decisions and facts, read where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from jarvis.core import matching
from jarvis.store import outside
from jarvis.store.outside import Unanswered

WITHIN = timedelta(seconds=60)
NAMES = ("decision", "title", "task", "description", "summary", "text")
"""Under which of these columns a decision says what it is; the first that is there."""
CREATED = ("created", "created_at")


class Elsewhere:
    """Somebody else's memory tables. ``zone``: of dates and times that come without one. Raises Unanswered."""

    def __init__(self, url: str, zone: tzinfo | None = UTC) -> None:
        self._url = url
        self._zone = zone

    def due(self) -> Iterator[matching.Delegation]:
        """Active delegations that have a date, however many there are."""
        query = "SELECT * FROM delegations WHERE status = 'active' AND due_date IS NOT NULL"
        for row in self._rows(query, "delegations", ("task", "delegated_to", "due_date")):
            yield matching.Delegation(
                task=str(row["task"]),
                delegated_to=str(row["delegated_to"]),
                due_date=self._moment(row["due_date"], "delegations.due_date").date(),
            )

    def pending(self) -> Iterator[matching.Decision]:
        """Decisions to be executed, however many there are."""
        query = "SELECT * FROM decisions WHERE status = 'pending_execution'"
        for row in self._rows(query, "decisions", ()):
            created = next((name for name in CREATED if name in row), None)
            if created is None:
                raise Unanswered(self._lacks("decisions", "created"))
            name = next((str(row[name]) for name in NAMES if row.get(name)), f"decision {row.get('id', '')}")
            at = self._moment(row[created], f"decisions.{created}")
            yield matching.Decision(decision=name, created_at=at)

    def value(self, category: str, key: str) -> str | None:
        """The value of a fact; None when there is none."""
        query = "SELECT value FROM facts WHERE category = :category AND key = :key"
        found = outside.ask(
            self._url, query, params={"category": category, "key": key}, within=WITHIN, limit=1
        )
        value = found[0]["value"] if found else None
        return value.isoformat() if isinstance(value, date) else None if value is None else str(value)

    def _rows(self, query: str, table: str, needed: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
        with outside.rows(self._url, query, within=WITHIN) as found:
            for row in found:
                for name in needed:
                    if name not in row:
                        raise Unanswered(self._lacks(table, name))
                yield row

    def _lacks(self, table: str, column: str) -> str:
        return f"{outside.shown(self._url)}: its table {table} has no column {column}"

    def _moment(self, value: Any, where: str) -> datetime:
        """A date or time as databases hold it: of its own type, or as ISO 8601 text."""
        try:
            at = value if isinstance(value, date) else datetime.fromisoformat(str(value).strip())
        except ValueError:
            raise Unanswered(
                f"{outside.shown(self._url)}: {where} holds {str(value)[:40]!r}, which is no date"
            ) from None
        if not isinstance(at, datetime):
            at = datetime(at.year, at.month, at.day, tzinfo=self._zone)
        return at if at.tzinfo else at.replace(tzinfo=self._zone)
