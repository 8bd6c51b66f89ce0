"""Which full seconds are looked at, and what has to have happened in them?"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.figures import BenchError
from tests.bench.ours import Ours

MIDDLE = 0.6
"""Looking begins and ends so long after a full second: the work of that second is done, the next one is far."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """The full seconds from ``first`` on and before ``end``, in seconds of the epoch."""

    first: int
    end: int

    @property
    def count(self) -> int:
        return self.end - self.first

    def within(self, marks: Sequence[float]) -> list[float]:
        return [at for at in marks if self.first <= at < self.end]

    def wait_for_begin(self) -> None:
        _sleep_until(self.first - 1 + MIDDLE)

    def wait_for_end(self) -> None:
        _sleep_until(self.end - 1 + MIDDLE)


def span(count: int, settle: float = 3.0) -> Span:
    """So many full seconds, the first of them after time to settle: starting is not what is measured."""
    first = math.ceil(time.time() + settle)
    return Span(first=first, end=first + count)


def our_lateness(ours: Ours, seen: Span, jobs: int) -> list[float]:
    """Seconds between due and started, of the ledger; each job ran once for each second, and all went well."""
    rows = ours.rows(
        "SELECT job, status, scheduled_at, started_at FROM runs WHERE scheduled_at >= ? AND scheduled_at < ?",
        seen.first * 1_000_000,
        seen.end * 1_000_000,
    )
    wrong = [row for row in rows if row[1] != "succeeded" or row[3] is None]
    fires = {(job, at) for job, _, at, _ in rows}
    if wrong or not len(rows) == len(fires) == jobs * seen.count:
        raise BenchError(
            f"{jobs} jobs in {seen.count} seconds should be {jobs * seen.count} succeeded runs; the ledger has "
            f"{len(rows)} of {len(fires)} fires, {len(wrong)} of them not succeeded, such as {wrong[:3]}"
        )
    return [(started - due) / 1e6 for _, _, due, started in rows]


def marked_lateness(
    who: str, marks: Sequence[float], seen: Span, jobs: int, share: float = 1.0
) -> list[float]:
    """Seconds since the last full second, of each start in the span; at least this share of them is there."""
    found = seen.within(marks)
    wanted = jobs * seen.count
    if not share * wanted <= len(found) <= wanted + jobs:
        raise BenchError(
            f"{who}: {jobs} jobs in {seen.count} seconds started {len(found)}, not {wanted} times"
        )
    return [at % 1 for at in found]


def _sleep_until(at: float) -> None:
    if (left := at - time.time()) < 0:
        raise BenchError(f"{-left:.1f} s too late to look; is the machine busy with something else?")
    time.sleep(left)
