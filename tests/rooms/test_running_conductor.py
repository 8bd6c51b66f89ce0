"""Who may start, who waits for whom, and what becomes of them? With a Jarvis at work."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jarvis.core.job import Job
from jarvis.core.run import Run, Status
from jarvis.errors import NotFound, Refused
from jarvis.handling.contract import Outcome
from jarvis.running import conductor as conductors
from jarvis.running.floor import Active
from jarvis.running.threads import Called
from tests.rooms.running_house import GATE, Running, running

WAITING = '''\
"""Wait for a gate.

Parameters:
    gate: the file that opens it
"""

import time
from pathlib import Path

from jarvis import Context


def run(ctx: Context, *, gate: str) -> str:
    while not Path(gate).exists():
        time.sleep(0.01)
    return "it opened"
'''
GIVING_UP = '''\
"""Give up."""

from jarvis import Context, GiveUp


def run(ctx: Context) -> None:
    raise GiveUp("the account is closed")
'''


class Gates:
    """A Jarvis of its own for one test, with two handlers: ``waiting`` and ``giving_up``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, jobs: str) -> Running:
        made = Running(self.folder, jobs)
        (self.folder / "handlers" / "waiting.py").write_text(WAITING)
        (self.folder / "handlers" / "giving_up.py").write_text(GIVING_UP)
        return made


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    return Gates(tmp_path)


