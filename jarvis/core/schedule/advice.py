"""What does a cron schedule mean in English, and which parts of it surprise people?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from cronsim import CronSim

from jarvis.core.schedule import fields, kinds
from jarvis.core.schedule.fields import Field, Fields, Term
from jarvis.core.schedule.kinds import Kind
from jarvis.core.schedule.moment import EPOCH

_RESTARTS = {
    "second": "minute",
    "minute": "hour",
    "hour": "day",
    "day-of-month": "month",
    "month": "year",
    "day-of-week": "week",
}
_ORDINAL = re.compile(r"\b(\d+)th\b")
_SUFFIX = {"1": "st", "2": "nd", "3": "rd"}


@lru_cache(maxsize=1024)
def english(text: str) -> str:
    """cronsim's words, with its ordinals and its ``and`` for *or* put right. Raises ScheduleError."""
    whole = fields.read(text)
    words = [field.plain for field in _all(whole)]
    for index, field in enumerate(_all(whole)):
        if len(field.terms) == 1 and _clipped(field.terms[0]):
            words[index] = str(field.terms[0].low)
    said = CronSim(" ".join(words), EPOCH).explain()
    if whole.either_day:
        said = said.replace(" and on ", " or on ")
    return _ORDINAL.sub(_right, said)


def warnings(text: str) -> list[str]:
    """What is allowed but seldom meant. Raises ScheduleError like ``check``."""
    whole = fields.read(text)
    found = [*_day_warnings(whole), *_date_warnings(whole)]
    for field in _all(whole):
        found += _step_warnings(field)
    minutes = whole.minute.text
    if minutes == "*" and not whole.hour.star and whole.second is None:
        hours = whole.hour.text
        found.append(f"runs every minute of hour {hours}; for once an hour write 0 {hours}")
    return found


def _all(whole: Fields) -> list[Field]:
    plain = [whole.minute, whole.hour, whole.day, whole.month, whole.weekday]
    return [whole.second, *plain] if whole.second else plain


def _day_warnings(whole: Fields) -> list[str]:
    day, weekday = whole.day, whole.weekday
    if day.text == "*" or weekday.text == "*":
        return []
    days = _listed([_ordinal(value) for value in sorted(day.values)])
    names = _listed([kinds.FULL_WEEKDAYS[value] for value in _weekdays(weekday)], "s")
    if whole.either_day:
        return [f"runs on the {days} OR on {names}: with both day fields set one is enough"]
    return [f"runs on the {days} AND only on {names}: a day field that begins with * asks for both"]


def _date_warnings(whole: Fields) -> list[str]:
    first, months = min(whole.day.values), whole.month.values
    if whole.either_day:
        return []
    short = [_name(kinds.MONTH, month) for month in sorted(months) if kinds.LENGTHS[month - 1] < first]
    if short:
        return [f"never runs in {_listed(short)}: no day {first} there"]
    return ["runs in leap years only"] if first == 29 and months == {2} else []


def _step_warnings(field: Field) -> Iterator[str]:
    kind = field.kind
    for term in field.terms:
        if _clipped(term):
            yield f"a step of {term.step} leaves only the first {kind.name}, {_name(kind, term.low)}"
        elif (term.low, term.high) == (kind.low, kind.high) and kind.count % term.step:
            values = [_name(kind, value) for value in term.values if kind is not kinds.WEEKDAY or value < 7]
            again = f"/{term.step} starts again with every {_RESTARTS[kind.name]}"
            yield f"{again}: {kind.name} {_listed(values)}"


def _clipped(term: Term) -> bool:
    return term.step > term.high - term.low > 0


def _weekdays(field: Field) -> list[int]:
    return sorted({value % 7 for value in field.values})


def _name(kind: Kind, value: int) -> str:
    return kind.names[(value - kind.first_name) % len(kind.names)].capitalize() if kind.names else str(value)


def _listed(words: list[str], ending: str = "") -> str:
    said = [word + ending for word in words]
    if len(said) > 6:
        said = [*said[:3], "…", said[-1]]
    return ", ".join(said).replace(", …,", " …")


def _ordinal(value: int) -> str:
    last = "th" if 10 < value < 20 else _SUFFIX.get(str(value)[-1], "th")
    return f"{value}{last}"


def _right(found: re.Match[str]) -> str:
    return _ordinal(int(found[1]))
