"""Which tables hold what people are told? Alerts, the problems they are about, and the messages that go out."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, String, Table, Text

from jarvis.store.tables import Instant, Json, metadata

journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("kind", String(10), nullable=False, default="problem", server_default="problem"),
    Column("severity", String(8), nullable=False),
    Column("key", String(200)),
    Column("job", String(64)),
    Column("run_id", BigInteger),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("wanted", Json),
    Column("verdict", String(10), nullable=False, default="new", server_default="new"),
    Column("why", Text),
    Column("judged_at", Instant),
    Column("until_at", Instant),
    Column("problem_id", Integer),
    Index("journal_by_time", "at"),
    Index("journal_by_verdict", "verdict", "id"),
    Index("journal_by_problem", "problem_id", "id"),
)
"""Every alert, whoever raised it: written in the same transaction as its cause, judged afterwards.

kind: problem (lasts until it is over), notice (happened once) or recovery (a problem is over). wanted: what its job
asks for (core.alert.Wanted). verdict: new (nobody judged it yet), sent (messages are in ``deliveries``), held (for
the digest at ``until_at``), dropped, silenced (judged again once no silence in force matches it, while its problem
is open), or counted (it says nothing new of an open problem: only the newest such row of a problem is kept). why:
every stage's answer in words, a line each.
"""

problems = Table(
    "problems",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("fingerprint", String(300), nullable=False),
    Column("job", String(64)),
    Column("key", String(200)),
    Column("severity", String(8), nullable=False),
    Column("title", Text, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("count", Integer, nullable=False),
    Column("alert_id", Integer),
    Column("wanted", Json),
    Column("said_at", Instant),
    Column("said_severity", String(8)),
    Column("told_at", Instant),
    Column("told", Json),
    Column("acked_at", Instant),
    Column("ack_note", Text),
    Column("escalated_at", Instant),
    Column("ended_at", Instant),
    Column("ended_why", Text),
    Index("problems_by_fingerprint", "fingerprint", "ended_at"),
    Index("problems_by_end", "ended_at", "last_at"),
)
"""Something wrong that lasts: open until ended_at; see core.alert.Problem.

alert_id: the row of the journal that it began with. told: channel -> when it first accepted a message about it.
"""

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("channel", String(64), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("severity", String(8), nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("about", Json),
    Column("problem_id", Integer),
    Column("run_id", BigInteger),
    Column("status", String(10), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("created_at", Instant, nullable=False),
    Column("not_before", Instant, nullable=False),
    Column("sent_at", Instant),
    Column("error", Text),
    Index("deliveries_waiting", "status", "not_before"),
    Index("deliveries_by_channel", "channel", "sent_at"),
)
"""The outbox: one message for one channel. kind: alert, recovery, escalation, digest, result or test.

status: queued, sent, dead (given up: see error) or dropped (nobody needs it any more). about: ids of the journal.
"""

silences = Table(
    "silences",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("match", String(400), nullable=False),
    Column("from_at", Instant, nullable=False),
    Column("until_at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
)
"""Maintenance windows: alerts whose job, key or title matches are journalled and not said."""

breakers = Table(
    "breakers",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("state", String(10), nullable=False),
    Column("failures", Integer, nullable=False),
    Column("successes", Integer, nullable=False),
    Column("opened_at", Instant),
    Column("changed_at", Float),
)
"""Circuit breakers of channels and outside services: closed, open or half-open."""
