"""However a job multiplies, nothing of it is left when its run has ended (on Linux, below a sub-reaper)."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from jarvis.handling import launch
from tests.rooms import launch_house
from tests.rooms.launch_house import PATIENCE, House, running, until

SHORT = timedelta(seconds=0.2)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with launch_house.house(tmp_path / "runs") as made:
        yield made


@pytest.fixture
def mark() -> Iterator[str]:
    """A duration that only the processes of this test sleep."""
    text = launch_house.mark()
    yield text
    launch_house.end_all(text)


DAEMONISE = """
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve("/bin/sleep", ["sleep", sys.argv[1]], {} if sys.argv[2] == "bare" else dict(os.environ))
    os._exit(0)
os.wait()
"""

SHAPES = {
    # what is started beside the program itself, and how many processes carry the mark (the shell does too)
    "plain child": ("", 0),
    "shell with two in the background": ("sleep {mark} & sleep {mark} &", 2),
    "ignores SIGTERM": ("trap '' TERM; sleep {mark} &", 1),
    "a grandchild in its own session": ("setsid sleep {mark} &", 1),
    "a daemon forked twice": ("{python} -S -c '{daemonise}' {mark} kept", 1),
    "a daemon with an empty environment": ("{python} -S -c '{daemonise}' {mark} bare", 1),
}
SHAPE = pytest.mark.parametrize("shape", SHAPES)


def _script(shape: str, mark: str, last: str) -> tuple[str, int]:
    text, count = SHAPES[shape]
    return text.format(
        mark=mark, python=sys.executable, daemonise=DAEMONISE
    ) + f"\n{last} # {mark}", count + 1


@SHAPE
def test_nothing_is_left_after_a_timeout(house: House, mark: str, shape: str) -> None:
    script, count = _script(shape, mark, f"while :; do sleep {mark}; done")
    result = house.overtime(
        *("/bin/sh", "-c", script), ready=lambda: len(running(mark)) >= count + 1, stop_after=SHORT
    )
    assert result.timed_out
    assert result.cancelled is None
    assert result.unkillable == ()
    assert running(mark) == []
    if shape == "ignores SIGTERM":
        assert result.signal == signal.SIGKILL


@SHAPE
def test_nothing_is_left_after_a_cancellation(house: House, mark: str, shape: str) -> None:
    script, count = _script(shape, mark, f"while :; do sleep {mark}; done")
    run = house.start("/bin/sh", "-c", script, stop_after=SHORT)
    until(lambda: len(running(mark)) >= count + 1)
    house.launcher.stop_run(run, "not needed any more")
    result = house.result(run)
    assert (result.cancelled, result.timed_out) == ("not needed any more", False)
    assert running(mark) == []


@SHAPE
def test_nothing_is_left_after_a_normal_end(house: House, tmp_path: Path, mark: str, shape: str) -> None:
    go = tmp_path / "go"
    script, count = _script(shape, mark, f"while [ ! -e {go} ]; do sleep 0.01; done; exit 3")
    run = house.start("/bin/sh", "-c", script)
    until(lambda: len(running(mark)) >= count)
    go.touch()
    result = house.result(run)
    assert (result.exit_code, result.timed_out, result.cancelled) == (3, False, None)
    assert result.survivors == count - 1
    assert running(mark) == []


def test_children_of_a_detached_job_may_stay(house: House, mark: str) -> None:
    result = house.run("/bin/sh", "-c", f"setsid sleep {mark} & exit 0", detach=True)
    assert (result.exit_code, result.survivors) == (0, 0)
    assert len(running(mark)) == 1


def test_a_detached_child_may_go_on_writing(house: House, tmp_path: Path) -> None:
    """Its output is no longer kept; losing the reader of its pipe would kill it."""
    go, done = tmp_path / "go", tmp_path / "done"
    child = f"while [ ! -e {go} ]; do sleep 0.01; done; yes | head -c 300000; echo $? > {done}"
    run = house.start("/bin/sh", "-c", f"echo first; ({child}) & exit 0", detach=True)
    assert house.result(run).exit_code == 0
    go.touch()
    until(done.exists)
    until(lambda: done.read_text() == "0\n")
    assert house.output(run) == b"first\n"
    until(lambda: not house.supervisors())


def test_a_detached_job_that_times_out_is_ended_with_all_it_started(house: House, mark: str) -> None:
    script = f"setsid sleep {mark} & sleep {mark}"
    result = house.sh(script, detach=True, timeout=timedelta(seconds=0.3), stop_after=SHORT)
    assert result.timed_out
    assert running(mark) == []


def test_a_run_ends_with_its_program_even_when_a_grandchild_keeps_the_pipe_open(
    house: House, mark: str
) -> None:
    run = house.start("/bin/sh", "-c", f"echo said; setsid sleep {mark} & exit 0")
    result = house.result(run)
    assert result.exit_code == 0
    assert house.output(run) == b"said\n"
    assert running(mark) == []


def test_a_program_that_ends_in_time_when_asked_keeps_its_exit_code(house: House, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = f"trap 'echo cleaning; exit 9' TERM; touch {ready}; while :; do sleep 0.01; done"
    result = house.overtime(
        *("/bin/sh", "-c", script), ready=ready.exists, stop_after=timedelta(seconds=PATIENCE)
    )
    assert (result.timed_out, result.exit_code, result.signal) == (True, 9, None)
    assert house.output(result.run).endswith(b"cleaning\n")


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGUSR2, signal.SIGKILL], ids=["INT", "USR2", "KILL"]
)
def test_a_job_is_ended_by_the_signal_it_wants(house: House, number: int) -> None:
    result = house.run("/bin/sleep", "60", timeout=SHORT, stop_signal=number)
    assert (result.timed_out, result.signal) == (True, number)


def test_a_stopped_process_is_woken_to_be_ended(house: House, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = f"trap 'exit 8' TERM; echo $$ > {ready}; kill -STOP $$; exit 1"
    result = house.overtime(
        *("/bin/sh", "-c", script),
        ready=lambda: ready.exists() and stopped(ready.read_text()),
        stop_after=timedelta(seconds=PATIENCE),
    )
    assert (result.timed_out, result.exit_code) == (True, 8)


def stopped(pid: str) -> bool:
    try:
        return Path(f"/proc/{int(pid)}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except (OSError, ValueError):
        return False


@pytest.mark.parametrize("fields", [{}, {"nice": 1}], ids=["spawned", "forked"])
def test_the_job_does_not_inherit_what_its_supervisor_ignores(house: House, fields: dict[str, int]) -> None:
    run = house.start("/bin/cat", "/proc/self/status", **fields)
    house.result(run)
    lines = dict(line.split(":\t", 1) for line in house.output(run).decode().splitlines())
    # 32 and 33 are the C library's own
    assert int(lines["SigIgn"], 16) & 0x7FFFFFFF == 0
    assert int(lines["SigBlk"], 16) == 0


def test_the_job_leads_a_session_without_a_terminal(house: House) -> None:
    run = house.start("/bin/sh", "-c", "cut -d' ' -f1,5,6,7 /proc/$$/stat")
    house.result(run)
    pid, group, session, terminal = map(int, house.output(run).split())
    assert (group, session, terminal) == (pid, pid, 0)


@pytest.mark.needs("root", "linux")
def test_a_fork_bomb_within_its_limit_is_ended(house: House) -> None:
    """Bounded by the number of processes its user may have; root is exempt, so another user."""
    uid = 20_000 + os.getpid() % 40_000
    bomb = "bomb() { bomb & bomb & sleep 60; }; bomb & while :; do sleep 60; done"
    run = house.start(*("/bin/sh", "-c", bomb), uid=uid, gid=uid, limits={"nproc": 40}, stop_after=SHORT)
    until(lambda: len(_owned(uid)) > 5)
    assert house.run("/bin/true").exit_code == 0, "others are not hindered"
    house.launcher.stop_run(run, "enough")
    result = house.result(run)
    assert (result.cancelled, result.unkillable) == ("enough", ())
    assert _owned(uid) == []


def _owned(uid: int) -> list[str]:
    return [name for name in filter(str.isdigit, os.listdir("/proc")) if _owner(name) == uid]


def _owner(pid: str) -> int:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return -1


FREEZER = Path("/sys/fs/cgroup/freezer")


@contextmanager
def _frozen(pid: int) -> Iterator[None]:
    """Hold a process so that not even SIGKILL ends it, as uninterruptible I/O does."""
    group = FREEZER / f"jarvis-test-{pid}"
    group.mkdir()
    (group / "tasks").write_text(str(pid))
    (group / "freezer.state").write_text("FROZEN")
    try:
        yield
    finally:
        (group / "freezer.state").write_text("THAWED")
        until(lambda: not (group / "tasks").read_text())
        group.rmdir()


@pytest.mark.needs("root", "linux")
@pytest.mark.skipif(not (FREEZER / "tasks").exists(), reason="this machine has no version 1 freezer group")
def test_an_unkillable_process_is_recorded_and_does_not_hold_the_run(house: House) -> None:
    run = house.start("/bin/sleep", "60", stop_after=timedelta())
    pid = house.notice("started", run).pid
    assert pid
    with _frozen(pid):
        house.launcher.stop_run(run, "hangs")
        result = house.result(run)
        assert result.unkillable == (pid,)
        assert (result.cancelled, result.exit_code, result.signal) == ("hangs", None, None)
        assert house.run("/bin/true").exit_code == 0


def test_stopping_twice_is_stopping_once(house: House) -> None:
    run = house.start("/bin/sleep", "60")
    house.notice("started", run)
    house.launcher.stop_run(run, "first")
    house.launcher.stop_run(run, "first")
    assert house.result(run).cancelled == "first"
    house.launcher.stop_run(run, "after the end")
    assert isinstance(house.launcher.find(run), launch.Finished)
