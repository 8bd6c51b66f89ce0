"""Are these quiet hours, and until when?"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from jarvis.core.telling import Quiet

_DAY = timedelta(days=1)


def until(quiet: Quiet | None, zone: str, now: datetime) -> datetime | None:
    """The end of the quiet hours that ``now`` lies in; None when there are none.

    Their begin belongs to them, their end does not. Hours whose end is not after their begin go over midnight; the
    same begin and end are no hours at all. Each day's begin and end are instants of the zone, so that a
    change of the clocks makes one night longer or shorter and nothing else. ``zone`` holds where ``quiet``
    names none.
    """
    if quiet is None or quiet.from_ == quiet.to:
        return None
    place = ZoneInfo(quiet.timezone or zone)
    today = now.astimezone(place).date()
    for day in (today - _DAY, today):
        begin = _at(day, quiet.from_, place)
        end = _at(day if quiet.to > quiet.from_ else day + _DAY, quiet.to, place)
        if begin <= now < end:
            return end
    return None


def _at(day: date, clock: str, place: ZoneInfo) -> datetime:
    hour, _, minute = clock.partition(":")
    return datetime.combine(day, time(int(hour), int(minute)), place).astimezone(UTC)
