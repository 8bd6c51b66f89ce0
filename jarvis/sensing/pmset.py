"""When did a Mac sleep and wake? Reads what ``pmset -g log`` prints; it explains afterwards, never in the loop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

ARGV = ("/bin/sh", "-c", "/usr/bin/pmset -g log | /usr/bin/tail -n 4000")
"""The log goes back for weeks, the oldest first: only its end is about what happened just now."""
_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4})\s+(Sleep|Wake|DarkWake)\s+(.*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """The machine fell asleep or woke up. ``kind``: Sleep, Wake or DarkWake."""

    at: datetime
    kind: str
    text: str


def parse(data: bytes) -> Iterator[Turn]:
    """Every sleep and wake in the log; other lines, and what is no UTF-8, do no harm."""
    for line in data.decode("utf-8", "replace").splitlines():
        if found := _LINE.match(line):
            try:
                at = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
            except ValueError:
                continue
            yield Turn(at=at, kind=found[2], text=" ".join(found[3].split()))


def around(data: bytes, from_at: datetime, until_at: datetime) -> list[Turn]:
    """Those of a stretch of time, and the last one before it: what the machine was doing when it began."""
    turns = list(parse(data))
    before = [turn for turn in turns if turn.at < from_at][-1:]
    return before + [turn for turn in turns if from_at <= turn.at <= until_at]
