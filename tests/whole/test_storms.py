"""Is anything lost, doubled or forgotten when a daemon with everything on is killed again and again?

The kills are random; the seed is printed, and ``JARVIS_TEST_SEED`` repeats one.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.whole.daemon import MARK, Daemon, until

WAVE = '''
"""Say once that it ran, and complain while the flag is down."""
from pathlib import Path
from jarvis import Context

def run(ctx: Context) -> None:
    ctx.alert(f"wave {ctx.run.fire} {ctx.run.attempt}", severity="low")
    if not Path("flag").exists():
        ctx.alert("the flag is down", key="flag")
'''
JOBS = f"""
tick: {{every: 1s, command: '{MARK}'}}
first: {{every: 2s, command: '{MARK}'}}
second: {{on: {{job: first}}, command: '{MARK}'}}
third: {{on: {{job: second, status: ended}}, command: '{MARK}; exit 1'}}
poll: {{every: 1s, run: webhook_poll, with: {{settle: 0s}}}}
heard: {{on: {{event: "test/*"}}, command: '{MARK}'}}
wave: {{on: {{event: "test/*"}}, run: wave, retry: none}}
seen: {{watch: {{paths: in, debounce: 200ms}}, command: '{MARK}'}}
web: {{command: 'echo $$ >> webs; exec sleep 600', service: {{wait: 500ms}}}}
pauses: {{run: pause_sample, in: thread, service: {{wait: 500ms}}, with: {{interval: 500ms}}}}
check:
  every: 1s
  run: invariants
  with: {{invariants: {{flag: {{up: {{command: "test -e flag"}}, grace: 0s}}}}}}
