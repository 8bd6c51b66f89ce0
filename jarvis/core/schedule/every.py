"""When is an interval due, and when a single instant?

Both are progressions ``anchor + k * period`` in whole microseconds: an interval does not drift, and what two
of them share is a progression again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import gcd, lcm

from jarvis.core import duration
from jarvis.core.schedule import moment, zone
from jarvis.core.schedule.moment import DAY, EPOCH, SECOND, Moment, ScheduleError

_SHORTEST = timedelta(seconds=1)
# Longer than the calendar: a progression of one member.
_NEVER_AGAIN = 10**19
_WORDS = ((604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Progression:
    """The instants ``anchor + k * period`` (microseconds since the epoch), k of either sign."""

    anchor: int
    period: int

    def first(self, low: int) -> int:
        """The first member at or after ``low``."""
        return low + (self.anchor - low) % self.period

    def last(self, high: int) -> int:
        """The last member at or before ``high``."""
        return high - (high - self.anchor) % self.period

    def count(self, after: int, until: int) -> int:
        """How many members satisfy ``after < member <= until``."""
        return max(0, (until - self.anchor) // self.period - (after - self.anchor) // self.period)

    def meet(self, other: Progression) -> Progression | None:
        """What both have in common (the Chinese remainder theorem); None: nothing."""
        common = gcd(self.period, other.period)
        apart, rest = divmod(other.anchor - self.anchor, common)
        if rest:
            return None
        steps = other.period // common
        times = apart * pow(self.period // common, -1, steps) % steps
        return Progression(anchor=self.anchor + times * self.period, period=lcm(self.period, other.period))


WHOLE_SECONDS = Progression(anchor=0, period=SECOND)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Progressing:
    """The answers that an interval and an instant share."""

    members: Progression

    def next(self, after: datetime) -> Moment | None:
        at = moment.from_micros(self.members.first(moment.micros(after) + 1))
        return Moment(at=at) if at else None

    def count(self, after: datetime, until: datetime) -> int:
        return self.members.count(moment.micros(after), moment.micros(until))

    def latest(self, after: datetime, until: datetime, limit: int) -> list[Moment]:
        low, at = moment.micros(after), self.members.last(moment.micros(until))
        found: list[Moment] = []
        while at > low and len(found) < limit:
            found.append(Moment(at=EPOCH + timedelta(microseconds=at)))
            at -= self.members.period
        return found[::-1]

    def bits(self, low: int, high: int) -> int:
        """The whole UTC seconds of ``[low, high)`` that are due: bit i stands for ``low + i``."""
        whole = self.members.meet(WHOLE_SECONDS)
        if whole is None:
            return 0
        first = whole.first(low * SECOND) // SECOND
        if first >= high:
            return 0
        return (_comb(whole.period // SECOND) << (first - low)) & ((1 << (high - low)) - 1)

    def repeats(self, after: datetime, until: datetime) -> dict[int, int]:
        return {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Every(_Progressing):
    """An interval. ``anchor``: the instant it is counted from, None for the epoch."""

    period: timedelta
    anchor: datetime | None = None

    @property
    def wildcard(self) -> bool:
        return True

    def explain(self) -> str:
        said = f"Every {_said(self.period)}"
        return (
            f"{said}, counted from {moment.spelled(self.anchor.astimezone(UTC))} UTC" if self.anchor else said
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class At(_Progressing):
    """A single instant."""

    at: datetime
    zone: str

    @property
    def wildcard(self) -> bool:
        return False

    def explain(self) -> str:
        return f"Once at {moment.spelled(self.at.astimezone(zone.find(self.zone)))} ({self.zone})"


def every(period: timedelta, anchor: datetime | None = None) -> Every:
    """An interval of 1 s to ten years, counted from ``anchor`` (aware) or the epoch. Raises ScheduleError."""
    if period < _SHORTEST:
        hint = "write 1s or more; for work without a pause write a job that loops"
        raise ScheduleError(f"every {duration.spell(period)} is shorter than a second", hint=hint)
    if period > duration.LONGEST:
        hint = "write a shorter period, or at: for a single instant"
        raise ScheduleError(f"every {period.days}d is longer than ten years", hint=hint)
    start = moment.micros(anchor) if anchor else 0
    members = Progression(anchor=start, period=period // timedelta(microseconds=1))
    return Every(members=members, period=period, anchor=anchor)


def at(when: datetime, zone_name: str) -> At:
    """A single instant; a naive one is local to the zone. Raises ScheduleError."""
    exact = zone.instant(when, zone_name)
    return At(members=Progression(anchor=moment.micros(exact), period=_NEVER_AGAIN), at=exact, zone=zone_name)


@lru_cache(maxsize=256)
def _comb(period: int) -> int:
    """A number with bit 0, ``period``, 2 ``period`` ... set, for a whole day."""
    bits, width = 1, period
    while width < DAY:
        bits |= bits << width
        width *= 2
    return bits & ((1 << DAY) - 1)


def _said(length: timedelta) -> str:
    """``12 hours``, ``1 hour 30 minutes``; a single unit of one is ``day``, ``hour``."""
    rest, parts = length // timedelta(milliseconds=1), []
    for size, word in _WORDS:
        number, rest = divmod(rest, size * 1000)
        if number:
            parts.append((number, word))
    if rest:
        parts.append((rest, "millisecond"))
    if len(parts) == 1 and parts[0][0] == 1:
        return parts[0][1]
    return " ".join(f"{number} {word}{'s' if number > 1 else ''}" for number, word in parts)
