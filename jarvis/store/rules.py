"""Which rules are kept in the ledger, when was each told, and what do they ask the ledger?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from jarvis.core import duration, matching
from jarvis.core import rules as forms
from jarvis.core.rules import Rule
from jarvis.errors import NotFound, Refused
from jarvis.store import readings
from jarvis.store.database import Database
from jarvis.store.rule_tables import rules
from jarvis.store.tables import memory

MARK = "alert_eval:"
"""Under this and the rule's name its job remembers when it was told."""
EARLIER = timedelta(days=2)
"""A run whose moment was so long before the window may still have ended in it."""
BAD = ("failed", "timed_out", "lost")
READ = 2_000
NEWEST = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A rule of the ledger. ``rule`` is None when it cannot be read; then ``broken`` says why."""

    name: str
    kind: str
    condition: Mapping[str, Any]
    severity: str
    cooldown: str
    enabled: bool
    created_at: datetime
    rule: Rule | None = None
    broken: str | None = None


class Rules:
    """The rules of one ledger. Raises StoreError, NotFound and Refused in words."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def url(self) -> str:
        """The ledger itself, for rules that ask it with SQL."""
        return self._database.url

    def all(self) -> list[Stored]:
        """By name; also those that are switched off or cannot be read."""
        with self._database.read() as connection:
            return [
                _stored(row) for row in connection.execute(select(rules).order_by(rules.c.name)).mappings()
            ]

    def get(self, name: str) -> Stored:
        """Raises NotFound with the nearest name."""
        with self._database.read() as connection:
            row = connection.execute(select(rules).where(rules.c.name == name)).mappings().first()
            if row is None:
                raise self._unknown(connection, name)
        return _stored(row)

    def add(self, rule: Rule, *, at: datetime, replace: bool = False) -> None:
        """Keep a rule. Raises Refused when there is one of this name and it is not to be replaced."""
        row = {
            "name": rule.name, "kind": rule.kind, "condition": rule.condition(), "severity": rule.severity,
            "cooldown": duration.spell(rule.cooldown), "enabled": rule.enabled, "created_at": at,
        }  # fmt: skip
        with self._database.write() as connection:
            known = connection.execute(select(rules.c.name).where(rules.c.name == rule.name)).first()
            if known and not replace:
                raise Refused(f"there is a rule {rule.name!r} already: --replace puts this one in its place")
            connection.execute(delete(rules).where(rules.c.name == rule.name))
            connection.execute(insert(rules).values(**row))

    def switch(self, name: str, *, enabled: bool) -> None:
        """Raises NotFound."""
        with self._database.write() as connection:
            change = update(rules).where(rules.c.name == name).values(enabled=enabled)
            if connection.execute(change).rowcount == 0:
                raise self._unknown(connection, name)

    def remove(self, name: str) -> None:
        """Raises NotFound."""
        with self._database.write() as connection:
            if connection.execute(delete(rules).where(rules.c.name == name)).rowcount == 0:
                raise self._unknown(connection, name)

    def told(self) -> dict[str, datetime]:
        """When each rule was told last, by whichever job."""
        query = select(memory.c.key, memory.c.value).where(memory.c.key.startswith(MARK, autoescape=True))
        found: dict[str, datetime] = {}
        with self._database.read() as connection:
            for key, value in connection.execute(query):
                if at := last_told(value):
                    name = key.removeprefix(MARK)
                    found[name] = max(at, found.get(name, at))
        return found

    @staticmethod
    def _unknown(connection: Connection, name: str) -> NotFound:
        return NotFound(
            readings.nearest("rule", name, list(connection.execute(select(rules.c.name)).scalars()))
        )

    # What rules ask the ledger.

    def history(self, job: str) -> matching.History:
        """What the ledger knows of a job. Raises NotFound when it knows none of that name."""
        with self._database.read() as connection:
            return readings.history(connection, job)

    def readings(self, metric: str, since: datetime, until: datetime) -> list[float]:
        """The values of a metric after ``since``, oldest first. Raises NotFound when there is no such metric."""
        with self._database.read() as connection:
            return readings.values(connection, metric, since, until)


def last_told(value: Any) -> datetime | None:
    """Of what a job remembers of a rule: its newest telling."""
    try:
        return max(map(datetime.fromisoformat, value.values()), default=None)
    except (AttributeError, TypeError, ValueError):
        return None


def _stored(row: Mapping[Any, Any]) -> Stored:
    given = {name: row[name] for name in ("name", "kind", "severity", "cooldown", "enabled")}
    condition = row["condition"] if isinstance(row["condition"], dict) else {}
    try:
        rule = forms.read(json.loads(json.dumps(condition)) | given)
    except ValueError as error:
        return Stored(**given, condition=condition, created_at=row["created_at"], broken=str(error))
    return Stored(**given, condition=condition, created_at=row["created_at"], rule=rule)
