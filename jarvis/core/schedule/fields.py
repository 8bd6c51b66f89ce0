"""Is this text a cron schedule that can run, and what stands in its fields?

The grammar is that of Debian's crontab(5), with an optional field for seconds in front; what Debian accepts
and then never runs is refused. The values are cronsim's to read (``pattern.compiled``); here every piece
gets its column, so that a mistake has an address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from jarvis.core.schedule import mistakes
from jarvis.core.schedule.kinds import KINDS, LENGTHS, MACROS, Kind
from jarvis.core.schedule.moment import ScheduleError

_LONGEST = 1000
_WORD = re.compile(r"[^ \t\r\n]+")
_TERM = re.compile(r"(?:(\*)|([A-Z0-9]+)(?:-([A-Z0-9]+))?)(?:/([0-9]+))?", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """One entry of a field's list: ``low-high/step``."""

    low: int
    high: int
    step: int = 1

    @property
    def values(self) -> range:
        return range(self.low, self.high + 1, self.step)


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field as written, at its column."""

    kind: Kind
    text: str
    column: int
    terms: tuple[Term, ...]

    @property
    def star(self) -> bool:
        """Begins with ``*``: what cron calls a wildcard, whatever follows."""
        return self.text.startswith("*")

    @property
    def values(self) -> set[int]:
        return {value for term in self.terms for value in term.values}

    @property
    def plain(self) -> str:
        """As cronsim is to read it: it takes ``5-5/15`` for ``5-59/15``, cron for 5."""
        pairs = zip(self.terms, self.text.split(","), strict=True)
        return ",".join(str(term.low) if term.low == term.high else text for term, text in pairs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fields:
    """A cron text that can run.

    ``plain``: the text for cronsim, macros expanded. ``second``: None with five fields.
    """

    plain: str
    second: Field | None
    minute: Field
    hour: Field
    day: Field
    month: Field
    weekday: Field

    @property
    def wildcard(self) -> bool:
        return any(field is not None and field.star for field in (self.second, self.minute, self.hour))

    @property
    def either_day(self) -> bool:
        """Day of month *or* day of week is enough: so unless one of the fields begins with ``*``."""
        return not (self.day.star or self.weekday.star)


@lru_cache(maxsize=32_768)
def read(text: str) -> Fields:
    """The fields of a cron text. Raises ScheduleError."""
    words = _words(text)
    if error := mistakes.wrong_number(words):
        raise error
    kinds = KINDS[-len(words) :]
    fields = [_field(kind, word, column) for kind, (column, word) in zip(kinds, words, strict=True)]
    minute, hour, day, month, weekday = fields[-5:]
    plain = " ".join(field.plain for field in fields)
    second = fields[0] if len(fields) == 6 else None
    whole = Fields(
        plain=plain, second=second, minute=minute, hour=hour, day=day, month=month, weekday=weekday
    )
    _refuse_impossible_days(whole)
    return whole


def _words(text: str) -> list[tuple[int, str]]:
    """The words with their columns, a macro replaced by its five fields."""
    if len(text) > _LONGEST:
        raise ScheduleError(f"a schedule of {len(text)} characters is too long", hint=mistakes.EXAMPLE)
    words = [(found.start() + 1, found[0]) for found in _WORD.finditer(text)]
    if not words:
        raise ScheduleError("the schedule is empty", hint=mistakes.EXAMPLE)
    column, first = words[0]
    if not first.startswith("@"):
        return words
    if first.lower() not in MACROS:
        raise mistakes.unknown_macro(words)
    if len(words) > 1:
        message = f"{mistakes.shown(words[1][1])} follows {first}"
        raise ScheduleError(message, column=words[1][0], hint=f"write {first} alone")
    return [(column, word) for word in MACROS[first.lower()].split()]


def _field(kind: Kind, text: str, column: int) -> Field:
    terms, at = [], column
    for part in text.split(","):
        terms.append(_term(kind, part, at))
        at += len(part) + 1
    return Field(kind=kind, text=text, column=column, terms=tuple(terms))


def _term(kind: Kind, text: str, column: int) -> Term:
    found = _TERM.fullmatch(text)
    if found is None:
        raise mistakes.unreadable(kind, text, column)
    star, first, last, stepped = found.groups()
    if stepped and len(stepped) > 9:
        raise mistakes.bad_step(f"a step of {mistakes.shown(stepped)} is too large", column)
    step = int(stepped or 1)
    if step == 0:
        raise mistakes.bad_step("a step of 0 never moves on", column)
    if star:
        return Term(low=kind.low, high=kind.high, step=step)
    low = _value(kind, first, column)
    if last is None:
        if stepped:
            raise mistakes.lone_step(kind, first, stepped, column)
        return Term(low=low, high=low)
    high = _value(kind, last, column + found.start(3))
    if high < low:
        raise mistakes.backwards(kind, text, low, high, column)
    return Term(low=low, high=high, step=step)


def _value(kind: Kind, text: str, column: int) -> int:
    if text.lower() in kind.names:
        return kind.names.index(text.lower()) + kind.first_name
    if not _NUMBER.fullmatch(text):
        raise mistakes.unreadable(kind, text, column)
    if len(text) > 9 or not kind.low <= int(text) <= kind.high:
        raise mistakes.out_of_range(kind, text, column)
    return int(text)


def _refuse_impossible_days(whole: Fields) -> None:
    first, months = min(whole.day.values), sorted(whole.month.values)
    if not whole.either_day and all(first > LENGTHS[month - 1] for month in months):
        raise mistakes.no_such_day(first, months, whole.day.column)