JOBS = f"""
    jobs:
      skip: {{command: "{GATE.format("skip")}"}}
      queue: {{command: "{GATE.format("queue")}; echo $JARVIS_RUN_ID >> order", overlap: queue}}
      replace: {{command: "{GATE.format("replace")}", overlap: replace, stop: {{after: 1s}}}}
      allow: {{command: "{GATE.format("allow")}", overlap: allow}}
      allow-two: {{command: "{GATE.format("allow-two")}", overlap: allow, max_instances: 2}}
      two: {{command: "{GATE.format("two")}", max_instances: 2}}
      queue-two: {{command: "{GATE.format("queue-two")}", max_instances: 2, overlap: queue}}
      replace-two: {{command: "{GATE.format("replace-two")}", max_instances: 2, overlap: replace, stop: {{after: 1s}}}}
      lock-one: {{command: "{GATE.format("lock-one")}", lock: disk}}
      lock-two: {{command: "true", lock: disk}}
      other-lock: {{command: "true", lock: tape}}
      spaced: {{command: "true", min_spacing: 400ms, overlap: queue}}
      far-apart: {{command: "true", min_spacing: 1h}}
      spaced-elsewhere: {{command: "true"}}
      on-path: {{command: "true", condition: {{path_exists: wanted}}}}
      on-exec: {{command: "true", condition: {{exec: "test -e wanted"}}}}
      gated: {{command: "true", condition: {{exec: "{GATE.format("answer")}"}}}}
      cancelled: {{command: "{GATE.format("never")}", overlap: queue, stop: {{after: 1s}}}}
      rest: {{command: "exit $JARVIS_WITH_CODE", retry: {{times: 2, wait: 100ms, backoff: 2}}}}
      given-up: {{run: giving_up, retry: {{times: 2, wait: 100ms}}}}
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("conductor")
    made = Gates(folder)(JOBS)
    with made.open():
        yield made
    assert made.audit() == []


def statuses(house: Running, runs: list[Run]) -> list[str]:
    return [house.end(run.id).status.value for run in runs]


# Overlap.


def test_skip_leaves_the_second_out_and_names_the_first(house: Running) -> None:
    first = house.begin("skip")
    second = house.finish("skip")
    assert second.status is Status.SKIPPED
    assert second.reason == f"run {first.id} is still running (overlap: skip)"
    assert second.started_at is None
    house.let("skip")
    assert statuses(house, [first]) == ["succeeded"]


def test_queue_lets_them_wait_and_keeps_their_order(house: Running) -> None:
    first = house.begin("queue")
    others = [house.submit("queue") for _ in range(3)]
    assert house.held(others[-1].id) == f"behind run {first.id} (overlap: queue)"
    house.let("queue")
    assert statuses(house, [first, *others]) == ["succeeded"] * 4
    order = [int(word) for word in (house.folder / "order").read_text().split()]
    assert order == [first.id, *(run.id for run in others)]
    ended = [house.row(run) for run in order]
    assert all(
        a.ended_at <= b.started_at for a, b in itertools.pairwise(ended) if a.ended_at and b.started_at
    )


def test_replace_ends_the_old_one_and_starts_the_new_one(house: Running) -> None:
    first = house.begin("replace")
    second = house.submit("replace")
    old = house.end(first.id)
    assert (old.status, old.reason) == (Status.CANCELLED, f"replaced by run {second.id}")
    house.let("replace")
    new = house.end(second.id)
    assert new.status is Status.SUCCEEDED
    assert new.started_at is not None and old.ended_at is not None and new.started_at >= old.ended_at


def test_replace_ends_no_more_than_needed(house: Running) -> None:
    first, second = house.begin("replace-two"), house.begin("replace-two")
    third = house.begin("replace-two")
    assert house.row(first.id).reason == f"replaced by run {third.id}"
    assert house.row(second.id).status is Status.RUNNING
    house.let("replace-two")
    assert statuses(house, [first, second, third]) == ["cancelled", "succeeded", "succeeded"]


def test_allow_lets_all_of_them_run_at_once(house: Running) -> None:
    started = [house.begin("allow") for _ in range(4)]
    assert [house.row(run.id).status for run in started] == [Status.RUNNING] * 4
    house.let("allow")
    assert statuses(house, started) == ["succeeded"] * 4


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        ("allow-two", "2 running (max_instances: 2)"),
        ("two", "runs {}, {} are still running (overlap: skip)"),
    ],
    ids=str,
)
def test_no_more_than_max_instances_run_at_once(house: Running, job: str, reason: str) -> None:
    started = [house.begin(job), house.begin(job)]
    assert [house.row(run.id).status for run in started] == [Status.RUNNING] * 2
    third = house.finish(job)
    assert third.status is Status.SKIPPED
    assert third.reason == reason.format(*(run.id for run in started))
    house.let(job)
    assert statuses(house, started) == ["succeeded"] * 2


def test_with_two_at_once_the_third_waits_for_either(house: Running) -> None:
    started = [house.begin("queue-two"), house.begin("queue-two")]
    third = house.submit("queue-two")
    ids = ", ".join(str(run.id) for run in started)
    assert house.held(third.id) == f"behind runs {ids} (overlap: queue)"
    house.let("queue-two")
    assert statuses(house, [*started, third]) == ["succeeded"] * 3


# Locks and spacing.


def test_a_lock_is_held_by_one_run_of_any_job(house: Running) -> None:
    holder = house.begin("lock-one")
    waiting = house.submit("lock-two")
    assert house.held(waiting.id) == f"lock 'disk' is held by run {holder.id}"
    assert house.finish("other-lock").status is Status.SUCCEEDED, "another lock is another matter"
    house.let("lock-one")
    assert statuses(house, [holder, waiting]) == ["succeeded"] * 2
    first, second = house.row(holder.id), house.row(waiting.id)
    assert second.started_at is not None and first.ended_at is not None
    assert second.started_at >= first.ended_at


def test_two_starts_keep_their_distance(house: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The conductor's starts: a supervisor may tell one of them later than another."""
    begun: list[datetime] = []
    floor = house.app.conductor.floor
    start = floor.start

    def noted(run: Run, job: Job, now: datetime) -> Active:
        if job.name == "spaced":
            begun.append(now)
        return start(run, job, now)

    monkeypatch.setattr(floor, "start", noted)
    ended = [house.end(run.id) for run in [house.submit("spaced") for _ in range(3)]]
    assert [run.status for run in ended] == [Status.SUCCEEDED] * 3
    assert len(begun) == 3
    assert all(b - a >= timedelta(milliseconds=400) for a, b in itertools.pairwise(begun))


def test_a_start_that_has_to_keep_its_distance_waits_and_holds_up_no_other(house: Running) -> None:
    assert house.finish("far-apart").status is Status.SUCCEEDED
    waiting = house.submit("far-apart")
    assert house.held(waiting.id) == "min_spacing 1h"
    assert house.finish("spaced-elsewhere").status is Status.SUCCEEDED
    assert house.row(waiting.id).status is Status.QUEUED
    house.app.conductor.cancel(waiting.id, "not today")
    assert house.end(waiting.id).status is Status.CANCELLED


# Slots and priority.