"""
CHANNEL = "alerts: {storm: 10000, channels: {file: {journal: told.jsonl, rate: 100ms}}}\n"


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(30, id="thirty kills"),
        pytest.param(300, id="three hundred kills", marks=[pytest.mark.campaign, pytest.mark.timeout(1_200)]),
    ],
)
def test_nothing_is_lost_doubled_or_forgotten_after(daemons: Callable[..., Daemon], kills: int) -> None:
    seed = int(os.environ.get("JARVIS_TEST_SEED", random.randrange(10**6)))
    print(f"JARVIS_TEST_SEED={seed}")
    dice = random.Random(seed)
    daemon = daemons()
    for folder in (daemon.folder / "in", daemon.state, daemon.state / "inbox"):
        folder.mkdir(mode=0o700)
    daemon.handler("wave", WAVE)
    daemon.jobs(JOBS, CHANNEL).start()
    (web,) = daemon.wait_for("web", "running")
    (ticket,) = until(lambda: daemon.rows("SELECT * FROM tickets"), "a ticket")
    for number in range(kills):
        happen(daemon, number)
        if dice.random() < 0.7:
            until(daemon.ready, "a start")
            time.sleep(dice.uniform(0.0, 0.6))
        else:
            time.sleep(dice.uniform(0.2, 0.6))
        daemon.kill()
        daemon.launch()
    until(daemon.ready, "the last start")
    settle(daemon, kills)

    events(daemon, kills)
    chains(daemon)
    changes(daemon, kills)
    messages(daemon)
    (again,) = daemon.rows("SELECT * FROM tickets WHERE key = 'flag'")
    assert (again["id"], again["first_seen_at"]) == (ticket["id"], ticket["first_seen_at"]), f"seed {seed}"
    assert again["count"] > ticket["count"] and again["resolved_at"] is None
    (same,) = daemon.runs("web")
    assert (same["id"], same["status"]) == (web["id"], "running"), "adopted by each daemon, never doubled"
    (pid,) = (daemon.folder / "webs").read_text().split()
    assert psutil.Process(int(pid)).is_running()
    open_ = [row for row in daemon.runs("pauses") if row["ended_at"] is None]
    assert len(open_) == 1
    assert {row["status"] for row in daemon.runs("pauses")} <= {"lost", "running", "cancelled", "succeeded"}
    daemon.cli("jobs", "disable", "web")
    until(lambda: not daemon.runs("web", "running"), "the service has ended")


def happen(daemon: Daemon, number: int) -> None:
    """A file in the inbox, and one in the watched folder."""
    inbox = daemon.state / "inbox"
    draft = inbox / f"{number:04}.draft"
    draft.write_text(json.dumps({"source": "test", "event_type": "knock", "payload": number}))
    draft.rename(inbox / f"{number:04}.json")
    (daemon.folder / "in" / f"{number:04}").write_text("x")


def settle(daemon: Daemon, kills: int) -> None:
    """Everything that happened has had its consequences, and was told."""
    until(lambda: len(daemon.runs("heard", "succeeded")) >= kills, "every event was heard", 60)
    until(lambda: len(daemon.runs("wave", "succeeded")) >= kills, "by both jobs", 60)
    until(lambda: len(seen(daemon)) >= kills, "every file was seen", 30)
    for job in ("tick", "first", "second", "third", "poll", "check"):
        daemon.cli("jobs", "disable", job)
    busy = "SELECT id, job FROM runs WHERE status IN ('queued', 'running') AND job NOT IN ('web', 'pauses')"
    until(lambda: not daemon.rows(busy), "nothing is open any more", 30)
    new = "SELECT id FROM journal WHERE verdict IN ('new', 'held')"
    waiting = "SELECT id FROM deliveries WHERE status = 'queued'"
    until(lambda: not daemon.rows(new) and not daemon.rows(waiting), "everything is told", 30)


def events(daemon: Daemon, kills: int) -> None:
    rows = daemon.rows("SELECT * FROM events ORDER BY id")
    assert sorted(row["file"] for row in rows) == [f"{number:04}.json" for number in range(kills)]
    assert {row["status"] for row in rows} == {"processed"}
    fires = [f"event:{row['id']}" for row in rows]
    for job in ("heard", "wave"):
        assert sorted(row["fire"] for row in daemon.runs(job)) == sorted(fires)
    assert Counter(fire for job, fire, _ in daemon.marks() if job == "heard") == Counter(fires)


def chains(daemon: Daemon) -> None:
    for job, follower, ends in (("first", "second", ["succeeded"]), ("second", "third", [])):
        over = [row["id"] for row in daemon.runs(job, *ends) if row["ended_at"] and row["status"] != "missed"]
        told = [row["fire"] for row in daemon.runs(follower) if row["status"] != "skipped"]
        assert sorted(told) == sorted(f"run:{one}" for one in over)


def seen(daemon: Daemon) -> list[str]:
    """The files that changes were told of."""
    causes = [json.loads(row["cause"]) for row in daemon.runs("seen")]
    return [Path(path).name for cause in causes for path in cause["paths"]]


def changes(daemon: Daemon, kills: int) -> None:
    assert Counter(seen(daemon)) == Counter(f"{number:04}" for number in range(kills))


def messages(daemon: Daemon) -> None:
    """Said at least once, and twice only what was on its way when the daemon was killed."""
    lines = [json.loads(line) for line in (daemon.folder / "told.jsonl").read_text().splitlines()]
    said = Counter(number for line in lines for number in line["ids"])
    rows = daemon.rows("SELECT * FROM deliveries")
    assert {row["status"] for row in rows} == {"sent"}
    assert said.keys() == {row["id"] for row in rows}
    assert max(said.values()) <= 2
    waves = [row for row in daemon.notes() if row["title"].startswith("wave ")]
    assert sorted(row["title"] for row in waves) == sorted(
        f"wave {row['fire']} 1" for row in daemon.runs("wave")
    )
    about = Counter(number for row in rows for number in json.loads(row["about"] or "[]"))
    assert all(about[row["id"]] == 1 for row in waves), "each in one message"
    flags = daemon.rows("SELECT * FROM problems WHERE key = 'flag' AND job = 'wave'")
    assert len(flags) == 1 and flags[0]["ended_at"] is None
