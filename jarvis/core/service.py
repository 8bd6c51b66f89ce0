"""Should a service run now, later, or not at all? Decided from how its last runs ended, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from jarvis.core.duration import spell
from jarvis.core.parts import Service
from jarvis.core.run import Run, Status

PREFIX = "service:"
"""So begins the fire of a run that a service was started with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """Start it, not before ``at``."""

    at: datetime
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rest:
    """It ended, and is not to be started again for that; with the next start of Jarvis it is, or by hand.

    ``well``: its last run succeeded.
    """

    why: str
    well: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class GiveUp:
    """It ends again and again: a person has to look."""

    why: str


Decision = Due | Rest | GiveUp


def decide(
    service: Service, ends: Sequence[Run], *, definition: int | None, since_at: datetime, now: datetime
) -> Decision:
    """What to do with a service that is not running.

    ``ends``: its ended runs, newest first (``tries`` of them are enough). ``definition``: the one in force.
    ``since_at``: when this daemon started; what ended before that is no reason to leave it alone.
    """
    if not ends or (ends[0].ended_at or now) < since_at:
        return Due(at=now, why="Jarvis started")
    last = ends[0]
    if last.definition != definition:
        return Due(at=now, why="its definition changed")
    if last.status is Status.CANCELLED or last.status is Status.SKIPPED:
        return Due(at=now, why=f"run {last.id} was ended: {last.reason}")
    if why := _done(service, last):
        return Rest(why=why, well=last.status is Status.SUCCEEDED)
    short = _short(service, ends, definition, since_at)
    if short >= service.tries:
        each = f"{short} starts in a row lasted" if short > 1 else "1 start lasted"
        tail = " each" if short > 1 else ""
        return GiveUp(why=f"{each} less than {spell(service.healthy_after)}{tail}; the last {_ending(last)}")
    wait = min(service.wait * 2 ** max(short - 1, 0), service.max_wait)
    said = f"run {last.id} {_ending(last)}"
    return Due(at=max((last.ended_at or now) + wait, now), why=f"{said}; started again after {spell(wait)}")


def _ending(run: Run) -> str:
    """``succeeded``, or ``failed: exit code 3``; the reason of a run that succeeded is why it was started."""
    word = run.status.value.replace("_", " ")
    return f"{word}: {run.reason}" if run.reason and run.status is not Status.SUCCEEDED else word


def _done(service: Service, last: Run) -> str | None:
    """Why an end like this is one after which it is not started again."""
    if service.restart == "on-failure" and not last.status.bad:
        return f"run {last.id} {last.status.value}, and it is started again on failure only"
    if service.restart == "on-success" and last.status is not Status.SUCCEEDED:
        return f"run {last.id} {last.status.value}, and it is started again on success only"
    return None


def _short(service: Service, ends: Sequence[Run], definition: int | None, since_at: datetime) -> int:
    """How many runs in a row ended early, up to the last one that somebody asked for by hand."""

    def counts(run: Run) -> bool:
        lasted = (run.ended_at - run.started_at) if run.ended_at and run.started_at else timedelta(0)
        known = run.definition == definition and (run.ended_at or since_at) >= since_at
        return known and lasted < service.healthy_after and run.status is not Status.CANCELLED

    early = list(takewhile(counts, ends))
    asked = next((place for place, run in enumerate(early) if run.manual), None)
    return len(early) if asked is None else asked + 1
