"""Which tables does Jarvis keep, and what does each row mean?

Instants are stored as whole microseconds since the epoch (``Instant``): exact, comparable, the same on every
database. JSON is text. No pickles. The migrations in ``store/migrations`` build the same schema step by step.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(at: datetime) -> int:
    """Whole microseconds since the epoch."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC instant; the inverse of ``to_micros``."""
    return _EPOCH + timedelta(microseconds=micros)


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def to_json(value: Any) -> str | None:
    """One line of JSON, the same for the same value; nothing for None."""
    return None if value is None else _encode(value)


class Instant(TypeDecorator[datetime]):
    """An aware datetime in Python, microseconds since the epoch in the database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_micros(value)


class Json(TypeDecorator[Any]):
    """JSON as text; unreadable text from outside becomes a ValueError at the row, never code."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return to_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


metadata = MetaData()

definitions = Table(
    "definitions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job", String(64), nullable=False),
    Column("fingerprint", String(16), nullable=False),
    Column("body", Json, nullable=False),
    Column("python", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("job", "fingerprint"),
)
"""Every version of every job, as written (secrets as references)."""

jobs = Table(
    "jobs",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("definition_id", ForeignKey("definitions.id"), nullable=False),
    Column("origin", String(8), nullable=False),
    Column("state", String(8), nullable=False),
    Column("switch", Boolean),
    Column("era", Integer, nullable=False, default=0),
    Column("next_fire_at", Instant),
)
"""One row a job. state: active, disabled (its own or the switch's doing) or retired (gone from the file).

switch: what ``jobs enable|disable`` said, over the file's ``enabled``. Every moment before ``next_fire_at`` is
accounted for in runs or spans.
"""

terms = Table(
    "terms",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job", String(64), nullable=False),
    Column("definition_id", ForeignKey("definitions.id"), nullable=False),
    Column("era", Integer, nullable=False),
    Column("from_at", Instant, nullable=False),
    Column("until_at", Instant),
    Index("terms_by_job", "job", "from_at"),
)
"""A stretch in which a job was due under one definition: its moments m with from_at < m <= until_at."""

pauses = Table(
    "pauses",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job", String(64), nullable=False),
    Column("from_at", Instant, nullable=False),
    Column("until_at", Instant),
    Column("reason", Text, nullable=False),
    Index("pauses_by_job", "job", "from_at"),
)
"""While paused a job's moments are skipped. until_at in the future: it resumes by itself; NULL: open."""

runs = Table(
    "runs",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("job", String(64), nullable=False),
    Column("fire", String(128), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("status", String(10), nullable=False),
    Column("scheduled_at", Instant, nullable=False),
    Column("queued_at", Instant, nullable=False),
    Column("not_before", Instant),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("reason", Text),
    Column("definition_id", Integer),
    Column("params", Json),
    Column("cause", Json),
    Column("pid", Integer),
    Column("exit_code", Integer),
    Column("result", Text),
    Column("numbers", Json),
    Column("error", Text),
    Column("output_bytes", BigInteger, nullable=False, default=0),
    Column("output_dropped", BigInteger, nullable=False, default=0),
    UniqueConstraint("job", "fire", "attempt"),
    Index("runs_by_job", "job", "scheduled_at"),
    Index("runs_by_time", "scheduled_at"),
    Index("runs_open", "status"),
)
"""One row an attempt; see core.run.Run. cause: the event, run or change that asked for it."""

spans = Table(
    "spans",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job", String(64), nullable=False),
    Column("definition_id", Integer, nullable=False),
    Column("era", Integer, nullable=False),
    Column("from_at", Instant, nullable=False),
    Column("until_at", Instant, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("status", String(10), nullable=False),
    Column("reason", Text, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Index("spans_by_job", "job", "from_at"),
)
"""``count`` moments m with from_at <= m < until_at that share one fate and one reason."""

facts = Table(
    "facts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("from_at", Instant, nullable=False),
    Column("until_at", Instant, nullable=False),
    Column("amount", Float, nullable=False, default=0.0),
    Column("detail", Text, nullable=False, default=""),
    Index("facts_by_time", "until_at"),
)
"""What happened to the clock and the process: start, stop, down, sleep, step, era, stall, degraded, restored, zones.

amount: seconds (asleep, stepped, stalled). detail: boot id, daemon id, versions.
"""

memory = Table(
    "memory",
    metadata,
    Column("job", String(64), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("value", Json, nullable=False),
    Column("updated_at", Instant, nullable=False),
)
"""What a handler remembers between its runs."""

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", String(200), nullable=False),
    Column("event_type", String(200), nullable=False),
    Column("payload", Json),
    Column("file", Text),
    Column("status", String(10), nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("processed_at", Instant),
    Column("key", String(400)),
    Column("payload_bytes", Integer),
    Column("matched_at", Instant),
    Column("jobs", Json),
    Column("reason", Text),
    Index("events_by_status", "status", "received_at"),
    Index("events_by_key", "key", unique=True),
    Index("events_to_match", "matched_at", "id"),
)
"""What arrived from outside. status: pending, processed, failed or unmatched.

key: what makes it the same arrival (a file and its content, an item of a feed); of two with one key the second is
not stored. matched_at: when it became runs (``event:<id>``) of ``jobs``, or was found to ask for none. reason: why it
failed.
"""

counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""``run``: the highest run id given out (never given twice, also after a restore)."""

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Json, nullable=False),
)
"""last_pass (the clock's last reading), zones (the zone database's version) and the like."""
