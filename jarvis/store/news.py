"""Did somebody put something into the ledger that the daemon has to see to? Asked in one query, after each write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from jarvis.store.tables import to_micros

# Asked every few seconds as long as somebody writes: given to the driver as it is, it costs a quarter.
_QUERY = (
    "SELECT EXISTS (SELECT 1 FROM journal WHERE verdict = 'new'),"
    " EXISTS (SELECT 1 FROM deliveries WHERE status = 'queued' AND not_before <= ?),"
    " EXISTS (SELECT 1 FROM events WHERE matched_at IS NULL)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """``alerts``: that nobody has judged; ``messages``: that are due; ``events``: that nobody has matched."""

    alerts: bool
    messages: bool
    events: bool


def look(connection: Connection, now: datetime) -> News:
    """What there is to do."""
    alerts, messages, arrived = connection.exec_driver_sql(_QUERY, (to_micros(now),)).one()
    return News(alerts=bool(alerts), messages=bool(messages), events=bool(arrived))
