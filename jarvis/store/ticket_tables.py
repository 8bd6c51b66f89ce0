"""Which tables hold violations that have a life of their own?"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from jarvis.store.tables import Instant, Json, metadata

violations = Table(
    "violations",
    metadata,
    Column("scope", String(64), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("first_seen_at", Instant),
    Column("reopened", Json),
    Column("flapping", Boolean, nullable=False, default=False),
)
"""What a job's checks must remember of a key: since when it is violated, when its tickets were reopened lately.

A key that holds and has held for a while has no row. reopened: instants as ISO texts.
"""

tickets = Table(
    "tickets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(200), nullable=False),
    Column("invariant", String(64), nullable=False),
    Column("entity", String(200)),
    Column("scope", String(64), nullable=False),
    Column("status", String(12), nullable=False),
    Column("held", Boolean, nullable=False),
    Column("flapping", Boolean, nullable=False),
    Column("batch", String(100), nullable=False),
    Column("count", Integer, nullable=False),
    Column("first_seen_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    Column("unchecked_at", Instant),
    Column("message", Text, nullable=False),
    Column("severity", String(8), nullable=False),
    Column("diagnosis", Text),
    Column("snapshot", Json),
    Index("tickets_by_key", "scope", "key", "resolved_at"),
    Index("tickets_by_end", "resolved_at"),
    sqlite_autoincrement=True,
)
"""One row a ticket; see core.tickets.Ticket. A number is never given twice. At most one of a scope and key is open."""

ticket_history = Table(
    "ticket_history",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("ticket_id", ForeignKey("tickets.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("what", String(16), nullable=False),
    Column("why", Text, nullable=False),
    Index("ticket_history_by_ticket", "ticket_id", "id"),
)
"""What became of a ticket, when and why: opened, acknowledged, diagnosed, reopened, held, unheld, resolved ..."""
