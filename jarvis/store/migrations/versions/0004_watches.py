"""Watched files are remembered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from jarvis.store.tables import Instant, Json

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """One row for every watch: what it saw last."""
    op.create_table(
        "watches",
        sa.Column("job", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(32), primary_key=True),
        sa.Column("digest", sa.String(40), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("known", Json()),
        sa.Column("seen_at", Instant(), nullable=False),
    )
