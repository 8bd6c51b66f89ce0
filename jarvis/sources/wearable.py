"""Who knows how somebody slept? A database that copies a wearable's days, then the wearable's own API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import Any

from jarvis.core import cells, wellbeing
from jarvis.core.wellbeing import Day
from jarvis.sources import oura, tables
from jarvis.sources.fallback import Got, NeedsMending, Source

COLUMNS: dict[str, str | None] = {
    "day": "day",
    "readiness": "readiness",
    "sleep_hours": "sleep_hours",
    "hrv": "hrv",
    "stress": "stress",
    "synced_at": "synced_at",
}
"""The names of the default schema; a cache with others says so under ``columns``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wearable:
    """``cache``: a database URL or the path of an SQLite file. ``api``: None without a token."""

    cache: str | None = None
    table: str = "wearable"
    columns: Mapping[str, str | None] = field(default_factory=dict)
    query: str | None = None
    api: oura.Oura | None = None
    timeout: timedelta = timedelta(seconds=10)


def sources(where: Wearable, now: datetime, days: int) -> list[Source[tuple[Day, ...]]]:
    """The cache first, then the API. ``now`` is aware, in the zone whose dates count; ``days`` before today."""
    found: list[Source[tuple[Day, ...]]] = []
    if where.cache:
        label = tables.label(where.cache)
        found.append(
            Source(
                name=f"the wearable's cache {label}",
                breaker=f"wearable {label}",
                fetch=partial(fetch, where, where.cache, now, days),
            )
        )
    if where.api is not None:
        found.append(
            Source(
                name="the Oura API", breaker="oura", fetch=partial(oura.fetch, where.api, now.date(), days)
            )
        )
    return found


def fetch(where: Wearable, place: str, now: datetime, days: int) -> Got[tuple[Day, ...]] | None:
    """The cached days; None when there is nothing about today. Raises Unavailable."""
    zone, today = now.tzinfo, now.date()
    assert zone is not None
    params = {"since": str(today - timedelta(days=days)), "today": str(today)}
    rows = tables.read(place, _table(where), params, where.timeout)
    read, odd = [], []
    for row in rows:
        try:
            read.append(_day(row, zone))
        except ValueError as error:
            odd.append(f"day {str(row.get('day'))[:40]!r}: {error}")
    if rows and not read:
        raise NeedsMending(f"none of {len(rows)} rows can be read as a day; {odd[0]}")
    if not wellbeing.knows(read, today):
        return None
    as_of = tables.as_of(place, rows, zone)
    return Got(value=tuple(one for one in read if one.day <= today), as_of=as_of, copy=True, odd=tuple(odd))


def _table(where: Wearable) -> tables.Table:
    if unknown := [name for name in where.columns if name not in COLUMNS]:
        raise NeedsMending(f"columns: there is no {unknown[0]!r}; known are {', '.join(COLUMNS)}")
    columns = COLUMNS | dict(where.columns)
    if columns["day"] is None and where.query is None:
        raise NeedsMending("columns: the cache needs a day")
    return tables.Table(
        table=where.table, columns=columns, query=where.query, where=f" WHERE {columns['day']} >= :since"
    )


def _day(row: Mapping[str, Any], zone: tzinfo) -> Day:
    day = cells.day(row.get("day"), zone)
    if day is None:
        raise ValueError("it has no day")
    return Day(
        day=day,
        readiness=cells.number(row.get("readiness")),
        sleep=cells.number(row.get("sleep_hours")),
        hrv=cells.number(row.get("hrv")),
        stress=cells.number(row.get("stress")),
    )
