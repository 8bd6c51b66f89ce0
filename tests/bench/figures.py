"""What was measured, what is it compared with, and is that good enough?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


class BenchError(Exception):
    """A benchmark whose work did not really happen, or that cannot be done here. A sentence for a person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One line of the table.

    ``ours`` and ``theirs`` are in ``unit``, the middle of ``samples``; ``score`` is what the floor is about, in
    ``score_unit``: a ratio, or our own figure where there is nothing to compare it with.
    """

    what: str
    unit: str
    ours: float
    theirs: float | None
    against: str
    score: float
    score_unit: str = "x"
    floor: float | None
    target: float | None = None
    more_is_better: bool
    samples: dict[str, list[float]] = field(default_factory=dict)
    note: str = ""

    @property
    def verdict(self) -> str:
        """``met``, ``missed``, or ``-`` where there is no floor."""
        if self.floor is None:
            return "-"
        met = self.score >= self.floor if self.more_is_better else self.score <= self.floor
        return "met" if met and not math.isnan(self.score) else "missed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """How big and how often. ``work``: an empty folder for this measure's files, all sides on one file system."""

    work: Path
    quick: bool
    rounds: int | None = None

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def times(self, full: int) -> range:
        """Rounds of both sides in turn: what disturbs the machine disturbs both."""
        return range(self.rounds or (1 if self.quick else full))


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """One benchmark: its short name, a line about it, and what does it."""

    name: str
    about: str
    run: Callable[[Scale], list[Figure]]


def faster(
    what: str, ours: Sequence[float], theirs: Sequence[float], *, against: str, floor: float, target: float,
    unit: str = "s", note: str = "",
) -> Figure:  # fmt: skip
    """Times or costs, less is better; the score says how many times better we are."""
    mine, other = statistics.median(ours), statistics.median(theirs)
    return Figure(
        what=what, unit=unit, ours=mine, theirs=other, against=against, score=_ratio(other, mine), floor=floor,
        target=target, more_is_better=True, samples={"ours": [*ours], "theirs": [*theirs]}, note=note,
    )  # fmt: skip


def rate(
    what: str, ours: Sequence[float], theirs: Sequence[float], *, against: str, floor: float, target: float,
    unit: str = "/s", note: str = "",
) -> Figure:  # fmt: skip
    """So many a second, more is better; the score is our share of theirs."""
    mine, other = statistics.median(ours), statistics.median(theirs)
    return Figure(
        what=what, unit=unit, ours=mine, theirs=other, against=against, score=_ratio(mine, other), floor=floor,
        target=target, more_is_better=True, samples={"ours": [*ours], "theirs": [*theirs]}, note=note,
    )  # fmt: skip


def at_most(
    what: str, ours: Sequence[float], theirs: Sequence[float], *, against: str, floor: float,
    target: float | None, unit: str = "s", note: str = "",
) -> Figure:  # fmt: skip
    """Times or costs that may be so many times theirs; less is better."""
    mine, other = statistics.median(ours), statistics.median(theirs)
    return Figure(
        what=what, unit=unit, ours=mine, theirs=other, against=against, score=_ratio(mine, other), floor=floor,
        target=target, more_is_better=False, samples={"ours": [*ours], "theirs": [*theirs]}, note=note,
    )  # fmt: skip


def within(
    what: str, ours: Sequence[float], *, limit: float, target: float | None, unit: str, note: str = ""
) -> Figure:
    """Our own figure against a fixed limit; less is better."""
    mine = statistics.median(ours)
    return Figure(
        what=what, unit=unit, ours=mine, theirs=None, against="", score=mine, score_unit=unit, floor=limit,
        target=target, more_is_better=False, samples={"ours": [*ours]}, note=note,
    )  # fmt: skip


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of them does not exceed."""
    if not values:
        raise BenchError("there is nothing to take a percentile of")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _ratio(above: float, below: float) -> float:
    return above / below if below else math.nan
