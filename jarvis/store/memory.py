"""What does a handler remember between its runs?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, text

from jarvis.store.tables import Instant, Json, memory

_PUT = text(
    "INSERT INTO memory (job, key, value, updated_at) VALUES (:job, :key, :value, :at)"
    " ON CONFLICT (job, key) DO UPDATE SET value = :value, updated_at = :at"
).bindparams(bindparam("value", type_=Json), bindparam("at", type_=Instant))


def recall(connection: Connection, job: str) -> dict[str, Any]:
    """Everything the job remembers."""
    query = select(memory.c.key, memory.c.value).where(memory.c.job == job)
    return {row.key: row.value for row in connection.execute(query)}


def owners(connection: Connection) -> set[str]:
    """Jobs that remember something."""
    return set(connection.execute(select(memory.c.job).distinct()).scalars())


def keep(
    connection: Connection, job: str, changed: Mapping[str, Any], forgotten: Iterable[str], at: datetime
) -> None:
    """Store what a run changed and drop what it forgot."""
    if changed:
        connection.execute(
            _PUT, [{"job": job, "key": key, "value": value, "at": at} for key, value in changed.items()]
        )
    if gone := list(forgotten):
        connection.execute(delete(memory).where(memory.c.job == job, memory.c.key.in_(gone)))
