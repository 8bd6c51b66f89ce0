"""Is anything lost, late or without a bound when thousands of events or alerts come at once?"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import time
from collections import Counter
from contextlib import closing
from functools import partial
from typing import Any

import psutil
import pytest
from pytest_httpserver import HTTPServer

from tests.whole.beside import TICK, OnTime
from tests.whole.daemon import MARK, Daemon, Row, until

SIZES = [
    pytest.param(1_000, id="a thousand"),
    pytest.param(
        10_000, id="ten thousand in a minute", marks=[pytest.mark.campaign, pytest.mark.timeout(1_200)]
    ),
]
HEAR = '''
"""Hear an event; each fiftieth is too much."""
from jarvis import Context

def run(ctx: Context) -> None:
    if ctx.run.cause["payload"] % 50 == 0:
        raise ValueError("too much")
'''
RAISE = '''
"""Raise alerts without end."""
from jarvis import Context

def run(ctx: Context, *, count: int) -> None:
    for number in range(count):
        ctx.alert(f"alarm {ctx.run.cause['payload']}-{number}", severity=("low", "high")[number % 2])
'''


def payload_of(number: int) -> dict[str, Any]:
    """Each tenth is nobody's."""
    return {"source": "other" if number % 10 == 9 else "flood", "event_type": "drop", "payload": number}


def drop(daemon: Daemon, numbers: range) -> None:
    """Files in the inbox, which nobody writes any more."""
    folder = daemon.state / "inbox"
    folder.mkdir(exist_ok=True)
    long_ago = time.time() - 60
    for number in numbers:
        draft = folder / f"{number:05}.draft"
        draft.write_text(json.dumps(payload_of(number)))
        os.utime(draft, (long_ago, long_ago))
        draft.rename(folder / f"{number:05}.json")


def publish(daemon: Daemon, events: list[dict[str, Any]]) -> None:
    """What ``jarvis events publish`` asks, over one connection to the control socket."""
    line = http.client.HTTPConnection("localhost", timeout=30)
    line.sock = socket.socket(socket.AF_UNIX)
    line.sock.connect(str(daemon.state / "control.sock"))
    with closing(line):
        for event in events:
            form = {"source": event["source"], "type": event["event_type"], "payload": event["payload"]}
            line.request("POST", "/v1/events/publish", json.dumps(form), {"Content-Type": "application/json"})
            answer = line.getresponse()
            said = answer.read()
            assert answer.status == 200, said


def heard(server: HTTPServer, messages: int) -> bool:
    return len(server.log) >= messages


def memory(daemon: Daemon) -> int:
    return int(psutil.Process(daemon.pid).memory_info().rss)


@pytest.mark.parametrize("count", SIZES)
def test_every_event_of_a_flood_has_its_end_and_each_job_ran_once_for_it(
    daemon: Daemon, count: int, on_time: OnTime
) -> None:
    daemon.handler("hear", HEAR)
    daemon.jobs(
        TICK
        + "poll: {every: 1s, run: webhook_poll}\n"
        + "threaded: {on: {event: 'flood/*'}, run: hear, in: thread, retry: none, max_instances: 4}\n"
        + f"program: {{on: {{event: 'flood/*'}}, command: '{MARK}', max_instances: 4}}\n"
    ).start()
    daemon.wait_for("tick", "succeeded")
    before = memory(daemon)
    drop(daemon, range(count // 2))
    publish(daemon, [payload_of(number) for number in range(count // 2, count)])
    most = 0

    def dealt_with() -> bool:
        nonlocal most
        most = max(most, memory(daemon))
        ends = "SELECT count(*) AS n FROM events WHERE status != 'pending'"
        return bool(daemon.rows(ends)[0]["n"] == count)

    until(dealt_with, "every event is dealt with", count / 10)
    # each event is kept with what it became, and each run with its event: bytes, not objects
    assert most - before < 60_000_000
    events = daemon.rows("SELECT * FROM events ORDER BY id")
    assert sorted(json.loads(row["payload"]) for row in events) == list(range(count)), "each one once"
    fires = [f"event:{row['id']}" for row in events if row["source"] == "flood"]
    for job in ("threaded", "program"):
        assert sorted(row["fire"] for row in daemon.runs(job)) == sorted(fires)
    assert Counter(fire for job, fire, _ in daemon.marks() if job == "program") == Counter(fires)
    assert [row["status"] for row in events] == [ended(row) for row in events]
    assert not list((daemon.state / "inbox").glob("*.json"))
    on_time(daemon, within=5)


def ended(event: Row) -> str:
    if event["source"] == "other":
        return "unmatched"
    return "failed" if json.loads(event["payload"]) % 50 == 0 else "processed"


@pytest.mark.parametrize("count", SIZES)
def test_every_alert_of_a_flood_is_told_or_counted_though_the_daemon_is_killed_in_the_middle(
    daemon: Daemon, httpserver: HTTPServer, count: int, on_time: OnTime
) -> None:
    httpserver.expect_request("/").respond_with_data("")
    daemon.handler("raise", RAISE)
    hook = f"hook: {{url: 'json://127.0.0.1:{httpserver.port}/', rate: 1s}}"
    daemon.jobs(
        TICK
        + f"loud: {{on: {{event: 'loud/*'}}, run: raise, with: {{count: {count // 10}}}, retry: none}}\n",
        f"alerts: {{storm: 20, cycle: 4s, channels: {{{hook}}}}}\n",
    ).start()
    daemon.wait_for("tick", "succeeded")
    begun = time.monotonic()
    publish(daemon, [{"source": "loud", "event_type": "go", "payload": number} for number in range(10)])
    for seen in (1, 2):
        until(partial(heard, httpserver, seen), "something is told", 60)
        daemon.kill()
        daemon.start()
    daemon.wait_for("loud", "succeeded", count=10, within=60)
    left = "SELECT id FROM journal WHERE verdict IN ('new', 'held')"
    until(lambda: not daemon.rows(left), "every alert is judged and told", 60)
    waiting = "SELECT id FROM deliveries WHERE status = 'queued'"
    until(lambda: not daemon.rows(waiting), "the outbox is empty", 60)
    took = time.monotonic() - begun

    notes = [row for row in daemon.notes() if row["job"] == "loud"]
    assert Counter(row["title"] for row in notes) == Counter(
        f"alarm {run}-{number}" for run in range(10) for number in range(count // 10)
    )
    sent = daemon.rows("SELECT * FROM deliveries")
    assert {row["status"] for row in sent} == {"sent"}
    about = [number for row in sent for number in json.loads(row["about"])]
    assert Counter(about) == Counter(row["id"] for row in daemon.notes()), "each alert is in one message"
    for row in (row for row in sent if row["kind"] == "digest"):
        assert row["subject"].startswith(f"{len(json.loads(row['about'])):,} alert")
    got = [json.loads(request.data) for request, _ in httpserver.log]
    told = "\n".join(f"{one['title']}\n{one['message']}" for one in got)
    assert all(row["subject"] in told for row in sent if row["kind"] == "digest")
    assert max(len(one["title"]) for one in got) <= 250 and max(len(one["message"]) for one in got) <= 32_768
    assert len(got) <= took + 4, "at most one message a second, and one more after each kill"
    alone = Counter(re.findall(r"alarm \d+-\d+$", told, re.MULTILINE))
    assert max(alone.values()) <= 3, "what was accepted and not noted at a kill is said once more"
    assert memory(daemon) < 250_000_000
    on_time(daemon, within=5, spans=True)
