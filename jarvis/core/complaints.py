"""How is a broken promise told? One sentence with the job, the moments, the runs and what was expected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from jarvis.core.run import instant

AT_MOST = 100
"""Violations told of one job; the others are counted. A ledger that was torn apart needs no list of a million."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """A promise the ledger does not keep. ``rule``: which one, a heading of docs/audit.md."""

    rule: str
    job: str
    text: str
    at: datetime | None = None
    runs: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.job}: {self.text}"


class Complaints:
    """The violations found in one job."""

    def __init__(self, job: str) -> None:
        self.job = job
        self.told: list[Violation] = []
        self.untold = 0

    def __bool__(self) -> bool:
        return bool(self.told)

    def say(self, rule: str, text: str, *, at: datetime | None = None, runs: Iterable[int] = ()) -> None:
        """Note one violation."""
        if len(self.told) == AT_MOST:
            self.untold += 1
            return
        self.told.append(Violation(rule=rule, job=self.job, text=text, at=at, runs=tuple(runs)))


def numbered(runs: Iterable[int]) -> str:
    """``run 4``, ``runs 4 and 5``, ``runs 4, 5, 6 and 9 more``."""
    numbers = list(runs)
    if len(numbers) == 1:
        return f"run {numbers[0]}"
    if len(numbers) > 4:
        return f"runs {', '.join(map(str, numbers[:3]))} and {len(numbers) - 3} more"
    return f"runs {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def stretch(first: datetime, last: datetime) -> str:
    """``2026-03-01T02:30:00Z`` or ``from ... to ...``."""
    return instant(first) if first == last else f"from {instant(first)} to {instant(last)}"
