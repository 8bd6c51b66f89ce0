"""Services in a real daemon: kept running, started again with a growing wait, left alone in the end, adopted."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import psutil
import pytest

from tests.whole.daemon import Daemon, Row, until

QUICK = "{wait: 100ms, max_wait: 400ms, healthy_after: 5s, tries: 4}"


def running(daemon: Daemon, name: str = "web") -> Row:
    return daemon.wait_for(name, "running")[-1]


def work(daemon: Daemon) -> psutil.Process:
    """The service's own process."""
    running(daemon)
    return until(lambda: daemon.named("sleep"), "it sleeps")[0]


def end(daemon: Daemon, *names: str) -> None:
    for name in names:
        daemon.cli("jobs", "disable", name)
        until(lambda name=name: not daemon.runs(name, "running", "queued"), f"{name} has ended")  # type: ignore[misc]


def test_a_service_is_started_with_jarvis_and_again_after_its_death(daemon: Daemon) -> None:
    daemon.jobs(f"web: {{command: exec sleep 600, service: {QUICK}}}").start()
    first = running(daemon)
    work(daemon).kill()
    again = until(
        lambda: next((run for run in daemon.runs("web", "running") if run["id"] != first["id"]), None),
        "again",
    )
    assert "killed by signal 9" in daemon.runs("web")[0]["reason"]
    assert again["fire"].startswith("service:") and "started again after 100ms" in again["reason"]
    assert daemon.cli("jobs", "list", "--json")[0]["state"] == "active"
    end(daemon, "web")
    assert daemon.runs("web")[-1]["status"] == "cancelled" and "disabled" in daemon.runs("web")[-1]["reason"]


def test_a_service_outlives_the_daemon_and_is_adopted_by_the_next(daemon: Daemon) -> None:
    daemon.jobs(f"web: {{command: exec sleep 600, service: {QUICK}}}").start()
    process = work(daemon)
    daemon.kill()
    assert process.is_running()
    daemon.start()
    until(lambda: daemon.cli("jobs", "list", "--json")[0]["running"], "the run is known again")
    assert process.is_running() and len(daemon.runs("web")) == 1
    process.kill()
    until(lambda: len(daemon.runs("web")) == 2, "started again by the new daemon")
    end(daemon, "web")


def test_a_service_that_crashes_at_once_is_left_alone_and_a_person_is_told(daemon: Daemon) -> None:
    daemon.jobs(f"web: {{command: exit 3, service: {QUICK}}}").start()
    daemon.wait_for("web", "failed", count=4)
    told = until(lambda: [note for note in daemon.notes() if note["key"] == "service"], "a person is told")
    assert "web: the service is left alone: 4 starts in a row lasted less than 5s each" in told[0]["title"]
    shown = daemon.cli("jobs", "show", "web", "--json")
    assert shown["state"] == "left alone" and "4 starts in a row" in shown["why"]
    assert len(daemon.runs("web")) == 4
    daemon.cli("jobs", "run", "web", "--wait", code=None)
    daemon.wait_for("web", "failed", count=6)  # by hand, and then by itself again
    end(daemon, "web")


def test_a_service_that_runs_again_long_enough_ends_the_problem_of_its_failure(daemon: Daemon) -> None:
    flaky = "test -e failed || { touch failed; exit 3; }; exec sleep 600"
    daemon.jobs(f"web: {{command: '{flaky}', service: {{wait: 100ms, healthy_after: 1s}}}}").start()
    daemon.wait_for("web", "failed")
    problem = "SELECT * FROM problems WHERE key = 'run:web'"
    until(lambda: daemon.rows(f"{problem} AND ended_at IS NOT NULL"), "it is over")
    running(daemon)
    end(daemon, "web")


def test_an_edit_of_its_definition_replaces_a_running_service(daemon: Daemon) -> None:
    daemon.jobs(f"web: {{command: exec sleep 600, service: {QUICK}}}").start()
    process = work(daemon)
    daemon.jobs(f"web: {{command: exec sleep 601, service: {QUICK}}}")
    daemon.reload()
    until(
        lambda: len(daemon.runs("web", "running")) == 1 and len(daemon.runs("web")) == 2, "the new one runs"
    )
    assert daemon.runs("web")[0]["reason"].startswith("its definition changed") and not process.is_running()
    daemon.jobs("other: {command: 'true', every: 1h}")
    daemon.cli("reload", "--confirm")
    until(lambda: not daemon.runs("web", "running"), "a removed service ends")
    assert "no longer a service" in daemon.runs("web")[-1]["reason"]


