"""What arrived from outside, and what became of it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from jarvis.errors import NotFound
from jarvis.store.database import Database
from jarvis.store.tables import events


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One arrival. ``status``: pending, processed, failed or unmatched."""

    id: int
    source: str
    event_type: str
    payload: Any
    file: str | None
    status: str
    received_at: datetime
    processed_at: datetime | None


class Events:
    """The events of one ledger; every call is its own transaction, so an event added is an event kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        *,
        source: str,
        event_type: str,
        payload: Any = None,
        file: str | None = None,
        received_at: datetime,
    ) -> int:
        """Store an arrival as pending; returns its id. Raises StoreError when it could not be kept."""
        row: Mapping[str, Any] = {
            "source": source, "event_type": event_type, "payload": payload, "file": file,
            "status": "pending", "received_at": received_at,
        }  # fmt: skip
        with self._database.write() as connection:
            result = connection.execute(insert(events).values(**row))
            return int(result.inserted_primary_key[0])  # type: ignore[index]

    def newest(self, *, status: str | None = None, limit: int = 50) -> list[Event]:
        """The newest events first."""
        query = select(events).order_by(events.c.id.desc()).limit(limit)
        if status is not None:
            query = query.where(events.c.status == status)
        with self._database.read() as connection:
            return [Event(**row._mapping) for row in connection.execute(query)]

    def pending(self, limit: int = 100) -> list[Event]:
        """The oldest events nobody has dealt with."""
        query = select(events).where(events.c.status == "pending").order_by(events.c.id).limit(limit)
        with self._database.read() as connection:
            return [Event(**row._mapping) for row in connection.execute(query)]

    def settle(self, event: int, status: str, at: datetime) -> None:
        """Say what became of an event."""
        with self._database.write() as connection:
            change = update(events).where(events.c.id == event).values(status=status, processed_at=at)
            if connection.execute(change).rowcount == 0:
                raise NotFound(f"there is no event {event}")
