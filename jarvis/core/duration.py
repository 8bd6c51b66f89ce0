"""How long is "1h30m", and how is a length said to a person?"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[wdhms])")
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[wdhms]))+")
PATTERN = r"^(\d+(\.\d+)?(ms|w|d|h|m|s))+$"
LONGEST = timedelta(days=3_660)


def parse(text: str) -> timedelta:
    """Read ``90s``, ``15m``, ``2h``, ``1d``, ``1h30m``, ``500ms``.

    Raises ValueError with what to write instead; lengths over ten years are refused.
    """
    compact = text.replace(" ", "")
    if not _WHOLE.fullmatch(compact):
        raise ValueError(f"{text!r} is not a duration; write for example 90s, 15m, 2h, 1d or 1h30m")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(compact))
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"{text!r} is longer than ten years")
    return timedelta(seconds=seconds)


def spell(length: timedelta) -> str:
    """Say a length so that ``parse`` reads it back: ``1h30m``; zero is ``0s``."""
    rest = round(length.total_seconds() * 1000)
    if rest <= 0:
        return "0s"
    words = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            words.append(f"{count}{unit}")
    return "".join(words)


def _read(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse(value)
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(f"{value} has no unit; write for example {value}s or {value}m")
    raise ValueError("expected a duration such as 90s, 15m, 2h or 1d")


Duration = Annotated[
    timedelta,
    BeforeValidator(_read),
    PlainSerializer(spell, return_type=str),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["90s", "15m", "1h30m"]}),
]
"""A pydantic type: a duration text in, a timedelta out, the text again when dumped."""
