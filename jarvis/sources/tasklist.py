"""Which tasks are there? The rows of a task system's database, SQLite or PostgreSQL, as ``core.tasks.Task``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import Any

from jarvis.core import cells
from jarvis.core.tasks import Task
from jarvis.sources import tables
from jarvis.sources.fallback import Got, NeedsMending, Source

COLUMNS: dict[str, str | None] = {
    "title": "title",
    "status": "status",
    "due": "due",
    "milestone": "milestone",
    "points": "points",
    "created_at": "created_at",
    "completed_at": "completed_at",
    "synced_at": None,
}
"""The names of the default schema; a task system with others says so under ``columns``."""

ACTIVE = ("active", "open", "todo", "pending", "in_progress")
PAST = timedelta(days=8)
"""Tasks created or completed within this time are read, too: for progress and for what comes in and goes out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tasklist:
    """Where the tasks are. ``cache`` and ``database``: database URLs or paths of SQLite files."""

    cache: str | None = None
    database: str | None = None
    table: str = "tasks"
    columns: Mapping[str, str | None] = field(default_factory=dict)
    query: str | None = None
    active: Sequence[str] = ACTIVE
    timeout: timedelta = timedelta(seconds=10)


def sources(where: Tasklist, now: datetime) -> list[Source[tuple[Task, ...]]]:
    """The cache first, then the database itself. ``now`` is aware, in the zone whose dates count."""
    return [
        Source(
            name=f"{name} {tables.label(place)}",
            breaker=f"tasks {tables.label(place)}",
            fetch=partial(fetch, where, place, now, copy=copy),
        )
        for name, place, copy in (
            ("the task cache", where.cache, True),
            ("the task database", where.database, False),
        )
        if place
    ]


def fetch(where: Tasklist, place: str, now: datetime, *, copy: bool) -> Got[tuple[Task, ...]]:
    """The active tasks and those of the last days. Raises Unavailable."""
    zone = now.tzinfo
    assert zone is not None
    rows = tables.read(place, _table(where), _params(where, now), where.timeout)
    read, odd = [], []
    for row in rows:
        try:
            read.append(task(row, where.active, zone))
        except ValueError as error:
            odd.append(f"task {str(row.get('title'))[:60]!r}: {error}")
    if rows and not read:
        raise NeedsMending(f"none of {len(rows)} rows can be read as a task; {odd[0]}")
    as_of = tables.as_of(place, rows, zone) if copy else None
    return Got(value=tuple(read), as_of=as_of, copy=copy, odd=tuple(odd))


def _table(where: Tasklist) -> tables.Table:
    if unknown := [name for name in where.columns if name not in COLUMNS]:
        raise NeedsMending(f"columns: there is no {unknown[0]!r}; known are {', '.join(COLUMNS)}")
    columns = COLUMNS | dict(where.columns)
    for needed in ("title", "status"):
        if columns[needed] is None and where.query is None:
            raise NeedsMending(f"columns: a task needs its {needed}")
    conditions = [
        f"CAST({columns['status']} AS TEXT) IN ({', '.join(f':active_{one}' for one in range(len(where.active)))})"
    ]
    conditions += [
        f"{columns[name]} >= :since" for name in ("completed_at", "created_at") if columns[name] is not None
    ]
    return tables.Table(
        table=where.table, columns=columns, query=where.query, where=f" WHERE {' OR '.join(conditions)}"
    )


def _params(where: Tasklist, now: datetime) -> dict[str, Any]:
    actives = {f"active_{number}": status for number, status in enumerate(where.active)}
    # One day more than needed: the database may write its moments in another zone.
    return actives | {"today": str(now.date()), "since": str(now.date() - PAST)}


def task(row: Mapping[str, Any], active: Sequence[str], zone: tzinfo) -> Task:
    """A row as a task. Raises ValueError for what cannot be read, or when there is no title."""
    title = cells.text(row.get("title"))
    if title is None:
        raise ValueError("it has no title")
    status = (cells.text(row.get("status")) or "").casefold()
    points = cells.number(row.get("points"))
    return Task(
        title=title,
        active=status in {one.casefold() for one in active},
        due=cells.day(row.get("due"), zone),
        milestone=cells.yes(row.get("milestone")),
        points=1.0 if points is None else points,
        created=cells.day(row.get("created_at"), zone),
        completed=cells.day(row.get("completed_at"), zone),
    )
