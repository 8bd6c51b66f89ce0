"""What arrived from outside, and what became of it?

An event is stored once, as pending. It is matched once: in one transaction it becomes a queued run ``event:<id>`` of
every job that asks for it, or unmatched. When the last of these runs has ended it is processed or failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, func, select, text, update

from jarvis.core import causes
from jarvis.core.run import Run
from jarvis.errors import NotFound
from jarvis.store.database import PUBLISHED, Database
from jarvis.store.tables import events, runs, to_json, to_micros

LARGEST = 1_000_000
"""Bytes of a payload as JSON; a larger one is not taken."""

NAME = 200
"""Characters of a source and of an event type."""

Status = Literal["pending", "processed", "failed", "unmatched"]

_BRIEF = [column for column in events.c if column.name not in ("payload", "key")]
_INSERT = (
    "INSERT INTO events (source, event_type, payload, payload_bytes, file, key, status, received_at)"
    " VALUES (?, ?, ?, ?, ?, ?, 'pending', ?) ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """Something that is to be kept. ``key``: what makes it the same thing when it comes again (None: nothing)."""

    source: str
    event_type: str
    payload: Any = None
    file: str | None = None
    key: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One arrival. ``payload`` is None in lists. ``jobs``: those it became runs of; None: nobody looked yet."""

    id: int
    source: str
    event_type: str
    payload: Any = None
    payload_bytes: int | None
    file: str | None
    status: str
    received_at: datetime
    matched_at: datetime | None
    processed_at: datetime | None
    jobs: list[str] | None
    reason: str | None

    @property
    def name(self) -> str:
        return f"{self.source}/{self.event_type}"


class Unfit(ValueError):
    """This cannot be kept as an event; says why."""


class Measured(NamedTuple):
    """An arrival as it is stored; ``size``: bytes of its payload."""

    source: str
    event_type: str
    payload: str | None
    size: int
    file: str | None
    key: str | None


def measure(one: Arrival) -> Measured:
    """The arrival as it is stored. Raises Unfit."""
    for word, value in (("source", one.source), ("event_type", one.event_type)):
        if not value.strip():
            raise Unfit(f"its {word} is empty")
        if len(value) > NAME:
            raise Unfit(f"its {word} has {len(value)} characters; {NAME} are allowed")
        if not value.isprintable():
            raise Unfit(f"its {word} holds a character that cannot be printed")
    try:
        payload = to_json(one.payload)
    except (TypeError, ValueError, RecursionError) as error:
        raise Unfit(f"its payload is not JSON: {error}") from error
    if payload is not None and len(payload) > LARGEST:
        raise Unfit(f"its payload has {len(payload)} bytes as JSON; {LARGEST} are allowed")
    size = 0 if payload is None else len(payload)
    return Measured(one.source, one.event_type, payload, size, one.file, one.key)


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
        key: str | None = None,
        received_at: datetime,
    ) -> int:
        """Store an arrival as pending; returns its id (of one with the same ``key`` that of the first).

        Raises Unfit (a ValueError) for what is no event, StoreError when it could not be kept.
        """
        one = Arrival(source=source, event_type=event_type, payload=payload, file=file, key=key)
        return self.publish(one, received_at)[0]

    def publish(self, one: Arrival, received_at: datetime) -> tuple[int, bool]:
        """The same; the id, and whether it is new."""
        row = (*measure(one), to_micros(received_at))
        with self._database.write() as connection:
            done = connection.exec_driver_sql(_INSERT, row)
            connection.info[PUBLISHED] = True
            if done.rowcount:
                return int(connection.execute(select(func.last_insert_rowid())).scalar_one()), True
            return int(
                connection.execute(select(events.c.id).where(events.c.key == one.key)).scalar_one()
            ), False

    def add_all(self, arrivals: Sequence[Measured], received_at: datetime) -> int:
        """Store these in this order, all or none; returns how many were new. Raises StoreError."""
        at = to_micros(received_at)
        rows = [(*one, at) for one in arrivals]
        if not rows:
            return 0
        with self._database.write() as connection:
            connection.info[PUBLISHED] = True
            return connection.exec_driver_sql(_INSERT, rows).rowcount

    def newest(self, *, status: str | None = None, limit: int = 50, before: int | None = None) -> list[Event]:
        """The newest events first, without their payloads."""
        query = select(*_BRIEF).order_by(events.c.id.desc()).limit(limit)
        if status is not None:
            query = query.where(events.c.status == status)
        if before is not None:
            query = query.where(events.c.id < before)
        return self._read(query)

    def following(self, after: int, limit: int = 100) -> list[Event]:
        """Those that came after this one, the oldest first, without their payloads."""
        return self._read(select(*_BRIEF).where(events.c.id > after).order_by(events.c.id).limit(limit))

    def pending(self, limit: int = 100) -> list[Event]:
        """The oldest events that are not done with, with their payloads."""
        columns = [column for column in events.c if column.name != "key"]
        query = select(*columns).where(events.c.status == "pending").order_by(events.c.id).limit(limit)
        return self._read(query)

    def _read(self, query: Any) -> list[Event]:
        with self._database.read() as connection:
            return [Event(**row._mapping) for row in connection.execute(query)]

    def get(self, event: int) -> Event:
        """One event with its payload. Raises NotFound."""
        columns = [column for column in events.c if column.name != "key"]
        found = self._read(select(*columns).where(events.c.id == event))
        if not found:
            raise NotFound(f"there is no event {event} (or it was pruned)")
        return found[0]

    def whole(self, cause: Mapping[str, Any]) -> Mapping[str, Any]:
        """A run's cause with the payload that was too large to be stored with the run."""
        if causes.OMITTED not in cause:
            return cause
        with self._database.read() as connection:
            query = select(events.c.payload).where(events.c.id == cause["event"])
            row = connection.execute(query).first()
        return cause if row is None else causes.completed(cause, row.payload)


