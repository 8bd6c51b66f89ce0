"""Does a daemon in a terminal do what its flags, its environment and its signals say?"""

from __future__ import annotations

import os
import signal
import stat
import time
from datetime import datetime
from itertools import pairwise

import pytest

from tests.whole.beside import at_best
from tests.whole.daemon import MARK, Daemon, until

CALM = "calm: {every: 30d, command: 'true'}\n"


@pytest.fixture
def daemon(cold: Daemon) -> Daemon:
    return cold


def beats(daemon: Daemon) -> list[datetime]:
    """When the heartbeat's lines were written."""
    return [
        datetime.fromisoformat(line.split()[0]) for line in daemon.log().splitlines() if "heartbeat: " in line
    ]


def test_the_heartbeat_is_a_line_at_the_interval_of_the_old_variable_also_across_a_reload(
    daemon: Daemon,
) -> None:
    daemon.jobs(CALM).start(DAEMON_TICK_INTERVAL_SECONDS="3")
    for known in (1, 2):
        *_, newest = until(lambda known=known: len(beats(daemon)) >= known and beats(daemon), "a line")  # type: ignore[misc]
        time.sleep(max(0.0, 2 - (datetime.now(newest.tzinfo) - newest).total_seconds()))
        daemon.reload()
    until(lambda: len(beats(daemon)) >= 3, "another one")
    gaps = [(after - before).total_seconds() for before, after in pairwise(beats(daemon))]
    assert min(gaps) > 2.9, gaps
    assert min(gaps) < 4.5, "a reload that put it off would put it off each time"
    assert "heartbeat: 1 jobs, 0 running, 0 waiting" in daemon.log()


@pytest.mark.parametrize("text", ["0", "-5", "1.5", "soon"])
def test_an_interval_that_is_no_positive_whole_number_is_a_sentence(daemon: Daemon, text: str) -> None:
    daemon.jobs(CALM).launch(DAEMON_TICK_INTERVAL_SECONDS=text)
    assert daemon.ended() == 2
    said = f"DAEMON_TICK_INTERVAL_SECONDS: expected a positive whole number of seconds, not '{text}'"
    assert said in daemon.output()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_in_the_middle_of_a_wait_ends_it_within_two_seconds_and_more_of_them_are_harmless(
    daemon: Daemon, name: str
) -> None:
    daemon.jobs(CALM)

    def live() -> float:
        daemon.start()  # it waits for the next heartbeat, a minute away
        asked = time.monotonic()
        while daemon.running:
            daemon.signal(getattr(signal, name))
            time.sleep(0.02)
        assert daemon.ended() == 0, daemon.output()
        return time.monotonic() - asked

    at_best(live, 2)
    assert daemon.log().count("down: pid") == daemon.log().count("up: pid")


def test_once_runs_what_is_due_waits_for_its_end_and_ends(daemon: Daemon) -> None:
    daemon.jobs(f"now: {{start: daemon, command: 'sleep 1; {MARK}', retry: {{times: 1}}}}\n" + CALM)
    daemon.launch("--once")
    assert daemon.ended() == 0, daemon.output()
    assert [job for job, *_ in daemon.marks()] == ["now"]
    assert [row["status"] for row in daemon.runs()] == ["succeeded"]


def test_once_tells_what_went_wrong_and_starts_no_service(daemon: Daemon) -> None:
    service = f"serves: {{service: {{}}, command: '{MARK}; sleep 60'}}\n"
    daemon.jobs(
        "sore: {start: daemon, command: 'sleep 2; exit 4'}\n" + service,
        "alerts: {channels: {file: {journal: told.jsonl, rate: 0s}}}",
    )
    daemon.launch("--once")
    assert daemon.ended() == 0, daemon.output()
    assert "sore: failed: exit code 4" in (daemon.folder / "told.jsonl").read_text()
    assert daemon.marks() == [] == daemon.runs("serves")


def test_once_lets_a_service_of_an_earlier_daemon_go_on(daemon: Daemon) -> None:
    daemon.jobs(
        f"serves: {{service: {{}}, command: 'exec sleep 60'}}\nnow: {{start: daemon, command: '{MARK}'}}\n"
    )
    daemon.start()
    daemon.wait_for("serves", "running")
    daemon.wait_for("now", "succeeded")
    assert daemon.stop() == 0
    daemon.launch("--once")
    assert daemon.ended() == 0, daemon.output()
    assert len(daemon.marks()) == 2
    assert [row["status"] for row in daemon.runs("serves")] == ["running"]
    (sleeper,) = daemon.named("sleep")
    daemon.start().cli("down", "--stop-jobs")
    assert daemon.ended() == 0 and not sleeper.is_running()


def test_verbose_says_what_it_decides_and_why(daemon: Daemon) -> None:
    jobs = (
        "one: {start: daemon, command: 'sleep 1', lock: l}\ntwo: {start: daemon, command: 'true', lock: l}\n"
    )
    daemon.jobs(jobs).launch("--once", "--verbose")
    assert daemon.ended() == 0, daemon.output()
    assert "[debug" in daemon.log() and "of two waits: lock 'l' is held by run" in daemon.log()
    said = daemon.log().count("debug")
    daemon.launch("--once")
    assert daemon.ended() == 0, daemon.output()
    assert daemon.log().count("debug") == said


def test_whatever_the_umask_the_files_of_the_state_are_their_owners_alone_and_the_pid_file_holds_the_pid(
    daemon: Daemon,
) -> None:
    daemon.program = ["/bin/sh", "-c", 'umask 0; exec "$@"', "sh", *daemon.program]
    daemon.jobs("talk: {start: daemon, command: 'echo x; exit 1'}\n").start()
    daemon.wait_for("talk", "failed")
    modes = {str(one): stat.S_IMODE(one.stat().st_mode) & 0o077 for one in daemon.state.rglob("*")}
    assert {name for name, open_to_others in modes.items() if open_to_others} == set()
    assert stat.S_IMODE((daemon.state / "pid").stat().st_mode) == 0o600
    assert int((daemon.state / "pid").read_text().split()[0]) == daemon.pid
    os.kill(daemon.pid, 0)
    assert daemon.stop() == 0
    assert not (daemon.state / "pid").exists()
