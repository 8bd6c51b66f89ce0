"""What is said of the cause of a run, to the run itself and to people?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from jarvis.core import causes
from jarvis.core.run import Run, Status

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def of_event(payload: Any) -> dict[str, Any]:
    return causes.of_event(7, "github", "push", AT, payload, len(json.dumps(payload)))


@pytest.mark.parametrize(
    ("size", "kept"), [(causes.SMALL - 1, True), (causes.SMALL, True), (causes.SMALL + 1, False)]
)
def test_a_payload_is_stored_with_the_run_only_when_it_is_small(size: int, kept: bool) -> None:
    payload = "a" * (size - 2)
    cause = of_event(payload)
    assert cause.get("payload") == (payload if kept else None)
    assert cause.get(causes.OMITTED) == (None if kept else size)
    assert causes.completed(cause, payload)["payload"] == payload
    assert causes.OMITTED not in causes.completed(cause, payload)


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_the_variable_has_the_whole_cause_up_to_32_kilobytes(more: int) -> None:
    bare = causes.of_event(7, "github", "push", AT, "", 0)
    room = causes.IN_ENVIRONMENT - len(causes.written(bare))
    cause = bare | {"payload": "a" * (room + more)}
    said = json.loads(causes.environment(cause))
    assert ("payload" in said) is (more <= 0)
    assert said.get(causes.OMITTED) == (None if more <= 0 else room + more + 2)
    assert len(causes.environment(cause)) <= causes.IN_ENVIRONMENT


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (Status.SUCCEEDED, "because run 41 of backup succeeded"),
        (Status.TIMED_OUT, "because run 41 of backup timed out"),
        (Status.LOST, "because run 41 of backup was lost"),
    ],
)
def test_a_run_says_which_run_it_follows(status: Status, said: str) -> None:
    run = Run(id=41, job="backup", fire="manual:1", attempt=1, status=status, scheduled_at=AT, queued_at=AT)
    assert causes.said(causes.of_run(run)) == said


def test_a_run_says_which_event_it_is_for_and_others_say_nothing() -> None:
    assert causes.said(of_event(1)) == "because of event 7 github/push"
    assert causes.said({}) is None


@pytest.mark.parametrize(
    ("status", "started", "bad"),
    [
        ("succeeded", True, False),
        ("skipped", True, False),
        ("skipped", False, True),
        ("failed", True, True),
        ("lost", True, True),
        ("cancelled", False, True),
    ],
)
def test_an_event_is_dealt_with_when_its_run_succeeded_or_found_nothing_to_do(
    status: str, started: bool, bad: bool
) -> None:
    assert (causes.failing("deploy", 3, status, started) is not None) is bad
