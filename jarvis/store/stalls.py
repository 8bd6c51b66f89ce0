"""Which moments of this machine are worth a look, what was captured of them, and what did people say to them?"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from jarvis.errors import NotFound, Refused
from jarvis.store.database import Database
from jarvis.store.sample_tables import stalls

EVENTS = ("pause", "snapshot")
"""Kinds that a person looks at; the others are only noted."""
REVIEWS = ("unreviewed", "reviewed", "pinned", "dismissed")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stall:
    """One moment. ``capture``: none, wanted, running, done, refused or failed; see sample_tables.stalls."""

    id: int = 0
    kind: str
    from_at: datetime
    until_at: datetime
    gap: timedelta | None = None
    expected: timedelta | None = None
    surplus: timedelta | None = None
    cause: str | None = None
    why: str
    evidence: Mapping[str, Any] | None = None
    stress: int | None = None
    factors: Mapping[str, int | None] | None = None
    capture: str = "none"
    capture_why: str | None = None
    captured_at: datetime | None = None
    directory: str | None = None
    told_at: datetime | None = None
    review: str = "unreviewed"
    note: str | None = None
    reviewed_at: datetime | None = None

    @property
    def ratio(self) -> float | None:
        """The gap as a multiple of what was expected."""
        return round(self.gap / self.expected, 2) if self.gap and self.expected else None


_LENGTHS = ("gap", "expected", "surplus")
_NAMES = tuple(name for name in Stall.__slots__ if name != "id")


def add(connection: Connection, stall: Stall) -> int:
    """Write one; returns its number."""
    row = {name: getattr(stall, name) for name in _NAMES}
    for name in _LENGTHS:
        row[name] = None if row[name] is None else round(row[name].total_seconds(), 6)
    result = connection.execute(insert(stalls).values(**row))
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def _read(row: Any) -> Stall:
    found = dict(row._mapping)
    for name in _LENGTHS:
        found[name] = None if found[name] is None else timedelta(seconds=found[name])
    return Stall(**found)


class Stalls:
    """The moments of one ledger; every call is its own transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, number: int) -> Stall:
        """One. Raises NotFound, saying which there are."""
        with self._database.read() as connection:
            row = connection.execute(select(stalls).where(stalls.c.id == number)).first()
            newest = connection.execute(select(func.max(stalls.c.id))).scalar()
        if row is None:
            raise NotFound(
                f"no pause {number} ({f'the newest is {newest}' if newest else 'there are none yet'})"
            )
        return _read(row)

    def newest(
        self,
        *,
        kinds: Sequence[str] = EVENTS,
        reviews: Sequence[str] = (),
        since: datetime | None = None,
        limit: int = 50,
    ) -> list[Stall]:
        """The newest first."""
        query = select(stalls).where(stalls.c.kind.in_(kinds))
        if reviews:
            query = query.where(stalls.c.review.in_(reviews))
        if since is not None:
            query = query.where(stalls.c.until_at >= since)
        return self._all(query.order_by(stalls.c.id.desc()).limit(limit))

    def _all(self, query: Any) -> list[Stall]:
        with self._database.read() as connection:
            return [_read(row) for row in connection.execute(query)]

    def count(self) -> int:
        """How many pauses and snapshots there are."""
        query = select(func.count()).select_from(stalls).where(stalls.c.kind.in_(EVENTS))
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def mark(self, number: int, review: str, note: str | None, at: datetime) -> Stall:
        """Say what a person made of it; a note of None keeps the old one. Raises NotFound, Refused."""
        found = self.get(number)
        if found.kind not in EVENTS:
            raise Refused(f"{number} is a {found.kind}: it is only noted, and needs no review")
        note = found.note if note is None else note or None
        reviewed_at = None if review == "unreviewed" else at
        self._change(number, review=review, note=note, reviewed_at=reviewed_at)
        return replace(found, review=review, note=note, reviewed_at=reviewed_at)

    def told(self, number: int, at: datetime) -> None:
        """Note that a person was told."""
        self._change(number, told_at=at)

    def untold(self, since: datetime) -> list[Stall]:
        """Pauses that nobody was told of, oldest first: Jarvis was killed in between."""
        query = select(stalls).where(
            stalls.c.kind == "pause", stalls.c.told_at.is_(None), stalls.c.until_at >= since
        )
        return self._all(query.order_by(stalls.c.id))

    def capture(self, number: int, state: str, why: str | None = None, **more: Any) -> None:
        """Note how far its capture is. ``more``: captured_at, directory."""
        self._change(number, capture=state, capture_why=why, **more)

    def _change(self, number: int, **values: Any) -> None:
        with self._database.write() as connection:
            connection.execute(update(stalls).where(stalls.c.id == number).values(**values))

    def captures(self, since: datetime) -> list[datetime]:
        """When captures began, since a moment (those of a clock that was ahead too)."""
        query = select(stalls.c.captured_at).where(stalls.c.captured_at >= since)
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(stalls.c.captured_at)).scalars())

    def unfinished(self) -> list[Stall]:
        """Those whose capture was wanted or began and did not end."""
        return self._all(
            select(stalls).where(stalls.c.capture.in_(("wanted", "running"))).order_by(stalls.c.id)
        )

    def prune(self, before: datetime, folder: Path) -> int:
        """Forget pauses and snapshots that were reviewed or dismissed; pinned and unreviewed ones stay for ever."""
        query = select(stalls).where(
            stalls.c.until_at < before,
            stalls.c.kind.in_(EVENTS),
            stalls.c.review.in_(("reviewed", "dismissed")),
        )
        old = self._all(query)
        # Directories first: a row without its directory is honest, a directory without its row is litter.
        for stall in old:
            if stall.directory:
                shutil.rmtree(folder / stall.directory, ignore_errors=True)
        with self._database.write() as connection:
            for stall in old:
                connection.execute(delete(stalls).where(stalls.c.id == stall.id))
        return len(old)

    def forget_noted(self, before: datetime) -> int:
        """Forget sleeps and set clocks."""
        with self._database.write() as connection:
            old = (stalls.c.until_at < before) & stalls.c.kind.not_in(EVENTS)
            return connection.execute(delete(stalls).where(old)).rowcount
