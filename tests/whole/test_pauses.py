"""Does a real daemon notice that it stood still, say so at once, and end as quickly as ever?"""

from __future__ import annotations

import itertools
import json
import signal
import time
from typing import Any

import pytest

from tests.whole.beside import PAUSES, timed
from tests.whole.daemon import Daemon, Row, until

JOBS = """
    pauses:
      run: pause_sample
      in: thread
      service: {restart: always, wait: 1s}
      with: {interval: 500ms, elevated_interval: 500ms}
    busy: {every: 1s, command: "true"}
"""
CAPTURES = 30
"""Seconds that a capture takes at the least: it waits for the samples of half a minute after the pause."""


def samples(daemon: Daemon) -> int:
    return int(daemon.rows("SELECT count(*) AS n FROM samples")[0]["n"])


def pauses(daemon: Daemon) -> list[Row]:
    return daemon.rows(PAUSES)


def captured(daemon: Daemon) -> tuple[Row, dict[str, Any]] | None:
    """What was captured first (on a busy machine that may be a snapshot), and its metadata."""
    for row in daemon.rows("SELECT * FROM stalls WHERE capture = 'done' ORDER BY id"):
        folder = daemon.state / "pauses" / row["directory"]
        return row, json.loads((folder / "metadata.json").read_text())
    return None


def at_work(daemon: Daemon, more: int = 3) -> None:
    before = samples(daemon)
    until(lambda: samples(daemon) >= before + more, f"{more} more samples\n{daemon.output()}")


@pytest.mark.needs("linux")
def test_a_stopped_daemon_notices_its_pause_and_tells_while_it_runs(daemon: Daemon) -> None:
    daemon.jobs(JOBS).start()
    at_work(daemon)
    daemon.signal(signal.SIGSTOP)
    time.sleep(3)
    daemon.signal(signal.SIGCONT)
    (pause,) = until(lambda: pauses(daemon), "the pause")
    assert (pause["cause"], pause["review"]) == ("stopped", "unreviewed")
    assert pause["surplus"] > 2 and pause["expected"] == 0.5
    (note,) = until(
        lambda: [one for one in daemon.notes() if one["key"] == "pause" and "stopped" in one["title"]],
        "its notice",
    )
    assert (note["job"], note["severity"], note["kind"]) == ("pauses", "medium", "notice")
    until(lambda: pauses(daemon)[0]["told_at"], "that it was told")
    status = daemon.cli("status", "--json")
    assert status["event_count"] >= 1 and status["current_stress"] is not None
    # Told to end while it captures: it ends as quickly as ever, and the directory is whole.
    until(lambda: list((daemon.state / "pauses").glob("*.part/jobs.json")), "a capture under way")
    assert timed(daemon.stop) < CAPTURES
    assert daemon.ended() == 0, daemon.output()
    daemon.start()
    row, about = until(lambda: captured(daemon), "the capture")
    assert about["id"] == row["id"] and "samples.json" in about["captured"]
    assert len(pauses(daemon)) == 1, "a restart is no pause"


def test_a_killed_daemon_loses_no_sample_but_the_last_and_samples_again(daemon: Daemon) -> None:
    daemon.jobs(JOBS).start()
    at_work(daemon, 5)
    daemon.kill()
    rows = daemon.rows('SELECT at, "gap" AS gap FROM samples ORDER BY id')
    for before, after in itertools.pairwise(rows):
        assert (after["at"] - before["at"]) / 1e6 == pytest.approx(after["gap"], abs=0.05)
    count = len(rows)
    daemon.start()
    until(lambda: samples(daemon) >= count + 3, f"samples again\n{daemon.output()}")
    first = daemon.rows('SELECT "gap" AS gap, "interval" AS expected FROM samples ORDER BY id')[count]
    assert (first["gap"], first["expected"]) == (None, None), "the first one has nothing before it"
    assert pauses(daemon) == []


@pytest.mark.needs("linux")
def test_a_daemon_killed_while_it_captures_completes_that_at_the_next_start(daemon: Daemon) -> None:
    daemon.jobs(JOBS).start()
    at_work(daemon)
    daemon.signal(signal.SIGSTOP)
    time.sleep(3)
    daemon.signal(signal.SIGCONT)
    until(lambda: list((daemon.state / "pauses").glob("*.part/jobs.json")), "a capture under way")
    daemon.kill()
    daemon.start()
    row, about = until(lambda: captured(daemon), "the capture")
    assert row["capture_why"] == "Jarvis was ended while it captured this"
    assert "samples.json" in about["captured"] and "the rest" in about["not_captured"]
    assert [one.name for one in (daemon.state / "pauses").iterdir()] == [row["directory"]]


HOG = """
    '''Take a place among the threads until told to end, and use a processor now and then.'''

    def run(ctx) -> None:
        while not ctx.wait(0.2):
            sum(range(50_000))
"""


def test_sampling_waits_for_no_other_job(daemon: Daemon) -> None:
    """The only place for threads is taken, the only one for processes too, and more is waiting for both."""
    daemon.handler("hog", HOG)
    often = JOBS.replace("500ms", "200ms") + "    long: {start: daemon, command: sleep 600}\n"
    hogs = "".join(f"    hog-{number}: {{run: hog, in: thread, start: daemon}}\n" for number in range(3))
    daemon.jobs(often + hogs, "slots: {process: 1, thread: 1}\n").start()
    daemon.wait_for("long", "running")
    until(lambda: len(daemon.runs(None, "queued")) >= 3, "others wait for a place")
    assert sum(row["job"].startswith("hog") for row in daemon.runs(None, "running")) == 1
    at_work(daemon, 10)
    assert len(daemon.runs("pauses", "running")) == 1
    daemon.cli("down", "--stop-jobs")
    assert daemon.ended() == 0


def test_a_reload_is_no_pause(daemon: Daemon) -> None:
    daemon.jobs(JOBS).start()
    at_work(daemon)
    for _ in range(3):
        daemon.reload()
    at_work(daemon)
    assert len(daemon.runs("pauses")) == 1, "what did not change goes on"
    before = samples(daemon)
    daemon.jobs(JOBS.replace("interval: 500ms", "interval: 400ms"))
    daemon.reload()
    until(
        lambda: len(daemon.runs("pauses", "running")) == 1 and len(daemon.runs("pauses")) == 2, "the new one"
    )
    at_work(daemon)
    rows = daemon.rows('SELECT "gap" AS gap, "interval" AS expected FROM samples ORDER BY id')[before:]
    first = next(row for row in rows if row["gap"] is None)
    assert first["expected"] is None, "the first one has nothing before it"
    assert pauses(daemon) == []