def test_when_a_slot_is_free_the_most_urgent_goes_first(gates: Gates) -> None:
    jobs = f"""
        slots: {{process: 1}}
        jobs:
          first: {{command: "{GATE.format("gate")}"}}
          low: {{command: echo low >> order, priority: -5}}
          middle: {{command: echo middle >> order}}
          high: {{command: echo high >> order, priority: 10}}
          later: {{command: echo later >> order, priority: 10}}
    """
    house = gates(jobs)
    with house.open():
        blocker = house.begin("first")
        runs = [house.submit(name) for name in ("low", "middle", "high", "later")]
        assert {house.held(run.id) for run in runs} == {"no free process slot"}
        house.let("gate")
        assert statuses(house, [blocker, *runs]) == ["succeeded"] * 5
        assert (house.folder / "order").read_text().split() == ["high", "later", "middle", "low"]
    assert house.audit() == []


def test_processes_and_threads_have_slots_of_their_own(gates: Gates) -> None:
    jobs = f"""
        slots: {{process: 1, thread: 1}}
        jobs:
          process: {{command: "{GATE.format("process")}"}}
          another: {{command: "true"}}
          thread: {{run: waiting, in: thread, with: {{gate: "{gates.folder}/thread"}}}}
          second: {{run: waiting, in: thread, with: {{gate: "{gates.folder}/thread"}}}}
    """
    house = gates(jobs)
    with house.open():
        process, thread = house.begin("process"), house.begin("thread")
        assert [house.row(run.id).status for run in (process, thread)] == [Status.RUNNING] * 2
        another, second = house.submit("another"), house.submit("second")
        assert house.held(another.id) == "no free process slot"
        assert house.held(second.id) == "no free thread slot"
        house.let("thread")
        assert statuses(house, [thread, second]) == ["succeeded"] * 2
        assert house.row(another.id).status is Status.QUEUED, "a thread's slot is none for a process"
        house.let("process")
        assert statuses(house, [process, another]) == ["succeeded"] * 2
    assert house.audit() == []


# Conditions.


@pytest.mark.parametrize(
    ("job", "why"),
    [
        ("on-path", "condition: wanted does not exist"),
        ("on-exec", "condition: 'test -e wanted' ended with exit code 1"),
    ],
    ids=str,
)
def test_a_run_whose_condition_does_not_hold_is_skipped_with_the_reason(
    house: Running, job: str, why: str
) -> None:
    wanted = house.folder / "wanted"
    wanted.unlink(missing_ok=True)
    run = house.finish(job)
    assert (run.status, run.reason, run.started_at) == (Status.SKIPPED, why, None)
    assert not [note for note in house.notes() if note.run_id == run.id], "a skip is no alert"
    wanted.touch()
    assert house.finish(job).status is Status.SUCCEEDED, "it is asked anew for each run"


def test_others_start_while_a_condition_is_being_asked(house: Running) -> None:
    run = house.submit("gated")
    assert house.held(run.id) == "asking its condition"
    assert house.finish("spaced-elsewhere").status is Status.SUCCEEDED
    house.let("answer")
    assert house.end(run.id).status is Status.SUCCEEDED


# Time.


def test_a_fire_that_waits_longer_than_its_grace_is_missed(gates: Gates) -> None:
    jobs = f"""
        slots: {{process: 1}}
        jobs:
          first: {{command: "{GATE.format("gate")}"}}
          late: {{command: "true", every: 1s, misfire_grace: 300ms}}
    """
    house = gates(jobs)
    with house.open():
        house.wait_for("late", "succeeded")
        blocker = house.begin("first")
        why = "waited longer than misfire_grace (300ms)"  # not: "not started before the next fire"
        (missed, *_) = house.until(lambda: [run for run in house.rows("late", "missed") if run.reason == why])
        assert missed.ended_at is not None and missed.started_at is None
        assert missed.ended_at - missed.scheduled_at >= timedelta(milliseconds=300)
        house.let("gate")
        assert house.end(blocker.id).status is Status.SUCCEEDED
    assert house.audit() == []


def test_a_newer_fire_takes_the_place_of_one_that_still_waits(gates: Gates) -> None:
    jobs = f"""
        slots: {{process: 1}}
        jobs:
          first: {{command: "{GATE.format("gate")}"}}
          tick: {{command: "true", every: 1s}}
          kept: {{command: "true", every: 1s, overlap: queue}}
    """
    house = gates(jobs)
    with house.open():
        house.begin("first")
        why = "not started before the next fire: no free process slot"
        (missed, *_) = house.until(lambda: [run for run in house.rows("tick", "missed") if run.reason == why])
        newer = [run for run in house.rows("tick") if run.scheduled_at > missed.scheduled_at]
        assert missed.ended_at is not None
        assert newer[0].queued_at <= missed.ended_at, "it ended because the newer one arrived"
        waiting = house.rows("tick", "queued")
        assert not house.rows("kept", "missed")
        kept = house.wait_for("kept", "queued", count=2)
        house.let("gate")
        assert statuses(house, kept) == ["succeeded"] * len(kept)
        assert statuses(house, waiting[-1:]) in (["succeeded"], ["missed"])
        assert house.wait_for("tick", "succeeded")
    assert house.audit() == []


