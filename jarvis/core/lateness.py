"""Is a job later than its rule allows?

The arithmetic of ``no_success_for``, ``not_started_within`` and ``longer_than_usual``.
All lengths are of the wall clock: a backup that is 26 hours old is 26 hours old, whether or not the machine slept.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import datetime, timedelta

USUAL_OF = 20
"""The successes whose lengths say what is usual."""
USUAL_FROM = 5
"""With fewer of them nothing is usual."""
SETTLE = timedelta(minutes=5)
"""After a start or a sleep, what is late has so long to catch up before anybody hears of it."""


def silent_since(*instants: datetime | None) -> datetime | None:
    """From when on a success is waited for: the newest of the last success, the end of a pause, and when the job began
    to be due."""
    return max((at for at in instants if at is not None), default=None)


def silent(limit: timedelta, since_at: datetime, now: datetime) -> bool:
    """No success for that long, or longer."""
    return now - since_at >= limit


def patience(limit: timedelta) -> timedelta:
    """How long what is late after a start or a sleep may catch up: never longer than the limit itself."""
    return min(SETTLE, limit)


def not_started(limit: timedelta, due_at: datetime, now: datetime) -> bool:
    """Due for longer than that and still waiting."""
    return now - due_at > limit


def usual(lengths: Sequence[timedelta]) -> timedelta | None:
    """The median of the newest successes; None while there are too few."""
    if len(lengths) < USUAL_FROM:
        return None
    return timedelta(seconds=statistics.median(length.total_seconds() for length in lengths[:USUAL_OF]))


def too_long(factor: float, lengths: Sequence[timedelta], lasted: timedelta) -> timedelta | None:
    """What is usual, if this run takes more than ``factor`` times as long."""
    median = usual(lengths)
    return median if median is not None and lasted > median * factor else None
