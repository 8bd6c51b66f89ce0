"""Does a daemon live, stop and come back properly? One per instance, gone in two seconds, nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import time

import psutil
import pytest

from tests.whole.daemon import MARK, Daemon, until

TICK = f"tick: {{every: 1s, command: '{MARK}'}}\n"


def test_a_second_daemon_names_the_first_and_ends_with_three(daemon: Daemon) -> None:
    daemon.jobs(TICK).start()
    told = subprocess.run(
        [*daemon.program, *daemon.arguments()],
        cwd=daemon.folder,
        env=daemon.environment,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 3
    (line,) = told.stderr.strip().splitlines()
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(psutil.Process(daemon.pid).create_time()))
    assert f"pid {daemon.pid}" in line and started[:-1] in line
    daemon.wait_for("tick", "succeeded")


def test_of_many_started_together_one_lives(daemon: Daemon) -> None:
    daemon.jobs(TICK)
    started = [
        subprocess.Popen(
            [*daemon.program, *daemon.arguments()],
            cwd=daemon.folder,
            env=daemon.environment,
            stderr=subprocess.PIPE,
        )
        for _ in range(6)
    ]
    until(lambda: sum(one.poll() is None for one in started) == 1, "one is left")
    time.sleep(0.3)
    (winner,) = [one for one in started if one.poll() is None]
    ended = {one.communicate()[1].decode(): one.returncode for one in started if one is not winner}
    assert set(ended.values()) == {3}, ended
    daemon.wait_for("tick", "succeeded")
    winner.terminate()
    winner.communicate(timeout=10)
    assert winner.returncode == 0


def test_a_pid_file_of_another_process_does_not_keep_jarvis_from_starting(quick: Daemon) -> None:
    quick.state.mkdir(mode=0o700)
    (quick.state / "pid").write_text(f"{os.getpid()}\n{psutil.Process().create_time()}\n")
    (quick.state / "lock").touch()
    quick.jobs(TICK).start()
    assert (quick.state / "pid").read_text().split()[0] == str(quick.pid)
    os.kill(os.getpid(), 0)


def test_a_socket_left_over_by_a_killed_daemon_is_replaced(quick: Daemon) -> None:
    quick.jobs(TICK).start()
    path = quick.state / "control.sock"
    quick.kill()
    assert path.exists(), "kill -9 removes nothing"
    quick.start()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(quick.state.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) & 0o077 for one in quick.state.rglob("*")} == {0}
    assert quick.stop() == 0
    assert not path.exists()


def test_sigterm_leaves_a_long_job_alone_and_the_next_daemon_collects_it(quick: Daemon) -> None:
    quick.jobs(TICK + f"long: {{start: boot, command: 'sleep 30 & echo $! > pid; wait; {MARK}'}}").start()
    quick.wait_for("long", "running")
    until(lambda: (quick.folder / "pid").exists(), "its pid")
    asked = time.monotonic()
    assert quick.stop() == 0
    assert time.monotonic() - asked < 2
    sleeper = int((quick.folder / "pid").read_text())
    assert psutil.pid_exists(sleeper)
    quick.start()
    os.kill(sleeper, signal.SIGTERM)
    (row,) = quick.wait_for("long", "succeeded")
    assert [mark[0] for mark in quick.marks()].count("long") == 1
    assert row["attempt"] == 1


@pytest.mark.parametrize(
    "back",
    [
        pytest.param("before it ended", id="back before it ends"),
        pytest.param("after", id="back after it ended"),
    ],
)
def test_kill_9_in_the_middle_of_a_job_changes_nothing_for_it(quick: Daemon, back: str) -> None:
    seconds = 6 if back.startswith("before") else 3
    quick.jobs(TICK + f"long: {{start: boot, command: 'sleep {seconds}; {MARK}; echo said'}}").start()
    quick.wait_for("long", "running")
    time.sleep(0.3)
    quick.kill()
    if back == "after":
        until(lambda: "long" in [mark[0] for mark in quick.marks()], "it ends on its own")
        until(lambda: not quick.processes(), "with its supervisor")
    quick.start()
    (row,) = quick.wait_for("long", "succeeded")
    assert row["ended_at"] - row["started_at"] == pytest.approx(seconds * 1_000_000, abs=1_500_000)
    assert [mark[0] for mark in quick.marks()].count("long") == 1
    assert row["output_bytes"] == 5


def test_signals_in_a_shower_end_it_once(daemon: Daemon) -> None:
    for _ in range(5):
        daemon.jobs(TICK).start()
        try:
            for _ in range(300):
                os.kill(daemon.pid, signal.SIGTERM)
                os.kill(daemon.pid, signal.SIGINT)
        except ProcessLookupError:
            break
        finally:
            assert daemon.ended(5) == 0, daemon.output()


def test_reloads_in_a_shower_change_nothing(quick: Daemon) -> None:
    quick.jobs(TICK).start()
    for _ in range(2_000):
        os.kill(quick.pid, signal.SIGHUP)
    quick.wait_for("tick", "succeeded", count=2)
    asked = time.monotonic()
    assert quick.stop() == 0
    assert time.monotonic() - asked < 3


def test_the_spawner_killed_is_replaced_and_no_run_is_lost(quick: Daemon) -> None:
    quick.jobs(TICK + f"long: {{start: daemon, command: 'sleep 3; {MARK}'}}").start()
    quick.wait_for("long", "running")
    for _ in range(3):
        (spawner,) = until(lambda: quick.named("jarvis-spawner"), "a spawner")
        spawner.kill()
        spawner.wait(5)
        done = len(quick.runs("tick", "succeeded"))
        quick.wait_for("tick", "succeeded", count=done + 1)
    quick.wait_for("long", "succeeded")
    assert not quick.runs(None, "lost", "failed")


def test_a_supervisor_killed_loses_its_run_ends_its_job_and_is_told(quick: Daemon) -> None:
    quick.jobs(TICK + "long: {start: daemon, command: 'sleep 60 & setsid sleep 60 & wait'}").start()
    (row,) = quick.wait_for("long", "running")
    until(lambda: len(quick.named("sleep")) == 2, "two sleepers")
    (supervisor,) = [one for one in quick.named("jarvis-run") if one.children()]
    supervisor.kill()
    (row,) = quick.wait_for("long", "lost", within=5)
    assert "supervisor" in row["reason"]
    until(lambda: not quick.named("sleep"), "its job is ended", 5)
    assert [note["severity"] for note in quick.notes() if note["job"] == "long"] == ["high"]


def test_a_lost_run_is_repeated_when_the_job_says_so(quick: Daemon) -> None:
    quick.jobs(
        TICK
        + f"again: {{start: boot, on_lost: rerun, command: '{MARK}; test $JARVIS_ATTEMPT = 2 || exec sleep 60'}}"
    ).start()
    quick.wait_for("again", "running")
    until(lambda: quick.named("sleep"), "it sleeps")
    quick.kill()
    for process in quick.processes():
        process.kill()
    quick.start()
    first, second = quick.wait_for("again", "lost", "succeeded", count=2)
    assert (first["status"], second["status"], second["attempt"]) == ("lost", "succeeded", 2)
    assert "lost" in second["reason"]


def test_a_retry_survives_a_restart(quick: Daemon) -> None:
    quick.jobs(
        TICK
        + f"flaky: {{start: boot, command: '{MARK}; test $JARVIS_ATTEMPT = 2', retry: {{times: 1, wait: 3s}}}}"
    ).start()
    (failed,) = quick.wait_for("flaky", "failed")
    quick.kill()
    quick.start()
    (row,) = quick.wait_for("flaky", "succeeded")
    assert row["attempt"] == 2
    assert row["started_at"] - failed["ended_at"] > 2_900_000


def test_a_moment_that_passed_while_jarvis_was_down_runs_late(quick: Daemon) -> None:
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
    quick.jobs(TICK + f"once: {{at: '{soon}', command: '{MARK}'}}").start()
    quick.kill()
    time.sleep(3.5)
    quick.start()
    (row,) = quick.wait_for("once", "succeeded")
    assert row["fire"] == f"schedule:{soon}"
    assert row["started_at"] > row["scheduled_at"]
    quick.restart()
    quick.wait_for("tick", "succeeded", count=2)
    assert len(quick.runs("once")) == 1


def test_downtime_is_one_late_run_and_one_counted_span(quick: Daemon) -> None:
    quick.jobs(TICK).start()
    quick.wait_for("tick", "succeeded")
    quick.kill()
    time.sleep(4)
    quick.start()
    done = len(quick.runs("tick", "succeeded"))
    quick.wait_for("tick", "succeeded", count=done + 2)
    (span,) = quick.spans("tick")
    assert span["count"] >= 2 and "Jarvis was not running" in span["reason"]


def test_a_start_is_a_fire_once_per_daemon_and_once_per_boot(quick: Daemon) -> None:
    quick.jobs(
        TICK + f"each: {{start: daemon, command: '{MARK}'}}\nboot: {{start: boot, command: '{MARK}'}}"
    ).start()
    for starts in (1, 2, 3):
        quick.wait_for("each", "succeeded", count=starts)
        quick.wait_for("boot", "succeeded")
        quick.reload()
        time.sleep(0.3)
        assert (len(quick.runs("each")), len(quick.runs("boot"))) == (starts, 1)
        quick.kill()
        quick.start()


def test_a_pause_ends_by_itself_also_over_a_restart(quick: Daemon) -> None:
    quick.jobs(TICK).start()
    quick.wait_for("tick", "succeeded")
    quick.cli("jobs", "pause", "tick", "--for", "6s")
    paused = int(time.time() * 1_000_000)
    quick.restart()
    time.sleep(1)
    assert not [row for row in quick.runs("tick", "succeeded") if row["scheduled_at"] > paused]
    until(
        lambda: [row for row in quick.runs("tick", "succeeded") if row["scheduled_at"] > paused + 5_000_000],
        "resumed",
        12,
    )
    skipped = [span for span in quick.spans("tick") if span["status"] == "skipped"]
    assert sum(span["count"] for span in skipped) >= 4


def test_the_daemon_writes_nothing_outside_its_state_directory(quick: Daemon) -> None:
    quick.jobs("tick: {every: 1s, command: 'true'}").start()
    quick.wait_for("tick", "succeeded")
    assert quick.stop() == 0
    home = [
        str(path.relative_to(quick.folder)) for path in (quick.folder / "home").rglob("*") if path.is_file()
    ]
    assert all(re.fullmatch(r"home/(.local/state/jarvis|\.cache)/.*", path) for path in home), home
    assert sorted(path.name for path in quick.folder.iterdir()) == [
        "daemon.out",
        "home",
        "jobs.yaml",
        "state",
    ]


def test_a_shell_without_utf_8_changes_nothing(daemon: Daemon) -> None:
    daemon.jobs(
        "umlaut: {start: daemon, description: 'größe 🦆',"
        " command: 'printf \"gr\\\\374n gr\\303\\274n \\360\\237\\246\\206\"'}"
    )
    daemon.start(LC_ALL="C", LANG="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    (row,) = daemon.wait_for("umlaut", "succeeded", "failed")
    assert row["status"] == "succeeded"


def test_a_low_limit_of_open_files_is_no_reason_to_stop_ticking(daemon: Daemon) -> None:
    jobs = "".join(f"job-{number}: {{every: 1s, command: 'sleep 0.5; {MARK}'}}\n" for number in range(30))
    daemon.program = ["/bin/sh", "-c", 'ulimit -n 64; exec "$@"', "sh", *daemon.program]
    daemon.jobs(jobs).start()
    daemon.wait_for("job-29", "succeeded", count=3)
    assert not daemon.runs(None, "failed", "lost")


def test_no_file_process_or_thread_is_gathered_over_many_runs(quick: Daemon) -> None:
    jobs = "".join(f"job-{number}: {{every: 1s, command: 'true'}}\n" for number in range(20))
    quick.jobs(jobs).start()
    quick.wait_for("job-0", "succeeded", count=2)
    process = psutil.Process(quick.pid)
    before = (process.num_fds(), process.num_threads())
    quick.wait_for("job-0", "succeeded", count=6)
    time.sleep(0.5)
    assert process.num_fds() <= before[0] + 3
    assert process.num_threads() <= before[1] + 1
    assert not [child for child in process.children() if child.status() == psutil.STATUS_ZOMBIE]


if sys.platform == "linux":

    def test_the_jobs_of_a_daemon_do_not_see_its_own_descriptors(quick: Daemon) -> None:
        quick.jobs("looker: {start: daemon, command: 'ls -l /proc/self/fd > fds'}").start()
        quick.wait_for("looker", "succeeded")
        seen = (quick.folder / "fds").read_text()
        assert "ledger" not in seen and "socket:" not in seen and "heartbeat" not in seen
