"""Is anything lost, repeated or left open when a process dies at the worst moment? Every named point, one by one."""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.whole.daemon import MARK, ROOT, Daemon, until
from tests.whole.oracle import unaccounted

NAMED = re.compile(r"""(?:crashpoint\.here|\bcrash)\(\s*["']([a-z.-]+)["']""")


def points() -> list[str]:
    """Every crash point there is in the source: a new one is tested without being added here."""
    texts = (path.read_text() for path in sorted((ROOT / "jarvis").rglob("*.py")))
    return sorted({name for text in texts for name in NAMED.findall(text)})


JOBS = f"""
tick: {{every: 1s, command: '{MARK}'}}
slow: {{every: 1s, command: 'sleep 0.4; {MARK}'}}
flaky: {{every: 2s, command: '{MARK}; test $JARVIS_ATTEMPT = 2', retry: {{times: 1, wait: 1s}}}}
thready: {{every: 1s, run: mark, in: thread}}
again: {{every: 1s, command: '{MARK}', on_lost: rerun}}
tidy: {{every: 2s, run: prune, in: thread}}
"""
THREAD = '''
"""Leave a mark."""
from jarvis import Context

def run(ctx: Context) -> None:
    with open("marks", "a") as file:
        file.write(f"{ctx.run.job} {ctx.run.fire} {ctx.run.attempt}\\n")
'''
OLD = """
INSERT INTO runs
  (id, job, fire, attempt, status, reason, scheduled_at, queued_at, ended_at, output_bytes, output_dropped)
VALUES (?, 'old', 'manual:' || ?, 1, 'skipped', 'long ago', 1, 1, 1, 0, 0)
"""


def test_there_are_points_in_the_daemon_and_in_the_supervisor() -> None:
    found = points()
    assert {name.partition(".")[0] for name in found} >= {
        "pass",
        "change",
        "conductor",
        "supervisor",
        "prune",
    }
    assert len(found) >= 15


@pytest.mark.parametrize("point", points())
def test_a_crash_at_this_point_loses_and_repeats_nothing(daemon: Daemon, point: str, tmp_path: Path) -> None:
    once = tmp_path / "once"
    daemon.handler("mark", THREAD)
    daemon.jobs(JOBS)
    if point.startswith("prune."):
        grow_old(daemon)
    daemon.launch(JARVIS_CRASH_AT=point, JARVIS_CRASH_ONCE=str(once))
    until(once.exists, f"the crash at {point}")
    if point.startswith("supervisor."):
        assert daemon.running
    else:
        assert daemon.ended() == -9
        daemon.start()
    after = int(time.time() * 1_000_000)
    for job in ("tick", "slow", "again", "thready"):
        daemon.wait_after(after, job, "succeeded")
    until(lambda: daemon.runs("flaky", "succeeded"), "a second attempt of flaky")
    assert daemon.stop() == 0
    check_marks(daemon, point)


def grow_old(daemon: Daemon) -> None:
    """Something to prune: more runs of long ago than go in one batch."""
    daemon.start()
    assert daemon.stop() == 0
    with closing(sqlite3.connect(daemon.ledger)) as connection, connection:
        connection.executemany(OLD, [(10**6 + number, number) for number in range(600)])


def check_marks(daemon: Daemon, point: str) -> None:
    """Nothing ran twice; what succeeded ran once; what may have been lost is what the point can lose."""
    marks = daemon.marks()
    assert unaccounted(daemon) == []
    for row in daemon.runs():
        if row["status"] == "succeeded" and row["job"] != "tidy":
            assert marks.count((row["job"], row["fire"], row["attempt"])) == 1, row
    lost = {row["job"] for row in daemon.runs(None, "lost")}
    if point in ("supervisor.after-claim", "supervisor.after-start", "supervisor.before-result"):
        assert len(daemon.runs(None, "lost")) == 1
    else:
        assert lost <= {"thready", "tidy"}, "only a thread dies with the daemon"
    again = [row for row in daemon.runs("again") if row["attempt"] > 1]
    assert len(again) == len(daemon.runs("again", "lost"))
    assert all("lost" in row["reason"] for row in again)
