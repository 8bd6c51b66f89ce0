"""Does an invariant hold, as far as somebody could see?

A *reading* is what an observer brought home: a value, up or down, or the reason why nothing was seen. Only what
was seen can be healthy or violated; a failed observation is neither.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from jarvis.core.invariants import Invariant, Limits, Target

State = Literal["holds", "violated", "not_observed", "skipped"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """An answer. ``up``: it is as it should be (None where that is no question). ``value``: the number asked for.

    ``said``: the facts in words. ``seconds``: how long each sample took.
    """

    said: str
    up: bool | None = None
    value: float | None = None
    seconds: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Unseen:
    """Nothing can be said about it, and why."""

    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Awaited:
    """Nobody could have recorded it yet: it is not looked for before its time."""

    why: str


Reading = Seen | Unseen | Awaited


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What an invariant is, for one entity, in this check.

    ``skipped``: it was not looked at because something else is wrong (latency of what is down), or because it is not
    recorded yet: no news at all.
    ``snapshot``: the numbers it was judged by.
    """

    target: Target
    state: State
    message: str
    snapshot: Mapping[str, float] = field(default_factory=dict)


def judge(target: Target, reading: Reading) -> Verdict:
    """Holds, violated or not observed, with a sentence that says why."""
    if isinstance(reading, Awaited):
        return Verdict(target=target, state="skipped", message=reading.why)
    if isinstance(reading, Unseen):
        return Verdict(target=target, state="not_observed", message=reading.why)
    invariant = target.invariant
    if invariant.up is not None:
        return _up(target, reading)
    if invariant.latency is not None:
        return _latency(target, reading)
    if reading.value is None or not math.isfinite(reading.value):
        return Verdict(target=target, state="not_observed", message=f"{reading.said}: no number to judge by")
    above, below = _limits(invariant)
    snapshot = {"value": reading.value}
    snapshot |= {name: limit for name, limit in (("above", above), ("below", below)) if limit is not None}
    if above is not None and reading.value > above:
        return _said(target, "violated", f"{reading.said}, more than {above:g}", snapshot)
    if below is not None and reading.value < below:
        return _said(target, "violated", f"{reading.said}, less than {below:g}", snapshot)
    return _said(target, "holds", reading.said, snapshot)


def _up(target: Target, reading: Seen) -> Verdict:
    snapshot = {"up": float(bool(reading.up))}
    if reading.seconds:
        snapshot["milliseconds"] = round(1000 * reading.seconds[-1], 3)
    return _said(target, "holds" if reading.up else "violated", reading.said, snapshot)


def _latency(target: Target, reading: Seen) -> Verdict:
    """Strictly more than the limit is a violation; what is down has no latency."""
    wanted = target.invariant.latency
    assert wanted is not None
    if not reading.up or not reading.seconds:
        return Verdict(target=target, state="skipped", message=f"{wanted.of} is down: {reading.said}")
    milliseconds = 1000 * percentile(reading.seconds, 99)
    limit = 1000 * wanted.above.total_seconds()
    snapshot = {
        "p99_ms": round(milliseconds, 3), "above": limit, "samples": len(reading.seconds),
        "fastest_ms": round(1000 * min(reading.seconds), 3),
    }  # fmt: skip
    of = f"p99 of {len(reading.seconds)} samples is {milliseconds:.4g} ms"
    if milliseconds > limit:
        return _said(target, "violated", f"{of}, more than {limit:g} ms", snapshot)
    return _said(target, "holds", of, snapshot)


def _said(target: Target, state: State, message: str, snapshot: Mapping[str, float]) -> Verdict:
    return Verdict(target=target, state=state, message=message, snapshot=snapshot)


def _limits(invariant: Invariant) -> tuple[float | None, float | None]:
    if invariant.disk is not None:
        return invariant.disk.above, None
    limits = invariant.sql or invariant.command or invariant.metric
    assert isinstance(limits, Limits)
    return limits.above, limits.below


def percentile(values: Sequence[float], per_cent: float) -> float:
    """The smallest value that so many per cent do not exceed (nearest rank). Of fewer than 100 the p99 is the greatest.

    Raises ValueError for no values.
    """
    if not values:
        raise ValueError("there is no percentile of nothing")
    rank = math.ceil(per_cent / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


def aggregated(values: Sequence[float], how: str) -> float | None:
    """``last mean min max sum count`` or ``p50 p95 p99`` of values, the oldest first; None where there is none."""
    if how == "count":
        return float(len(values))
    if not values:
        return None
    if how.startswith("p"):
        return percentile(values, float(how[1:]))
    plain = {"last": lambda: values[-1], "mean": lambda: statistics.fmean(values), "min": lambda: min(values),
             "max": lambda: max(values), "sum": lambda: math.fsum(values)}  # fmt: skip
    return float(plain[how]())


def used(blocks: int, free: int, available: int) -> float | None:
    """How full a file system is, in per cent of what its users can have, as df says it.

    ``blocks``: all; ``free``: nobody's yet; ``available``: free for those who are not root. None: cannot be told.
    """
    taken = blocks - free
    total = taken + available
    return None if blocks <= 0 or total <= 0 else 100 * taken / total


def summary(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many invariants there are, and how they are: one is as its worst entity is."""
    rank = {"violated": 0, "not_observed": 1, "skipped": 1, "holds": 2}
    worst: dict[str, int] = {}
    for verdict in verdicts:
        name = verdict.target.name
        worst[name] = min(worst.get(name, 2), rank[verdict.state])
    counts = list(worst.values())
    return {
        "invariants": len(counts),
        "hold": counts.count(2),
        "violated": counts.count(0),
        "not_observed": counts.count(1),
    }


def heartbeat(counts: Mapping[str, int]) -> str:
    """``12 invariants: 11 hold, 1 violated, 0 not observed``."""
    many, hold = counts["invariants"], counts["hold"]
    return (
        f"{many} invariant{'' if many == 1 else 's'}: {hold} hold{'s' if hold == 1 else ''},"
        f" {counts['violated']} violated, {counts['not_observed']} not observed"
    )
