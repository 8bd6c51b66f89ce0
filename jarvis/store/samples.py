"""How was this machine, and when? Samples, who worked most, small delays, and what sampling knows of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from jarvis.core.stress import COLUMNS, FACTORS, Factors
from jarvis.core.vitals import Vitals
from jarvis.store import stalls as stalls_module
from jarvis.store import tables
from jarvis.store.database import Database
from jarvis.store.sample_tables import hiccups, process_tables, sampler, samples
from jarvis.store.stalls import Stall, Stalls

_VITALS = tuple(each.name for each in fields(Vitals))
DUE_KEPT = timedelta(days=2)
_INSERT = f"INSERT INTO samples ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One look at the machine. ``interval``: how long until it was meant to come; ``gap``: how long it took to come."""

    at: datetime
    interval: timedelta | None
    gap: timedelta | None
    vitals: Vitals
    factors: Factors
    state: str

    def row(self) -> tuple[Any, ...]:
        """As the driver takes it."""
        return (
            tables.to_micros(self.at),
            None if self.interval is None else self.interval.total_seconds(),
            None if self.gap is None else round(self.gap.total_seconds(), 6),
            *(getattr(self.vitals, name) for name in _VITALS),
            self.factors.total,
            *(getattr(self.factors, name) for name in FACTORS),
            self.state,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Workers:
    """Who worked most. ``why``: due, stress or pause. Each process: name, pid, cpu %, bytes of memory, io a second."""

    at: datetime
    why: str
    processes: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """What is written together. ``late``: by how long a look came late that was no pause, and its bucket."""

    sample: Sample | None = None
    workers: Sequence[Workers] = ()
    stalls: Sequence[Stall] = ()
    late: tuple[float, timedelta] | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


class Samples:
    """The samples of one ledger; ``stalls`` are the moments worth a look."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.stalls = Stalls(database)

    def keep(self, batch: Batch, at: datetime) -> list[int]:
        """Write a batch in one transaction; returns the numbers of its stalls. Raises StoreError."""
        with self._database.write() as connection:
            if batch.sample:
                connection.exec_driver_sql(_INSERT, batch.sample.row())
            for each in batch.workers:
                _add_workers(connection, each)
            if batch.late:
                _note_late(connection, at, *batch.late)
            for key, value in batch.notes.items():
                _note(connection, key, value, at)
            return [stalls_module.add(connection, stall) for stall in batch.stalls]

    def newest(self) -> dict[str, Any] | None:
        """The last sample; None before the first."""
        with self._database.read() as connection:
            row = connection.execute(select(samples).order_by(samples.c.id.desc()).limit(1)).first()
        return None if row is None else dict(row._mapping)

    def between(self, from_at: datetime, until_at: datetime) -> list[dict[str, Any]]:
        """Samples of a stretch of time (both ends included), oldest first; keys are the columns."""
        query = select(samples).where(samples.c.at >= from_at, samples.c.at <= until_at)
        with self._database.read() as connection:
            return [dict(row._mapping) for row in connection.execute(query.order_by(samples.c.at))]

    def count(self) -> int:
        """How many there are."""
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(samples)).scalar_one())

    def workers(self, from_at: datetime, until_at: datetime) -> list[Workers]:
        """Process tables of a stretch of time, oldest first."""
        at = process_tables.c.at
        query = select(process_tables).where(at >= from_at, at <= until_at).order_by(at)
        with self._database.read() as connection:
            return [
                Workers(at=row.at, why=row.why, processes=row.processes) for row in connection.execute(query)
            ]

    def hiccups(self, from_at: datetime) -> list[dict[str, Any]]:
        """The histogram of small delays since an hour, oldest first."""
        query = (
            select(hiccups).where(hiccups.c.hour_at >= from_at).order_by(hiccups.c.hour_at, hiccups.c.bound)
        )
        with self._database.read() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def noted(self) -> dict[str, tuple[Any, datetime]]:
        """What sampling noted of itself: value and moment by key."""
        with self._database.read() as connection:
            return {row.key: (row.value, row.updated_at) for row in connection.execute(select(sampler))}

    def running(self) -> list[dict[str, Any]]:
        """Jarvis' own runs at work."""
        runs = tables.runs
        query = select(runs.c.id, runs.c.job, runs.c.started_at, runs.c.pid).where(runs.c.status == "running")
        with self._database.read() as connection:
            return [dict(row._mapping) for row in connection.execute(query.order_by(runs.c.id))]

    def prune(self, before: datetime) -> int:
        """Forget samples, process tables, delays, sleeps and set clocks; returns how many samples went."""
        with self._database.write() as connection:
            gone = connection.execute(delete(samples).where(samples.c.at < before)).rowcount
            connection.execute(delete(process_tables).where(process_tables.c.at < before))
            connection.execute(delete(hiccups).where(hiccups.c.hour_at < before))
        self.stalls.forget_noted(before)
        return gone


def _add_workers(connection: Connection, workers: Workers) -> None:
    """Of those that were merely due two days are kept."""
    row = {"at": workers.at, "why": workers.why, "processes": list(workers.processes)}
    connection.execute(insert(process_tables).values(**row))
    if workers.why == "due":
        connection.exec_driver_sql(
            "DELETE FROM process_tables WHERE at < ? AND why = 'due'",
            (tables.to_micros(workers.at - DUE_KEPT),),
        )


def _note_late(connection: Connection, at: datetime, bound: float, late: timedelta) -> None:
    hour = tables.to_micros(at.replace(minute=0, second=0, microsecond=0))
    connection.exec_driver_sql(
        "INSERT INTO hiccups (hour_at, bound, count, total, longest) VALUES (?, ?, 1, ?, ?)"
        " ON CONFLICT (hour_at, bound) DO UPDATE SET count = count + 1, total = total + excluded.total,"
        " longest = max(longest, excluded.longest)",
        (hour, bound, late.total_seconds(), late.total_seconds()),
    )


def _note(connection: Connection, key: str, value: Any, at: datetime) -> None:
    connection.exec_driver_sql(
        "INSERT INTO sampler (key, value, updated_at) VALUES (?, ?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
        (key, tables.to_json(value) or "null", tables.to_micros(at)),
    )


def buckets(
    found: Sequence[Mapping[str, Any]], from_at: datetime, length: timedelta
) -> Iterator[tuple[datetime, Sequence[Mapping[str, Any]]]]:
    """Samples by stretches of a length, counted from a moment; empty stretches are left out."""
    kept: dict[int, list[Mapping[str, Any]]] = {}
    for sample in found:
        kept.setdefault(int((sample["at"] - from_at) / length), []).append(sample)
    for place in sorted(kept):
        yield from_at + place * length, kept[place]
