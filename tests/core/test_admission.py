"""May a queued run start now? The rules in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jarvis.core.admission import UNLIMITED, Blocker, Decision, Refuse, Situation, Start, Wait, admit, limit
from jarvis.core.job import Job, JobSpec
from jarvis.core.run import Run, Status, schedule_fire

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
FREE = Situation(now=NOON)


def job(**body: Any) -> Job:
    return JobSpec.model_validate({"command": "true", **body}).resolve("j", timezone="UTC", python=False)


def run(**changed: Any) -> Run:
    fire = Run(
        id=9,
        job="j",
        fire=schedule_fire(NOON),
        attempt=1,
        status=Status.QUEUED,
        scheduled_at=NOON,
        queued_at=NOON,
    )
    return replace(fire, **changed)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def said(decision: Decision) -> str:
    match decision:
        case Start():
            return "start"
        case Wait(on=on, why=why, until_at=until, replace=ended):
            when = f" until {until:%H:%M}" if until else ""
            return f"wait for {on}{when}: {why}" + (f", end {list(ended)}" if ended else "")
        case Refuse(status=status, why=why):
            return f"{status}: {why}"


MANUAL = run(fire="manual:abc")
TABLE = [
    ("nothing in the way", {}, run(), {}, "start"),
    ("its handler cannot be used", {}, run(), {"broken": "no such handler"}, "failed: no such handler"),
    ("paused", {}, run(), {"paused": "holidays"}, "skipped: holidays"),
    ("paused, but a person asked", {}, MANUAL, {"paused": "holidays"}, "start"),
    ("broken and paused", {}, run(), {"broken": "gone", "paused": "holidays"}, "failed: gone"),
    (
        "too early",
        {},
        run(not_before=NOON + minutes(5)),
        {},
        "wait for time until 12:05: not before 12:05:00 UTC",
    ),
    ("early enough", {}, run(not_before=NOON), {}, "start"),
    (
        "waited too long",
        {"misfire_grace": "10m"},
        run(scheduled_at=NOON - minutes(11)),
        {},
        "missed: waited longer than misfire_grace (10m)",
    ),
    ("waited just not too long", {"misfire_grace": "10m"}, run(scheduled_at=NOON - minutes(10)), {}, "start"),
    (
        "held back on purpose is not late",
        {"misfire_grace": "10m"},
        run(scheduled_at=NOON - minutes(30), not_before=NOON - minutes(5)),
        {},
        "start",
    ),
    (
        "a retry is never too late",
        {"misfire_grace": "10m"},
        run(scheduled_at=NOON - minutes(60), attempt=2),
        {},
        "start",
    ),
    (
        "what a person asked for is never too late",
        {"misfire_grace": "10m"},
        replace(MANUAL, scheduled_at=NOON - minutes(60)),
        {},
        "start",
    ),
    ("still running", {}, run(), {"running": [4]}, "skipped: run 4 is still running (overlap: skip)"),
    (
        "still running, a person asks",
        {},
        MANUAL,
        {"running": [4]},
        "skipped: run 4 is still running (overlap: skip)",
    ),
    ("queue", {"overlap": "queue"}, run(), {"running": [4]}, "wait for job: behind run 4 (overlap: queue)"),
    ("replace", {"overlap": "replace"}, run(), {"running": [4]}, "wait for job: replacing run 4, end [4]"),
    (
        "replace of several ends as many as it needs",
        {"overlap": "replace", "max_instances": 2},
        run(),
        {"running": [4, 5, 6]},
        "wait for job: replacing runs 4, 5, 6, end [4, 5]",
    ),
    ("allow", {"overlap": "allow"}, run(), {"running": list(range(50))}, "start"),
    (
        "allow up to a number",
        {"overlap": "allow", "max_instances": 2},
        run(),
        {"running": [4, 5]},
        "skipped: 2 running (max_instances: 2)",
    ),
    ("room for another", {"max_instances": 2}, run(), {"running": [4]}, "start"),
    (
        "no room for another",
        {"max_instances": 2},
        run(),
        {"running": [4, 5]},
        "skipped: runs 4, 5 are still running (overlap: skip)",
    ),
    (
        "too soon after the last start",
        {"min_spacing": "10m"},
        run(),
        {"last_started_at": NOON - minutes(4)},
        "wait for time until 12:06: min_spacing 10m",
    ),
    (
        "long enough after the last start",
        {"min_spacing": "10m"},
        run(),
        {"last_started_at": NOON - minutes(10)},
        "start",
    ),
    (
        "a last start in the future (a set clock) holds nothing back",
        {"min_spacing": "10m"},
        run(),
        {"last_started_at": NOON + minutes(60)},
        "start",
    ),
    (
        "its lock is held",
        {"lock": "disk"},
        run(),
        {"lock_holder": 3},
        "wait for lock: lock 'disk' is held by run 3",
    ),
    ("no slot", {}, run(), {"slot_free": False}, "wait for slot: no free process slot"),
    ("no thread", {"in": "thread"}, run(), {"slot_free": False}, "wait for slot: no free thread slot"),
    (
        "lock before slot",
        {"lock": "a"},
        run(),
        {"lock_holder": 3, "slot_free": False},
        "wait for lock: lock 'a' is held by run 3",
    ),
    (
        "condition not asked",
        {},
        run(),
        {"condition_known": False},
        "wait for condition: asking its condition",
    ),
    (
        "no slot: not worth asking",
        {},
        run(),
        {"condition_known": False, "slot_free": False},
        "wait for slot: no free process slot",
    ),
    ("condition false", {}, run(), {"condition": "on battery"}, "skipped: condition: on battery"),
    (
        "too late comes before overlap",
        {"misfire_grace": "1m"},
        run(scheduled_at=NOON - minutes(2)),
        {"running": [4]},
        "missed: waited longer than misfire_grace (1m)",
    ),
]


@pytest.mark.parametrize(
    ("body", "asked", "around", "expected"), [pytest.param(*row[1:], id=row[0]) for row in TABLE]
)
def test_a_run_is_admitted_held_back_or_refused(
    body: dict[str, Any], asked: Run, around: dict[str, Any], expected: str
) -> None:
    assert said(admit(asked, job(**body), replace(FREE, **around))) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param({}, 1, id="one by default"),
        pytest.param({"max_instances": 3}, 3, id="as many as it says"),
        pytest.param({"overlap": "allow"}, UNLIMITED, id="allow: any number"),
        pytest.param({"overlap": "allow", "max_instances": 1}, 1, id="allow with a number: that number"),
        pytest.param({"overlap": "queue"}, 1, id="queue: one"),
    ],
)
def test_how_many_may_run_at_once(body: dict[str, Any], expected: int) -> None:
    assert limit(job(**body)) == expected


def test_what_is_replaced_leaves_room_for_one() -> None:
    """Ending the runs that are named makes the same question answerable with yes."""
    due = job(overlap="replace", max_instances=3)
    decision = admit(run(), due, replace(FREE, running=[1, 2, 3, 4]))
    assert isinstance(decision, Wait)
    assert decision.on is Blocker.JOB
    left = [number for number in (1, 2, 3, 4) if number not in decision.replace]
    assert admit(run(), due, replace(FREE, running=left)) == Start()
