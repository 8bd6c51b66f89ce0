"""What became of a run, from what its supervisor and its handler left?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jarvis.core.job import load
from jarvis.core.run import Run, Status
from jarvis.handling.contract import Alert, Outcome
from jarvis.handling.rundir import Result
from jarvis.running import judging

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
RUN = Run(id=7, job="job", fire="manual:1", attempt=1, status=Status.RUNNING, scheduled_at=NOW, queued_at=NOW)
COMMAND = {"command": "true"}
PYTHON = {"run": "probe", "retry": "none"}
FULL = "not all output is in /dev/full: No space left on device"
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in run\nValueError: bad\nnews\n'


def result(**fields: Any) -> Result:
    plain: dict[str, Any] = {
        "run": 7, "started_at": NOW, "ended_at": NOW + timedelta(seconds=3), "exit_code": 0, "signal": None,
        "timed_out": False, "cancelled": None, "error": None, "step": None, "output_bytes": 0,
        "output_dropped": 0, "output_problem": None, "survivors": 0, "unkillable": (), "max_rss_kb": 0,
        "cpu": timedelta(0), "oom": False,
    }  # fmt: skip
    return Result(**plain | fields)


def judged(
    body: dict[str, Any], left: Outcome | None = None, run: Run = RUN, **fields: Any
) -> judging.Verdict:
    return judging.supervised(run, load("job", body, python="run" in body), result(**fields), left, NOW)


@pytest.mark.parametrize(
    ("body", "fields", "status", "reason"),
    [
        pytest.param(COMMAND, {}, "succeeded", None, id="it went well"),
        pytest.param(COMMAND, {"exit_code": 2}, "failed", "exit code 2", id="an exit code"),
        pytest.param(
            COMMAND | {"success_codes": [2]},
            {"exit_code": 2},
            "succeeded",
            None,
            id="an exit code that is fine",
        ),
        pytest.param(
            COMMAND, {"exit_code": None, "signal": 11}, "failed", "killed by signal 11", id="a signal"
        ),
        pytest.param(
            COMMAND,
            {"exit_code": None, "signal": 9, "oom": True},
            "failed",
            "killed by signal 9 (probably out of memory)",
            id="out of memory",
        ),
        pytest.param(
            COMMAND | {"timeout": "2m"},
            {"exit_code": None, "signal": 15, "timed_out": True},
            "timed_out",
            "stopped after 2m (its timeout)",
            id="its timeout",
        ),
        pytest.param(
            COMMAND | {"timeout": "2m"},
            {"exit_code": 0, "timed_out": True, "survivors": 3},
            "timed_out",
            "stopped after 2m (its timeout); 3 of its processes had to be killed",
            id="its timeout, and more to kill",
        ),
        pytest.param(
            COMMAND | {"timeout": "2m"},
            {"exit_code": None, "timed_out": True, "error": "could not start: nobody reads /x"},
            "timed_out",
            "stopped after 2m (its timeout); could not start: nobody reads /x",
            id="its timeout, before it could start",
        ),
        pytest.param(
            COMMAND,
            {"exit_code": None, "signal": 15, "cancelled": "enough"},
            "cancelled",
            "enough",
            id="cancelled",
        ),
        pytest.param(
            COMMAND,
            {"exit_code": 127, "error": "no such file: x"},
            "failed",
            "no such file: x",
            id="not startable",
        ),
        pytest.param(
            COMMAND,
            {"exit_code": 4, "step": "before 1: mount"},
            "failed",
            "step before 1: mount failed: exit code 4",
            id="a step failed",
        ),
        pytest.param(
            PYTHON,
            {"exit_code": 0},
            "failed",
            "the handler ended its process (exit code 0) without saying what became of it",
            id="a handler without a word",
        ),
    ],
)
def test_how_a_program_ended(
    body: dict[str, Any], fields: dict[str, Any], status: str, reason: str | None
) -> None:
    run = judged(body, **fields).run
    assert (run.status.value, run.reason) == (status, reason)
    assert (run.started_at, run.ended_at) == (NOW, NOW + timedelta(seconds=3))
    assert run.exit_code == (-fields["signal"] if fields.get("signal") else fields.get("exit_code", 0))


@pytest.mark.parametrize(
    ("left", "status", "reason"),
    [
        pytest.param(Outcome(status="ok", result="done"), "succeeded", None, id="ok"),
        pytest.param(Outcome(status="skipped", result="nothing new"), "skipped", "nothing new", id="skipped"),
        pytest.param(Outcome(status="error", error=TRACEBACK), "failed", "ValueError: bad", id="a traceback"),
        pytest.param(Outcome(status="error", error="plain words"), "failed", "plain words", id="words"),
        pytest.param(Outcome(status="error"), "failed", "failed without a word", id="nothing said"),
        pytest.param(Outcome(status="gave_up", error="closed"), "failed", "gave up: closed", id="gave up"),
    ],
)
def test_what_a_handler_left_counts(left: Outcome, status: str, reason: str | None) -> None:
    run = judged(PYTHON, left, exit_code=left.exit_code).run
    assert (run.status.value, run.reason) == (status, reason)


@pytest.mark.parametrize(
    ("body", "left", "error"),
    [
        pytest.param(COMMAND, None, FULL, id="a command"),
        pytest.param(PYTHON, Outcome(status="ok"), FULL, id="a handler"),
        pytest.param(
            PYTHON, Outcome(status="error", error="words"), f"words\n\n{FULL}", id="a handler with an error"
        ),
    ],
)
def test_output_that_is_not_where_it_should_be_is_said_on_the_run(
    body: dict[str, Any], left: Outcome | None, error: str
) -> None:
    run = judged(body, left, output_problem=FULL).run
    assert run.error == error
    assert run.status is (Status.FAILED if left and left.error else Status.SUCCEEDED)


def test_what_a_handler_left_before_it_was_killed_does_not_count() -> None:
    run = judged(PYTHON, Outcome(status="ok"), exit_code=None, signal=9).run
    assert (run.status, run.reason) == (Status.FAILED, "killed by signal 9")


def test_a_failure_that_is_retried_is_no_alert_yet() -> None:
    verdict = judged({**COMMAND, "retry": {"times": 1, "wait": "1m"}}, exit_code=1)
    assert (verdict.retry_at, verdict.notes) == (NOW + timedelta(minutes=1), ())
    last = judged({**COMMAND, "retry": {"times": 1}}, None, judging.replace(RUN, attempt=2), exit_code=1)
    assert last.retry_at is None
    assert [note.title for note in last.notes] == ["job: failed: exit code 1 (attempt 2, the last)"]


def test_who_gave_up_is_an_alert_at_once() -> None:
    verdict = judged({"run": "probe"}, Outcome(status="gave_up", error="closed"), exit_code=3)
    assert (verdict.retry_at, [note.severity for note in verdict.notes]) == (None, ["high"])


def test_a_retry_that_succeeds_still_says_why_it_was_made() -> None:
    again = judging.replace(RUN, attempt=2, reason="retry after: exit code 1")
    assert judged(COMMAND, None, again).run.reason == "retry after: exit code 1"
    assert judged(COMMAND, None, again, exit_code=4).run.reason == "exit code 4"


@pytest.mark.parametrize(
    ("alert", "title"),
    [
        pytest.param(Alert(text="long story", title="In short"), "In short", id="a title of its own"),
        pytest.param(Alert(text="first line\nsecond line"), "first line", id="the first line"),
        pytest.param(Alert(text=" \n "), "job", id="no words at all"),
    ],
)
def test_an_alert_of_a_handler_is_told_under_a_title(alert: Alert, title: str) -> None:
    (note,) = judged(PYTHON, Outcome(status="ok", alerts=(alert,))).notes
    assert (note.title, note.text, note.run_id, note.severity) == (title, alert.text, 7, "medium")


def test_text_that_no_database_takes_is_made_fit() -> None:
    run = judged(PYTHON, Outcome(status="ok", result="a\0b\ud800c")).run
    assert run.result == "a�b?c"


@pytest.mark.parametrize(("on_lost", "again"), [("fail", False), ("rerun", True)], ids=str)
def test_a_lost_run_is_repeated_only_when_the_job_wants_it(on_lost: str, again: bool) -> None:
    verdict = judging.lost(RUN, load("job", {**COMMAND, "on_lost": on_lost}, python=False), "gone", NOW)
    assert (verdict.run.status, verdict.run.reason, verdict.run.ended_at) == (Status.LOST, "gone", NOW)
    assert (verdict.rerun, verdict.retry_at) == ((True, NOW) if again else (False, None))
    assert [note.severity for note in verdict.notes] == ["high"], "either way a person hears of it"
