"""What does ``jarvis status`` say of the jobs as monitors, of outside services, and of whether it runs at all?"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from jarvis.cli import main as cli
from jarvis.control import daemon, monitors, verbs, verbs_daemon
from jarvis.control.desk import Desk
from jarvis.running import readings
from jarvis.store.breakers import Breakers
from tests.rooms.control_house import JOBS, House

Say = Callable[..., tuple[int, str]]
FIELDS = {
    "running", "last_run", "run_count", "total_alerts", "uptime_seconds", "monitors", "circuits", "dedup_cache_size",
    "is_quiet_hours", "config",
}  # fmt: skip


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    made = House(tmp_path, JOBS)
    monkeypatch.setenv("JARVIS_CONFIG", str(made.instance.config))
    monkeypatch.setenv("JARVIS_STATE", str(made.instance.state))
    with made.open():
        yield made


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    def say(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        code = cli.main(list(words))
        return code, capsys.readouterr().out

    return say


def fail() -> None:
    raise OSError("down")


def break_it(house: House, name: str, times: int) -> None:
    for _ in range(times):
        with pytest.raises(OSError):
            Breakers(house.app.database).get(name).call(fail)


def test_every_field_of_the_old_status_is_there(house: House, say: Say) -> None:
    run = house.run("greet")
    code, out = say("status", "--json")
    said = json.loads(out)
    assert code == 0 and set(said) >= FIELDS
    assert said["running"] is True and said["run_count"] == 1 and said["total_alerts"] == 1
    assert said["last_run"] == run["started_at"] and said["config"] == str(house.instance.config)
    assert said["uptime_seconds"] >= 0


def test_every_job_is_a_monitor_with_its_last_run(house: House) -> None:
    run = house.run("broken-leg")
    found = {one["job"]: one for one in house.ask("status")["monitors"]}
    assert set(found) == {"nightly", "hello", "broken-leg", "long", "line", "idle", "over", "greet"}
    assert found["broken-leg"]["last_run"] == {
        "run": run["id"], "status": "failed", "at": run["started_at"], "reason": "exit code 3",
    }  # fmt: skip
    assert found["hello"]["last_run"] is None and found["hello"]["next_at"] is not None
    assert (found["idle"]["state"], found["over"]["state"]) == ("disabled", "finished")


def test_of_very_many_jobs_the_first_are_listed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.run("broken-leg")
    monkeypatch.setattr(monitors, "MOST", 2)
    found = house.ask("status")["monitors"]
    assert [(one["job"], one["last_run"] is None) for one in found] == [
        ("broken-leg", False),
        ("greet", True),
    ]


def test_the_state_of_each_circuit_is_told(house: House, say: Say) -> None:
    assert house.ask("status")["circuits"] == []
    break_it(house, "oura", 2)
    assert "circuits" not in say("status")[1]
    break_it(house, "oura", 1)
    (circuit,) = house.ask("status")["circuits"]
    assert (circuit["name"], circuit["state"], circuit["failures"]) == ("oura", "open", 3)
    assert circuit["opened_at"]
    assert re.search(r"^ *circuits +oura: open, 3 failures \(now\)$", say("status")[1], re.MULTILINE)


def test_the_ledger_alone_tells_circuits_and_monitors(house: House) -> None:
    break_it(house, "oura", 3)
    house.run("broken-leg")
    said = verbs.ask(Desk.alone(house.instance), "status", {})
    assert [one["state"] for one in said["circuits"]] == ["open"]
    assert {one["job"]: one["last_run"] is not None for one in said["monitors"]}["broken-leg"] is True


def test_before_the_first_start_there_is_nothing_to_tell(tmp_path: Path) -> None:
    said = verbs.ask(Desk.alone(House(tmp_path, JOBS).instance), "status", {})
    assert said["circuits"] == [] and said["running"] is False
    assert {one["last_run"] for one in said["monitors"]} == {None}


@pytest.mark.parametrize(
    ("age", "clock_set", "other_boot", "running"),
    [
        pytest.param(29.9, 0, False, True, id="just fresh"),
        pytest.param(30.0, 0, False, False, id="too old"),
        pytest.param(1.0, 90_000, False, True, id="the clock was set, or the machine slept, since"),
        pytest.param(1.0, -90_000, False, True, id="the clock was set back since"),
        pytest.param(1.0, 0, True, False, id="the machine was started anew"),
    ],
)
def test_it_is_running_only_while_the_heartbeat_is_fresh(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    age: float,
    clock_set: float,
    other_boot: bool,
    running: bool,
) -> None:
    beat = readings.last_heartbeat(house.instance.heartbeat)
    assert beat is not None
    now = replace(
        beat,
        wall_at=beat.wall_at + timedelta(seconds=age + clock_set),
        awake=beat.awake + timedelta(seconds=age),
        boot_id="another" if other_boot else beat.boot_id,
    )
    monkeypatch.setattr(readings, "last_heartbeat", lambda _path: beat)
    monkeypatch.setattr(readings, "Clocks", lambda: SimpleNamespace(read=lambda: now))
    said = house.ask("status")
    assert (said["running"], said["locked"]) == (running, True)
    assert timedelta(seconds=30) == verbs_daemon.FRESH


def test_it_is_running_only_while_the_lock_is_held(tmp_path: Path) -> None:
    house = House(tmp_path, JOBS)
    with house.open():
        pass
    assert verbs.ask(Desk.alone(house.instance), "status", {})["running"] is False
    with daemon.locked(house.instance):
        said = verbs.ask(Desk.alone(house.instance), "status", {})
    assert (said["locked"], said["running"]) == (True, True)
    house.instance.heartbeat.unlink()
    with daemon.locked(house.instance):
        said = verbs.ask(Desk.alone(house.instance), "status", {})
    assert (said["locked"], said["running"]) == (True, False)


def test_the_flags_of_the_old_command_line_are_taken(tmp_path: Path, say: Say) -> None:
    house = House(tmp_path, JOBS)
    code, out = say("up", "--config", str(house.instance.config), "--dry-run", "--verbose", "--once")
    assert code == 0 and "added: broken-leg" in out and not house.instance.ledger.exists()
