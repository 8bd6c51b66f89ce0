"""How is somebody else's table read? By a query made of its names, or by one that the user wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from jarvis.core import cells
from jarvis.sources.fallback import NeedsMending, Unavailable
from jarvis.store import outside

NAME = re.compile(r"[A-Za-z_]\w{0,62}(\.[A-Za-z_]\w{0,62})?", re.ASCII)
MOST = 10_000
_ASKED = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")
_SQLITE = "sqlite:///"


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table and its columns: ``columns`` maps our names to theirs, None to "there is none". ``query`` instead of
    both returns columns of our names."""

    table: str
    columns: Mapping[str, str | None] = field(default_factory=dict)
    query: str | None = None
    where: str = ""

    def sql(self) -> str:
        """The query. Raises NeedsMending for what is no name of a table or column."""
        if self.query:
            return self.query
        for name in (self.table, *self.columns.values()):
            if name is not None and not NAME.fullmatch(name):
                raise NeedsMending(
                    f"{name!r} is no plain name of a table or column; write the whole query instead ('query:')"
                )
        chosen = [f"{theirs} AS {ours}" for ours, theirs in self.columns.items() if theirs]
        return f"SELECT {', '.join(chosen)} FROM {self.table}{self.where}"


def url_of(place: str) -> str:
    """A database URL; a plain path is an SQLite file."""
    return place if "://" in place else f"{_SQLITE}{Path(place).expanduser().absolute()}"


def label(place: str) -> str:
    """The database as people may see it."""
    url = url_of(place)
    return url.removeprefix(_SQLITE) if url.startswith(_SQLITE) else outside.shown(url)


def read(place: str, table: Table, params: Mapping[str, Any], within: timedelta) -> list[dict[str, Any]]:
    """All rows. ``params`` that the query does not name are left out. Raises Unavailable."""
    query = table.sql()
    named = set(_ASKED.findall(query))
    given = {name: value for name, value in params.items() if name in named}
    try:
        rows = outside.ask(url_of(place), query, params=given, within=within, limit=MOST + 1)
    except outside.Unanswered as error:
        if any(
            word in str(error) for word in ("no such", "does not exist", "syntax error", "refused, the query")
        ):
            raise NeedsMending(str(error)) from error
        raise Unavailable(str(error)) from error
    if len(rows) > MOST:
        raise NeedsMending(f"the query returns more than {MOST} rows: narrow it")
    return rows


def as_of(place: str, rows: Sequence[Mapping[str, Any]], zone: tzinfo) -> datetime | None:
    """When a copy was made: the newest ``synced_at`` of its rows, or else when the SQLite file was written to."""
    moments = []
    for row in rows:
        try:
            moments.append(cells.moment(row.get("synced_at"), zone))
        except ValueError:
            continue  # one that cannot be read makes no copy younger
    if known := [one for one in moments if one is not None]:
        return max(known)
    url = url_of(place)
    return _written(Path(url.removeprefix(_SQLITE))) if url.startswith(_SQLITE) else None


def _written(path: Path) -> datetime | None:
    times = []
    for file in (path, path.with_name(f"{path.name}-wal")):
        try:
            times.append(file.stat().st_mtime)
        except OSError:
            continue  # without a write-ahead log there is only the file
    return datetime.fromtimestamp(max(times), UTC) if times else None