def test_a_service_runs_only_while_its_path_exists(daemon: Daemon) -> None:
    daemon.jobs(f"web: {{command: exec sleep 600, service: {QUICK[:-1]}, while_path: go}}}}").start()
    assert daemon.runs("web") == []
    (daemon.folder / "go").touch()
    running(daemon)
    (daemon.folder / "go").unlink()
    until(lambda: daemon.runs("web", "cancelled"), "it ends with its path")
    assert "go is not there (while_path)" in daemon.runs("web")[0]["reason"]


def test_a_paused_service_ends_and_a_resumed_one_is_back(daemon: Daemon) -> None:
    daemon.jobs(f"web: {{command: exec sleep 600, service: {QUICK}}}").start()
    running(daemon)
    daemon.cli("jobs", "pause", "web", "--reason", "repairs")
    until(lambda: daemon.runs("web", "cancelled"), "it ends")
    daemon.cli("jobs", "resume", "web")
    running(daemon)
    end(daemon, "web")


TICKER = """
    '''Write what time it is, again and again.'''
    from pathlib import Path

    def run(ctx, *, file: Path) -> str:
        count = 0
        while not ctx.wait(0.05):
            count += 1
            file.write_text(str(count))
            if count == 3:
                ctx.alert("three", title="counted to three")
        return f"counted to {count}"
"""


def ticking(daemon: Daemon, **more: Any) -> None:
    daemon.handler("ticker", TICKER)
    text = "ticker: {run: ticker, in: thread, with: {file: FILE}, service: SERVICE}"
    daemon.jobs(text.replace("FILE", str(daemon.folder / "count")).replace("SERVICE", QUICK)).start(**more)
    until(lambda: (daemon.folder / "count").exists(), "it ticks")


def test_a_service_in_a_thread_ends_with_the_daemon_and_says_what_it_did(daemon: Daemon) -> None:
    ticking(daemon)
    assert daemon.stop() == 0
    ended = daemon.runs("ticker")[-1]
    assert ended["status"] in ("succeeded", "cancelled") and ended["result"].startswith("counted to")
    daemon.start()
    running(daemon, "ticker")


def test_alerts_of_a_service_do_not_wait_for_its_end(daemon: Daemon) -> None:
    ticking(daemon)
    until(
        lambda: [note for note in daemon.notes() if note["title"] == "counted to three"], "told while it runs"
    )
    assert running(daemon, "ticker")["status"] == "running"


@pytest.mark.parametrize("where", ["thread", "process"])
def test_what_a_service_raises_while_it_runs_goes_where_its_job_says_as_at_the_end_of_a_run(
    daemon: Daemon, where: str
) -> None:
    handler = """
        '''Raise an alert, and perhaps go on.'''
        def run(ctx, *, wait: int = 0) -> None:
            ctx.alert("wide", title="it is open", key="door")
            ctx.alert("it rang")
            ctx.wait(wait)
    """
    daemon.handler("watcher", handler)
    rule = "alert: {to: desk, repeat: 2h, recovery: false, severity: low}"
    jobs = f"""
        watch: {{run: watcher, in: {where}, with: {{wait: 600}}, service: {QUICK}, {rule}}}
        once: {{run: watcher, in: {where}, start: daemon, {rule}}}
    """
    channels = "{desk: {journal: desk.jsonl, rate: 10ms}, file: {journal: told.jsonl, rate: 10ms}}"
    daemon.jobs(jobs, f"alerts: {{channels: {channels}}}\n").start()
    notes = until(lambda: len(found := daemon.notes()) == 4 and found, "both raised them")
    said = {(note["job"], note["title"]): json.loads(note["wanted"]) for note in notes}
    asked = {"to": ["desk"], "repeat": 7200.0, "recovery": False}
    assert said == dict.fromkeys(
        [(job, title) for job in ("watch", "once") for title in ("it is open", "it rang")], asked
    )
    until((daemon.folder / "desk.jsonl").exists, "the desk is told")
    assert running(daemon, "watch") and not (daemon.folder / "told.jsonl").exists()
    assert {row["channel"] for row in daemon.rows("SELECT channel FROM deliveries")} == {"desk"}
    end(daemon, "watch")


