"""Is a job later than its rule allows? Each rule just below, at and just above its edge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jarvis.core import lateness

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("ago", "late"), [(26 * HOUR - TICK, False), (26 * HOUR, True), (26 * HOUR + TICK, True)]
)
def test_no_success_for(ago: timedelta, late: bool) -> None:
    assert lateness.silent(26 * HOUR, NOW - ago, NOW) is late


def test_a_success_is_waited_for_from_the_newest_of_all_beginnings() -> None:
    assert lateness.silent_since(None, None) is None
    assert lateness.silent_since(None, NOW - HOUR, NOW - 2 * HOUR) == NOW - HOUR


@pytest.mark.parametrize(("waits", "late"), [(HOUR - TICK, False), (HOUR, False), (HOUR + TICK, True)])
def test_not_started_within(waits: timedelta, late: bool) -> None:
    assert lateness.not_started(HOUR, NOW - waits, NOW) is late


@pytest.mark.parametrize(
    ("minutes", "usual"), [([1, 2, 3, 4], None), ([1, 2, 3, 4, 5], 3), ([9] * 20 + [1] * 99, 9)]
)
def test_usual_is_the_median_of_the_last_twenty_and_needs_five(minutes: list[int], usual: int | None) -> None:
    lengths = [timedelta(minutes=each) for each in minutes]
    assert lateness.usual(lengths) == (None if usual is None else timedelta(minutes=usual))


@pytest.mark.parametrize(("lasted", "late"), [(HOUR - TICK, False), (HOUR, False), (HOUR + TICK, True)])
def test_longer_than_usual(lasted: timedelta, late: bool) -> None:
    assert (lateness.too_long(3, [HOUR / 3] * 5, lasted) is not None) is late


@pytest.mark.parametrize(
    ("limit", "patience"), [(26 * HOUR, timedelta(minutes=5)), (timedelta(seconds=10), timedelta(seconds=10))]
)
def test_what_is_late_after_a_start_may_catch_up_first(limit: timedelta, patience: timedelta) -> None:
    assert lateness.patience(limit) == patience
