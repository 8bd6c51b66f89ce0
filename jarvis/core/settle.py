"""What becomes of the due moments between two passes?

The clock looks at a job when its next fire has come (or long after: sleep, downtime, a stall). Everything from
that fire up to now is settled at once: runs to start, single moments missed, and counted spans. Nothing is
listed that can be counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from jarvis.core.duration import spell
from jarvis.core.job import Job
from jarvis.core.run import Status
from jarvis.core.schedule import Moment, Schedule

PUNCTUAL = timedelta(seconds=10)
"""A fire noticed within this is on time: what ``catch_up: none`` still runs."""

ALL_AT_MOST = 1000
"""``catch_up: all`` runs at most this many of the newest missed moments."""

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fire:
    """One moment that gets a row. ``status`` is QUEUED (to be run) or MISSED with its reason."""

    at: datetime
    repeat: int = 1
    status: Status = Status.QUEUED
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """``count`` moments m, from_at <= m < until_at, that share one fate."""

    from_at: datetime
    until_at: datetime
    count: int
    status: Status
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """Moments m with from_at < m < until_at are skipped; ``until_at`` None while open."""

    from_at: datetime
    until_at: datetime | None
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Lateness:
    """Why the clock came late, in words, and whether only sleep was to blame."""

    reason: str = "noticed late"
    slept: bool = False


Settlement = list[Fire | Span]


def settle(
    job: Job,
    schedule: Schedule,
    first: datetime,
    now: datetime,
    *,
    pauses: Sequence[Pause] = (),
    lateness: Lateness = Lateness(),
) -> Settlement:
    """The fate of every moment m of ``schedule`` with first <= m <= now; ``first`` is one. In order of time."""
    paused = [
        pause for pause in pauses if pause.until_at is None or pause.until_at > max(first, pause.from_at)
    ]
    if not paused and _alone(schedule, first, now):
        return _single(job, schedule, first, now, lateness)
    settled: Settlement = []
    begin = first
    for pause in sorted(paused, key=attrgetter("from_at")):
        end = pause.until_at - _TICK if pause.until_at and pause.until_at <= now else now
        if end < begin or pause.from_at >= now:
            continue
        if pause.from_at >= begin:
            # The moments between two pauses are older than the second one: all of them were missed.
            settled += _counted(schedule, begin, pause.from_at, Status.MISSED, lateness.reason)
        settled += _counted(schedule, max(begin, pause.from_at + _TICK), end, Status.SKIPPED, pause.reason)
        begin = end + _TICK
    if begin <= now:
        settled += _caught_up(job, schedule, begin, now, lateness)
    return settled


def _alone(schedule: Schedule, first: datetime, now: datetime) -> bool:
    following = schedule.next(first)
    return following is None or following.at > now


def _single(job: Job, schedule: Schedule, first: datetime, now: datetime, lateness: Lateness) -> Settlement:
    times = 1
    if job.spec.dst == "exact":
        moment = schedule.next(first - _TICK)
        times = moment.times if moment and moment.at == first else 1
    why = too_late(job, first, now, lateness)
    if why is None:
        return [Fire(at=first, repeat=n) for n in range(1, times + 1)]
    return [Fire(at=first, repeat=n, status=Status.MISSED, reason=why) for n in range(1, times + 1)]


def _caught_up(
    job: Job, schedule: Schedule, begin: datetime, now: datetime, lateness: Lateness
) -> Settlement:
    wanted = {"once": 1, "all": ALL_AT_MOST, "none": 1}[job.catch_up.run]
    newest = schedule.latest(begin - _TICK, now, wanted)
    fires = [
        Fire(at=moment.at, repeat=n)
        for moment in newest
        if too_late(job, moment.at, now, lateness) is None
        for n in _repeats(moment, job)
    ]
    if not newest:
        return []
    until = fires[0].at if fires else now + _TICK
    why = lateness.reason
    if not fires:
        why = too_late(job, newest[-1].at, now, lateness) or why
    return [*_counted(schedule, begin, until - _TICK, Status.MISSED, why), *fires]


def _repeats(moment: Moment, job: Job) -> range:
    return range(1, (moment.times if job.spec.dst == "exact" else 1) + 1)


def _counted(schedule: Schedule, begin: datetime, last: datetime, status: Status, reason: str) -> Settlement:
    count = schedule.count(begin - _TICK, last)
    if count == 0:
        return []
    return [Span(from_at=begin, until_at=last + _TICK, count=count, status=status, reason=reason)]


def too_late(job: Job, at: datetime, now: datetime, lateness: Lateness) -> str | None:
    """Why a fire of this moment may no longer start, or None when it may.

    An explicit ``misfire_grace`` decides by itself. Without one a late fire may start as long as it is the newest
    (settle only asks for those); with ``catch_up: none`` only a punctual one.
    """
    late = now - at
    if late <= timedelta(0):
        return None
    grace = job.spec.misfire_grace
    if grace is not None and late > grace:
        return f"{lateness.reason}; {spell(_whole(late))} late, misfire_grace is {spell(grace)}"
    none = job.catch_up.run == "none" or (job.catch_up.after == "sleep" and not lateness.slept)
    if none and late > (PUNCTUAL if grace is None else grace):
        return f"{lateness.reason}; {spell(_whole(late))} late and catch_up does not cover it"
    return None


def _whole(length: timedelta) -> timedelta:
    return timedelta(seconds=max(1, round(length.total_seconds())))
