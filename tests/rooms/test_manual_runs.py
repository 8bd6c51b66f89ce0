"""A run that a person asks for: does it pass the same guard, and does it leave the schedule alone?"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from jarvis.control import presence
from jarvis.core.run import Status
from tests.rooms.control_house import House
from tests.rooms.running_house import GATE, Running, running

JOBS = f"""
    jobs:
      alone: {{every: 30d, command: "{GATE.format("gate")}"}}
      patient: {{every: 30d, command: "{GATE.format("gate")}", overlap: queue}}
      other: {{every: 30d, command: "true", lock: door}}
      holder: {{every: 30d, command: "{GATE.format("gate")}", lock: door}}
      fussy: {{every: 30d, command: "true", condition: {{path_exists: never}}}}
"""


def asked(house: Running, job: str) -> int:
    return int(house.ask("jobs.run", name=job)["id"])


def test_overlap_lock_and_condition_hold_for_a_manual_run_too(tmp_path: Path) -> None:
    with running(tmp_path, JOBS) as house:
        for job in ("alone", "patient", "holder"):
            house.begin(job)
        skipped = house.end(asked(house, "alone"))
        assert skipped.status is Status.SKIPPED and "still running (overlap: skip)" in str(skipped.reason)
        waiting = [asked(house, "patient"), asked(house, "other")]
        assert "(overlap: queue)" in house.held(waiting[0])
        assert "door" in house.held(waiting[1])
        fussy = house.end(asked(house, "fussy"))
        assert fussy.status is Status.SKIPPED and "never" in str(fussy.reason)
        house.let("gate")
        assert [house.end(one).status for one in waiting] == [Status.SUCCEEDED] * 2


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """An instance whose daemon does not run."""
    made = House(tmp_path, JOBS)
    monkeypatch.setenv("JARVIS_CONFIG", str(made.instance.config))
    monkeypatch.setenv("JARVIS_STATE", str(made.instance.state))
    return made


def jarvis(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jarvis", *words], capture_output=True, text=True, check=False, timeout=60
    )


def moments(house: House) -> dict[str, int]:
    """When each job is due next, as the ledger has it."""
    with closing(sqlite3.connect(house.instance.ledger)) as connection:
        return dict(connection.execute("SELECT name, next_fire_at FROM jobs WHERE next_fire_at IS NOT NULL"))


def test_in_the_foreground_it_holds_the_instance_and_leaves_the_schedule_alone(away: House) -> None:
    assert jarvis("up", "--once").returncode == 0
    before = moments(away)
    here = subprocess.Popen(
        [sys.executable, "-m", "jarvis", "jobs", "run", "alone"], stdout=subprocess.PIPE, text=True
    )
    away.until(lambda: presence.held(away.instance))
    refused = jarvis("up")
    assert refused.returncode == 3 and f"pid {here.pid}" in refused.stderr
    (away.folder / "gate").touch()
    out, _ = here.communicate(timeout=30)
    assert here.returncode == 0 and "Run 1 of alone succeeded" in out
    assert not presence.held(away.instance)
    assert moments(away) == before != {}


def test_in_the_foreground_a_run_that_another_daemon_left_counts_as_running(away: House) -> None:
    assert jarvis("up", "--detach").returncode == 0
    try:
        assert jarvis("jobs", "run", "alone").returncode == 0
        away.until(lambda: '"status": "running"' in jarvis("runs", "show", "1", "--json").stdout)
    finally:
        assert jarvis("down").returncode == 0
    told = jarvis("jobs", "run", "alone")
    assert told.returncode == 9 and "still running (overlap: skip)" in told.stdout
    (away.folder / "gate").touch()
