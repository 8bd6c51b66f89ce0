"""`patterns`: real files, a real wearable's cache and a real task database."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from jarvis import testing
from jarvis.core.patterns import Limits
from jarvis.handling import catalogue, mount
from tests.handlers.life_house import TODAY, Life, at, keys

NOW = at(12)


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    found = Life(tmp_path)
    yield found
    found.close()


def day(ago: int) -> str:
    return str(date(2026, 11, 20) - timedelta(days=ago))


def noted(life: Life, content: Any) -> str:
    path = life.folder / "patterns.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return str(path)


def focus(life: Life, days: float) -> str:
    path = life.folder / "CurrentFocus.md"
    path.write_text("the book")
    touched = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (touched, touched))
    return str(path)


EVERYTHING = {
    "postponements": [{"item": "Tax return", "day": day(ago)} for ago in (0, 2, 6)],
    "worries": [
        {"text": "money", "day": day(1), "mentions": 3},
        *({"text": text, "day": day(2)} for text in "abcd"),
    ],
    "energy": [{"level": 10, "day": day(7)}, {"level": 8, "day": day(0)}],
    "sleep": [{"hours": 6.5, "day": day(ago)} for ago in range(3)],
    "tasks": [{"created": 8, "completed": 5, "day": day(0)}],
}
TOLD = {
    f"postponed:tax return:{TODAY}": "medium",
    f"worry:money:{TODAY}": "medium",
    f"worries:{TODAY}": "medium",
    f"energy:{TODAY}": "high",
    f"flow:{TODAY}": "medium",
    f"sleep_debt:{TODAY}": "medium",
    f"focus:{TODAY}": "medium",
}


def test_the_numbers_of_its_form_are_those_of_the_judgement() -> None:
    given = inspect.signature(mount.load(catalogue.shipped() / "patterns.py").function).parameters
    assert {name: given[name].default for name in vars(Limits())} == vars(Limits())


def test_every_habit_is_told_once_for_each_item_and_date(life: Life) -> None:
    where = {"file": noted(life, EVERYTHING), "focus": focus(life, 7)}
    outcome = life.run("patterns", NOW, **where)
    assert keys(outcome) == TOLD and all(one.once for one in outcome.alerts)
    assert outcome.result == "7 told; from patterns.json, CurrentFocus.md"
    again = life.run("patterns", at(12, 30), **where)
    assert again.alerts == () and again.result == "7 already told; from patterns.json, CurrentFocus.md"
    tomorrow = keys(life.run("patterns", at(0, 5, 21), **where))
    assert "focus:2026-11-21" in tomorrow and f"focus:{TODAY}" not in tomorrow


def test_a_quiet_week_has_nothing_to_tell(life: Life) -> None:
    calm = {"postponements": [], "worries": [], "tasks": []}
    outcome = life.run("patterns", NOW, file=noted(life, calm), focus=focus(life, 6.9))
    assert outcome.alerts == () and outcome.result == "nothing to tell; from patterns.json, CurrentFocus.md"
    assert outcome.numbers["worries"] == 0 and outcome.numbers["focus_days"] == 6.9


def test_sleep_of_the_wearable_and_tasks_of_the_task_system_come_first(life: Life) -> None:
    cache = life.wearable({day(ago): (70, 6.5, 40, 10) for ago in range(4)}, synced_at=f"{TODAY}T11:00:00Z")
    created = [(f"t{number}", "active", None, 0, 1, f"{day(1)}T12:00:00Z", None) for number in range(4)]
    done = [("d", "done", None, 0, 1, f"{day(9)}T12:00:00Z", f"{day(1)}T12:00:00Z")] * 2
    outcome = life.run("patterns", NOW, file=noted(life, {"sleep": [{"hours": 9, "day": day(0)}]}),
                       wearable={"cache": cache}, tasks={"database": life.tasks(*created, *done)})  # fmt: skip
    assert keys(outcome) == {f"sleep_debt:{TODAY}": "medium", f"flow:{TODAY}": "medium"}
    assert outcome.numbers["created"] == 4 and outcome.numbers["completed"] == 2
    assert "the wearable's cache" in str(outcome.result) and "the task database" in str(outcome.result)


BROKEN = [
    ("half-written", b'{"worries": [{', "is not JSON"),
    ("not UTF-8", b"\xff\xfe", "is not UTF-8"),
    ("a list", b"[]", "holds a list, not an object"),
]


@pytest.mark.parametrize(("content", "why"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_file_is_said_and_told_and_the_focus_is_judged_all_the_same(
    life: Life, content: bytes, why: str
) -> None:
    outcome = life.run("patterns", NOW, file=noted(life, content), focus=focus(life, 8))
    assert outcome.status == "ok" and f"focus:{TODAY}" in keys(outcome)
    assert why in str(outcome.result) and "not judged: " in str(outcome.result)
    (alert,) = [one for one in outcome.alerts if not one.once]
    assert str(alert.key).startswith("cannot_observe:") and why in alert.text


def test_a_file_that_is_broken_in_another_way_is_still_the_same_problem(life: Life) -> None:
    keys_ = {
        str(life.run("patterns", NOW, file=noted(life, content)).alerts[0].key)
        for content in (b"[", b'{"worries": [', b"\xff", {"worries": 3}, {"worries": [3, 4], "energy": 5})
    }
    assert keys_ == {f"cannot_observe:{life.folder / 'patterns.json'}".lower()}


def test_a_part_of_the_wrong_type_is_said_and_told_and_the_others_are_judged(life: Life) -> None:
    outcome = life.run("patterns", NOW, file=noted(life, EVERYTHING | {"worries": "money"}))
    expected = {key: level for key, level in TOLD.items() if not key.startswith(("worr", "focus"))}
    assert expected.items() <= keys(outcome).items() and len(outcome.alerts) == len(expected) + 1
    assert "worries is a text, not a list" in str(outcome.result)


def test_with_nothing_to_be_had_it_skips_and_names_what_was_tried(life: Life) -> None:
    where = {"file": str(life.folder / "no.json"), "focus": str(life.folder / "no.md"),
             "wearable": {"cache": str(life.folder / "no.db")}}  # fmt: skip
    outcome = life.run("patterns", NOW, **where)
    assert outcome.status == "skipped" and outcome.alerts == ()
    for name in ("no.json", "no.md", "no.db"):
        assert name in str(outcome.result)


def test_thresholds_reach_the_judgement(life: Life) -> None:
    outcome = life.run("patterns", NOW, file=noted(life, EVERYTHING), focus=focus(life, 8), postponed=4,
                       mentions=4, worries=6, energy_percent=21, created_per_completed=1.6, sleep_hours=6.5,
                       focus_days=9)  # fmt: skip
    assert outcome.alerts == ()


def test_without_anything_to_look_at_it_gives_up() -> None:
    outcome = testing.run_handler("patterns")
    assert outcome.status == "gave_up" and "give file, focus, tasks or wearable" in str(outcome.error)
