"""Whatever is killed, a run is started once, its end is told once, and nothing of it stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jarvis.errors import LaunchError
from jarvis.handling import launch, rundir
from jarvis.handling.lean import processes
from tests.rooms import launch_house
from tests.rooms.launch_house import House, until


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with launch_house.house(tmp_path / "runs") as made:
        yield made


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[str]:
    """A duration no other process sleeps; whoever still does at the end is a failure."""
    text = launch_house.mark()
    yield text
    assert not launch_house.end_all(text)


POINTS = [
    # point, was the program started, what the directory says, does a second launch start it
    pytest.param("supervisor.before-claim", 0, launch.NeverStarted, id="before the claim"),
    pytest.param("supervisor.after-claim", 0, launch.Dead, id="after the claim"),
    pytest.param("supervisor.after-start", 1, launch.Dead, id="after the start"),
    pytest.param("supervisor.before-result", 1, launch.Dead, id="before the result"),
    pytest.param("supervisor.after-result", 1, launch.Finished, id="after the result"),
]


@pytest.mark.parametrize(("point", "started", "finding"), POINTS)
def test_a_supervisor_killed_anywhere_leaves_a_readable_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, started: int, finding: type
) -> None:
    monkeypatch.setenv("JARVIS_CRASH_AT", f"elsewhere,{point}")
    ran = tmp_path / "ran"
    with launch_house.house(tmp_path / "runs") as house:
        run = house.start("/bin/sh", "-c", f"echo x >> {ran}; exec sleep 0.2")
        if finding is launch.Finished:
            house.notice("ended", run)
        else:
            house.notice("gone", run)
        found = house.launcher.find(run)
        if point == "supervisor.before-claim":
            # it was tried again, and then taken out of anybody's hands
            assert isinstance(found, launch.Dead)
        else:
            assert isinstance(found, finding)
        if started:
            until(lambda: ran.exists() and ran.read_text())
        house.launcher.bury(run)
        assert (ran.read_text() if ran.exists() else "") == "x\n" * started
        assert len([one for one in house.heard if one.kind != "started"]) == 1


@pytest.mark.parametrize(("point", "started", "finding"), POINTS[1:])
def test_the_next_daemon_finds_what_a_crash_of_supervisor_and_daemon_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, started: int, finding: type
) -> None:
    monkeypatch.setenv("JARVIS_CRASH_AT", point)
    monkeypatch.setenv("JARVIS_CRASH_ONCE", str(tmp_path / "once"))
    ran = tmp_path / "ran"
    with launch_house.house(tmp_path / "runs") as first:
        run = first.start("/bin/sh", "-c", f"echo x >> {ran}")
        until(lambda: (tmp_path / "once").exists())
    with launch_house.house(tmp_path / "runs") as second:
        until(lambda: isinstance(second.launcher.find(run), finding))
        second.launcher.watch(run)
        second.notice("ended" if finding is launch.Finished else "gone", run)
        # a claim holds for ever: launching it again by mistake starts nothing
        second.start("/bin/sh", "-c", f"echo x >> {ran}", run=run)
        second.run("/bin/true", run=run + 1)
    if started:
        until(lambda: ran.exists() and ran.read_text())
    assert (ran.read_text() if ran.exists() else "") == "x\n" * started


def test_a_crash_before_the_claim_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JARVIS_CRASH_AT", "supervisor.before-claim")
    monkeypatch.setenv("JARVIS_CRASH_ONCE", str(tmp_path / "once"))
    with launch_house.house(tmp_path / "runs") as house:
        assert house.run("/bin/true").exit_code == 0
    assert (tmp_path / "once").exists()


def test_a_killed_supervisor_is_noticed_and_its_job_can_be_buried(house: House, mark: str) -> None:
    """The job has a group of its own, a child in another session, and one without parent or environment."""
    script = f"setsid sleep {mark} & (setsid env -u JARVIS_RUN_DIR sleep {mark} &) ; sleep {mark}"
    run = house.start("/bin/sh", "-c", script)
    house.notice("started", run)
    until(lambda: len(launch_house.sleeping(mark)) == 3)
    alive = house.launcher.find(run)
    assert isinstance(alive, launch.Alive)
    assert house.launcher.bury(run) == 0, "the living are not buried"
    os.kill(alive.claim.pid, signal.SIGKILL)
    assert house.notice("gone", run).reason == "its supervisor died"
    assert isinstance(house.launcher.find(run), launch.Dead)
    assert house.launcher.bury(run) >= 3
    # a process that left its session, its parent and its environment is out of reach without its supervisor
    launch_house.end_all(mark)
    assert house.launcher.bury(run) == 0
    assert [one.kind for one in house.heard] == ["started", "gone"]


def test_a_killed_spawner_is_replaced_and_its_supervisors_are_followed(house: House) -> None:
    slow = [house.start("/bin/sh", "-c", "sleep 0.4; exit 5") for _ in range(3)]
    for run in slow:
        house.notice("started", run)
    old = house.launcher._link.pid  # type: ignore[union-attr]
    os.kill(old, signal.SIGKILL)
    assert house.run("/bin/true").exit_code == 0
    assert [house.result(run).exit_code for run in slow] == [5, 5, 5]
    assert house.launcher._link.pid != old  # type: ignore[union-attr]
    for run in slow:
        assert [one.kind for one in house.heard if one.run == run] == ["started", "ended"]


def test_what_a_killed_spawner_had_not_started_is_started_by_the_next(house: House, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    spawner = house.launcher._link.pid  # type: ignore[union-attr]
    os.kill(spawner, signal.SIGSTOP)
    runs = [house.start("/bin/sh", "-c", f"echo x >> {ran}") for _ in range(20)]
    os.kill(spawner, signal.SIGKILL)
    assert {house.result(run).exit_code for run in runs} == {0}
    assert ran.read_text() == "x\n" * 20


def test_killing_spawners_in_the_middle_of_batches_loses_and_doubles_nothing(
    house: House, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    runs = []
    for _ in range(5):
        requests = [house.request("/bin/sh", "-c", f"echo $JARVIS_RUN_ID >> {ran}") for _ in range(30)]
        house.launcher.launch(requests)
        runs += [one.run for one in requests]
        house.notice("started", runs[-25])
        os.kill(house.launcher._link.pid, signal.SIGKILL)  # type: ignore[union-attr]
    assert {house.result(run).exit_code for run in runs} == {0}
    assert sorted(map(int, ran.read_text().split())) == runs
    assert sorted(one.run for one in house.heard if one.kind == "ended") == runs


def test_a_spawner_that_cannot_be_replaced_is_a_launch_error(house: House) -> None:
    run = house.start("/bin/sh", "-c", "sleep 0.3")
    house.notice("started", run)
    house.launcher._python = "/no/python"
    spawner = house.launcher._link.pid  # type: ignore[union-attr]
    begun = processes.started(spawner)
    os.kill(spawner, signal.SIGKILL)
    until(lambda: not processes.alive(spawner, begun))
    house.result(run)
    with pytest.raises(LaunchError, match="1 run"):
        house.start("/bin/true")
    house.launcher._python = sys.executable
    assert house.run("/bin/true").exit_code == 0


def _gate(go: Path) -> str:
    """A command that ends when this file is there."""
    return f"while [ ! -e {go} ]; do sleep 0.01; done"


DAEMON = """
import json, os, sys, time
from pathlib import Path
from jarvis.handling import launch
launcher = launch.Launcher(runs=Path(sys.argv[1]), notify=lambda notice: print(notice.kind, flush=True))
launcher.start()
env = {"PATH": os.environ["PATH"], "HOME": "/"}
argv = ("/bin/sh", "-c", sys.argv[2])
launcher.launch([launch.Request(run=1, job="job", fire="manual:1", argv=argv, env=env)])
time.sleep(60)
"""


def _daemon(runs: Path, script: str) -> subprocess.Popen[str]:
    daemon = subprocess.Popen(
        [sys.executable, "-c", DAEMON, str(runs), script], stdout=subprocess.PIPE, text=True
    )
    assert daemon.stdout
    assert daemon.stdout.readline() == "started\n"
    return daemon


def test_a_run_outlives_a_killed_daemon_and_is_collected_by_the_next(house: House, tmp_path: Path) -> None:
    go = tmp_path / "go"
    daemon = _daemon(house.runs, f"{_gate(go)}; echo done; exit 7")
    daemon.kill()
    # nothing holds the daemon's output open: whoever reads it sees its end
    assert daemon.communicate(timeout=launch_house.PATIENCE)[0] == ""
    assert isinstance(house.launcher.find(1), launch.Alive)
    house.launcher.watch(1)
    house.launcher.watch(1)
    go.touch()
    assert house.result(1).exit_code == 7
    assert house.output(1) == b"done\n"
    assert [one.kind for one in house.heard] == ["ended"]


def test_a_run_of_an_earlier_daemon_can_be_stopped(house: House) -> None:
    daemon = _daemon(house.runs, "sleep 60")
    daemon.kill()
    daemon.communicate()
    house.launcher.watch(1)
    house.launcher.stop_run(1, "asked by a person")
    result = house.result(1)
    assert (result.cancelled, result.signal, result.timed_out) == ("asked by a person", signal.SIGTERM, False)


def test_watching_without_process_descriptors_polls(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    daemon = _daemon(house.runs, "sleep 0.2")
    daemon.kill()
    daemon.communicate()
    house.launcher.watch(1)
    assert house.result(1).exit_code == 0


def test_an_adopted_supervisor_that_is_killed_is_gone(house: House) -> None:
    daemon = _daemon(house.runs, "sleep 60")
    daemon.kill()
    daemon.communicate()
    house.launcher.watch(1)
    alive = house.launcher.find(1)
    assert isinstance(alive, launch.Alive)
    os.kill(alive.claim.pid, signal.SIGKILL)
    house.notice("gone", 1)
    assert house.launcher.bury(1) >= 1


def test_a_run_that_ended_while_nobody_watched_is_told_at_once(house: House) -> None:
    daemon = _daemon(house.runs, "exit 3")
    until(lambda: isinstance(house.launcher.find(1), launch.Finished))
    daemon.kill()
    daemon.communicate()
    house.launcher.watch(1)
    assert house.result(1).exit_code == 3


def _claim(house: House, run: int, **changes: object) -> None:
    folder = rundir.folder(house.runs, run)
    folder.mkdir(parents=True)
    body = {
        "run": run,
        "job": "job",
        "fire": "manual:1",
        "attempt": 1,
        "pid": os.getpid(),
        "started": processes.started(os.getpid()),
        "boot": processes.boot(),
        "at": time.time(),
    }
    (folder / "claim").write_text(json.dumps(body | changes) + "\n")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, launch.Alive, id="that very process"),
        pytest.param({"started": 1}, launch.Dead, id="the pid belongs to a later process"),
        pytest.param({"boot": "another"}, launch.Dead, id="the machine was started since"),
        pytest.param({"pid": 2**22 + 1}, launch.Dead, id="no such process"),
    ],
)
def test_a_reused_pid_is_not_taken_for_the_supervisor(
    house: House, changes: dict[str, object], expected: type
) -> None:
    _claim(house, 5, **changes)
    assert isinstance(house.launcher.find(5), expected)


def test_a_zombie_is_dead(house: House) -> None:
    zombie = subprocess.Popen(["/bin/true"])
    started = processes.started(zombie.pid)
    _claim(house, 5, pid=zombie.pid, started=started)
    until(lambda: isinstance(house.launcher.find(5), launch.Dead))
    zombie.wait()


@pytest.mark.parametrize(
    "text", ["", "{", '{"run": 1', "[]", "null\n"], ids=["empty", "cut", "longer cut", "a list", "null"]
)
def test_a_damaged_claim_is_a_dead_one(house: House, text: str) -> None:
    _claim(house, 5)
    house.file(5, "claim").write_text(text)
    finding = house.launcher.find(5)
    assert isinstance(finding, launch.Dead)
    assert finding.claim.pid == 0
    assert house.launcher.bury(5) == 0


def test_burying_touches_nobody_else(house: House, mark: str) -> None:
    """The claim's child has ended, and its number belongs to another process by now."""
    other = subprocess.Popen(["/bin/sleep", mark], start_new_session=True)
    _claim(house, 5, pid=2**22 + 1)
    with house.file(5, "claim").open("a") as file:
        file.write(json.dumps({"child": other.pid, "child_started": 1}) + "\n")
    assert house.launcher.bury(5) == 0
    assert other.poll() is None
    other.kill()
    other.wait()


