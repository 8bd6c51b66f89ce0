"""Which local seconds does a cron text match, clocks that never change assumed?

Local time is a plain count of seconds since 1970-01-01 00:00 local. Days are a bit mask per month, the day
itself is hours x seconds-of-the-hour, so that counting and searching cost the same for a sparse and a dense
schedule.
"""

from __future__ import annotations

from bisect import bisect_left
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from cronsim import CronSim

from jarvis.core.schedule import fields
from jarvis.core.schedule.moment import DAY, EPOCH
from jarvis.core.schedule.zone import UNIX_DAY

_HOUR = 3600
_FIRST_MONTH, _END_MONTH = 12, 12 * 10_000
_ALL = (1 << 31) - 1
_EVERY_WEEK = sum(1 << day for day in range(0, 35, 7))


@dataclass(frozen=True, kw_only=True, slots=True)
class Pattern:
    """The matching seconds of the hour, hours, months (January first) and days.

    ``masks[w]``: the days (bit 0: the 1st) of a month that begins on weekday w (0 Monday).
    """

    hours: tuple[int, ...]
    within: tuple[int, ...]
    months: tuple[bool, ...]
    masks: tuple[int, ...]
    daily: bool

    def first(self, local: int) -> int | None:
        """The first match at or after ``local``."""
        day, second = divmod(local, DAY)
        found = self._day_from(day)
        if found is None:
            return None
        if found == day:
            rank = self._rank(second)
            if rank < len(self.hours) * len(self.within):
                return day * DAY + self._nth(rank)
            found = self._day_from(day + 1)
        return None if found is None else found * DAY + self._nth(0)

    def last(self, local: int) -> int | None:
        """The last match before ``local``."""
        day, second = divmod(local, DAY)
        found = self._day_to(day)
        if found is None:
            return None
        if found == day:
            rank = self._rank(second)
            if rank:
                return day * DAY + self._nth(rank - 1)
            found = self._day_to(day - 1)
        return None if found is None else found * DAY + self._nth(-1)

    def count(self, low: int, high: int) -> int:
        """How many matches there are in ``[low, high)``."""
        if low >= high:
            return 0
        (day, second), (end, rest) = divmod(low, DAY), divmod(high, DAY)
        whole = self._days(day, end) * len(self.hours) * len(self.within)
        return whole + self._part(end, rest) - self._part(day, second)

    def bits(self, low: int, high: int) -> int:
        """The matches of ``[low, high)`` as a number whose bit i stands for ``low + i``."""
        found, day = 0, self._day_from(low // DAY)
        while day is not None and day * DAY < high:
            shift = day * DAY - low
            whole = _day_bits(self.hours, self.within)
            found |= whole << shift if shift >= 0 else whole >> -shift
            day = self._day_from(day + 1)
        return found & ((1 << (high - low)) - 1)

    def _part(self, day: int, second: int) -> int:
        """How many matches ``day`` has before its second ``second``."""
        return self._rank(second) if self._day_from(day) == day else 0

    def _rank(self, second: int) -> int:
        """The same for a day that matches."""
        hour, rest = divmod(second, _HOUR)
        index = bisect_left(self.hours, hour)
        rank = index * len(self.within)
        if index < len(self.hours) and self.hours[index] == hour:
            rank += bisect_left(self.within, rest)
        return rank

    def _nth(self, index: int) -> int:
        hour, rest = divmod(index, len(self.within))
        return self.hours[hour] * _HOUR + self.within[rest]

    def _days(self, low: int, high: int) -> int:
        """How many days of ``[low, high)`` match."""
        if self.daily:
            return high - low
        (month, skipped), (last, kept) = _place(low), _place(high)
        total = -(self._mask(month) & ((1 << skipped) - 1)).bit_count()
        for index in range(month, last):
            total += self._mask(index).bit_count()
        return total + (self._mask(last) & ((1 << kept) - 1)).bit_count()

    def _day_from(self, day: int) -> int | None:
        if self.daily:
            return day
        month, skipped = _place(day)
        mask = self._mask(month) >> skipped << skipped
        while not mask:
            month += 1
            if month >= _END_MONTH:
                return None
            mask = self._mask(month)
        return _month(month)[0] + (mask & -mask).bit_length() - 1

    def _day_to(self, day: int) -> int | None:
        if self.daily:
            return day
        month, index = _place(day)
        mask = self._mask(month) & ((2 << index) - 1)
        while not mask:
            month -= 1
            if month < _FIRST_MONTH:
                return None
            mask = self._mask(month)
        return _month(month)[0] + mask.bit_length() - 1

    def _mask(self, month: int) -> int:
        if not self.months[month % 12]:
            return 0
        _, weekday, full = _month(month)
        return self.masks[weekday] & full


@lru_cache(maxsize=32_768)
def compiled(text: str) -> Pattern:
    """The pattern of a valid cron text (``fields.read``); parsing proper is cronsim's."""
    static = CronSim(fields.read(text).plain, EPOCH)
    days = sum(1 << (day - 1) for day in static.days)
    masks = []
    for first in range(7):
        # cronsim counts weekdays from Sunday, and knows Sunday as 0 and 7.
        index_of = {(first + 1 + index) % 7: index for index in range(7)}
        found = {day % 7 for day in static.weekdays if isinstance(day, int)}
        weekdays = sum(_EVERY_WEEK << index_of[day] for day in found)
        masks.append(days & weekdays & _ALL if static.day_and else (days | weekdays) & _ALL)
    return Pattern(
        hours=tuple(sorted(static.hours)),
        within=_within(tuple(sorted(static.minutes)), tuple(sorted(static.seconds))),
        months=tuple(month in static.months for month in range(1, 13)),
        masks=tuple(masks),
        daily=set(masks) == {_ALL} and len(static.months) == 12,
    )


@lru_cache(maxsize=1024)
def _within(minutes: tuple[int, ...], seconds: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(minute * 60 + second for minute in minutes for second in seconds)


@lru_cache(maxsize=256)
def _day_bits(hours: tuple[int, ...], within: tuple[int, ...]) -> int:
    hour = sum(1 << second for second in within)
    return sum(hour << (index * _HOUR) for index in hours)


@lru_cache(maxsize=4096)
def _month(index: int) -> tuple[int, int, int]:
    """First day (since 1970), its weekday (0 Monday) and all days as bits; index: year * 12 + month - 1."""
    year, month = divmod(index, 12)
    weekday, length = monthrange(year, month + 1)
    return date(year, month + 1, 1).toordinal() - UNIX_DAY, weekday, (1 << length) - 1


def _place(day: int) -> tuple[int, int]:
    """The month a day belongs to, and its index in it."""
    at = date.fromordinal(day + UNIX_DAY)
    return at.year * 12 + at.month - 1, at.day - 1
