"""When is a job due that has several schedules, or a first and a last day?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Protocol

from jarvis.core import job as jobs
from jarvis.core import when as when_of
from jarvis.core.schedule import cron, every, moment, zone
from jarvis.core.schedule.every import WHOLE_SECONDS, Progression
from jarvis.core.schedule.moment import DAY, SECOND, Moment, Schedule, ScheduleError, following, micros

_MICRO = timedelta(microseconds=1)


class Part(Schedule, Protocol):
    """What a union has to know beyond the answers of a Schedule, to count instants that coincide once."""

    def bits(self, low: int, high: int) -> int: ...

    def repeats(self, after: datetime, until: datetime) -> dict[int, int]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Union:
    """The instants of all ``parts``, each once (``times`` is the largest)."""

    parts: tuple[Part, ...]

    @property
    def wildcard(self) -> bool:
        return any(part.wildcard for part in self.parts)

    def next(self, after: datetime) -> Moment | None:
        found = [first for part in self.parts if (first := part.next(after))]
        return min(found, key=_order, default=None)

    def count(self, after: datetime, until: datetime) -> int:
        low, end, total = max(following(after), zone.FIRST), min(following(until), zone.LAST), 0
        while low < end:
            high = min(low + DAY, end)
            bits = 0
            for part in self.parts:
                bits |= part.bits(low, high)
            total += bits.bit_count()
            low = high
        return total + self._between_seconds(after, until) + self._repeated(after, until)

    def latest(self, after: datetime, until: datetime, limit: int) -> list[Moment]:
        found = [one for part in self.parts for one in part.latest(after, until, limit)]
        found.sort(key=_order)
        distinct = [next(same) for _, same in groupby(found, key=attrgetter("at"))]
        return distinct[-limit:] if limit > 0 else []

    def explain(self) -> str:
        first, *others = (part.explain() for part in self.parts)
        return "; ".join([first, *(said[0].lower() + said[1:] for said in others)])

    def _between_seconds(self, after: datetime, until: datetime) -> int:
        """Moments of intervals that are no whole second, which ``bits`` leaves out."""
        members = [part.members for part in self.parts if isinstance(part, every.Every | every.At)]
        odd = [one for one in members if one.anchor % SECOND or one.period % SECOND]
        if not odd:
            return 0
        low, high = micros(after), micros(until)
        return _together([WHOLE_SECONDS, *odd], low, high) - WHOLE_SECONDS.count(low, high)

    def _repeated(self, after: datetime, until: datetime) -> int:
        most: dict[int, int] = {}
        for part in self.parts:
            for at, times in part.repeats(after, until).items():
                most[at] = max(times, most.get(at, 1))
        return sum(times - 1 for times in most.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounded:
    """The moments with ``start <= moment <= end`` of another schedule (None: no bound)."""

    inner: Schedule
    zone: str
    start: datetime | None
    end: datetime | None

    @property
    def wildcard(self) -> bool:
        return self.inner.wildcard

    def next(self, after: datetime) -> Moment | None:
        found = self.inner.next(self._floor(after))
        return None if found and self.end and found.at > self.end else found

    def count(self, after: datetime, until: datetime) -> int:
        return self.inner.count(self._floor(after), self._ceiling(until))

    def latest(self, after: datetime, until: datetime, limit: int) -> list[Moment]:
        return self.inner.latest(self._floor(after), self._ceiling(until), limit)

    def explain(self) -> str:
        said, local = self.inner.explain(), zone.find(self.zone)
        for word, bound in (("from", self.start), ("until", self.end)):
            if bound:
                said += f", {word} {moment.spelled(bound.astimezone(local))}"
        return f"{said} ({self.zone})"

    def _floor(self, after: datetime) -> datetime:
        return max(after, self.start - _MICRO) if self.start else after

    def _ceiling(self, until: datetime) -> datetime:
        return min(until, self.end) if self.end else until


def for_job(job: jobs.Job) -> Schedule | None:
    """When the job is due: all its timed schedules together, within ``from`` and ``until``.

    None when nothing is timed. Raises ScheduleError.
    """
    zone.find(job.timezone)
    start = job.spec.from_ and zone.instant(job.spec.from_, job.timezone)
    end = job.spec.until and zone.instant(job.spec.until, job.timezone)
    if start and end and end < start:
        raise ScheduleError(f"until ({job.spec.until}) is before from ({job.spec.from_})", hint="swap them")
    found = [for_when(when, job.timezone, job.spec.dst) for when in job.when]
    parts = (
        tuple(dict.fromkeys(part for part in found if part)) if len(found) > 1 else tuple(filter(None, found))
    )
    for part in parts:
        _refuse_outside(part, start, end)
    if not parts:
        return None
    whole: Schedule = parts[0] if len(parts) == 1 else Union(parts=parts)
    return Bounded(inner=whole, zone=job.timezone, start=start, end=end) if start or end else whole


def for_when(when: when_of.When, zone_name: str, dst: cron.Dst = "once") -> Part | None:
    """One schedule of a job; None for ``start``, which is not timed. Raises ScheduleError."""
    if when.cron is not None:
        return cron.parse(when.cron, zone_name, dst)
    if when.at is not None:
        return every.at(when.at, zone_name)
    if isinstance(when.every, when_of.Every):
        anchor = None if when.every.anchor == "epoch" else zone.instant(when.every.anchor, zone_name)
        return every.every(when.every.period, anchor)
    return None if when.every is None else every.every(when.every)


def _refuse_outside(part: Part, start: datetime | None, end: datetime | None) -> None:
    if not isinstance(part, every.At):
        return
    if (start and part.at < start) or (end and part.at > end):
        raise ScheduleError(f"{part.explain()} is outside from and until", hint="move one of them")


def _together(sets: Sequence[Progression], low: int, high: int) -> int:
    """How many instants of ``(low, high]`` are in at least one of the sets."""
    if not sets:
        return 0
    first, *others = sets
    shared = [both for other in others if (both := first.meet(other))]
    return first.count(low, high) + _together(others, low, high) - _together(shared, low, high)


def _order(one: Moment) -> tuple[datetime, int]:
    return one.at, -one.times
