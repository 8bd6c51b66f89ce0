"""Which moment is "2026-12-24 18:00"?

A moment may carry an offset (``Z``, ``+01:00``); without one it is local time and stays naive here: whoever
knows the job's time zone applies it.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)? ?(Z|[+-]\d{2}:\d{2})?")
PATTERN = r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)? ?(Z|[+-]\d{2}:\d{2})?$"
EXAMPLE = "2026-12-24 18:00"


def parse(text: str) -> datetime:
    """Read ``2026-12-24 18:00``, ``2026-12-24T18:00:30Z``, ``2026-12-24 18:00 +01:00``.

    Raises ValueError with what to write instead. A date alone is refused: whether its first or its last
    instant is meant cannot be told.
    """
    if _DATE.fullmatch(text):
        raise ValueError(f"{text!r} has no time of day; write for example '{text} 00:00'")
    if not _MOMENT.fullmatch(text):
        raise ValueError(f"{_short(text)} is not a moment; write for example '{EXAMPLE}'")
    try:
        return datetime.fromisoformat(text.replace(" ", "T", 1).replace(" ", ""))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a moment: {error}") from None


def spell(at: datetime) -> str:
    """The moment as ``parse`` reads it back."""
    return at.isoformat(sep=" ").replace("+00:00", "Z")


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _read(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        return parse(value)
    raise ValueError(f"expected a moment such as '{EXAMPLE}' in quotes")


Moment = Annotated[
    datetime,
    BeforeValidator(_read),
    PlainSerializer(spell, return_type=str),
    WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": [EXAMPLE]}),
]
"""A pydantic type: a text in, a datetime out (naive: local time of the job), the text again when dumped."""