def test_stopping_before_the_supervisor_is_up_stops_it_all_the_same(house: House, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    spawner = house.launcher._link.pid  # type: ignore[union-attr]
    os.kill(spawner, signal.SIGSTOP)
    run = house.start("/bin/sh", "-c", f"echo x > {ran}")
    house.launcher.stop_run(run, "too early")
    os.kill(spawner, signal.SIGCONT)
    result = house.result(run)
    assert (result.cancelled, result.exit_code) == ("too early", None)
    assert not ran.exists()


def test_a_late_stop_does_not_hit_the_next_run_of_the_same_supervisor(house: House, tmp_path: Path) -> None:
    go = tmp_path / "go"
    for _ in range(50):
        house.run("/bin/true")
        before = house.supervisors()
        run = house.start("/bin/sh", "-c", f"{_gate(go)}; exit 3")
        house.notice("started", run)
        alive = house.launcher.find(run)
        assert isinstance(alive, launch.Alive)
        if alive.claim.pid in before:
            break
        house.launcher.stop_run(run, "one that is idle was wanted")
    os.kill(alive.claim.pid, signal.SIGUSR1)
    assert alive.claim.pid in before, "of fifty runs none went to an idle supervisor"
    go.touch()
    result = house.result(run)
    assert (result.exit_code, result.cancelled) == (3, None)


def test_a_supervisor_told_to_end_ends_its_job(house: House) -> None:
    """As when the machine is shut down."""
    run = house.start("/bin/sleep", "60")
    house.notice("started", run)
    alive = house.launcher.find(run)
    assert isinstance(alive, launch.Alive)
    os.kill(alive.claim.pid, signal.SIGTERM)
    assert house.result(run).cancelled == "stopped by SIGTERM"


def test_closing_leaves_supervisors_at_work(tmp_path: Path) -> None:
    with launch_house.house(tmp_path / "runs") as first:
        run = first.start("/bin/sh", "-c", "sleep 0.3; exit 4")
        first.notice("started", run)
        spawner = first.launcher._link.pid  # type: ignore[union-attr]
    assert not Path(f"/proc/{spawner}").exists()
    with launch_house.house(tmp_path / "runs") as second:
        second.launcher.watch(run)
        assert second.result(run).exit_code == 4


def test_a_full_disk_starts_nothing_and_leaves_no_claim(house: House, tmp_path: Path) -> None:
    """A file in the way stands for any reason why the folder of a run cannot be made."""
    (house.runs / "0").write_text("in the way")
    run = house.start("/bin/sh", "-c", f"echo x > {tmp_path}/ran")
    assert "nothing was started" in (house.notice("gone", run).reason or "")
    (house.runs / "0").unlink()
    assert house.launcher.find(run) == launch.NeverStarted()
    assert not (tmp_path / "ran").exists()
