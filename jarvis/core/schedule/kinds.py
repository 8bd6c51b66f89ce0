"""Which fields has cron, what may stand in each, and what do the macros mean?"""

from __future__ import annotations

from dataclasses import dataclass

MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FULL_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One field's rule; its ``names`` stand for ``first_name`` and up. Sunday is 0 and 7."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    first_name: int = 0

    @property
    def count(self) -> int:
        """How many different values there are."""
        return len(self.names) or self.high - self.low + 1


SECOND = Kind(name="second", low=0, high=59)
MINUTE = Kind(name="minute", low=0, high=59)
HOUR = Kind(name="hour", low=0, high=23)
DAY = Kind(name="day-of-month", low=1, high=31)
MONTH = Kind(name="month", low=1, high=12, names=MONTHS, first_name=1)
WEEKDAY = Kind(name="day-of-week", low=0, high=7, names=WEEKDAYS)
KINDS = (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY)
