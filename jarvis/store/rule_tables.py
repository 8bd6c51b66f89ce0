"""Which tables hold rules, what a person keeps in mind, and the cache?"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, Float, Index, Integer, String, Table, Text

from jarvis.store.tables import Instant, Json, metadata

rules = Table(
    "rules",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("condition", Json, nullable=False),
    Column("severity", String(8), nullable=False),
    Column("cooldown", String(32), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
)
"""What ``alert_eval`` asks, beside the rules of jobs.yaml. condition: the parameters of the kind. cooldown: ``4h``.

When a rule was last told is in the memory of the job that told it: there it is stored together with the alert.
"""

delegations = Table(
    "delegations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("task", Text, nullable=False),
    Column("delegated_to", String(200), nullable=False),
    Column("due_date", Date),
    Column("priority", String(10), nullable=False),
    Column("status", String(20), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Index("delegations_by_status", "status", "due_date"),
)
"""What somebody else was asked to do. status: active, completed or cancelled."""

decisions = Table(
    "decisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("decision", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Index("decisions_by_status", "status", "created_at"),
)
"""What was decided. status: pending_execution, executed, deferred or reversed."""

known_facts = Table(
    "known_facts",
    metadata,
    Column("category", String(100), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("value", Text, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("updated_at", Instant, nullable=False),
)
"""What is known: one value for a category and a key. confidence: 0 to 1. (``facts`` is about the clock.)"""

cache = Table(
    "cache",
    metadata,
    Column("key", String(500), primary_key=True),
    Column("value", Text, nullable=False),
    Column("ttl", Float),
    Column("stored_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("used", BigInteger, nullable=False),
    Index("cache_by_use", "used"),
    Index("cache_by_end", "expires_at"),
)
"""Values as JSON text (``null`` is one). ttl: seconds. used: rises with every use; the lowest goes first."""
