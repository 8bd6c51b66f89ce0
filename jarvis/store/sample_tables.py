"""Which tables hold how this machine was, second by second?"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text

from jarvis.store.tables import Instant, Json, metadata

samples = Table(
    "samples",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("interval", Float),
    Column("gap", Float),
    Column("cpu", Float),
    Column("load", Float),
    Column("memory_available", Float),
    Column("swap", Float),
    Column("disk_read", Float),
    Column("disk_written", Float),
    Column("net_received", Float),
    Column("net_sent", Float),
    Column("temperature", Float),
    Column("frequency", Float),
    Column("throttled", Boolean),
    Column("gpu", Float),
    Column("stall_cpu", Float),
    Column("stall_memory", Float),
    Column("stall_memory_full", Float),
    Column("stall_io", Float),
    Column("stall_io_full", Float),
    Column("stress", Integer),
    Column("stress_load", Integer),
    Column("stress_memory", Integer),
    Column("stress_thermal", Integer),
    Column("stress_latency", Integer),
    Column("stress_io", Integer),
    Column("state", String(10), nullable=False),
    Index("samples_by_time", "at"),
)
"""One look at the machine. interval: seconds until this look was meant to come; gap: until it came (NULL: the first).

Shares are per cent, rates bytes a second. NULL is unknown here, never zero. state: normal or elevated.
"""

process_tables = Table(
    "process_tables",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("why", String(10), nullable=False),
    Column("processes", Json, nullable=False),
    Index("process_tables_by_time", "at"),
)
"""Who worked most. why: due (every 30 s), stress (it rose) or pause (one was seen)."""

hiccups = Table(
    "hiccups",
    metadata,
    Column("hour_at", Instant, primary_key=True),
    Column("bound", Float, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    Column("total", Float, nullable=False),
    Column("longest", Float, nullable=False),
)
"""Looks that came late and were no pause, by hour. bound: at least so many seconds late; total, longest: seconds."""

stalls = Table(
    "stalls",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("from_at", Instant, nullable=False),
    Column("until_at", Instant, nullable=False),
    Column("gap", Float),
    Column("expected", Float),
    Column("surplus", Float),
    Column("cause", String(20)),
    Column("why", Text, nullable=False),
    Column("evidence", Json),
    Column("stress", Integer),
    Column("factors", Json),
    Column("capture", String(10), nullable=False),
    Column("capture_why", Text),
    Column("captured_at", Instant),
    Column("directory", Text),
    Column("told_at", Instant),
    Column("review", String(10), nullable=False),
    Column("note", Text),
    Column("reviewed_at", Instant),
    Index("stalls_by_time", "from_at"),
    Index("stalls_by_review", "review", "from_at"),
)
"""Moments worth a look. kind: pause, snapshot (stress reached 60), sleep or step (noted, no pause).

gap, expected, surplus: seconds. capture: none, wanted, running, done, refused or failed, with ``capture_why``;
captured_at: when it began. directory: its name below ``pauses/`` in the state directory. review: unreviewed,
reviewed, pinned, dismissed, or none for what nobody has to look at.
"""

sampler = Table(
    "sampler",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("value", Json, nullable=False),
    Column("updated_at", Instant, nullable=False),
)
"""What sampling knows of itself: baseline, mood, missing (what this machine does not tell) and the like."""
