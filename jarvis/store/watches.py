"""What did a watch see last? Written in the transaction of the fire, so that no change is lost or told twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, text

from jarvis.store.tables import Instant, Json, runs
from jarvis.store.watch_tables import watches


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """The state of a watch's files at ``seen_at``: one number (in hex) over ``files`` of them."""

    job: str
    key: str
    digest: str
    files: int
    seen_at: datetime
    known: Any = None


_KEEP = text(
    "INSERT INTO watches (job, key, digest, files, known, seen_at)"
    " VALUES (:job, :key, :digest, :files, :known, :seen_at)"
    " ON CONFLICT (job, key) DO UPDATE SET digest = :digest, files = :files, known = :known, seen_at = :seen_at"
).bindparams(bindparam("known", type_=Json), bindparam("seen_at", type_=Instant))


def keep(connection: Connection, seen: Seen) -> None:
    """Remember what was seen."""
    connection.execute(
        _KEEP,
        {
            "job": seen.job, "key": seen.key, "digest": seen.digest, "files": seen.files, "known": seen.known,
            "seen_at": seen.seen_at,
        },
    )  # fmt: skip


def recall(connection: Connection) -> dict[tuple[str, str], Seen]:
    """Everything that was seen: (job, key) -> Seen."""
    return {(row.job, row.key): Seen(**row._mapping) for row in connection.execute(select(watches))}


def forget(connection: Connection, gone: Iterable[tuple[str, str]]) -> None:
    """Watches that are in jobs.yaml no longer."""
    for job, key in gone:
        connection.execute(delete(watches).where(watches.c.job == job, watches.c.key == key))


def unfinished(connection: Connection, job: str) -> bool:
    """Whether the job has a run that has not ended."""
    query = select(runs.c.id).where(runs.c.job == job, runs.c.status.in_(["queued", "running"])).limit(1)
    return connection.execute(query).first() is not None
