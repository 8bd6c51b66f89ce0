"""What should a person know? Every alert is a row here before anything else happens with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from jarvis.store.alert_tables import journal


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """One alert. ``severity``: info < low < medium < high < critical. ``key`` names the problem, not the occurrence."""

    at: datetime
    severity: str
    title: str
    text: str = ""
    key: str | None = None
    job: str | None = None
    run_id: int | None = None


def add(connection: Connection, notes: Sequence[Note]) -> None:
    """Write notes."""
    if notes:
        connection.execute(
            insert(journal),
            [
                {
                    "at": note.at, "severity": note.severity, "key": note.key, "job": note.job,
                    "run_id": note.run_id, "title": note.title[:500], "text": note.text[:65_536],
                }
                for note in notes
            ],
        )  # fmt: skip


def newest(connection: Connection, *, since: datetime | None = None, limit: int = 20) -> list[Note]:
    """The newest notes first."""
    query = select(journal).order_by(journal.c.id.desc()).limit(limit)
    if since is not None:
        query = query.where(journal.c.at >= since)
    return [
        Note(
            at=row.at, severity=row.severity, title=row.title, text=row.text, key=row.key, job=row.job,
            run_id=row.run_id,
        )
        for row in connection.execute(query)
    ]  # fmt: skip
