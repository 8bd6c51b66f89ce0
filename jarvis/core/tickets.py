"""How does a ticket live? Opened by a violation, acknowledged, diagnosed, resolved; each step with its reason.

    open ──────> acknowledged ──────> diagnosed ──────> resolved
      ^  └────────────┴── the violation clears ─┴──────────^
      └── seen again ──────────────────┘         (seen again after that: a new ticket)

A *held* ticket is left as it is: no check resolves or reopens it, and it does not alert.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from jarvis.errors import Refused


class Status(StrEnum):
    """Where a ticket stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    DIAGNOSED = "diagnosed"
    RESOLVED = "resolved"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ticket:
    """One violation's life. ``scope``: the job that checks it. ``id`` 0: not stored yet.

    ``batch``: the check that opened it (tickets of one batch opened together). ``count``: in how many checks it was
    seen. ``snapshot``: the numbers it was last judged by. ``unchecked_at``: since when its job no longer checks it.
    """

    id: int = 0
    key: str
    invariant: str
    entity: str | None
    scope: str
    status: Status = Status.OPEN
    held: bool = False
    flapping: bool = False
    batch: str
    count: int = 1
    first_seen_at: datetime
    last_seen_at: datetime
    opened_at: datetime
    resolved_at: datetime | None = None
    unchecked_at: datetime | None = None
    message: str
    severity: str
    diagnosis: str | None = None
    snapshot: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A check saw the violation, past its grace."""

    key: str
    invariant: str
    entity: str | None
    scope: str
    batch: str
    message: str
    severity: str
    snapshot: Mapping[str, float]
    first_seen_at: datetime


@dataclass(frozen=True, slots=True)
class Cleared:
    """A check saw that it holds."""

    message: str


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Its job no longer checks it."""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """A person has taken notice."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Diagnose:
    """A person knows why."""

    diagnosis: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A person wants it left alone."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Unhold:
    """A person gives it back to the checks."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Resolve:
    """A person says it is over."""

    note: str = ""


Happening = Seen | Cleared | Unchecked | Acknowledge | Diagnose | Hold | Unhold | Resolve


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """The ticket as it is now. ``what`` became of it and ``why``; a ``quiet`` step is not worth an entry."""

    ticket: Ticket
    what: str
    why: str
    quiet: bool = False


def step(ticket: Ticket | None, happening: Happening, now: datetime) -> Step:
    """What becomes of a ticket (None: there is none that is not resolved).

    Raises Refused, in words, for what a person asked at the wrong time.
    """
    if isinstance(happening, Seen):
        return _opened(happening, now) if ticket is None else _seen(ticket, happening, now)
    if ticket is None:
        raise Refused("there is no ticket")
    if isinstance(happening, Cleared):
        return _cleared(ticket, happening, now)
    if isinstance(happening, Unchecked):
        moved = replace(ticket, unchecked_at=ticket.unchecked_at or now)
        why = f"job {ticket.scope} no longer checks it"
        return Step(ticket=moved, what="unchecked", why=why, quiet=ticket.unchecked_at is not None)
    return _asked(ticket, happening, now)


def _opened(seen: Seen, now: datetime) -> Step:
    ticket = Ticket(
        key=seen.key, invariant=seen.invariant, entity=seen.entity, scope=seen.scope, batch=seen.batch,
        first_seen_at=seen.first_seen_at, last_seen_at=now, opened_at=now,
        message=seen.message, severity=seen.severity, snapshot=dict(seen.snapshot),
    )  # fmt: skip
    return Step(ticket=ticket, what="opened", why=seen.message)


def _seen(ticket: Ticket, seen: Seen, now: datetime) -> Step:
    """Counted, and told as it is now; a diagnosis that did not help reopens it."""
    moved = replace(
        ticket, count=ticket.count + 1, last_seen_at=max(now, ticket.last_seen_at), message=seen.message,
        severity=seen.severity, snapshot=dict(seen.snapshot), unchecked_at=None,
    )  # fmt: skip
    if ticket.status is Status.DIAGNOSED and not ticket.held:
        why = f"seen again after it was diagnosed: {seen.message}"
        return Step(ticket=replace(moved, status=Status.OPEN), what="reopened", why=why)
    return Step(ticket=moved, what="seen", why=seen.message, quiet=True)


def _cleared(ticket: Ticket, cleared: Cleared, now: datetime) -> Step:
    if ticket.held:
        return Step(ticket=replace(ticket, unchecked_at=None), what="held", why="it is held", quiet=True)
    moved = replace(ticket, status=Status.RESOLVED, resolved_at=now, unchecked_at=None)
    return Step(ticket=moved, what="resolved", why=f"holds again: {cleared.message}")


def _asked(ticket: Ticket, asked: Acknowledge | Diagnose | Hold | Unhold | Resolve, now: datetime) -> Step:
    if ticket.status is Status.RESOLVED:
        raise Refused(f"ticket {ticket.id} is resolved; if {ticket.key} is violated again there is a new one")
    match asked:
        case Acknowledge(note=note):
            if ticket.status is not Status.OPEN:
                raise Refused(f"ticket {ticket.id} is {ticket.status} already")
            return Step(ticket=replace(ticket, status=Status.ACKNOWLEDGED), what="acknowledged", why=note)
        case Diagnose(diagnosis=diagnosis):
            if not diagnosis.strip():
                raise Refused("a diagnosis needs words")
            moved = replace(ticket, status=Status.DIAGNOSED, diagnosis=diagnosis)
            return Step(ticket=moved, what="diagnosed", why=diagnosis)
        case Hold(note=note) | Unhold(note=note):
            hold = isinstance(asked, Hold)
            if ticket.held is hold:
                raise Refused(f"ticket {ticket.id} is {'held already' if hold else 'not held'}")
            return Step(ticket=replace(ticket, held=hold), what="held" if hold else "unheld", why=note)
        case Resolve(note=note):
            moved = replace(ticket, status=Status.RESOLVED, resolved_at=now)
            return Step(ticket=moved, what="resolved", why=note or "a person said so")
