"""Does a daemon live, stop and come back properly? One per instance, gone in two seconds, nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from tests.whole.beside import at_best, timed
from tests.whole.daemon import MARK, PATIENCE, Daemon, until
from tests.whole.test_once import pass_by
from tests.whole.warm import Quick

TICK = f"tick: {{every: 1s, command: '{MARK}'}}\n"


def test_a_second_daemon_names_the_first_and_ends_with_three(cold: Daemon) -> None:
    cold.jobs(TICK).start()
    told = subprocess.run(
        [*cold.program, *cold.arguments()],
        cwd=cold.folder,
        env=cold.environment,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 3
    (line,) = told.stderr.strip().splitlines()
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(psutil.Process(cold.pid).create_time()))
    assert f"pid {cold.pid}" in line and started[:-1] in line
    cold.wait_for("tick", "succeeded")


def test_of_many_started_together_one_lives(daemon: Daemon) -> None:
    daemon.jobs(TICK)
    started = [Quick(daemon.folder).launch() for _ in range(6)]
    until(lambda: sum(one.poll() is None for one in started) == 1, "one is left")
    (winner,) = [one for one in started if one.poll() is None]
    assert {one.poll() for one in started if one is not winner} == {3}
    assert daemon.output().count("is already running") == 5, daemon.output()
    daemon.wait_for("tick", "succeeded")
    winner.terminate()
    assert winner.wait(PATIENCE) == 0


def test_a_pid_file_of_another_process_does_not_keep_jarvis_from_starting(daemon: Daemon) -> None:
    daemon.state.mkdir(mode=0o700)
    (daemon.state / "pid").write_text(f"{os.getpid()}\n{psutil.Process().create_time()}\n")
    (daemon.state / "lock").touch()
    daemon.jobs(TICK).start()
    assert (daemon.state / "pid").read_text().split()[0] == str(daemon.pid)
    os.kill(os.getpid(), 0)


def test_a_socket_left_over_by_a_killed_daemon_is_replaced(daemon: Daemon) -> None:
    daemon.jobs(TICK).start()
    path = daemon.state / "control.sock"
    daemon.kill()
    assert path.exists(), "kill -9 removes nothing"
    daemon.start()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(daemon.state.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) & 0o077 for one in daemon.state.rglob("*")} == {0}
    assert daemon.stop() == 0
    assert not path.exists()


def test_sigterm_leaves_a_long_job_alone_and_the_next_daemon_collects_it(daemon: Daemon) -> None:
    daemon.jobs(TICK + f"long: {{start: boot, command: 'sleep 30 & echo $! > pid; wait; {MARK}'}}").start()
    daemon.wait_for("long", "running")
    until(lambda: (daemon.folder / "pid").exists(), "its pid")
    sleeper = int((daemon.folder / "pid").read_text())

    def stop() -> float:
        if not daemon.running:
            daemon.start()
        return timed(daemon.stop)

    at_best(stop, 2)
    assert daemon.ended() == 0
    assert psutil.pid_exists(sleeper)
    daemon.start()
    os.kill(sleeper, signal.SIGTERM)
    (row,) = daemon.wait_for("long", "succeeded")
    assert [mark[0] for mark in daemon.marks()].count("long") == 1
    assert row["attempt"] == 1


@pytest.mark.parametrize(
    "back",
    [
        pytest.param("before it ended", id="back before it ends"),
        pytest.param("after", id="back after it ended"),
    ],
)
def test_kill_9_in_the_middle_of_a_job_changes_nothing_for_it(daemon: Daemon, back: str) -> None:
    seconds = 6 if back.startswith("before") else 3
    daemon.jobs(TICK + f"long: {{start: boot, command: 'sleep {seconds}; {MARK}; echo said'}}").start()
    daemon.wait_for("long", "running")
    time.sleep(0.3)
    daemon.kill()
    if back == "after":
        until(lambda: "long" in [mark[0] for mark in daemon.marks()], "it ends on its own")
        until(lambda: not daemon.processes(), "with its supervisor")
    daemon.start()
    (row,) = daemon.wait_for("long", "succeeded")
    assert row["ended_at"] - row["started_at"] == pytest.approx(seconds * 1_000_000, abs=1_500_000)
    assert [mark[0] for mark in daemon.marks()].count("long") == 1
    assert row["output_bytes"] == 5


def test_signals_in_a_shower_end_it_once(daemons: Callable[..., Daemon]) -> None:
    for kind in (Daemon, Quick, Quick, Quick, Quick):
        daemon = daemons(kind)
        daemon.jobs(TICK).start()
        try:
            for _ in range(300):
                daemon.signal(signal.SIGTERM)
                daemon.signal(signal.SIGINT)
        except ProcessLookupError:
            continue
        finally:
            assert daemon.ended() == 0, daemon.output()


def test_reloads_in_a_shower_change_nothing(daemon: Daemon) -> None:
    daemon.jobs(TICK).start()
    for _ in range(2_000):
        os.kill(daemon.pid, signal.SIGHUP)
    daemon.wait_for("tick", "succeeded", count=2)
    assert daemon.stop() == 0


def test_the_spawner_killed_is_replaced_and_no_run_is_lost(daemon: Daemon) -> None:
    daemon.jobs(TICK + f"long: {{start: daemon, command: 'sleep 3; {MARK}'}}").start()
    daemon.wait_for("long", "running")
    for _ in range(3):
        (spawner,) = until(lambda: daemon.named("jarvis-spawner"), "a spawner")
        spawner.kill()
        spawner.wait(5)
        done = len(daemon.runs("tick", "succeeded"))
        daemon.wait_for("tick", "succeeded", count=done + 1)
    daemon.wait_for("long", "succeeded")
    assert not daemon.runs(None, "lost", "failed")


def test_a_supervisor_killed_loses_its_run_ends_its_job_and_is_told(daemon: Daemon) -> None:
    daemon.jobs(TICK + "long: {start: daemon, command: 'sleep 60 & setsid sleep 60 & wait'}").start()
    (row,) = daemon.wait_for("long", "running")
    until(lambda: len(daemon.named("sleep")) == 2, "two sleepers")
    (supervisor,) = [one for one in daemon.named("jarvis-run") if one.children()]
    supervisor.kill()
    (row,) = daemon.wait_for("long", "lost")
    assert "supervisor" in row["reason"]
    until(lambda: not daemon.named("sleep"), "its job is ended")
    assert [note["severity"] for note in daemon.notes() if note["job"] == "long"] == ["high"]


def test_a_lost_run_is_repeated_when_the_job_says_so(daemon: Daemon) -> None:
    daemon.jobs(
        TICK
        + f"again: {{start: boot, on_lost: rerun, command: '{MARK}; test $JARVIS_ATTEMPT = 2 || exec sleep 60'}}"
    ).start()
    daemon.wait_for("again", "running")
    until(lambda: daemon.named("sleep"), "it sleeps")
    daemon.kill()
    for process in daemon.processes():
        process.kill()
    daemon.start()
    first, second = daemon.wait_for("again", "lost", "succeeded", count=2)
    assert (first["status"], second["status"], second["attempt"]) == ("lost", "succeeded", 2)
    assert "lost" in second["reason"]


def test_a_retry_survives_a_restart(daemon: Daemon) -> None:
    daemon.jobs(
        TICK
        + f"flaky: {{start: boot, command: '{MARK}; test $JARVIS_ATTEMPT = 2', retry: {{times: 1, wait: 3s}}}}"
    ).start()
    (failed,) = daemon.wait_for("flaky", "failed")
    daemon.kill()
    daemon.start()
    (row,) = daemon.wait_for("flaky", "succeeded")
    assert row["attempt"] == 2
    assert row["started_at"] - failed["ended_at"] > 2_900_000


def test_a_moment_that_passed_while_jarvis_was_down_runs_late(daemon: Daemon) -> None:
    job, due = pass_by(daemon, TICK)
    daemon.start()
    (row,) = daemon.wait_for(job, "succeeded")
    assert row["fire"] == f"schedule:{due:%Y-%m-%dT%H:%M:%SZ}"
    assert row["started_at"] > row["scheduled_at"]
    daemon.restart()
    daemon.wait_for("tick", "succeeded", count=2)
    assert len(daemon.runs(job)) == 1


def test_downtime_is_one_late_run_and_one_counted_span(daemon: Daemon) -> None:
    daemon.jobs(TICK).start()
    daemon.wait_for("tick", "succeeded")
    daemon.kill()
    time.sleep(4)
    daemon.start()
    done = len(daemon.runs("tick", "succeeded"))
    daemon.wait_for("tick", "succeeded", count=done + 2)
    (span,) = [span for span in daemon.spans("tick") if "Jarvis was not running" in span["reason"]]
    assert span["count"] >= 2


def test_a_start_is_a_fire_once_per_daemon_and_once_per_boot(daemon: Daemon) -> None:
    daemon.jobs(
        TICK + f"each: {{start: daemon, command: '{MARK}'}}\nboot: {{start: boot, command: '{MARK}'}}"
    ).start()
    for starts in (1, 2, 3):
        daemon.wait_for("each", "succeeded", count=starts)
        daemon.wait_for("boot", "succeeded")
        daemon.reload()
        time.sleep(0.3)
        assert (len(daemon.runs("each")), len(daemon.runs("boot"))) == (starts, 1)
        daemon.kill()
        daemon.start()


def test_a_pause_ends_by_itself_also_over_a_restart(daemon: Daemon) -> None:
    daemon.jobs(TICK).start()
    daemon.wait_for("tick", "succeeded")
    daemon.cli("jobs", "pause", "tick", "--for", "6s")
    paused = int(time.time() * 1_000_000)
    daemon.restart()
    time.sleep(1)
    assert not [row for row in daemon.runs("tick", "succeeded") if row["scheduled_at"] > paused]
    until(
        lambda: [row for row in daemon.runs("tick", "succeeded") if row["scheduled_at"] > paused + 5_000_000],
        "resumed",
    )
    skipped = [span for span in daemon.spans("tick") if span["status"] == "skipped"]
    assert sum(span["count"] for span in skipped) >= 4


def test_the_daemon_writes_nothing_outside_its_state_directory(daemon: Daemon) -> None:
    daemon.jobs("tick: {every: 1s, command: 'true'}").start()
    daemon.wait_for("tick", "succeeded")
    assert daemon.stop() == 0
    home = [
        str(path.relative_to(daemon.folder)) for path in (daemon.folder / "home").rglob("*") if path.is_file()
    ]
    assert all(re.fullmatch(r"home/(.local/state/jarvis|\.cache)/.*", path) for path in home), home
    assert sorted(path.name for path in daemon.folder.iterdir()) == [
        "daemon.out",
        "home",
        "jobs.yaml",
        "state",
    ]


def test_a_shell_without_utf_8_changes_nothing(cold: Daemon) -> None:
    cold.jobs(
        "umlaut: {start: daemon, description: 'größe 🦆',"
        " command: 'printf \"gr\\\\374n gr\\303\\274n \\360\\237\\246\\206\"'}"
    )
    cold.start(LC_ALL="C", LANG="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    (row,) = cold.wait_for("umlaut", "succeeded", "failed")
    assert row["status"] == "succeeded"


def test_a_low_limit_of_open_files_is_no_reason_to_stop_ticking(cold: Daemon) -> None:
    jobs = "".join(f"job-{number}: {{every: 1s, command: 'sleep 0.5; {MARK}'}}\n" for number in range(30))
    cold.program = ["/bin/sh", "-c", 'ulimit -n 64; exec "$@"', "sh", *cold.program]
    cold.jobs(jobs).start()
    cold.wait_for("job-29", "succeeded", count=3)
    assert not cold.runs(None, "failed", "lost")


def test_no_file_process_or_thread_is_gathered_over_many_runs(daemon: Daemon) -> None:
    jobs = "".join(f"job-{number}: {{every: 1s, command: 'true'}}\n" for number in range(20))
    daemon.jobs(jobs).start()
    daemon.wait_for("job-0", "succeeded", count=2)
    process = psutil.Process(daemon.pid)
    before = (process.num_fds(), process.num_threads())
    daemon.wait_for("job-0", "succeeded", count=6)
    until(lambda: process.num_fds() <= before[0] + 3, "no file is gathered")
    until(lambda: process.num_threads() <= before[1] + 1, "no thread is gathered")
    assert not [child for child in process.children() if child.status() == psutil.STATUS_ZOMBIE]


if sys.platform == "linux":

    def test_the_jobs_of_a_daemon_do_not_see_its_own_descriptors(daemon: Daemon) -> None:
        daemon.jobs("looker: {start: daemon, command: 'ls -l /proc/self/fd > fds'}").start()
        daemon.wait_for("looker", "succeeded")
        seen = (daemon.folder / "fds").read_text()
        assert "ledger" not in seen and "socket:" not in seen and "heartbeat" not in seen
