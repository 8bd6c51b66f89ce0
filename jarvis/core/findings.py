"""What was found about a day, and what of it has not been told yet?

The keys of these findings carry their date: they are told once, and nobody is told the next morning that yesterday is
over. What was told is kept in the job's memory, in the same transaction as the alert itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

KEPT = timedelta(days=2)
"""Keys of earlier days cannot come again, except across a change of zone or clock."""
LONGEST = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something to tell a person once. ``key`` is the same for the same trouble of the same day."""

    key: str
    severity: str
    title: str
    text: str


def entity(text: str) -> str:
    """What a finding is about, as a part of its key: a long text is shortened, and still its own."""
    folded = text.casefold()
    if len(folded) <= LONGEST:
        return folded
    return f"{folded[: LONGEST - 13]}~{hashlib.sha256(folded.encode('utf-8', 'replace')).hexdigest()[:12]}"


def untold(findings: Iterable[Finding], told: Any, today: date) -> tuple[list[Finding], dict[str, list[str]]]:
    """The findings that are new, and what is to be remembered with them: ``{day: [key, …]}``."""
    kept = {
        name: [str(key) for key in keys]
        for name, keys in (told.items() if isinstance(told, Mapping) else ())
        if _recent(name, today) and isinstance(keys, list | tuple)
    }
    known = {key for keys in kept.values() for key in keys}
    new = list({one.key: one for one in findings if one.key not in known}.values())
    if new:
        kept[today.isoformat()] = [*kept.get(today.isoformat(), ()), *(one.key for one in new)]
    return new, kept


def _recent(name: Any, today: date) -> bool:
    try:
        return abs(today - date.fromisoformat(name)) < KEPT
    except (TypeError, ValueError):
        return False
