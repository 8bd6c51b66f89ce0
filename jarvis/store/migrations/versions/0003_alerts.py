"""Alerts are judged, and what is said is an outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from jarvis.store.tables import Instant, Json

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _journal()
    op.create_table(
        "problems",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=300), nullable=False),
        sa.Column("job", sa.String(length=64), nullable=True),
        sa.Column("key", sa.String(length=200), nullable=True),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("first_at", Instant(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=True),
        sa.Column("wanted", Json(), nullable=True),
        sa.Column("said_at", Instant(), nullable=True),
        sa.Column("said_severity", sa.String(length=8), nullable=True),
        sa.Column("told_at", Instant(), nullable=True),
        sa.Column("told", Json(), nullable=True),
        sa.Column("acked_at", Instant(), nullable=True),
        sa.Column("ack_note", sa.Text(), nullable=True),
        sa.Column("escalated_at", Instant(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("ended_why", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("problems_by_fingerprint", "problems", ["fingerprint", "ended_at"], unique=False)
    op.create_index("problems_by_end", "problems", ["ended_at", "last_at"], unique=False)
    _outbox()


def _journal() -> None:
    """What was journalled before was told by the log: nobody hears of it now."""
    op.add_column(
        "journal", sa.Column("kind", sa.String(length=10), nullable=False, server_default="problem")
    )
    op.add_column("journal", sa.Column("wanted", Json(), nullable=True))
    op.add_column("journal", sa.Column("verdict", sa.String(length=10), nullable=False, server_default="new"))
    op.add_column("journal", sa.Column("why", sa.Text(), nullable=True))
    op.add_column("journal", sa.Column("judged_at", Instant(), nullable=True))
    op.add_column("journal", sa.Column("until_at", Instant(), nullable=True))
    op.add_column("journal", sa.Column("problem_id", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE journal SET kind = 'notice', verdict = 'dropped', why = 'from before there were channels'"
    )
    op.create_index("journal_by_verdict", "journal", ["verdict", "id"], unique=False)
    op.create_index("journal_by_problem", "journal", ["problem_id", "id"], unique=False)


def _outbox() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("about", Json(), nullable=True),
        sa.Column("problem_id", sa.Integer(), nullable=True),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("not_before", Instant(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("deliveries_waiting", "deliveries", ["status", "not_before"], unique=False)
    op.create_index("deliveries_by_channel", "deliveries", ["channel", "sent_at"], unique=False)
    op.create_table(
        "silences",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("match", sa.String(length=400), nullable=False),
        sa.Column("from_at", Instant(), nullable=False),
        sa.Column("until_at", Instant(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "breakers",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("successes", sa.Integer(), nullable=False),
        sa.Column("opened_at", Instant(), nullable=True),
        sa.Column("changed_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
