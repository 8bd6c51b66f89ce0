"""Which violations are there, and what became of them? Everything of one check is written in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from jarvis.core import checked
from jarvis.core import tickets as lives
from jarvis.core.checked import Finding, Followed, Known, Standing
from jarvis.core.tickets import Happening, Status, Step, Ticket
from jarvis.errors import NotFound, Refused
from jarvis.store.database import Database
from jarvis.store.ticket_tables import ticket_history, tickets, violations

WORDS = 10_000
"""So much of a message or diagnosis is kept."""
BATCH = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line of a ticket's history."""

    at: datetime
    what: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What a check changed, and the numbers of its scope's unresolved tickets by key."""

    followed: Followed
    numbers: Mapping[str, int]


class Tickets:
    """The tickets of one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check(
        self, found: Sequence[Finding], *, scope: str, batch: str, now: datetime, keep: bool = True
    ) -> Checked:
        """Follow one check of ``scope``: violations, tickets and their history, all of it or nothing.

        ``keep`` False: only say what would follow. Raises StoreError.
        """
        if not keep:
            with self._database.read() as connection:
                known = _known(connection, scope)
            followed = checked.follow(found, known, scope=scope, batch=batch, now=now)
            return Checked(followed=followed, numbers={key: one.id for key, one in known.tickets.items()})
        with self._database.write() as connection:
            known = _known(connection, scope)
            followed = checked.follow(found, known, scope=scope, batch=batch, now=now)
            _remember(connection, scope, followed.standings)
            numbers = {key: one.id for key, one in known.tickets.items()}
            for step in followed.steps:
                stored = _store(connection, step, now)
                numbers[stored.key] = stored.id
                if stored.status is Status.RESOLVED:
                    del numbers[stored.key]
        return Checked(followed=followed, numbers=numbers)

    def move(self, number: int, happening: Happening, now: datetime) -> Ticket:
        """What a person asks of a ticket. Raises NotFound, and Refused when this is not the time for it."""
        with self._database.write() as connection:
            step = lives.step(_get(connection, number), happening, now)
            return _store(connection, step, now)

    def get(self, number: int) -> Ticket:
        """Raises NotFound."""
        with self._database.read() as connection:
            return _get(connection, number)

    def history(self, number: int) -> list[Entry]:
        """What became of a ticket, the oldest first."""
        query = select(ticket_history.c.at, ticket_history.c.what, ticket_history.c.why)
        mine = query.where(ticket_history.c.ticket_id == number).order_by(ticket_history.c.id)
        with self._database.read() as connection:
            return [Entry(at=row.at, what=row.what, why=row.why) for row in connection.execute(mine)]

    def listing(
        self,
        *,
        statuses: Iterable[str] = (),
        scope: str | None = None,
        key: str | None = None,
        batch: str | None = None,
        held: bool | None = None,
        limit: int = 100,
    ) -> list[Ticket]:
        """Tickets, unresolved ones first, then the newest first. ``key``: a part of it. No ``statuses``: unresolved."""
        query = select(tickets).order_by(tickets.c.resolved_at.is_not(None), tickets.c.id.desc()).limit(limit)
        wanted = list(statuses) or [one.value for one in Status if one is not Status.RESOLVED]
        query = query.where(tickets.c.status.in_(wanted))
        if scope is not None:
            query = query.where(tickets.c.scope == scope)
        if key is not None:
            query = query.where(tickets.c.key.contains(key, autoescape=True))
        if batch is not None:
            query = query.where(tickets.c.batch == batch)
        if held is not None:
            query = query.where(tickets.c.held == held)
        with self._database.read() as connection:
            return [_ticket(row._mapping) for row in connection.execute(query)]


def prune(connection: Connection, before: datetime) -> int:
    """Forget tickets that were resolved before, with their history; returns how many."""
    old = select(tickets.c.id).where(tickets.c.resolved_at < before)
    connection.execute(delete(ticket_history).where(ticket_history.c.ticket_id.in_(old)))
    return connection.execute(delete(tickets).where(tickets.c.resolved_at < before)).rowcount


def _known(connection: Connection, scope: str) -> Known:
    standings = {
        row.key: Standing(
            key=row.key, first_seen_at=row.first_seen_at, flapping=row.flapping,
            reopened=tuple(datetime.fromisoformat(at) for at in row.reopened or ()),
        )
        for row in connection.execute(select(violations).where(violations.c.scope == scope))
    }  # fmt: skip
    mine = tickets.c.scope == scope
    unresolved = select(tickets).where(mine, tickets.c.resolved_at.is_(None)).order_by(tickets.c.id)
    ever = select(tickets.c.key).where(mine).distinct()
    return Known(
        standings=standings,
        tickets={row.key: _ticket(row._mapping) for row in connection.execute(unresolved)},
        ticketed=frozenset(connection.execute(ever).scalars()),
    )


def _remember(connection: Connection, scope: str, standings: Sequence[Standing]) -> None:
    """Each standing as it is now; what need not be remembered is forgotten."""
    for start in range(0, len(standings), BATCH):
        keys = [one.key for one in standings[start : start + BATCH]]
        mine = violations.c.scope == scope
        connection.execute(delete(violations).where(mine, violations.c.key.in_(keys)))
    rows = [
        {"scope": scope, "key": one.key, "first_seen_at": one.first_seen_at, "flapping": one.flapping,
         "reopened": [at.astimezone(UTC).isoformat() for at in one.reopened] or None}
        for one in standings
        if not one.blank
    ]  # fmt: skip
    if rows:
        connection.execute(insert(violations), rows)


def _store(connection: Connection, step: Step, now: datetime) -> Ticket:
    """The ticket as it is after a step, and the step in its history; returns it with its number."""
    ticket = replace(step.ticket, message=step.ticket.message[:WORDS])
    row: dict[str, Any] = asdict(ticket) | {"status": ticket.status.value}
    number = row.pop("id")
    if number:
        connection.execute(update(tickets).where(tickets.c.id == number).values(**row))
    else:
        number = int(connection.execute(insert(tickets).values(**row)).inserted_primary_key[0])  # type: ignore[index]
    if not step.quiet:
        entry = {"ticket_id": number, "at": now, "what": step.what, "why": step.why[:WORDS]}
        connection.execute(insert(ticket_history).values(**entry))
    return replace(ticket, id=number)


def _get(connection: Connection, number: int) -> Ticket:
    row = connection.execute(select(tickets).where(tickets.c.id == number)).first()
    if row is None:
        newest = connection.execute(select(func.max(tickets.c.id))).scalar()
        there = f"the newest is {newest}" if newest else "there are none yet"
        raise NotFound(f"no ticket {number} ({there})")
    return _ticket(row._mapping)


def _ticket(row: Mapping[Any, Any]) -> Ticket:
    fields = {name: row[name] for name in Ticket.__dataclass_fields__}
    try:
        status = Status(fields["status"])
    except ValueError as error:
        raise Refused(
            f"ticket {row['id']} has the status {fields['status']!r}, which nobody knows"
        ) from error
    return Ticket(**fields | {"status": status, "snapshot": fields["snapshot"] or {}})
