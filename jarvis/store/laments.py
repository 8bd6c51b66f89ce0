"""What does the journal say of a channel that does not work?

Messages that are given up are a problem of their own (key ``channel:NAME``): told over the other channels, and over
when the channel accepts a message again. That a message about such a problem was given up is only written down: two
broken channels do not tell of each other for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select

from jarvis.core import alert as alerts
from jarvis.core.alert import Wanted
from jarvis.store import docket, journal
from jarvis.store.alert_tables import journal as journal_table
from jarvis.store.alert_tables import problems
from jarvis.store.deliveries import Delivery
from jarvis.store.journal import Note

KEY = "channel:"
SHOWN = 10


def given_up(
    connection: Connection, rows: Sequence[Delivery], why: str, others: Sequence[str], now: datetime
) -> None:
    """These messages of one channel are dead; ``others``: the channels that may tell of it."""
    told = [row for row in rows if not _about_a_channel(connection, row)]
    if not rows:
        return
    channel = rows[0].channel
    count = "1 message was" if len(rows) == 1 else f"{len(rows)} messages were"
    listed = "\n".join(f"- {row.subject}" for row in rows[:SHOWN])
    more = f"\n… and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    note = Note(
        at=now,
        severity="high",
        kind="problem",
        key=f"{KEY}{channel}",
        title=f"channel {channel}: {count} given up: {why}",
        text=f"{listed}{more}\n'jarvis alerts dead' shows them, 'jarvis alerts retry' sends them again.",
        wanted=Wanted(to=tuple(others)),
    )
    if told and others:
        journal.add(connection, [note])
    else:
        reason = "there is no other channel" if told else "it was itself about a channel that does not work"
        values = journal.row(note) | {"verdict": "dropped", "why": reason, "judged_at": now}
        connection.execute(insert(journal_table).values(**values))


def works_again(connection: Connection, channel: str, now: datetime) -> None:
    """The channel accepted a message: the problem with it, if there is one, is over."""
    key = f"{KEY}{channel}"
    open_one = select(problems.c.id).where(
        problems.c.fingerprint == alerts.fingerprint(None, key), problems.c.ended_at.is_(None)
    )
    unjudged = select(journal_table.c.id).where(journal_table.c.key == key, journal_table.c.verdict == "new")
    # Cheaply first: this is asked whenever a channel accepts something.
    if not any(connection.execute(query.limit(1)).first() for query in (open_one, unjudged)):
        return
    if ("", key) not in docket.troubled(connection):
        return
    title = f"channel {channel}: accepts messages again"
    journal.add(connection, [Note(at=now, severity="high", kind="recovery", key=key, title=title)])


def _about_a_channel(connection: Connection, row: Delivery) -> bool:
    if not row.about:
        return False
    query = select(journal_table.c.key).where(journal_table.c.id.in_(list(row.about)[:500]))
    keys = [key or "" for key in connection.execute(query).scalars()]
    return bool(keys) and all(key.startswith(KEY) for key in keys)