def test_jitter_delays_the_start_and_not_the_moment(tmp_path: Path) -> None:
    jobs = """
        jobs:
          some: {command: "true", every: 1s, jitter: {max: 700ms, fixed: true}}
    """
    with running(tmp_path, jobs) as house:
        first, second = house.wait_for("some", "succeeded", count=2)[:2]
    for run in (first, second):
        assert run.scheduled_at.microsecond == 0
        assert run.not_before is not None and run.started_at is not None
        assert run.started_at >= run.not_before
    delays = {run.not_before - run.scheduled_at for run in (first, second) if run.not_before}
    assert len(delays) == 1, "fixed: the same delay each time"
    assert timedelta(0) < delays.pop() <= timedelta(milliseconds=700)


def test_what_is_caught_up_does_not_start_all_at_once(tmp_path: Path) -> None:
    jobs = "jobs:" + "".join(
        f"\n  job-{number}: {{command: 'true', every: 1h, overlap: queue}}" for number in range(5)
    )
    with running(tmp_path, jobs) as house:
        pass
    # As if it had not been at work for three hours.
    for name, entered in house.sql("SELECT name, next_fire_at FROM jobs"):
        house.sql("UPDATE jobs SET next_fire_at = ? WHERE name = ?", entered - 3 * 3_600_000_000, name)
    house.sql("UPDATE terms SET from_at = from_at - 3 * 3600000000")
    (tmp_path / "state" / "heartbeat").unlink()
    with house.open():
        rows = [house.wait_for(f"job-{number}", "succeeded")[0] for number in range(5)]
    started = sorted(run.not_before - run.queued_at for run in rows if run.not_before)
    assert started == [timedelta(milliseconds=200 * number) for number in range(5)]
    assert all(run.started_at >= run.not_before for run in rows if run.started_at and run.not_before)
    assert house.audit() == []


def test_a_start_is_one_fire_for_each_daemon_and_for_each_boot(tmp_path: Path) -> None:
    house = Running(
        tmp_path, 'jobs: {each: {command: "true", start: daemon}, boot: {command: "true", start: boot}}'
    )
    for number in (1, 2):
        with house.open():
            each = house.wait_for("each", "succeeded", count=number)
            boot = house.wait_for("boot", "succeeded")
    assert (len(each), len(boot)) == (2, 1)
    assert len({run.fire for run in each}) == 2
    assert boot[0].fire == f"start:{house.app.clocks.boot_id}"
    assert house.audit() == []


# Cancelling.


def test_a_waiting_run_that_is_cancelled_never_starts(house: Running) -> None:
    first = house.begin("cancelled")
    second = house.submit("cancelled")
    house.held(second.id)
    assert house.app.conductor.cancel(second.id, "not today") == "it was waiting; it will not start"
    ended = house.end(second.id)
    assert (ended.status, ended.reason, ended.started_at) == (Status.CANCELLED, "not today", None)
    said = house.app.conductor.cancel(first.id, "enough")
    assert said == "told to stop; killed after 1s if it does not"
    ended = house.end(first.id)
    assert (ended.status, ended.reason) == (Status.CANCELLED, "enough")


def test_what_is_over_or_was_never_there_cannot_be_cancelled(house: Running) -> None:
    over = house.finish("spaced-elsewhere")
    for number in (over.id, 999_999):
        with pytest.raises(NotFound, match=f"run {number} is neither waiting nor running"):
            house.app.conductor.cancel(number, "late")


# Threads.


def test_a_thread_cannot_be_cancelled(gates: Gates) -> None:
    house = gates(f"""
        jobs:
          slow: {{run: waiting, in: thread, with: {{gate: "{gates.folder}/slow"}}}}
    """)
    with house.open():
        run = house.begin("slow")
        with pytest.raises(Refused, match="is a thread of the daemon"):
            house.app.conductor.cancel(run.id, "enough")
        house.let("slow")
        assert house.end(run.id).status is Status.SUCCEEDED
    assert house.audit() == []


