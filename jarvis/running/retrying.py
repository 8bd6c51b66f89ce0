"""Is a failed attempt followed by another, and when? tenacity's strategies decide; nothing here waits.

The next attempt is a queued row with ``not_before``, so a retry survives a restart of the daemon.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tenacity import RetryCallState, Retrying, stop_after_attempt, wait_exponential, wait_random

from jarvis.core.parts import Retry
from jarvis.core.run import Run


def next_attempt_at(run: Run, rule: Retry | None, now: datetime) -> datetime | None:
    """When attempt ``run.attempt + 1`` may start; None when there is none."""
    if rule is None or not run.status.retryable:
        return None
    strategy = _strategy(rule)
    state = RetryCallState(strategy, None, (), {})
    state.attempt_number = run.attempt
    if strategy.stop(state):
        return None
    return now + timedelta(seconds=float(strategy.wait(state)))


def _strategy(rule: Retry) -> Retrying:
    # tenacity's first wait is multiplier * base ** 0 for attempt 1.
    wait: Any = wait_exponential(
        multiplier=rule.wait.total_seconds(), exp_base=rule.backoff, max=rule.max_wait.total_seconds()
    )
    if rule.jitter:
        wait = wait + wait_random(0, rule.jitter.total_seconds())
    return Retrying(stop=stop_after_attempt(rule.times + 1), wait=wait)
