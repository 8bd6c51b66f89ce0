"""`tasks`: a real database at moments of a day."""

from __future__ import annotations

import inspect
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from jarvis.core.tasks import Limits
from jarvis.handling import catalogue, mount
from tests.handlers.life_house import TODAY, Life, at, keys
from tests.postgres import Server, postgres

__all__ = ["postgres"]

LATE = ("Tax return", "active", "2026-11-18", 0, 1, None, None)
LAUNCH = ("Launch", "active", "2026-11-19", 1, 1, None, None)
REPORT = ("Report", "active", TODAY, 0, 1, None, None)
TOMORROW = ("Call", "active", "2026-11-21", 0, 1, None, None)
DONE = ("Done", "done", None, 0, 4, None, f"{TODAY}T08:00:00Z")


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    found = Life(tmp_path)
    yield found
    found.close()


def test_a_day_with_tasks_from_morning_to_evening(life: Life) -> None:
    where: dict[str, Any] = {
        "tasks": {"cache": life.tasks(LATE, LAUNCH, REPORT, TOMORROW, DONE), "max_age": "9999h"}, "target": 10,
    }  # fmt: skip
    told = {hour: keys(life.run("tasks", at(hour), **where)) for hour in range(8, 20)}
    assert told == {
        8: {f"overdue:{TODAY}": "high", f"milestone:launch:{TODAY}": "critical"},
        9: {f"due_today:{TODAY}:09": "medium"},
        14: {f"due_today:{TODAY}:14": "medium"},
        15: {f"progress:{TODAY}:15": "medium"},
        17: {f"progress:{TODAY}:17": "high"},
        18: {f"due_tomorrow:{TODAY}:18": "low"},
        **{hour: {} for hour in (10, 11, 12, 13, 16, 19)},
    }
    assert keys(life.run("tasks", at(8, 0, 21), **where)) == {
        "overdue:2026-11-21": "high", "milestone:launch:2026-11-21": "critical",
    }  # fmt: skip


def test_the_numbers_of_its_form_are_those_of_the_judgement() -> None:
    given = inspect.signature(mount.load(catalogue.shipped() / "tasks.py").function).parameters
    for name, number in vars(Limits()).items():
        assert given[name].default == (list(number) if isinstance(number, tuple) else number), name


def test_the_result_counts_and_names_its_source(life: Life) -> None:
    cache = life.tasks(LATE, REPORT)
    outcome = life.run("tasks", at(10), tasks={"database": cache})
    assert outcome.result == f"2 active, 1 overdue, 1 due today; 1 told; from the task database {cache}"
    assert outcome.numbers == {"active": 2, "overdue": 1, "due_today": 1, "due_tomorrow": 0, "earned": 0}
    assert outcome.alerts[0].title == "1 task overdue" and outcome.alerts[0].once
    quiet = life.run("tasks", at(10, 15), tasks={"database": cache})
    assert quiet.alerts == () and "1 already told" in str(quiet.result)


def test_an_old_cache_gives_way_to_postgresql(life: Life, postgres: Server) -> None:
    url = postgres.database()
    with psycopg.connect(url) as connection:
        connection.execute(
            "CREATE TABLE tasks (title text, status text, due date, milestone boolean, points numeric, "
            "created_at timestamptz, completed_at timestamptz)"
        )
        connection.execute("INSERT INTO tasks VALUES ('Live', 'active', '2026-11-01', false, 1, now(), null)")
    cache = life.tasks(LATE)
    outcome = life.run(
        "tasks", at(10).replace(year=2099), tasks={"cache": cache, "database": url, "max_age": "1h"}
    )
    assert outcome.alerts[0].text == "1 task overdue: Live"
    assert "from the task database postgresql://tester:***@127.0.0.1" in str(outcome.result)
    assert f"before that the task cache {cache}: " in str(outcome.result)


def test_a_server_that_went_away_leaves_the_old_cache(life: Life) -> None:
    cache = life.tasks(LATE)
    nobody = "postgresql://me:hush@127.0.0.1:9/tasks"
    where = {"tasks": {"cache": cache, "database": nobody, "max_age": "1h", "timeout": "2s"}}
    outcome = life.run("tasks", at(10).replace(year=2099), **where)
    assert outcome.status == "ok" and "nothing newer was to be had" in str(outcome.result)
    assert "hush" not in str(outcome)


def test_no_source_that_answers_is_a_skip_that_names_them(life: Life) -> None:
    where = {"cache": str(life.folder / "a.db"), "database": str(life.folder / "b.db")}
    outcome = life.run("tasks", at(10), tasks=where)
    assert outcome.status == "skipped" and outcome.alerts == ()
    assert str(outcome.result).count("there is no database file") == 2


def test_a_column_that_is_not_there_is_a_problem_a_person_is_told(life: Life) -> None:
    outcome = life.run("tasks", at(10), tasks={"database": life.tasks(), "columns": {"due": "deadline"}})
    assert outcome.status == "skipped" and "no such column: deadline" in str(outcome.result)
    assert [(one.severity, one.once) for one in outcome.alerts] == [("medium", False)]


def test_other_names_other_states_and_other_numbers(life: Life) -> None:
    path = life.folder / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE items (name TEXT, state TEXT, deadline TEXT)")
        connection.executemany("INSERT INTO items VALUES (?, 'doing', ?)", [("a", TODAY), ("b", TODAY)])
    connection.close()
    none = dict.fromkeys(("milestone", "points", "created_at", "completed_at"))
    where = {"database": str(path), "table": "items", "active": ["doing"],
             "columns": {"title": "name", "status": "state", "due": "deadline"} | none}  # fmt: skip
    outcome = life.run("tasks", at(7), tasks=where, today_hours=[7], many=2)
    assert keys(outcome) == {f"due_today:{TODAY}:07": "medium", f"active:{TODAY}": "medium"}


@pytest.mark.parametrize(
    "values", [{"today_hours": [24]}, {"target": 0}, {"many": 0}, {"low_percent": 101}], ids=str
)
def test_numbers_that_mean_nothing_are_refused(life: Life, values: dict[str, Any]) -> None:
    outcome = life.run("tasks", at(10), tasks={}, **values)
    assert outcome.status == "gave_up" and next(iter(values)) in str(outcome.error)


def test_without_any_source_it_says_so(life: Life) -> None:
    outcome = life.run("tasks", at(10), tasks={})
    assert (outcome.status, outcome.result) == ("skipped", "no source is configured")
