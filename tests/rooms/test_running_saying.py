"""What does the log say of ends and alerts? A problem that goes on has a line when it begins, not one a check."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from jarvis.core.run import Run, Status
from jarvis.running.judging import Verdict
from jarvis.running.saying import Log
from jarvis.store.journal import Note

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class House:
    """A log on a clock that a test moves."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.now = 0.0
        self._caplog = caplog
        self._log = Log(lambda: self.now)

    def ends(self, *notes: Note, status: Status = Status.SUCCEEDED) -> list[str]:
        """The alerts that the log has lines of when a run ends with these."""
        run = Run(
            id=7, job="shop", fire="f", attempt=1, status=status, scheduled_at=AT, queued_at=AT, definition=1
        )
        self._caplog.clear()
        self._log.say([Verdict(run=run, notes=notes)])
        return [line for line in self._caplog.messages if line.startswith("alert ")]


@pytest.fixture
def house(caplog: pytest.LogCaptureFixture) -> House:
    caplog.set_level(logging.INFO, "jarvis.runs")
    return House(caplog)


def down(severity: str = "critical", title: str = "web is down") -> Note:
    return Note(at=AT, severity=severity, title=title, key="web", job="shop")


OVER = Note(at=AT, severity="info", title="over", job="shop", kind="recovery")


def test_a_problem_that_each_check_raises_has_one_line_an_hour(house: House) -> None:
    assert house.ends(down()) == ["alert critical web is down"]
    house.now = 30
    assert house.ends(down(title="web is down: 2 times")) == []
    house.now = 3_601
    assert house.ends(down()) == ["alert critical web is down"]


def test_a_problem_that_was_over_and_is_back_has_a_line_again(house: House) -> None:
    house.ends(down())
    assert house.ends(OVER) == []
    assert house.ends(down()) == ["alert critical web is down"]


def test_a_failed_run_ends_no_problem(house: House) -> None:
    house.ends(down())
    house.ends(status=Status.FAILED)
    assert house.ends(down()) == []


def test_a_problem_that_became_worse_has_a_line(house: House) -> None:
    house.ends(down("medium"))
    assert house.ends(down("critical")) == ["alert critical web is down"]


def test_what_merely_happened_has_a_line_each_time(house: House) -> None:
    notice = Note(at=AT, severity="info", title="captured", key="web", job="shop", kind="notice")
    assert house.ends(notice) == house.ends(notice) == ["alert info captured"]
