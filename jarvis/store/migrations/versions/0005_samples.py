"""How this machine was, second by second."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from jarvis.store.tables import Instant, Json

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "samples",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("interval", sa.Float(), nullable=True),
        sa.Column("gap", sa.Float(), nullable=True),
        sa.Column("cpu", sa.Float(), nullable=True),
        sa.Column("load", sa.Float(), nullable=True),
        sa.Column("memory_available", sa.Float(), nullable=True),
        sa.Column("swap", sa.Float(), nullable=True),
        sa.Column("disk_read", sa.Float(), nullable=True),
        sa.Column("disk_written", sa.Float(), nullable=True),
        sa.Column("net_received", sa.Float(), nullable=True),
        sa.Column("net_sent", sa.Float(), nullable=True),
        sa.Column("temperature", sa.Float(), nullable=True),
        sa.Column("frequency", sa.Float(), nullable=True),
        sa.Column("throttled", sa.Boolean(), nullable=True),
        sa.Column("gpu", sa.Float(), nullable=True),
        sa.Column("stall_cpu", sa.Float(), nullable=True),
        sa.Column("stall_memory", sa.Float(), nullable=True),
        sa.Column("stall_memory_full", sa.Float(), nullable=True),
        sa.Column("stall_io", sa.Float(), nullable=True),
        sa.Column("stall_io_full", sa.Float(), nullable=True),
        sa.Column("stress", sa.Integer(), nullable=True),
        sa.Column("stress_load", sa.Integer(), nullable=True),
        sa.Column("stress_memory", sa.Integer(), nullable=True),
        sa.Column("stress_thermal", sa.Integer(), nullable=True),
        sa.Column("stress_latency", sa.Integer(), nullable=True),
        sa.Column("stress_io", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("samples_by_time", "samples", ["at"], unique=False)
    op.create_table(
        "process_tables",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("why", sa.String(length=10), nullable=False),
        sa.Column("processes", Json(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("process_tables_by_time", "process_tables", ["at"], unique=False)
    op.create_table(
        "hiccups",
        sa.Column("hour_at", Instant(), nullable=False),
        sa.Column("bound", sa.Float(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Float(), nullable=False),
        sa.Column("longest", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("hour_at", "bound"),
    )
    op.create_table(
        "stalls",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("from_at", Instant(), nullable=False),
        sa.Column("until_at", Instant(), nullable=False),
        sa.Column("gap", sa.Float(), nullable=True),
        sa.Column("expected", sa.Float(), nullable=True),
        sa.Column("surplus", sa.Float(), nullable=True),
        sa.Column("cause", sa.String(length=20), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("evidence", Json(), nullable=True),
        sa.Column("stress", sa.Integer(), nullable=True),
        sa.Column("factors", Json(), nullable=True),
        sa.Column("capture", sa.String(length=10), nullable=False),
        sa.Column("capture_why", sa.Text(), nullable=True),
        sa.Column("captured_at", Instant(), nullable=True),
        sa.Column("directory", sa.Text(), nullable=True),
        sa.Column("told_at", Instant(), nullable=True),
        sa.Column("review", sa.String(length=10), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("reviewed_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("stalls_by_time", "stalls", ["from_at"], unique=False)
    op.create_index("stalls_by_review", "stalls", ["review", "from_at"], unique=False)
    op.create_table(
        "sampler",
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("value", Json(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
