"""What happens when the ledger cannot be written: locked, full, deleted? Nothing unrecorded starts, nothing is lost."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.whole.beside import at_best, timed
from tests.whole.daemon import MARK, Daemon, until
from tests.whole.oracle import unaccounted

JOBS = f"""
tick: {{every: 1s, command: '{MARK}'}}
flaky: {{every: 3s, command: '{MARK}; test $JARVIS_ATTEMPT = 2', retry: {{times: 1, wait: 1s}}}}
slow: {{every: 2s, command: 'sleep 1; {MARK}'}}
"""


def unrecorded(daemon: Daemon) -> list[tuple[str, str, int]]:
    """What ran without a row."""
    known = {(row["job"], row["fire"], row["attempt"]) for row in daemon.runs()}
    return [mark for mark in daemon.marks() if mark not in known]


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(9, id="nine seconds"),
        pytest.param(60, id="a minute", marks=pytest.mark.campaign),
    ],
)
def test_a_ledger_held_by_somebody_else_delays_and_loses_nothing(daemon: Daemon, seconds: int) -> None:
    daemon.jobs(JOBS).start()
    daemon.wait_for("slow", "succeeded")
    with daemon.held():
        begun = time.monotonic()
        until(lambda: "degraded: ledger" in daemon.log(), "it says degraded")
        status = daemon.cli("status", "--json", code=1)
        assert status["degraded"] and status["running"]
        assert "another process holds the ledger" in status["troubles"][0]["why"]
        while time.monotonic() < begun + seconds:
            assert unrecorded(daemon) == []
            assert daemon.running
            time.sleep(0.2)
        known = len(daemon.runs("tick"))
        if seconds > 30:
            assert "nothing has been recorded" in daemon.log()
    daemon.wait_for("tick", "succeeded", count=known + 2)
    (note,) = [row for row in daemon.notes() if row["key"] == "degraded:ledger"]
    assert "it can again" in note["title"]
    (fact,) = daemon.facts("degraded")
    assert fact["amount"] == pytest.approx(seconds, abs=6)
    reasons = [span["reason"] for span in daemon.spans("tick")]
    assert len([reason for reason in reasons if "could not be written" in reason]) == 1, reasons
    assert not daemon.runs(None, "lost")


def test_an_edit_made_while_the_ledger_is_held_is_taken_over_afterwards(daemon: Daemon) -> None:
    daemon.jobs(JOBS).start()
    daemon.wait_for("tick", "succeeded")
    with daemon.held():
        daemon.jobs(JOBS + f"new: {{every: 1s, command: '{MARK}'}}\n")
        time.sleep(3)
    daemon.wait_for("new", "succeeded")


def test_a_signal_ends_a_daemon_whose_ledger_is_held(daemon: Daemon) -> None:
    daemon.jobs(JOBS)

    def stop() -> float:
        daemon.start()
        known = daemon.log().count("degraded: ledger")
        with daemon.held():
            until(lambda: daemon.log().count("degraded: ledger") > known, "it says degraded")
            took = timed(daemon.stop)
            assert daemon.ended() == 0, daemon.output()
        return took

    at_best(stop, 3)
    daemon.start()
    daemon.wait_for("tick", "succeeded", count=2)


def test_a_daemon_started_while_the_ledger_is_held_waits_for_it(daemon: Daemon) -> None:
    daemon.jobs(JOBS).start()
    assert daemon.stop() == 0
    with daemon.held():
        daemon.launch()
        time.sleep(3)
        assert daemon.running, daemon.output()
        known = len(daemon.runs("tick"))
    daemon.wait_for("tick", "succeeded", count=known + 2)


def test_a_start_that_waits_for_the_ledger_can_be_stopped(daemon: Daemon) -> None:
    daemon.jobs(JOBS).start()
    assert daemon.stop() == 0
    with daemon.held():
        daemon.launch()
        until(lambda: "another process holds the ledger" in daemon.output(), "it says what it waits for")
        assert daemon.stop(5) == 0, daemon.output()


@pytest.fixture
def small_disk(daemons: Callable[..., Daemon]) -> Iterator[Daemon]:
    """A daemon whose state directory is a disk of eight megabytes."""
    daemon = daemons()
    daemon.state.mkdir(mode=0o700)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", str(daemon.state)], check=True
    )
    yield daemon
    if daemon.running:
        assert daemon.stop() == 0
    wrong = unaccounted(daemon)
    daemon.audited = False
    for process in daemon.processes():
        process.kill()
    until(
        lambda: subprocess.run(["umount", str(daemon.state)], capture_output=True).returncode == 0,
        "unmounted",
    )
    assert wrong == []


def fill(folder: Path) -> Path:
    """Leave no free byte."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return ballast


