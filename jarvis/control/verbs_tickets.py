"""What can be asked about tickets? Which violations there are, and what a person does about each of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from jarvis.control import plain
from jarvis.control.desk import Desk
from jarvis.core import tickets as lives
from jarvis.core.tickets import Happening, Ticket
from jarvis.store.tickets import Tickets

Word = Literal["open", "acknowledged", "diagnosed", "resolved"]
Limit = Annotated[int, Field(ge=1, le=10_000)]
Number = Annotated[int, Field(ge=1, le=2**63 - 1)]
Words = Annotated[str, Field(max_length=10_000)]


def listing(
    desk: Desk,
    *,
    status: list[Word] | None = None,
    job: str | None = None,
    key: str | None = None,
    batch: str | None = None,
    held: bool | None = None,
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """Tickets, the newest first: those that are not resolved, or those in a status.

    Parameters:
        job: only what this job checks
        key: only keys with this text in them
        batch: only those opened by one check, such as invariants:17
        held: only held ones, or only others
    """
    found = Tickets(desk.database).listing(
        statuses=status or (), scope=job, key=key, batch=batch, held=held, limit=limit
    )
    return [_plain(one) for one in found]


def show(desk: Desk, *, id: Number) -> dict[str, Any]:
    """One ticket, and what became of it so far."""
    store = Tickets(desk.database)
    ticket = store.get(id)
    history = [{"at": plain.instant(one.at), "what": one.what, "why": one.why} for one in store.history(id)]
    return _plain(ticket) | {"history": history}


def ack(desk: Desk, *, id: Number, note: Words = "") -> dict[str, Any]:
    """Say that somebody looks after it."""
    return _moved(desk, id, lives.Acknowledge(note))


def diagnose(desk: Desk, *, id: Number, diagnosis: Words) -> dict[str, Any]:
    """Say why it is so. Seen again after that, it opens again and keeps the diagnosis."""
    return _moved(desk, id, lives.Diagnose(diagnosis))


def hold(desk: Desk, *, id: Number, note: Words = "") -> dict[str, Any]:
    """Leave it alone: no check resolves or reopens it, and it does not alert."""
    return _moved(desk, id, lives.Hold(note))


def unhold(desk: Desk, *, id: Number, note: Words = "") -> dict[str, Any]:
    """Give a held ticket back to the checks."""
    return _moved(desk, id, lives.Unhold(note))


def resolve(desk: Desk, *, id: Number, note: Words = "") -> dict[str, Any]:
    """Say that it is over, also of a held one. If it is violated at the next check there is a new ticket."""
    return _moved(desk, id, lives.Resolve(note))


def _moved(desk: Desk, number: int, happening: Happening) -> dict[str, Any]:
    return _plain(Tickets(desk.database).move(number, happening, desk.now()))


def _plain(one: Ticket) -> dict[str, Any]:
    return {
        "id": one.id,
        "key": one.key,
        "invariant": one.invariant,
        "entity": one.entity,
        "scope": one.scope,
        "status": one.status.value,
        "held": one.held,
        "flapping": one.flapping,
        "batch": one.batch,
        "count": one.count,
        "severity": one.severity,
        "message": one.message,
        "diagnosis": one.diagnosis,
        "snapshot": dict(one.snapshot),
        "first_seen_at": plain.instant(one.first_seen_at),
        "last_seen_at": plain.instant(one.last_seen_at),
        "opened_at": plain.instant(one.opened_at),
        "resolved_at": plain.instant(one.resolved_at),
        "unchecked_at": plain.instant(one.unchecked_at),
    }
