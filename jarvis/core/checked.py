"""What follows from one check? Violations begin and end, tickets move, people are told.

Three rules carry the rest. A key that was not observed stays as it is. A check speaks only about its own keys: a
ticket of another job (another *scope*) is never touched. And nothing is done twice: everything that is decided here
is decided from what is stored, and stored in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from jarvis.core import tickets
from jarvis.core.observation import Verdict
from jarvis.core.things import CANNOT
from jarvis.core.tickets import Status, Step, Ticket

FLAPS = 3
FLAP_WINDOW = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a check says about one key. ``unknown``: nothing, it was not observed."""

    key: str
    invariant: str
    entity: str | None
    severity: str
    grace: timedelta
    state: Literal["holds", "violated", "unknown"]
    message: str
    snapshot: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What is remembered of a key between checks. ``first_seen_at``: None while it holds.

    ``reopened``: when its tickets were reopened lately; ``flapping``: it was too often.
    """

    key: str
    first_seen_at: datetime | None = None
    reopened: tuple[datetime, ...] = ()
    flapping: bool = False

    @property
    def blank(self) -> bool:
        """Nothing that would have to be remembered."""
        return self.first_seen_at is None and not self.reopened and not self.flapping


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """Where a check begins: the standings and unresolved tickets of its scope, and keys that ever had a ticket."""

    standings: Mapping[str, Standing] = field(default_factory=dict)
    tickets: Mapping[str, Ticket] = field(default_factory=dict)
    ticketed: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """Something a person should know for as long as it is so: an alert under the violation's key."""

    key: str
    severity: str
    title: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Followed:
    """What a check changes. ``flapping``, ``unchecked``, ``held``: keys to be told of once, each with a sentence.

    ``pending``: keys that are violated, but not yet for as long as their grace.
    """

    standings: tuple[Standing, ...] = ()
    steps: tuple[Step, ...] = ()
    told: tuple[Told, ...] = ()
    flapping: Mapping[str, str] = field(default_factory=dict)
    unchecked: Mapping[str, str] = field(default_factory=dict)
    held: Mapping[str, str] = field(default_factory=dict)
    pending: tuple[str, ...] = ()


def findings(verdicts: Iterable[Verdict]) -> list[Finding]:
    """Each verdict as it concerns its own key, and whether it could be observed at all under a key beside it."""
    found = []
    for verdict in verdicts:
        target, state = verdict.target, verdict.state
        seen = state in ("holds", "violated")
        found.append(
            Finding(
                key=target.key, invariant=target.name, entity=target.entity, severity=target.invariant.how_bad,
                grace=target.invariant.patience, state=state if state in ("holds", "violated") else "unknown",
                message=verdict.message, snapshot=verdict.snapshot,
            )
        )  # fmt: skip
        found.append(
            Finding(
                key=f"{CANNOT}:{target.key}", invariant=CANNOT, entity=target.key, severity="medium",
                grace=timedelta(0), state="holds" if seen else "unknown" if state == "skipped" else "violated",
                message="it was observed" if seen else f"cannot be observed: {verdict.message}",
            )
        )  # fmt: skip
    return found


def follow(found: Sequence[Finding], known: Known, *, scope: str, batch: str, now: datetime) -> Followed:
    """Everything that one check of ``scope`` changes, decided from what is stored."""
    standings, steps, told, pending = [], [], [], []
    flapping, held = {}, {}
    for finding in found:
        standing = known.standings.get(finding.key, Standing(key=finding.key))
        ticket = known.tickets.get(finding.key)
        moved, step = _follow_one(finding, standing, ticket, known, scope, batch, now)
        if step is not None:
            step = replace(step, ticket=replace(step.ticket, flapping=moved.flapping))
            steps.append(step)
            ticket = None if step.ticket.status is Status.RESOLVED else step.ticket
        if moved != standing:
            standings.append(moved)
        if moved.flapping:
            flapping[finding.key] = _flaps(finding)
        if ticket is not None and ticket.held and finding.state != "holds":
            held[finding.key] = f"{finding.key} is not over, it is held and goes on unsaid: {finding.message}"
        if finding.state == "violated" and ticket is None:
            pending.append(finding.key)
        if (one := _tell(finding, moved, ticket)) is not None:
            told.append(one)
    here = {finding.key for finding in found}
    gone = [ticket for key, ticket in known.tickets.items() if key not in here]
    return Followed(
        standings=(*standings, *(Standing(key=key) for key in known.standings if key not in here)),
        steps=(*steps, *(tickets.step(ticket, tickets.Unchecked(), now) for ticket in gone)),
        told=tuple(told),
        flapping=flapping,
        unchecked={
            one.key: f"{one.key} is no longer checked by {scope}: its ticket stays open" for one in gone
        },
        held=held,
        pending=tuple(pending),
    )


def _follow_one(
    finding: Finding,
    standing: Standing,
    ticket: Ticket | None,
    known: Known,
    scope: str,
    batch: str,
    now: datetime,
) -> tuple[Standing, Step | None]:
    if finding.state == "unknown":
        return standing, None
    if finding.state == "holds":
        lately = recent(standing.reopened, now)
        calm = replace(
            standing, first_seen_at=None, reopened=lately, flapping=standing.flapping and bool(lately)
        )
        return calm, tickets.step(ticket, tickets.Cleared(finding.message), now) if ticket else None
    # A clock that was set back must not make the grace longer.
    first = min(standing.first_seen_at or now, now)
    lately = recent(standing.reopened, now)
    moved = replace(
        standing, first_seen_at=first, reopened=lately, flapping=standing.flapping and bool(lately)
    )
    if ticket is None and now - first < finding.grace:
        return moved, None
    seen = tickets.Seen(
        key=finding.key, invariant=finding.invariant, entity=finding.entity, scope=scope, batch=batch,
        message=finding.message, severity=finding.severity, snapshot=finding.snapshot, first_seen_at=first,
    )  # fmt: skip
    step = tickets.step(ticket, seen, now)
    came_back = (
        step.what == "reopened"
        or (
            # Back after it held: under a new ticket, or under one that was held meanwhile.
            standing.first_seen_at is None and ticket is not None
        )
        or (step.what == "opened" and finding.key in known.ticketed)
    )
    if came_back:
        again = (*lately, now)
        moved = replace(moved, reopened=again, flapping=standing.flapping or len(again) >= FLAPS)
    return moved, step


def recent(reopened: Iterable[datetime], now: datetime) -> tuple[datetime, ...]:
    """Those of the last FLAP_WINDOW."""
    return tuple(at for at in reopened if timedelta(0) <= now - at <= FLAP_WINDOW)


def _flaps(finding: Finding) -> str:
    minutes = FLAP_WINDOW // timedelta(minutes=1)
    return f"{finding.key} is flapping: reopened {FLAPS} times in {minutes} min; {finding.message}"


def _tell(finding: Finding, standing: Standing, ticket: Ticket | None) -> Told | None:
    """A problem goes on as long as its ticket is open, also while nobody can see it, and while it flaps."""
    if ticket is not None and ticket.held:
        return None
    if ticket is None and not standing.flapping:
        return None
    text = finding.message
    if ticket is not None and finding.state == "unknown":
        text = f"{ticket.message}; last seen so {ticket.last_seen_at:%Y-%m-%d %H:%M:%S} UTC, now: {finding.message}"
    elif ticket is None:
        text = f"it is flapping; right now: {finding.message}"
    severity = finding.severity if ticket is None else ticket.severity
    label = finding.entity if finding.invariant == CANNOT else finding.key
    return Told(key=finding.key, severity=severity, title=f"{label}: {text}"[:200], text=text)
