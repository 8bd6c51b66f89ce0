"""What should a person know? Every alert is a row here before anything else happens with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, insert, select

from jarvis.core import alert as alerts
from jarvis.core.alert import Wanted
from jarvis.store import database
from jarvis.store.alert_tables import journal

TITLE_KEPT = 500
TEXT_KEPT = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """One alert. ``severity``: info < low < medium < high < critical. ``key`` names the problem, not the occurrence.

    ``kind``: problem (it lasts until it is over), notice (it happened) or recovery (a problem is over: that of
    ``key``, or without one all of the job's that ``wanted.still`` does not name). Without one: a problem if
    there is a key.
    """

    at: datetime
    severity: str
    title: str
    text: str = ""
    key: str | None = None
    job: str | None = None
    run_id: int | None = None
    kind: str = ""
    wanted: Wanted = field(default_factory=Wanted)


def add(connection: Connection, notes: Sequence[Note]) -> None:
    """Write notes; texts are cut to what is kept. Whoever judges them is woken after the commit."""
    if notes:
        connection.execute(insert(journal), [row(note) for note in notes])
        connection.info[database.ALERTED] = True


def row(note: Note) -> dict[str, object]:
    """The columns of a note that nobody has judged."""
    return {
        "at": note.at,
        "kind": note.kind or ("problem" if note.key else "notice"),
        "severity": note.severity,
        "key": alerts.short_key(storable(note.key)) if note.key else None,
        "job": note.job,
        "run_id": note.run_id,
        "title": storable(note.title)[:TITLE_KEPT],
        "text": storable(note.text)[:TEXT_KEPT],
        "wanted": note.wanted.dump(),
        "verdict": "new",
    }


def storable(text: str) -> str:
    """Text that any database takes: no NUL, no lone surrogates."""
    return text.replace("\0", "�").encode("utf-8", "replace").decode()


def newest(
    connection: Connection, *, since: datetime | None = None, limit: int = 20, news: bool = False
) -> list[Note]:
    """The newest notes first. ``news``: without those that say nothing new, and without recoveries."""
    query = select(journal).order_by(journal.c.id.desc()).limit(limit)
    if news:
        query = query.where(journal.c.verdict != "counted", journal.c.kind != "recovery")
    if since is not None:
        query = query.where(journal.c.at >= since)
    return [
        Note(
            at=row.at, severity=row.severity, title=row.title, text=row.text, key=row.key, job=row.job,
            run_id=row.run_id, kind=row.kind, wanted=alerts.wanted(row.wanted),
        )
        for row in connection.execute(query)
    ]  # fmt: skip
