"""Which messages wait for which channel, and what became of the others?

The outbox: a row is written in the same transaction as what it tells of, is sent afterwards, and is noted as sent only
when its channel has accepted it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, update

from jarvis.store import database
from jarvis.store.alert_tables import deliveries

SUBJECT_KEPT = 500
BODY_KEPT = 65_536
ERROR_KEPT = 2_000
WAITING, SENT, DEAD, DROPPED = "queued", "sent", "dead", "dropped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One message for one channel. ``kind``: alert, recovery, escalation, digest, result or test.

    ``status``: queued, sent, dead (given up: see ``error``) or dropped. ``about``: ids of the journal. ``attempts``:
    how often it was tried. ``not_before``: when it is due (again). Instants are aware UTC.
    """

    id: int
    channel: str
    kind: str
    severity: str
    subject: str
    body: str
    about: Sequence[int]
    problem_id: int | None
    run_id: int | None
    status: str
    attempts: int
    created_at: datetime
    not_before: datetime
    sent_at: datetime | None
    error: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """A channel's messages: how many wait, how many were given up, when one was accepted last.

    ``failing``: the newest that was given up is newer than all that were accepted.
    """

    queued: int = 0
    dead: int = 0
    sent: int = 0
    oldest_at: datetime | None = None
    sent_at: datetime | None = None
    failing: bool = False


def add(
    connection: Connection,
    *,
    channel: str,
    kind: str,
    severity: str,
    subject: str,
    body: str,
    about: Sequence[int] = (),
    problem_id: int | None = None,
    run_id: int | None = None,
    now: datetime,
    not_before: datetime | None = None,
) -> int:
    """Put a message into the outbox; returns its id. It is due at once, or from ``not_before`` on.

    Whoever empties the outbox is woken after the commit.
    """
    result = connection.execute(
        insert(deliveries).values(
            channel=channel,
            kind=kind,
            severity=severity,
            subject=_storable(subject, SUBJECT_KEPT),
            body=_storable(body, BODY_KEPT),
            about=list(about) or None,
            problem_id=problem_id,
            run_id=run_id,
            status=WAITING,
            attempts=0,
            created_at=now,
            not_before=not_before or now,
        )
    )
    connection.info[database.POSTED] = True
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def get(connection: Connection, number: int) -> Delivery | None:
    """One message, whatever became of it."""
    return next(iter(_read(connection, select(deliveries).where(deliveries.c.id == number))), None)


def due(
    connection: Connection, now: datetime, *, channel: str | None = None, limit: int = 1_000
) -> list[Delivery]:
    """What may be sent now, the oldest first.

    A message about a problem waits for the earlier ones about it on the same channel: nobody hears that something is
    over before hearing that it began.
    """
    earlier = deliveries.alias("earlier")
    before_it = (
        select(earlier.c.id)
        .where(
            earlier.c.channel == deliveries.c.channel,
            earlier.c.problem_id == deliveries.c.problem_id,
            earlier.c.status == WAITING,
            earlier.c.id < deliveries.c.id,
            earlier.c.not_before > now,
        )
        .exists()
    )
    query = select(deliveries).where(
        deliveries.c.status == WAITING, deliveries.c.not_before <= now, ~before_it
    )
    if channel is not None:
        query = query.where(deliveries.c.channel == channel)
    return _read(connection, query.order_by(deliveries.c.id).limit(limit))


def waiting(connection: Connection, channel: str) -> list[Delivery]:
    """Everything that waits for a channel, due or not, the oldest first."""
    query = select(deliveries).where(deliveries.c.channel == channel, deliveries.c.status == WAITING)
    return _read(connection, query.order_by(deliveries.c.id).limit(10_000))


def next_at(connection: Connection, now: datetime, *, channel: str) -> datetime | None:
    """When the next message becomes due that is not due yet."""
    query = select(func.min(deliveries.c.not_before)).where(
        deliveries.c.channel == channel, deliveries.c.status == WAITING, deliveries.c.not_before > now
    )
    return connection.execute(query).scalar()


def channels(connection: Connection) -> set[str]:
    """Every channel for which something waits."""
    query = select(deliveries.c.channel).where(deliveries.c.status == WAITING).distinct()
    return set(connection.execute(query).scalars())


def sent(connection: Connection, numbers: Iterable[int], now: datetime) -> None:
    """The channel accepted these."""
    _set(connection, numbers, status=SENT, sent_at=now, error=None, attempts=deliveries.c.attempts + 1)


def failed(connection: Connection, numbers: Iterable[int], error: str, not_before: datetime) -> None:
    """The channel did not take these: they are tried again from ``not_before`` on."""
    said = _storable(error, ERROR_KEPT)
    _set(connection, numbers, error=said, not_before=not_before, attempts=deliveries.c.attempts + 1)


def postponed(connection: Connection, numbers: Iterable[int], not_before: datetime) -> None:
    """These were not tried (the channel rests): they wait until ``not_before`` without an attempt being counted."""
    _set(connection, numbers, not_before=not_before)