@pytest.mark.parametrize(
    ("restart", "command", "state"),
    [("on-failure", "true", "finished"), ("on-success", "exit 3", "left alone")],
    ids=["ended well", "failed"],
)
def test_a_service_that_is_not_started_again_for_its_end_says_how_it_ended(
    daemon: Daemon, restart: str, command: str, state: str
) -> None:
    how = f"service: {{restart: {restart}, wait: 100ms}}"
    daemon.jobs(f"web: {{command: 'test -e on && exec sleep 600 || {command}', {how}}}").start()
    until(lambda: daemon.cli("jobs", "list", "--json")[0]["state"] == state, "it is left as it is")
    assert state in daemon.cli("jobs", "list") and f"1 {state}" in daemon.cli("status")
    assert restart.replace("-", " ") in daemon.cli("jobs", "show", "web", "--json")["why"]
    assert len(daemon.runs("web")) == 1
    (daemon.folder / "on").touch()
    daemon.cli("jobs", "run", "web")
    running(daemon)
    until(lambda: daemon.cli("jobs", "list", "--json")[0]["state"] == "active", "it runs again")
    daemon.cli("runs", "cancel", str(running(daemon)["id"]))
    until(
        lambda: [run for run in daemon.runs("web", "running") if run["fire"].startswith("service:")],
        "again, by itself",
    )
    end(daemon, "web")


DOOR = """
    '''Watch a door.'''
    from pathlib import Path

    def run(ctx, *, door: Path) -> None:
        told = None
        while not ctx.wait(0.05):
            if door.exists() != told:
                told = door.exists()
                ctx.alert("it is open", key="door") if told else ctx.resolve("door")
"""


@pytest.mark.parametrize("where", ["thread", "process"])
def test_a_service_that_never_ends_says_itself_what_is_over(daemon: Daemon, where: str) -> None:
    door = daemon.folder / "door"
    daemon.handler("watcher", DOOR)
    daemon.jobs(f"watch: {{run: watcher, in: {where}, with: {{door: {door}}}, service: {QUICK}}}").start()
    run = running(daemon, "watch")["id"]

    def problems() -> list[dict[str, Any]]:
        return daemon.rows("SELECT * FROM problems")

    for count in (1, 2):
        door.touch()
        until(lambda count=count: len(problems()) == count, "it is a problem")
        assert problems()[-1]["ended_at"] is None
        door.unlink()
        until(lambda: problems()[-1]["ended_at"], "it is over")
    assert problems()[-1]["ended_why"] == f"run {run} said that it is over"
    assert running(daemon, "watch")["id"] == run
    assert [note["kind"] for note in daemon.notes()] == ["problem", "recovery"] * 2
    end(daemon, "watch")


def test_a_thread_that_died_with_the_daemon_is_recorded_and_started_again_without_an_alert(
    daemon: Daemon,
) -> None:
    ticking(daemon)
    daemon.kill()
    daemon.start()
    until(lambda: daemon.runs("ticker", "lost") and daemon.runs("ticker", "running"), "lost and again")
    assert not [note for note in daemon.notes() if note["key"] == "run:ticker"]


def test_a_service_in_a_thread_can_be_cancelled_and_comes_back(daemon: Daemon) -> None:
    ticking(daemon)
    daemon.cli("runs", "cancel", str(running(daemon, "ticker")["id"]))
    until(lambda: daemon.runs("ticker", "cancelled") and daemon.runs("ticker", "running"), "ended and again")


def test_down_with_stop_jobs_ends_services_and_does_not_start_them_again(daemon: Daemon) -> None:
    daemon.jobs(f"web: {{command: exec sleep 600, service: {QUICK}}}").start()
    running(daemon)
    assert "1 run ended with it" in daemon.cli("down", "--stop-jobs")
    assert daemon.ended() == 0
    assert [run["status"] for run in daemon.runs("web")] == ["cancelled"]


def test_down_says_nothing_of_services_that_end_with_the_daemon(daemon: Daemon) -> None:
    ticking(daemon)
    assert "goes on" not in daemon.cli("down")


def test_services_take_no_slots(daemon: Daemon) -> None:
    daemon.write(
        f"""
        slots: {{process: 1}}
        jobs:
          web: {{command: exec sleep 600, service: {QUICK}}}
          tick: {{command: "true", every: 1s}}
        """
    )
    daemon.start()
    running(daemon)
    daemon.wait_for("tick", "succeeded", count=2)
    os.kill(work(daemon).pid, signal.SIGTERM)
    end(daemon, "web")
