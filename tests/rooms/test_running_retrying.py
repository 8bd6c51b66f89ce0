"""When is a failed attempt followed by another?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from jarvis.core.parts import Retry
from jarvis.core.run import Run, Status
from jarvis.running import retrying

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FAILED = Run(
    id=1, job="job", fire="manual:1", attempt=1, status=Status.FAILED, scheduled_at=NOW, queued_at=NOW
)


def waits(count: int, **rule: Any) -> list[float | None]:
    """The seconds before each further attempt."""
    found = []
    for attempt in range(1, count + 1):
        at = retrying.next_attempt_at(replace(FAILED, attempt=attempt), Retry(**rule), NOW)
        found.append(None if at is None else round((at - NOW).total_seconds(), 6))
    return found


@pytest.mark.parametrize(
    ("rule", "seconds"),
    [
        pytest.param({}, [30, 60, None], id="as Python handlers are retried"),
        pytest.param({"times": 0}, [None], id="no further attempt"),
        pytest.param({"times": 3, "wait": "1m"}, [60, 120, 240, None], id="each wait is twice the last"),
        pytest.param({"times": 3, "wait": "10s", "backoff": 1}, [10, 10, 10, None], id="always the same"),
        pytest.param(
            {"times": 3, "wait": "1s", "backoff": 1.5}, [1, 1.5, 2.25, None], id="half as much more"
        ),
        pytest.param(
            {"times": 4, "wait": "1m", "backoff": 10, "max_wait": "30m"},
            [60, 600, 1800, 1800, None],
            id="never longer than the longest",
        ),
        pytest.param({"times": 1, "wait": "1h", "max_wait": "1m"}, [60, None], id="the first one neither"),
    ],
)
def test_the_waits_between_attempts(rule: dict[str, Any], seconds: list[float | None]) -> None:
    assert waits(len(seconds), **rule) == seconds


def test_a_hundred_doubled_waits_stay_within_the_longest() -> None:
    assert waits(101, times=100, wait="30s", backoff=10)[-2:] == [1800, None]


def test_jitter_is_added_at_random_and_within_its_bound() -> None:
    found = [waits(1, wait="10s", jitter="4s")[0] for _ in range(200)]
    assert all(seconds is not None and 10 <= seconds <= 14 for seconds in found)
    assert len(set(found)) > 100
    assert max(filter(None, found)) - min(filter(None, found)) > 2


@pytest.mark.parametrize("status", list(Status), ids=str)
def test_only_a_failure_is_tried_again(status: Status) -> None:
    again = retrying.next_attempt_at(replace(FAILED, status=status), Retry(), NOW)
    assert (again is not None) == (status in (Status.FAILED, Status.TIMED_OUT))


def test_without_a_rule_nothing_is_tried_again() -> None:
    assert retrying.next_attempt_at(FAILED, None, NOW) is None
