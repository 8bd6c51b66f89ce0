"""A message was not accepted: when is it tried again, and when is it given up? tenacity's strategies decide.

Nothing here waits: the next try is a moment in the message's row, so it survives a restart of the daemon.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from jarvis.alerts.message import NotAccepted
from jarvis.store.deliveries import Delivery

FIRST = timedelta(seconds=15)
LONGEST = timedelta(minutes=15)
JITTER = timedelta(seconds=5)
GIVEN_UP = timedelta(hours=24)
LEAST_TRIES = 3
"""A message that was held, or waited for a daemon that was down, is tried so often whatever its age."""


def next_try(row: Delivery, error: NotAccepted, now: datetime) -> datetime | None:
    """When a row is tried again after ``error``; None when it is given up.

    Exponential from 15 s to 15 min, plus up to 5 s; not before the receiver wants it; given up 24 h after its creation,
    and at once when it can never be accepted.
    """
    from tenacity import RetryCallState, Retrying, wait_exponential, wait_random

    if error.permanent:
        return None
    tried = row.attempts + 1
    if now - row.created_at >= GIVEN_UP and tried >= LEAST_TRIES:
        return None
    waiting = wait_exponential(multiplier=FIRST.total_seconds(), exp_base=2, max=LONGEST.total_seconds())
    strategy = Retrying(wait=waiting + wait_random(0, JITTER.total_seconds()))
    state = RetryCallState(strategy, None, (), {})
    state.attempt_number = min(tried, 30)
    return now + max(timedelta(seconds=float(strategy.wait(state))), error.wait or timedelta(0))
