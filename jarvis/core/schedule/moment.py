"""What is a schedule, and what is one of its moments?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 86_400
SECOND = 1_000_000
_MICRO = timedelta(microseconds=1)
_LAST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICRO


class ScheduleError(ValueError):
    """A schedule that cannot be meant as written. ``str()`` says what is wrong, where, and what to write.

    ``column`` counts from 1 inside the cron text (None: the whole schedule); ``message`` and ``hint`` are
    the parts, for callers that show their own address.
    """

    def __init__(self, message: str, *, column: int | None = None, hint: str | None = None) -> None:
        self.message, self.column, self.hint = message, column, hint
        where = f"column {column}: " if column else ""
        super().__init__(f"{where}{message}" + (f"; {hint}" if hint else ""))


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """A due instant. ``times`` exceeds 1 only under ``dst: exact``: so many starts at once."""

    at: datetime
    times: int = 1


class Schedule(Protocol):
    """A set of moments. Every answer depends on the arguments alone: no clock, no state, no history.

    ``wildcard``: keeps its real-time cadence when the clock is set back (intervals; cron that begins its
    minute or hour with ``*``); a fixed time of day does not come round again.
    """

    @property
    def wildcard(self) -> bool: ...

    def next(self, after: datetime) -> Moment | None:
        """The first moment strictly later than ``after``; None when there is none."""
        ...

    def count(self, after: datetime, until: datetime) -> int:
        """How many starts are due at ``after < moment <= until``: ``times`` summed, computed, not listed."""
        ...

    def latest(self, after: datetime, until: datetime, limit: int) -> list[Moment]:
        """The newest ``limit`` moments with ``after < moment <= until``, oldest first."""
        ...

    def explain(self) -> str:
        """The schedule in English."""
        ...


def micros(at: datetime) -> int:
    """Microseconds since the epoch, exact."""
    return (at - EPOCH) // _MICRO


def from_micros(value: int) -> datetime | None:
    """The instant, or None beyond the calendar's last."""
    return EPOCH + timedelta(microseconds=value) if value <= _LAST else None


def following(at: datetime) -> int:
    """The first whole second since the epoch that is later than ``at``."""
    return micros(at) // SECOND + 1


def spelled(at: datetime) -> str:
    """The clock of ``at`` for people: ``2026-03-01 09:00``, with seconds only where there are some."""
    if not at.second and not at.microsecond:
        return at.strftime("%Y-%m-%d %H:%M")
    return at.strftime("%Y-%m-%d %H:%M:%S.%f").rstrip("0").rstrip(".")
