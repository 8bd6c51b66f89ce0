"""Runs know what asked for them, and events what became of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from jarvis.store.tables import Instant, Json

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("runs", sa.Column("cause", Json(), nullable=True))
    op.add_column("events", sa.Column("key", sa.String(length=400), nullable=True))
    op.add_column("events", sa.Column("payload_bytes", sa.Integer(), nullable=True))
    op.add_column("events", sa.Column("matched_at", Instant(), nullable=True))
    op.add_column("events", sa.Column("jobs", Json(), nullable=True))
    op.add_column("events", sa.Column("reason", sa.Text(), nullable=True))
    op.create_index("events_by_key", "events", ["key"], unique=True)
    op.create_index("events_to_match", "events", ["matched_at", "id"], unique=False)