@pytest.mark.needs("root", "linux", "mount")
def test_a_full_disk_starts_nothing_unrecorded_and_keeps_what_running_jobs_did(small_disk: Daemon) -> None:
    daemon = small_disk
    daemon.jobs(JOBS + f"long: {{start: daemon, command: 'sleep 4; {MARK}'}}").start()
    daemon.wait_for("long", "running")
    daemon.wait_for("tick", "succeeded")
    ballast = fill(daemon.state)
    until(lambda: "degraded: ledger" in daemon.log() + daemon.output(), "it says degraded")
    until(lambda: "long" in [job for job, *_ in daemon.marks()], "the long job ended on a full disk")
    assert unrecorded(daemon) == []
    assert daemon.running
    until(lambda: not daemon.named("sleep"), "nothing sleeps any more")
    (long,) = daemon.runs("long")
    result = daemon.state / "runs" / str(long["id"] // 1000) / str(long["id"]) / "result"
    until(result.exists, "its result is on the disk all the same")
    assert json.loads(result.read_text())["exit_code"] == 0
    known = len(daemon.runs("tick"))
    ballast.unlink()
    daemon.wait_for("tick", "succeeded", count=known + 2)
    assert daemon.wait_for("long", "succeeded")[0]["id"] == long["id"]
    assert any(row["key"] == "degraded:ledger" for row in daemon.notes())
    assert not daemon.runs(None, "lost")


@pytest.mark.needs("root", "linux", "mount")
def test_output_that_fills_the_disk_is_cut_and_the_result_is_kept(small_disk: Daemon) -> None:
    small_disk.jobs("loud: {start: daemon, command: 'yes | head -c 20000000; exit 7'}").start()
    (row,) = small_disk.wait_for("loud", "failed")
    assert row["exit_code"] == 7
    assert row["output_bytes"] == 20_000_000
    assert row["output_dropped"] > 0


def test_a_state_directory_that_cannot_be_written_is_one_clear_line(daemon: Daemon) -> None:
    daemon.jobs(JOBS)
    daemon.state.write_text("a file where the folder should be")
    daemon.launch()
    assert daemon.ended() == 1
    said = daemon.output().strip()
    assert len(said.splitlines()) == 1
    assert str(daemon.state) in said and "--state" in said
    daemon.state.unlink()


@pytest.mark.parametrize("replaced", [pytest.param(False, id="deleted"), pytest.param(True, id="replaced")])
def test_a_ledger_that_disappears_under_a_running_daemon_is_made_again(
    daemon: Daemon, replaced: bool
) -> None:
    daemon.jobs(JOBS + "long: {start: daemon, command: 'sleep 6'}").start()
    daemon.wait_for("slow", "succeeded")
    highest = max(row["id"] for row in daemon.runs())
    for name in ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"):
        (daemon.state / name).unlink(missing_ok=True)
    if replaced:
        daemon.ledger.touch(mode=0o600)
    found = daemon.wait_for("tick", "succeeded", count=2)
    assert min(row["id"] for row in found) > highest, "no id is given out twice"
    assert [row for row in daemon.notes() if "ledger" in row["title"]]
    restored = [span for span in daemon.rows("SELECT * FROM spans") if "restored" in span["reason"]]
    assert restored or daemon.facts("restored")


def test_a_ledger_that_was_damaged_while_jarvis_was_down_is_never_silently_empty(daemon: Daemon) -> None:
    daemon.jobs(JOBS).start()
    daemon.wait_for("tick", "succeeded", count=2)
    assert daemon.stop() == 0
    daemon.audited = False
    with daemon.ledger.open("r+b") as file:
        file.write(os.urandom(100))
    daemon.launch()
    until(lambda: not daemon.running or daemon.ready(), "it came up, or said why it cannot")
    if daemon.running:
        assert list(daemon.state.glob("ledger.damaged-*"))
        with closing(sqlite3.connect(daemon.ledger)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    else:
        assert daemon.ended() == 5
        assert "damaged" in daemon.output()
