"""What does a value out of somebody else's database or file mean: a number, a day, a moment, a yes or no?

Every function takes what drivers and JSON give (also Decimal, datetime, texts and numbers) and raises ValueError with a
sentence about the value; nothing at all (None, an empty text) is None.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

YES = ("1", "true", "t", "yes", "y", "on")
NO = ("0", "false", "f", "no", "n", "off")
LATEST = 4_102_444_800
"""Seconds since 1970 after which (the year 2100) a number is taken for milliseconds."""


def number(value: Any) -> float | None:
    """A finite number, or None."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is no number")
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{_shown(value)} is no number") from None
    if not math.isfinite(found):
        raise ValueError(f"{_shown(value)} is no number")
    return found


def day(value: Any, zone: tzinfo) -> date | None:
    """The calendar day: that of a date as written, that of a moment as seen in ``zone``."""
    if value is None or value == "":
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and len(value.strip()) == 10:
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            raise ValueError(f"{_shown(value)} is no day such as 2026-11-20") from None
    found = moment(value, zone)
    return None if found is None else found.astimezone(zone).date()


def moment(value: Any, zone: tzinfo) -> datetime | None:
    """An aware instant in UTC; what names no zone is meant in ``zone``; numbers are seconds (or ms) since 1970."""
    if value is None or value == "":
        return None
    found = _read(value)
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{_shown(value)} is no moment anybody means") from None


def _read(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 (its zone is given by who asked)
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value.strip())
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            seconds = float(value)
            seconds = seconds / 1000 if abs(seconds) > LATEST else seconds
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{_shown(value)} is no moment such as 2026-11-20T09:00:00Z")


def yes(value: Any) -> bool:
    """True and False as databases write them; nothing is no."""
    if value is None:
        return False
    word = str(value).strip().lower()
    if word in YES:
        return True
    if word in NO or not word:
        return False
    raise ValueError(f"{_shown(value)} is neither yes nor no")


def text(value: Any) -> str | None:
    """One line of text without surrounding space, or None when there is nothing in it."""
    if value is None:
        return None
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is no text")
    return " ".join(str(value).split()) or None


def _shown(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 60 else said[:59] + "…"