def test_at_the_timeout_of_a_thread_only_its_run_ends(gates: Gates) -> None:
    jobs = f"""
        slots: {{thread: 1}}
        jobs:
          slow: {{run: waiting, in: thread, timeout: 400ms, retry: none, with: {{gate: "{gates.folder}/slow"}}}}
          next: {{run: waiting, in: thread, with: {{gate: "{gates.folder}/slow"}}}}
    """
    house = gates(jobs)
    with house.open():
        run = house.begin("slow")
        over = house.end(run.id)
        why = "over its timeout; its thread cannot be ended and keeps its slot until it returns"
        assert (over.status, over.reason) == (Status.TIMED_OUT, why)
        following = house.submit("next")
        assert house.held(following.id) == "no free thread slot"
        house.let("slow")
        assert house.end(following.id).status is Status.SUCCEEDED
        assert house.row(run.id) == over, "its late return changes nothing"
    assert house.audit() == []


# Attempts.


def test_every_attempt_has_a_row_that_says_why(house: Running) -> None:
    house.submit("rest", code=7)
    first, second, third = rows = house.wait_for("rest", "failed", count=3)
    assert [run.attempt for run in rows] == [1, 2, 3]
    assert {run.fire for run in rows} == {first.fire}
    assert {run.scheduled_at for run in rows} == {first.scheduled_at}
    assert [dict(run.params) for run in rows] == [{"code": 7}] * 3
    assert [run.reason for run in rows] == ["exit code 7"] * 3
    waits = [run.not_before - run.queued_at for run in (second, third) if run.not_before]
    assert waits == [timedelta(milliseconds=100), timedelta(milliseconds=200)]
    assert all(
        run.started_at >= run.not_before for run in (second, third) if run.started_at and run.not_before
    )
    told = [note for note in house.notes() if note.job == "rest"]
    assert [note.title for note in told] == ["rest: failed: exit code 7 (attempt 3, the last)"]


def test_who_gives_up_is_not_asked_again(house: Running) -> None:
    run = house.finish("given-up")
    assert (run.status, run.attempt) == (Status.FAILED, 1)
    assert run.reason is not None and run.reason.startswith("gave up: ")
    assert "the account is closed" in run.reason
    assert house.finish("spaced-elsewhere").status is Status.SUCCEEDED
    assert [row.id for row in house.rows("given-up")] == [run.id]
    assert [note.severity for note in house.notes() if note.run_id == run.id] == ["high"]


def test_what_cannot_be_stored_costs_a_run_its_words_and_never_its_end(gates: Gates) -> None:
    jobs = f"""
        jobs:
          one: {{run: waiting, in: thread, with: {{gate: "{gates.folder}/never"}}}}
          fine: {{command: "true"}}
    """
    house = gates(jobs)
    with house.open():
        run = house.begin("one")
        now = datetime.now(UTC)
        unstorable = Outcome(status="ok", result="done", memory={"key": object()})
        house.app.conductor.called(Called(run=run.id, started_at=now, ended_at=now, outcome=unstorable))
        ended = house.end(run.id)
        assert ended.status is Status.SUCCEEDED
        assert ended.reason is not None and "what it left could not be stored" in ended.reason
        assert house.finish("fine").status is Status.SUCCEEDED, "the conductor goes on"
        house.let("never")
    assert house.audit() == []


def test_a_settled_service_costs_no_round_and_is_ended_at_once_when_it_is_paused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a path to look at, nothing about a service changes that nobody says."""
    monkeypatch.setattr(conductors, "IDLE_WAIT", 60.0)
    jobs = "jobs: {idle: {command: [sleep, '60'], service: {restart: always, healthy_after: 1s}}}"
    with running(tmp_path, jobs) as made:
        made.wait_for("idle", "running")
        made.until(lambda: not made.app.conductor.attentive())
        made.until(lambda: made.app.conductor.floor.idle)
        rounds = made.app.conductor.rounds
        time.sleep(0.05)
        assert made.app.conductor.rounds <= rounds + 1
        made.app.roster.pause("idle", None, "holiday")
        made.wait_for("idle", "cancelled")
        made.app.roster.resume("idle")
        made.wait_for("idle", "running")
        made.app.roster.pause("idle", None, "over")
        made.wait_for("idle", "cancelled", count=2)