def died(connection: Connection, numbers: Iterable[int], error: str, *, tried: bool = True) -> None:
    """These are given up. ``tried``: this was an attempt."""
    attempts = deliveries.c.attempts + int(tried)
    _set(connection, numbers, status=DEAD, error=_storable(error, ERROR_KEPT), attempts=attempts)


def dropped(connection: Connection, numbers: Iterable[int], why: str) -> None:
    """Nobody needs these any more."""
    _set(connection, numbers, status=DROPPED, error=_storable(why, ERROR_KEPT))


def hurry(connection: Connection, channel: str, now: datetime) -> None:
    """The channel works (again): what waits because it did not is due now."""
    change = update(deliveries).where(
        deliveries.c.channel == channel,
        deliveries.c.status == WAITING,
        deliveries.c.not_before > now,
    )
    connection.execute(change.values(not_before=now))


def dead(connection: Connection, *, channel: str | None = None, limit: int = 100) -> list[Delivery]:
    """The dead letters, the newest first."""
    query = select(deliveries).where(deliveries.c.status == DEAD)
    if channel is not None:
        query = query.where(deliveries.c.channel == channel)
    return _read(connection, query.order_by(deliveries.c.id.desc()).limit(limit))


def revive(connection: Connection, numbers: Iterable[int], now: datetime) -> int:
    """Dead letters are tried again, as if they had never been; returns how many there were."""
    change = update(deliveries).where(deliveries.c.id.in_(list(numbers)), deliveries.c.status == DEAD)
    return connection.execute(
        change.values(status=WAITING, attempts=0, error=None, created_at=now, not_before=now)
    ).rowcount


def last_sent_at(connection: Connection, channel: str) -> datetime | None:
    """When the channel accepted a message last."""
    query = select(func.max(deliveries.c.sent_at)).where(
        deliveries.c.channel == channel, deliveries.c.status == SENT
    )
    return connection.execute(query).scalar()


def unsent(connection: Connection) -> Mapping[str, int]:
    """How many messages wait (``queued``) and how many were given up (``dead``)."""
    query = (
        select(deliveries.c.status, func.count())
        .where(deliveries.c.status.in_((WAITING, DEAD)))
        .group_by(deliveries.c.status)
    )
    found = {row[0]: row[1] for row in connection.execute(query)}
    return {WAITING: found.get(WAITING, 0), DEAD: found.get(DEAD, 0)}


def last_errors(connection: Connection) -> Mapping[str, str]:
    """Why the newest message of each channel that was not accepted was not."""
    newest = (
        select(func.max(deliveries.c.id))
        .where(deliveries.c.error.is_not(None), deliveries.c.status.in_((WAITING, DEAD)))
        .group_by(deliveries.c.channel)
    )
    query = select(deliveries.c.channel, deliveries.c.error).where(deliveries.c.id.in_(newest))
    return {row.channel: row.error for row in connection.execute(query)}


def tallies(connection: Connection) -> Mapping[str, Tally]:
    """The counts of every channel that ever had a message."""
    columns = deliveries.c
    query = select(
        columns.channel, columns.status, func.count(), func.min(columns.created_at), func.max(columns.sent_at),
        func.max(columns.id),
    ).group_by(columns.channel, columns.status)  # fmt: skip
    found: dict[str, dict[str, Any]] = {}
    newest: dict[tuple[str, str], int] = {}
    for channel, status, count, oldest_at, sent_at, number in connection.execute(query):
        mine = found.setdefault(channel, {})
        newest[channel, status] = number
        if status in (WAITING, SENT, DEAD):
            mine[status] = count
        if status == WAITING:
            mine["oldest_at"] = oldest_at
        if status == SENT:
            mine["sent_at"] = sent_at
    for channel, mine in found.items():
        mine["failing"] = newest.get((channel, DEAD), 0) > newest.get((channel, SENT), 0)
    return {channel: Tally(**values) for channel, values in found.items()}


def _set(connection: Connection, numbers: Iterable[int], **values: Any) -> None:
    """Only what still waits is changed: a letter that was given up meanwhile stays given up."""
    wanted = list(numbers)
    for start in range(0, len(wanted), 500):
        some = wanted[start : start + 500]
        change = update(deliveries).where(deliveries.c.id.in_(some), deliveries.c.status == WAITING)
        connection.execute(change.values(**values))


def _read(connection: Connection, query: Select[Any]) -> list[Delivery]:
    found = []
    for row in connection.execute(query):
        values = dict(row._mapping)
        values["about"] = tuple(values["about"] or ())
        found.append(Delivery(**values))
    return found


def _storable(text: str, most: int) -> str:
    """Text that any database takes: no NUL, no lone surrogates, not too long."""
    clean = text.replace("\0", "�").encode("utf-8", "replace").decode()
    return clean if len(clean) <= most else clean[: most - 1] + "…"
