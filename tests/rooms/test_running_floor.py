"""Does the floor wake exactly whom an end concerns, in the right order, and follow a clock that is set?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jarvis.core import admission
from jarvis.core.admission import Start, Wait
from jarvis.core.job import Job, load
from jarvis.core.run import Run, Status
from jarvis.running.floor import Floor

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Played:
    """A floor on which runs arrive, are asked and end."""

    def __init__(self, **slots: int) -> None:
        self.floor = Floor({"process": 10, "thread": 10} | slots)
        self.jobs: dict[int, Job] = {}

    def arrive(self, number: int, job: str = "job", now: datetime = NOW, **body: Any) -> Run:
        thread = body.get("in") == "thread"
        what = {"run": "probe"} if thread else {"command": "true"}
        self.jobs[number] = load(job, {**what, **body}, python=thread)
        run = Run(
            id=number, job=job, fire=f"manual:{number}", attempt=1, status=Status.QUEUED, scheduled_at=now,
            queued_at=now,
        )  # fmt: skip
        self.floor.arrive(run, self.jobs[number], now)
        return run

    def round(self, now: datetime = NOW) -> list[int]:
        """Ask whoever is ready; who was started, in order."""
        started = []
        for run in self.floor.ready(now):
            job = self.jobs[run.id]
            situation = self.floor.situation(run, job, now, paused=None, broken=None)
            match admission.admit(run, job, situation):
                case Start():
                    self.floor.start(run, job, now)
                    started.append(run.id)
                case Wait() as wait:
                    self.floor.park(run, job, wait)
                case _:
                    self.floor.leave(run.id)
        return started


def test_the_most_urgent_is_asked_first_then_the_oldest() -> None:
    played = Played()
    played.arrive(1, "a", now=NOW)
    played.arrive(2, "b", now=NOW - SECOND)
    played.arrive(3, "c", priority=5)
    assert played.round() == [3, 2, 1]


def test_a_free_slot_goes_to_one_only_and_the_others_stay() -> None:
    played = Played(process=1)
    for number, name in enumerate("abcd"):
        played.arrive(number, name)
    assert played.round() == [0]
    for number in range(3):
        played.floor.end(number)
        assert played.round() == [number + 1]


def test_a_slot_its_first_in_line_cannot_take_goes_to_the_next() -> None:
    played = Played(process=1)
    played.arrive(1, "a")
    played.arrive(2, "b", lock="disk")
    played.arrive(3, "c")
    assert played.round() == [1]
    played.floor._locks["disk"] = 99
    played.floor.end(1)
    assert played.round() == [3]


def test_more_slots_wake_those_who_wait_for_one() -> None:
    played = Played(process=1)
    for number in range(4):
        played.arrive(number, f"job-{number}")
    assert played.round() == [0]
    played.floor.slots = {"process": 3, "thread": 1}
    played.arrive(9, "later")
    assert played.round() == [1, 2]


def test_a_slot_of_a_thread_is_none_of_a_process() -> None:
    played = Played(process=1, thread=1)
    played.arrive(1, "a")
    played.arrive(2, "b", **{"in": "thread"})
    played.arrive(3, "c")
    played.arrive(4, "d", **{"in": "thread"})
    assert sorted(played.round()) == [1, 2]
    played.floor.end(2)
    assert played.round() == [4]


def test_an_end_gives_back_slot_and_lock_once() -> None:
    played = Played(process=1)
    played.arrive(1, "a", lock="disk")
    assert played.round() == [1]
    assert played.floor.end(1) is not None
    assert played.floor.end(1) is None
    played.arrive(2, "b", lock="disk")
    played.arrive(3, "c")
    assert played.round() == [2], "one slot is one slot"


def test_who_arrives_where_no_slot_is_free_has_not_been_told_to_wait_before_all_were_heard() -> None:
    played = Played(process=1)
    played.arrive(1, "a")
    assert played.round() == [1]
    played.arrive(2, "b")
    older = played.floor.waiting[2]
    newer = replace(older.run, id=3, fire="schedule:3", scheduled_at=NOW + SECOND)
    older.run = replace(older.run, fire="schedule:2")
    assert played.floor.superseded_by(newer, played.jobs[2]) == [], (
        "a slot may be given back in the same breath"
    )
    assert played.round() == []
    assert (older.on, older.why) == (admission.Blocker.SLOT, "no free process slot")
    assert played.floor.superseded_by(newer, played.jobs[2]) == [older]
    played.arrive(4, "urgent", priority=9)
    played.floor.end(1)
    assert played.round() == [4]
    played.floor.end(4)
    assert played.round() == [2]


@pytest.mark.parametrize("by", [timedelta(hours=1), timedelta(hours=-1)], ids=["forward", "back"])
def test_a_clock_that_is_set_makes_nobody_wait_longer_or_shorter(by: timedelta) -> None:
    played = Played()
    run = played.arrive(1)
    played.floor.leave(1)
    played.floor.arrive(replace(run, not_before=NOW + 5 * SECOND), played.jobs[1], NOW)
    assert played.round() == []
    played.floor.shift(by)
    assert played.round(NOW + by + 4 * SECOND) == []
    assert played.round(NOW + by + 5 * SECOND) == [1]


def test_a_thread_is_overdue_once() -> None:
    played = Played()
    played.arrive(1, **{"in": "thread", "timeout": "10s"})
    played.arrive(2, "other", **{"in": "thread", "timeout": "1h"})
    assert sorted(played.round()) == [1, 2]
    assert played.floor.overdue(NOW + 9 * SECOND) == []
    assert [active.run.id for active in played.floor.overdue(NOW + 10 * SECOND)] == [1]
    assert played.floor.overdue(NOW + 11 * SECOND) == []


def test_who_waits_too_long_for_a_slot_is_found() -> None:
    played = Played(process=1)
    played.arrive(1, "a")
    played.arrive(2, "b")
    assert played.round() == [1]
    assert played.floor.stuck(NOW + 60 * SECOND, timedelta(minutes=5)) == []
    (held,) = played.floor.stuck(NOW + 301 * SECOND, timedelta(minutes=5))
    assert (held.run.id, held.why) == (2, "no free process slot")
    held.told = True
    assert played.floor.stuck(NOW + 999 * SECOND, timedelta(minutes=5)) == []


def test_of_a_long_queue_only_as_many_are_asked_again_as_may_start() -> None:
    played = Played()
    for number in range(1, 1001):
        played.arrive(number, "line", now=NOW + number * SECOND, overlap="queue", max_instances=2)
    assert played.round() == [1, 2]
    asked = 0
    for ended in range(1, 999):
        played.floor.end(ended)
        asked += len(played.floor._ready)
        assert played.round() == [ended + 2]
    assert asked < 3 * 1000


def test_the_next_of_a_queue_is_asked_when_one_of_it_may_never_start() -> None:
    played = Played()
    for number in (1, 2, 3):
        played.arrive(number, "line", now=NOW + number * SECOND, overlap="queue")
    assert played.round() == [1]
    played.floor.end(1)
    run = next(iter(played.floor.ready(NOW)))
    assert run.id == 2
    played.floor.leave(2)  # its condition does not hold
    assert played.round() == [3]


def test_a_run_that_something_asked_for_waits_unless_its_job_says_otherwise() -> None:
    for fire, body, waits in (
        ("event:1", {}, True),
        ("run:1", {}, True),
        ("event:1", {"overlap": "skip"}, False),
        ("manual:1", {}, False),
    ):
        job = load("job", {"command": "true", **body}, python=False)
        run = Run(
            id=2, job="job", fire=fire, attempt=1, status=Status.QUEUED, scheduled_at=NOW, queued_at=NOW
        )
        decision = admission.admit(run, job, admission.Situation(now=NOW, running=(1,)))
        assert isinstance(decision, Wait) is waits


PLAIN: list[dict[str, Any]] = [
    {}, {"lock": "disk"}, {"min_spacing": "1h"}, {"misfire_grace": "1m"}, {"overlap": "queue"},
    {"overlap": "replace"}, {"max_instances": 2, "overlap": "allow"}, {"condition": {"on_ac": True}},
    {"timeout": "1s"}, {"in": "thread"}, {"in": "thread", "lock": "disk"}, {"service": {}},
]  # fmt: skip


@pytest.mark.parametrize("body", PLAIN, ids=str)
@pytest.mark.parametrize("running", [False, True], ids=["alone", "beside a run of its job"])
@pytest.mark.parametrize("slots", [0, 1, 2], ids=lambda slots: f"{slots} slots")
@pytest.mark.parametrize("later", [False, True], ids=["now", "not yet"])
def test_where_only_a_slot_is_missing_the_short_answer_is_the_long_one(
    body: dict[str, Any], running: bool, slots: int, later: bool
) -> None:
    """``answer`` spares ten thousand runs that need but a slot all other questions: it may never say otherwise."""
    played = Played(process=2, thread=2)
    if running:
        run = played.arrive(1, "job", **body)
        played.floor.start(run, played.jobs[1], NOW)
    played.arrive(2, "other", **({"in": "thread"} if body.get("in") else {}))
    played.floor.start(played.floor.waiting[2].run, played.jobs[2], NOW)
    played.floor.slots = {"process": slots, "thread": slots}
    run = played.arrive(3, "job", now=NOW - 30 * SECOND, **body)
    if later:
        run = played.floor.waiting[3].run = replace(run, not_before=NOW + SECOND)
    job = played.jobs[3]
    asked = admission.admit(run, job, played.floor.situation(run, job, NOW, paused=None, broken=None))
    assert played.floor.answer(run, job) in (None, asked)
    if body in ({}, {"in": "thread"}) and not running and not later:
        assert played.floor.answer(run, job) == asked
