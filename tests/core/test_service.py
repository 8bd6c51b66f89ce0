"""When is a service started again? A table over the ends of its runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from jarvis.core import service as services
from jarvis.core.parts import Service
from jarvis.core.run import Run, Status

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BEGAN = NOW - timedelta(hours=1)


def ended(
    number: int,
    status: Status,
    *,
    ago: float,
    lasted: float = 5,
    fire: str = "service:x",
    definition: int = 7,
) -> Run:
    """A run that ended ``ago`` seconds ago after ``lasted`` seconds."""
    at = NOW - timedelta(seconds=ago)
    return Run(
        id=number, job="web", fire=fire, attempt=1, status=status, scheduled_at=at, queued_at=at,
        started_at=at - timedelta(seconds=lasted), ended_at=at, definition=definition, reason="exit code 1",
    )  # fmt: skip


def crashes(count: int, *, lasted: float = 5, ago: float = 1) -> list[Run]:
    return [ended(100 - n, Status.FAILED, ago=ago + 10 * n, lasted=lasted) for n in range(count)]


def decide(spec: Service, ends: list[Run]) -> services.Decision:
    return services.decide(spec, ends, definition=7, since_at=BEGAN, now=NOW)


def due(spec: Service, ends: list[Run]) -> float:
    """Seconds from the end of its last run to its next start."""
    decision = decide(spec, ends)
    assert isinstance(decision, services.Due), decision
    return (decision.at - (ends[0].ended_at or NOW)).total_seconds()


def test_a_service_that_never_ran_is_started_at_once() -> None:
    assert decide(Service(), []) == services.Due(at=NOW, why="Jarvis started")


@pytest.mark.parametrize("restart", ["always", "on-failure", "on-success"])
def test_what_ended_before_this_daemon_started_is_started_whatever_became_of_it(restart: str) -> None:
    old = [ended(1, status, ago=4000) for status in (Status.SUCCEEDED,)]
    assert isinstance(decide(Service(restart=restart), old), services.Due)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("restart", "status", "again"),
    [
        ("always", Status.SUCCEEDED, True),
        ("always", Status.FAILED, True),
        ("always", Status.LOST, True),
        ("on-failure", Status.SUCCEEDED, False),
        ("on-failure", Status.FAILED, True),
        ("on-failure", Status.TIMED_OUT, True),
        ("on-failure", Status.LOST, True),
        ("on-success", Status.SUCCEEDED, True),
        ("on-success", Status.FAILED, False),
    ],
)
def test_restart_says_after_which_ends_it_is_started_again(restart: str, status: Status, again: bool) -> None:
    decision = decide(Service(restart=restart), [ended(1, status, ago=1)])  # type: ignore[arg-type]
    assert isinstance(decision, services.Due) is again
    assert again or isinstance(decision, services.Rest)


@pytest.mark.parametrize(
    ("failures", "wait"), [(1, 10), (2, 20), (3, 40), (4, 80), (5, 160), (6, 300), (7, 300)]
)
def test_the_wait_begins_with_ten_seconds_and_doubles_up_to_five_minutes(failures: int, wait: float) -> None:
    assert due(Service(), crashes(failures)) == wait


def test_a_run_that_lasted_a_minute_begins_the_wait_anew() -> None:
    healthy = ended(50, Status.FAILED, ago=100, lasted=60)
    assert due(Service(), [*crashes(2), healthy, *crashes(5, ago=200)]) == 20
    assert due(Service(), [ended(60, Status.FAILED, ago=1, lasted=60), *crashes(5, ago=200)]) == 10


def test_after_ten_short_runs_in_a_row_it_is_left_alone_and_the_reason_names_the_last_end() -> None:
    assert isinstance(decide(Service(), crashes(9)), services.Due)
    left = decide(Service(), crashes(10))
    assert left == services.GiveUp(
        why="10 starts in a row lasted less than 1m each; the last failed: exit code 1"
    )


def test_how_a_run_ended_is_said_and_not_why_it_was_started() -> None:
    well = replace(ended(50, Status.SUCCEEDED, ago=1), reason="Jarvis started")
    decision = decide(Service(), [well])
    assert isinstance(decision, services.Due)
    assert decision.why == "run 50 succeeded; started again after 10s"
    left = decide(Service(tries=1), [well])
    assert left == services.GiveUp(why="1 start lasted less than 1m; the last succeeded")


def test_a_run_asked_for_by_hand_begins_the_count_anew() -> None:
    by_hand = ended(80, Status.FAILED, ago=30, fire="manual:abc")
    assert isinstance(decide(Service(), [by_hand, *crashes(12, ago=60)]), services.Due)
    assert due(Service(), [ended(90, Status.FAILED, ago=1), by_hand, *crashes(12, ago=60)]) == 20


def test_a_changed_definition_is_started_at_once_and_begins_the_count_anew() -> None:
    old = [ended(n, Status.FAILED, ago=1 + n, definition=6) for n in range(12)]
    assert decide(Service(), old) == services.Due(at=NOW, why="its definition changed")
    assert due(Service(), [ended(90, Status.FAILED, ago=1), *old]) == 10


def test_what_jarvis_or_a_person_ended_is_started_at_once() -> None:
    decision = decide(Service(restart="on-failure"), [ended(5, Status.CANCELLED, ago=1)])
    assert decision == services.Due(at=NOW, why="run 5 was ended: exit code 1")
