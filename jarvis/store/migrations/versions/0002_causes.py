"""Runs know what asked for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from jarvis.store.tables import Json

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("runs", sa.Column("cause", Json(), nullable=True))