# What the daemon does with them, inside its own transactions.


def unmatched(connection: Connection, *, limit: int, most_bytes: int) -> list[Event]:
    """The oldest events nobody looked at yet, without payloads: so many that these have ``most_bytes`` at most."""
    query = select(*_BRIEF).where(events.c.matched_at.is_(None)).order_by(events.c.id).limit(limit)
    found: list[Event] = []
    total = 0
    for row in connection.execute(query):
        total += row.payload_bytes or 0
        if found and total > most_bytes:
            break
        found.append(Event(**row._mapping))
    return found


def payload_of(connection: Connection, event: int) -> Any:
    """Its payload. Raises ValueError when the row was tampered with."""
    return connection.execute(select(events.c.payload).where(events.c.id == event)).scalar()


def note_match(connection: Connection, event: int, jobs: Sequence[str], at: datetime) -> None:
    """It became runs of these jobs; without any it is done with."""
    values: dict[str, Any] = {"matched_at": at, "jobs": list(jobs)}
    if not jobs:
        values |= {"status": "unmatched", "processed_at": at}
    connection.execute(update(events).where(events.c.id == event).values(**values))


def fail(connection: Connection, event: int, why: str, at: datetime) -> None:
    """It cannot become runs."""
    values = {"status": "failed", "reason": why[:500], "matched_at": at, "processed_at": at, "jobs": []}
    connection.execute(update(events).where(events.c.id == event).values(**values))


def settle(connection: Connection, numbers: Iterable[int], at: datetime) -> None:
    """Say what became of these events, where all their runs have ended."""
    for number in numbers:
        row = connection.execute(
            select(events.c.jobs).where(events.c.id == number, events.c.status == "pending")
        ).first()
        if row is None or not isinstance(row.jobs, list):
            continue
        latest = _latest(connection, number, row.jobs)
        if any(one.ended_at is None for one in latest):
            continue
        bad = [causes.failing(one.job, one.id, one.status, one.started_at is not None) for one in latest]
        why = "; ".join(filter(None, bad))
        values = {"status": "failed" if why else "processed", "processed_at": at, "reason": why[:500] or None}
        connection.execute(update(events).where(events.c.id == number).values(**values))


def _latest(connection: Connection, number: int, jobs: Sequence[str]) -> list[Any]:
    """The last attempt of each job at this event's fire."""
    query = select(runs.c.id, runs.c.job, runs.c.status, runs.c.started_at, runs.c.ended_at)
    mine = query.where(runs.c.job.in_(jobs), runs.c.fire == f"event:{number}").order_by(runs.c.attempt)
    return list({row.job: row for row in connection.execute(mine)}.values())


def numbers(over: Iterable[Run]) -> list[int]:
    """The events that these runs are for, each once."""
    fires = {run.fire for run in over if run.fire.startswith("event:")}
    return sorted(int(fire[6:]) for fire in fires if fire[6:].isdecimal())


def caused(connection: Connection, fire: str, jobs: Sequence[str]) -> list[Any]:
    """Runs of these jobs with this fire: id, job, attempt, status, reason."""
    if not jobs:
        return []
    query = select(runs.c.id, runs.c.job, runs.c.attempt, runs.c.status, runs.c.reason)
    mine = query.where(runs.c.job.in_(jobs), runs.c.fire == fire).order_by(runs.c.id)
    return list(connection.execute(mine))


_PLACEHOLDER = text(
    "INSERT INTO events (id, source, event_type, status, received_at, matched_at, processed_at, jobs, reason)"
    " VALUES (:id, 'jarvis', 'lost', 'failed', :at, :at, :at, '[]', :why) ON CONFLICT DO NOTHING"
)


def hold_place(connection: Connection, number: int, at: datetime) -> None:
    """A restored ledger does not know this event, but a run of it is there: its number is never used again."""
    why = "the ledger was restored from a copy that does not know this event"
    connection.execute(_PLACEHOLDER, {"id": number, "at": to_micros(at), "why": why})
