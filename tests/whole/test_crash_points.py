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
knock: {{every: 1s, run: knock, in: thread}}
heard: {{on: {{event: "test/*"}}, command: '{MARK}'}}
after: {{on: {{job: tick}}, command: '{MARK}'}}
last: {{on: {{job: after, status: ended}}, command: '{MARK}'}}
again: {{every: 1s, command: '{MARK}', on_lost: rerun}}
tidy: {{every: 2s, run: prune, in: thread}}
seen: {{watch: {{paths: jobs.yaml, debounce: 50ms}}, command: '{MARK}'}}
mounted: {{start: mount, command: '{MARK}'}}
told: {{every: 2s, command: '{MARK}; echo $JARVIS_FIRE', deliver: {{to: file}}}}
sore: {{every: 2s, command: 'exit 1', retry: none}}
"""
CHANNELS = "alerts: {channels: {file: {journal: told.jsonl, rate: 0s}}}"
THREAD = '''
"""Leave a mark."""
from jarvis import Context

def run(ctx: Context) -> None:
    with open("marks", "a") as file:
        file.write(f"{ctx.run.job} {ctx.run.fire} {ctx.run.attempt}\\n")
'''
KNOCK = '''
"""Say that something happened."""
from jarvis import Context

def run(ctx: Context) -> None:
    ctx.events.add(source="test", event_type="knock", payload={"fire": ctx.run.fire}, received_at=ctx.now)
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
    daemon.handler("knock", KNOCK)
    daemon.jobs(JOBS, CHANNELS)
    if point.startswith("prune."):
        grow_old(daemon)
    if point == "alerts.unsilenced":
        silence_for_a_while(daemon)
    daemon.launch(JARVIS_CRASH_AT=point, JARVIS_CRASH_ONCE=str(once))
    until(once.exists, f"the crash at {point}")
    if point.startswith("supervisor."):
        assert daemon.running
    else:
        assert daemon.ended() == -9
        daemon.start()
    after = int(time.time() * 1_000_000)
    for job in ("tick", "slow", "again", "thready", "heard", "last"):
        daemon.wait_after(after, job, "succeeded")
    until(lambda: daemon.runs("flaky", "succeeded"), "a second attempt of flaky")
    assert daemon.stop() == 0
    check_marks(daemon, point)
    check_causes(daemon)


def grow_old(daemon: Daemon) -> None:
    """Something to prune: more runs of long ago than go in one batch."""
    daemon.start()
    assert daemon.stop() == 0
    with closing(sqlite3.connect(daemon.ledger)) as connection, connection:
        connection.executemany(OLD, [(10**6 + number, number) for number in range(600)])


def silence_for_a_while(daemon: Daemon) -> None:
    """Something that is silenced, and soon no more."""
    daemon.start()
    daemon.cli("alerts", "silence", "--for", "5s", "--match", "sore")
    until(lambda: "silenced" in [one["verdict"] for one in daemon.notes()], "a failure is silenced")
    assert daemon.stop() == 0


def check_marks(daemon: Daemon, point: str) -> None:
    """Nothing ran twice; what succeeded ran once; what may have been lost is what the point can lose."""
    marks = daemon.marks()
    assert unaccounted(daemon) == []
    for row in daemon.runs():
        if row["status"] == "succeeded" and row["job"] not in ("tidy", "knock"):
            assert marks.count((row["job"], row["fire"], row["attempt"])) == 1, row
    lost = {row["job"] for row in daemon.runs(None, "lost")}
    if point in ("supervisor.after-claim", "supervisor.after-start", "supervisor.before-result"):
        assert len(daemon.runs(None, "lost")) == 1
    else:
        assert lost <= {"thready", "tidy", "knock"}, "only a thread dies with the daemon"
    again = [row for row in daemon.runs("again") if row["attempt"] > 1]
    assert len(again) == len(daemon.runs("again", "lost"))
    assert all("lost" in row["reason"] for row in again)


def check_causes(daemon: Daemon) -> None:
    """Every event that was looked at fired its job exactly once; every end of tick has what follows it."""
    heard = [row["fire"] for row in daemon.runs("heard") if row["attempt"] == 1]
    events = daemon.rows("SELECT id, status, matched_at FROM events")
    assert sorted(heard) == sorted(f"event:{row['id']}" for row in events if row["matched_at"])
    ended = {row["fire"] for row in daemon.runs("heard") if row["ended_at"]}
    assert {row["status"] for row in events if f"event:{row['id']}" in ended} <= {"processed", "failed"}
    for job, follower in (("tick", "after"), ("after", "last")):
        wanted = "succeeded" if follower == "after" else None
        over = [row["id"] for row in daemon.runs(job) if row["ended_at"] and wanted in (None, row["status"])]
        assert sorted(row["fire"] for row in daemon.runs(follower)) == sorted(f"run:{one}" for one in over)
