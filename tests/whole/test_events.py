"""From a file in the inbox to a run, chains over restarts, and kill -9 while both are at work."""

from __future__ import annotations

import json
import os
import random
import time
from datetime import datetime
from statistics import median

from tests.whole.daemon import MARK, SECOND, Daemon, until

INBOX = """
poll: {every: 1s, run: webhook_poll}
deploy: {on: {event: "github/*", where: {ref: "refs/heads/*"}}, command: 'cp "$JARVIS_CAUSE_FILE" told'}
"""
CHAIN = f"""
first: {{every: 1s, command: '{MARK}'}}
second: {{on: {{job: first}}, command: '{MARK}'}}
third: {{on: {{job: second, status: ended}}, command: '{MARK}'}}
heard: {{on: {{event: "test/*"}}, command: '{MARK}'}}
poll: {{every: 1s, run: webhook_poll}}
"""


def drop(daemon: Daemon, name: str, event: dict[str, object]) -> None:
    """A file that nobody writes any more."""
    folder = daemon.state / "inbox"
    folder.mkdir(exist_ok=True)
    draft = folder / f"{name}.draft"
    draft.write_text(json.dumps(event))
    os.utime(draft, (time.time() - 60, time.time() - 60))
    draft.rename(folder / f"{name}.json")


def test_a_file_in_the_inbox_becomes_a_run_that_knows_its_event(daemon: Daemon) -> None:
    daemon.jobs(INBOX).start()
    drop(daemon, "push", {"source": "github", "event_type": "push", "payload": {"ref": "refs/heads/main"}})
    drop(daemon, "other", {"source": "github", "event_type": "issue"})
    row = daemon.wait_for("deploy", "succeeded")[0]
    told = json.loads((daemon.folder / "told").read_text())
    assert told["payload"] == {"ref": "refs/heads/main"} and row["fire"] == f"event:{told['event']}"
    until(lambda: not daemon.cli("events", "list", "--status", "pending", "--json"), "all are dealt with")
    shown = {one["type"]: one["status"] for one in daemon.cli("events", "list", "--json")}
    assert shown == {"push": "processed", "issue": "unmatched"}
    assert sorted(os.listdir(daemon.state / "inbox" / "processed")) == ["other.json", "push.json"]
    said = daemon.cli("runs", "show", str(row["id"]))
    assert f"because of event {told['event']} github/push" in said


def test_an_event_that_is_published_while_nothing_runs_fires_at_the_next_start(daemon: Daemon) -> None:
    daemon.jobs(INBOX).start()
    assert daemon.stop() == 0
    said = daemon.cli("events", "publish", "github/push", "--payload", '{"ref": "refs/heads/x"}')
    assert "is stored" in said and "at the next start" in said
    daemon.start()
    daemon.wait_for("deploy", "succeeded")


def test_what_is_published_to_a_running_daemon_runs_at_once(daemon: Daemon) -> None:
    daemon.jobs('heard: {on: {event: "a/*"}, command: "true"}').start()

    waits = []
    for number in range(1, 6):
        daemon.cli("events", "publish", "a/b")
        row = daemon.wait_for("heard", "succeeded", count=number)[-1]
        received = datetime.fromisoformat(json.loads(row["cause"])["received_at"])
        waits.append(row["started_at"] / SECOND - received.timestamp())
    assert median(waits) < 1, "the clock looks by itself each five seconds"


def test_a_run_that_ends_while_the_daemon_is_down_has_its_follower_at_the_next_start(daemon: Daemon) -> None:
    daemon.jobs(f"long: {{command: 'sleep 1'}}\nafter: {{on: {{job: long}}, command: '{MARK}'}}").start()
    daemon.cli("jobs", "run", "long")
    daemon.wait_for("long", "running")
    daemon.kill()
    until(lambda: list((daemon.state / "runs").glob("*/*/result")), "the supervisor recorded the end")
    daemon.start()
    row = daemon.wait_for("after", "succeeded")[0]
    daemon.restart()
    assert [one["fire"] for one in daemon.runs("after")] == [row["fire"]]
    assert [fire for _job, fire, _attempt in daemon.marks()] == [row["fire"]]


def test_twenty_kills_lose_and_double_no_event_and_no_link_of_a_chain(daemon: Daemon) -> None:
    chance = random.Random(7)
    daemon.jobs(CHAIN).start()
    for number in range(20):
        for each in range(3):
            drop(daemon, f"{number:02}-{each}", {"source": "test", "event_type": "knock", "payload": number})
        time.sleep(chance.uniform(0.0, 0.5))
        daemon.kill()
        daemon.start()
    until(lambda: len(daemon.runs("heard", "succeeded")) == 60, "every event was dealt with", 60)
    assert daemon.stop() == 0
    events = daemon.rows("SELECT id, status, file FROM events ORDER BY id")
    assert len(events) == len({row["file"] for row in events}) == 60
    assert {row["status"] for row in events} == {"processed"}
    assert [row["fire"] for row in daemon.runs("heard")] == [f"event:{row['id']}" for row in events]
    for job, follower, ends in (("first", "second", ["succeeded"]), ("second", "third", [])):
        over = [row["id"] for row in daemon.runs(job, *ends) if row["ended_at"]]
        assert sorted(row["fire"] for row in daemon.runs(follower)) == sorted(f"run:{one}" for one in over)


def test_a_chain_that_comes_back_to_its_beginning_is_refused_with_its_line(daemon: Daemon) -> None:
    daemon.jobs("a: {on: {job: b}, command: x}\nb: {on: {job: a}, command: x}")
    said = daemon.cli("check", code=2)
    assert "jobs.yaml:3:17: a: on: this chain comes back" in said and "a -> b -> a" in said
