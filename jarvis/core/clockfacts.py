"""What happened to the clock between two readings, and how is a late fire explained?

Three clocks are read together: the wall clock, time awake (stands still in sleep) and time since boot (does not).
Their differences tell sleep, a set clock and a stall apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from jarvis.core.duration import spell
from jarvis.core.settle import Lateness

ASLEEP = timedelta(seconds=0.5)
STEPPED = timedelta(seconds=2)
STALLED = timedelta(seconds=5)
CORRECTION = timedelta(hours=3)
"""A clock set back by this or more is a correction: fixed-time jobs follow the new time at once (as cron does)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The clocks at one moment. ``awake`` and ``since_boot`` are lengths since an arbitrary start of this boot."""

    wall_at: datetime
    awake: timedelta
    since_boot: timedelta
    boot_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """Something that happened to time. ``amount``: how long asleep, stalled, or how far the clock was moved."""

    kind: str
    from_at: datetime
    until_at: datetime
    amount: timedelta
    detail: str = ""


def between(before: Reading, after: Reading, expected: timedelta) -> list[Fact]:
    """What happened between two passes of one process that meant to wait ``expected`` at most."""
    facts = []
    span = (before.wall_at, after.wall_at)
    awake = after.awake - before.awake
    slept = (after.since_boot - before.since_boot) - awake
    if slept > ASLEEP:
        facts.append(_fact("sleep", span, slept))
    if awake - expected > STALLED:
        facts.append(_fact("stall", span, awake - expected))
    if step := _step(before, after):
        facts.append(step)
    return facts


def _fact(kind: str, span: tuple[datetime, datetime], amount: timedelta) -> Fact:
    return Fact(kind=kind, from_at=span[0], until_at=span[1], amount=amount)


def downtime(before: Reading, after: Reading) -> list[Fact]:
    """What happened between the last sign of life of an earlier process and the start of this one."""
    facts = [
        Fact(
            kind="down",
            from_at=before.wall_at,
            until_at=max(after.wall_at, before.wall_at),
            amount=max(after.wall_at - before.wall_at, timedelta(0)),
            detail="same boot" if before.boot_id == after.boot_id else "rebooted",
        )
    ]
    if before.boot_id == after.boot_id:
        step = _step(before, after)
    elif after.wall_at < before.wall_at:
        step = Fact(
            kind="step", from_at=before.wall_at, until_at=after.wall_at, amount=after.wall_at - before.wall_at
        )
    else:
        step = None
    return [*facts, step] if step else facts


def _step(before: Reading, after: Reading) -> Fact | None:
    moved = (after.wall_at - before.wall_at) - (after.since_boot - before.since_boot)
    if abs(moved) < STEPPED:
        return None
    return Fact(kind="step", from_at=after.wall_at - moved, until_at=after.wall_at, amount=moved)


def set_back(facts: Sequence[Fact]) -> timedelta:
    """By how much the clock was set back, all steps together; zero when it was not."""
    moved = sum((fact.amount for fact in facts if fact.kind == "step"), timedelta(0))
    return max(-moved, timedelta(0))


def explain(first: datetime, now: datetime, facts: Sequence[Fact], zone: str) -> Lateness:
    """Why a fire due at ``first`` is only seen ``now``: the longest cause that overlaps, in the job's local time."""
    causes = [
        fact
        for fact in facts
        if fact.kind in _WORDS and max(fact.from_at, fact.until_at) >= first and fact.amount > timedelta(0)
    ]
    if not causes:
        return Lateness()
    longest = max(causes, key=lambda fact: fact.amount)
    slept = all(fact.kind == "sleep" for fact in causes)
    return Lateness(reason=_said(longest, ZoneInfo(zone)), slept=slept)


_WORDS = {
    "sleep": "asleep {span}",
    "down": "Jarvis was not running {span}",
    "stall": "the process was stopped or starved {span}",
    "step": "the clock was set forward by {amount} at {until}",
    "degraded": "the ledger could not be written {span}",
    "restored": "ledger restored from a copy",
}


def _said(fact: Fact, zone: ZoneInfo) -> str:
    begin, end = fact.from_at.astimezone(zone), fact.until_at.astimezone(zone)
    day = "%Y-%m-%d %H:%M" if begin.date() != end.date() else "%H:%M"
    if end - begin < timedelta(minutes=2):
        day += ":%S"
    span = f"{begin.strftime(day)}-{end.strftime(day)}"
    amount = spell(timedelta(seconds=round(fact.amount.total_seconds())))
    return _WORDS[fact.kind].format(span=span, amount=amount, until=end.strftime("%H:%M:%S"))
