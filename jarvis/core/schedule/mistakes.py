"""What is wrong with a cron text that cannot be read, and what is to be written instead?"""

from __future__ import annotations

import difflib
import re

from jarvis.core.schedule.kinds import KINDS, LENGTHS, MACROS, MONTHS, WEEKDAY, WEEKDAYS, Kind
from jarvis.core.schedule.moment import ScheduleError

EXAMPLE = "write for example 30 2 * * * (minute hour day-of-month month day-of-week)"
_FLAGS = re.ASCII | re.IGNORECASE
_SPREAD = "write one value, and jitter: {max: 1h, fixed: true} to spread jobs"
_BORROWED = tuple(
    (re.compile(pattern, _FLAGS), why, hint)
    for pattern, why, hint in (
        (r"\?", "? is not supported", "write *"),
        (r"#", "the nth weekday (#) is not supported", "write the weekday and a condition on the date"),
        (r"~", "random values (~) are not supported", _SPREAD),
        (r"\bH\b", "hashed values (H) are not supported", _SPREAD),
        (
            r"\b(\d|[A-Z]{3})L\b",
            "the last weekday of a month (5L) is not supported",
            "write the weekday and a condition on the date",
        ),
        (
            r"\bLW?\b",
            "the last day (L) is not supported",
            "write 28-31, and a condition that tests whether tomorrow is the 1st",
        ),
        (r"\b\d*W\b", "the nearest weekday (W) is not supported", "write the days that are meant"),
        (r"%", "% has no meaning in a schedule", "write the command in command:"),
        (r"^-", "a leading - is not supported", "remove it"),
        (r"^\*[^/]", "only a step may follow *", "write * or */5"),
        (r"/.*/", "one step is enough", "write for example */5"),
        (r"/\D*$", "the step is not a number", "write for example */5"),
        (r"[^\x00-\x7f]", "not every character is plain ASCII", "type it anew with plain digits and spaces"),
    )
)


def unreadable(kind: Kind, text: str, column: int) -> ScheduleError:
    """A piece that is neither ``*`` nor a value, a range or a step."""
    if not text:
        return ScheduleError(f"{kind.name}: a value is missing", column=column, hint=_usual(kind))
    for pattern, why, hint in _BORROWED:
        if found := pattern.search(text):
            message = f"{shown(text)} does not fit the {kind.name} field: {why}"
            return ScheduleError(message, column=column + found.start(), hint=hint)
    hint = _meant(kind, text.lower())
    return ScheduleError(f"{shown(text)} does not fit the {kind.name} field", column=column, hint=hint)


def out_of_range(kind: Kind, text: str, column: int) -> ScheduleError:
    """A number the field does not have."""
    return ScheduleError(f"{kind.name} {shown(text)} is out of range", column=column, hint=_usual(kind))


def bad_step(message: str, column: int) -> ScheduleError:
    """A step that would never move on, or beyond everything."""
    return ScheduleError(message, column=column, hint="write /1 or more")


def lone_step(kind: Kind, first: str, step: str, column: int) -> ScheduleError:
    """``5/15``: other crons read it as ``5-59/15``, Debian's refuses it."""
    hint = f"write {first}-{kind.high}/{step}, or {first} alone"
    return ScheduleError(f"{first}/{step}: a step needs * or a range before it", column=column, hint=hint)


def backwards(kind: Kind, text: str, low: int, high: int, column: int) -> ScheduleError:
    """``50-10``, ``fri-sun``: Debian accepts them and never runs the job."""
    upper, lower = (7, 1) if kind is WEEKDAY else (kind.high, kind.low)
    parts = [_range(low, upper)] + ([_range(lower, high)] if high >= lower else [])
    message = f"{shown(text)} runs backwards and would never fire"
    return ScheduleError(message, column=column, hint=f"write {','.join(parts)}")


def no_such_day(day: int, months: list[int], column: int) -> ScheduleError:
    """``0 0 31 2 *``: Debian accepts it and never runs the job."""
    names = [MONTHS[month - 1].capitalize() for month in months]
    longest = max(LENGTHS[month - 1] for month in months)
    message = f"day {day} never comes in {' or '.join(names)}, so this would never run"
    return ScheduleError(message, column=column, hint=f"write a day up to {longest}, or another month")


def unknown_macro(words: list[tuple[int, str]]) -> ScheduleError:
    """A word with ``@`` that is none of ``MACROS``; some have a field of their own in jobs.yaml."""
    column, word = words[0]
    name = word.lower()
    if name == "@reboot":
        return ScheduleError("@reboot is not a time", column=column, hint="write start: boot")
    if name == "@every":
        length = shown(words[1][1]).strip("'") if len(words) > 1 else "5m"
        hint = f"write every: {length} instead of cron:"
        return ScheduleError("@every is not cron", column=column, hint=hint)
    near = difflib.get_close_matches(name[:20], MACROS, n=1, cutoff=0.5) or ["@daily"]
    return ScheduleError(f"there is no {shown(word)}", column=column, hint=f"write {near[0]} or five fields")


def wrong_number(words: list[tuple[int, str]]) -> ScheduleError | None:
    """Too few or too many fields, or something among them that is none (a zone, a user, a command)."""
    column, first = words[0]
    if "=" in first:
        zone = shown(first.rpartition("=")[2]).strip("'") or "Europe/London"
        return ScheduleError(f"{shown(first)} is not a field", column=column, hint=f"write timezone: {zone}")
    if len(words) < 5:
        fields = "1 field" if len(words) == 1 else f"{len(words)} fields"
        return ScheduleError(f"{fields} where cron needs five", column=column, hint=EXAMPLE)
    if len(words) > 5 and _prose(words[5][1]):
        hint = "write the command in command: and the user in process: {user: …}"
        return ScheduleError(f"{shown(words[5][1])} is not a field", column=words[5][0], hint=hint)
    if len(words) > 6:
        message = f"{len(words)} fields where cron has five, or six with seconds first"
        hint = "there is no field for the year: bound the job with from: and until:"
        return ScheduleError(message, column=words[6][0], hint=hint)
    return None


def shown(text: str) -> str:
    return repr(text if len(text) <= 30 else text[:30] + "…")


def _meant(kind: Kind, word: str) -> str:
    for other in KINDS:
        if other is not kind and word[:3] in other.names:
            return f"{word[:20]} belongs in the {other.name} field"
    near = difflib.get_close_matches(word[:3], kind.names, n=1, cutoff=0.6)
    return f"write {near[0]}" if near else _usual(kind)


def _usual(kind: Kind) -> str:
    names = f" or {kind.names[0]} to {kind.names[-1]}" if kind.names else ""
    return f"write * or {kind.low} to {kind.high}{names}"


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def _prose(text: str) -> bool:
    """A user or the beginning of a command where a sixth field would be."""
    words = re.findall(r"[a-z]{3,}", text, _FLAGS)
    return text[0] in "/.~" or any(word[:3].lower() not in WEEKDAYS for word in words)
