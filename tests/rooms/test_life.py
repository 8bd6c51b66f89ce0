"""`health`, `tasks`, `patterns` as jobs of a Jarvis at work; and what docs/life.md shows."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import jarvis
from jarvis.config import load
from jarvis.handling import catalogue
from jarvis.sources import statefiles
from tests.rooms.control_house import House

TEXT = (Path(jarvis.__file__).parents[1] / "docs" / "life.md").read_text()
JOBS = """
    defaults: {{timezone: Asia/Tokyo}}
    jobs:
      wellbeing: {{run: health, with: {{machine: false, wearable: {{cache: {folder}/wearable.db}}}}}}
      tasks: {{run: tasks, with: {{tasks: {{database: {folder}/tasks.db}}, target: 20, progress_until: 0}}}}
      patterns: {{run: patterns, with: {{file: {folder}/patterns.json}}}}
"""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path, JOBS.format(folder=tmp_path)).open() as opened:
        yield opened


def fill(path: Path, schema: str, *rows: tuple[Any, ...]) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE {schema}")
        for row in rows:
            connection.execute(
                f"INSERT INTO {schema.partition(' ')[0]} VALUES ({', '.join('?' * len(row))})", row
            )
    connection.close()


WEARABLE = "wearable (day TEXT, readiness REAL, sleep_hours REAL, hrv REAL, stress REAL, synced_at TEXT)"
TASKS = "tasks (title TEXT, status TEXT, due TEXT, milestone INTEGER, points REAL, created_at TEXT, completed_at TEXT)"


def test_one_monitor_that_fails_never_stops_the_others(house: House) -> None:
    fill(house.folder / "tasks.db", TASKS, ("Tax return", "active", "2026-01-02", 0, 1, None, None))
    (house.folder / "patterns.json").write_text("[")
    ended = {name: house.run(name) for name in ("wellbeing", "patterns", "tasks")}
    assert {name: run["status"] for name, run in ended.items()} == {
        "wellbeing": "skipped", "patterns": "skipped", "tasks": "succeeded",
    }  # fmt: skip
    assert "there is no database file" in ended["wellbeing"]["reason"]
    assert "patterns.json is not JSON" in ended["patterns"]["reason"]
    assert ended["tasks"]["result"].startswith("1 active, 1 overdue")


def test_what_is_told_is_told_once_by_all_runs_of_a_day(house: House) -> None:
    fill(house.folder / "tasks.db", TASKS, ("Tax return", "active", "2026-01-02", 0, 1, None, None))
    today = datetime.now(ZoneInfo("Asia/Tokyo")).date()
    first, second = house.run("tasks"), house.run("tasks")
    assert "1 told" in first["result"]
    if datetime.now(ZoneInfo("Asia/Tokyo")).date() == today:  # not in the second of midnight
        assert "1 already told" in second["result"]
        alerts = [one for one in house.ask("status")["alerts"] if one["job"] == "tasks"]
        assert [(one["severity"], one["title"]) for one in alerts] == [("high", "1 task overdue")]


def test_a_skipped_run_tells_what_a_person_must_mend(house: House) -> None:
    fill(house.folder / "tasks.db", "tasks (name TEXT)")
    run = house.run("tasks")
    assert run["status"] == "skipped" and "no such column" in run["reason"]
    alerts = [one for one in house.ask("status")["alerts"] if one["job"] == "tasks"]
    assert [one["title"] for one in alerts] == [
        f"the task database {house.folder}/tasks.db cannot be observed"
    ]


def test_today_is_that_of_the_job_s_time_zone_in_a_real_run(house: House) -> None:
    today = datetime.now(ZoneInfo("Asia/Tokyo")).date()
    fill(house.folder / "wearable.db", WEARABLE, (str(today), 40, 8, 50, 10, datetime.now(UTC).isoformat()))
    run = house.run("wellbeing")
    if datetime.now(ZoneInfo("Asia/Tokyo")).date() == today:  # not in the second of midnight
        assert run["numbers"]["readiness"] == 40 and "1 told" in run["result"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_jobs_of_the_documentation_are_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, further = blocks("yaml")
    path = tmp_path / "jobs.yaml"
    path.write_text(first + further)
    path.chmod(0o600)
    for name in ("OURA_TOKEN", "TASKS_URL", "TICKETS_URL"):
        monkeypatch.setenv(name, "x")
    shipped = catalogue.Catalogue([("shipped", catalogue.shipped())], entry_points=False)
    config = load.read(path, handlers=shipped, environ={}, now=datetime.now(UTC))
    assert sorted(config.jobs) == ["patterns", "tasks", "tickets", "wellbeing"]


def test_the_file_of_the_documentation_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "patterns.json"
    (block,) = blocks("json")
    path.write_text(block)
    found = statefiles.patterns(path, UTC)
    assert found.odd == () and None not in (
        found.postponed, found.worries, found.energy, found.nights, found.flow
    )  # fmt: skip
    assert set(json.loads(block)) == {"postponements", "worries", "energy", "sleep", "tasks"}
