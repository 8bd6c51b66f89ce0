"""A channel answered: what is written down? One transaction for all rows of a message."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from jarvis.alerts import patience
from jarvis.alerts.message import NotAccepted
from jarvis.store import alerts, deliveries, laments
from jarvis.store.database import Database
from jarvis.store.deliveries import Delivery

log = logging.getLogger("jarvis.outbox")


def accepted(database: Database, channel: str, rows: Sequence[Delivery], said: str, now: datetime) -> None:
    """The channel took the message: only now are its rows sent and its problems told. Raises StoreError."""
    with database.write() as connection:
        deliveries.sent(connection, [row.id for row in rows], now)
        deliveries.hurry(connection, channel, now)
        for row in rows:
            alerts.accepted(connection, row, now)
        laments.works_again(connection, channel, now)
    log.info("channel %s took %s: %s", channel, _numbered(rows), said)


def refused(
    database: Database,
    channel: str,
    rows: Sequence[Delivery],
    error: NotAccepted,
    others: Sequence[str],
    now: datetime,
) -> None:
    """The channel did not take it: each row is tried again later, or given up and told elsewhere. Raises StoreError."""
    again = {row.id: patience.next_try(row, error, now) for row in rows if row.kind != "test"}
    dead = [row for row in rows if row.kind != "test" and again[row.id] is None]
    with database.write() as connection:
        for number, at in again.items():
            if at is not None:
                deliveries.failed(connection, [number], str(error), at)
        deliveries.died(connection, [row.id for row in dead], str(error))
        laments.given_up(connection, dead, str(error), others, now)
        tests = [row.id for row in rows if row.kind == "test"]
        deliveries.dropped(connection, tests, str(error))
    if dead:
        log.error("channel %s: %s given up: %s", channel, _numbered(dead), error)
    waiting = [row for row in rows if again.get(row.id) is not None]
    if waiting:
        log.warning("channel %s did not take %s: %s", channel, _numbered(waiting), error)


def orphaned(
    database: Database, channel: str, rows: Sequence[Delivery], others: Sequence[str], now: datetime
) -> None:
    """The channel is not in jobs.yaml any more. Raises StoreError."""
    why = f"the channel {channel} was removed from jobs.yaml"
    with database.write() as connection:
        deliveries.died(connection, [row.id for row in rows], why, tried=False)
        laments.given_up(connection, rows, why, others, now)
    log.error("%s given up: %s", _numbered(rows), why)


def _numbered(rows: Sequence[Delivery]) -> str:
    if len(rows) == 1:
        return f"message {rows[0].id} ({rows[0].kind})"
    return f"{len(rows)} messages ({rows[0].id}-{rows[-1].id})"
