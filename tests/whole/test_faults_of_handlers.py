"""Does a bad handler hurt only itself, whatever made it run: an event, a changed file, or that it is a service?"""

from __future__ import annotations

import json
from pathlib import Path

import psutil

from tests.whole.beside import TICK, OnTime
from tests.whole.daemon import MARK, Daemon, Row, until

BAD = '''
"""Do what handlers should not do."""
import ctypes, os, signal, sys, time
from jarvis import Context

def run(ctx: Context, *, what: str) -> None:
    if what == "raises":
        raise RuntimeError("no such luck")
    if what == "segfaults":
        ctypes.string_at(0)
    if what == "forks":
        if os.fork() == 0:
            os.setsid()
            os.execvp("sleep", ["sleep", "300"])
        time.sleep(0.2)
        return
    if what == "shouts":
        for _ in range(300):
            sys.stdout.write("x" * 99_999 + "\\n")
        return
    if what == "is-deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(300)
'''
ENDS = {
    "raises": ("failed", "RuntimeError: no such luck"),
    "segfaults": ("failed", "killed by signal 11"),
    "forks": ("succeeded", ""),
    "shouts": ("succeeded", ""),
    "hangs": ("timed_out", "its timeout"),
    "is-deaf": ("timed_out", "its timeout"),
}


def jobs(how: str) -> str:
    common = "run: bad, retry: none, timeout: 2s, stop: {after: 1s}"
    return TICK + "".join(f"{what}: {{{common}, with: {{what: {what}}}, {how}}}\n" for what in ENDS)


def check(daemon: Daemon, what: str, row: Row) -> None:
    status, reason = ENDS[what]
    assert (row["status"], reason in (row["reason"] or "")) == (status, True), row
    if what == "shouts":
        assert row["output_bytes"] == 30_000_000 and row["output_dropped"] > 0


def test_bad_handlers_that_an_event_made_run_end_each_in_its_way_and_the_event_says_which(
    daemon: Daemon,
    on_time: OnTime,
) -> None:
    daemon.handler("bad", BAD)
    followers = "".join(
        f"after-{what}: {{on: {{job: {what}, status: bad}}, command: '{MARK}'}}\n" for what in ENDS
    )
    daemon.jobs(jobs("on: {event: 'go/*'}") + followers).start()
    before = psutil.Process(daemon.pid).memory_info().rss
    daemon.cli("events", "publish", "go/now")
    for what, (status, _) in ENDS.items():
        (row,) = daemon.wait_for(what, status)
        check(daemon, what, row)
        assert row["fire"] == "event:1"
    (event,) = until(
        lambda: daemon.rows("SELECT * FROM events WHERE status != 'pending'"), "the event is done with"
    )
    assert event["status"] == "failed"
    bad = [what for what, (status, _) in ENDS.items() if status != "succeeded"]
    assert all(what in event["reason"] for what in bad), event["reason"]
    for what in bad:
        (row,) = daemon.runs(what)
        (follower,) = daemon.wait_for(f"after-{what}", "succeeded")
        assert follower["fire"] == f"run:{row['id']}"
    assert not [row for row in daemon.runs() if row["job"] in ("after-forks", "after-shouts")]
    until(lambda: not daemon.named("sleep"), "what was forked is gone")
    assert psutil.Process(daemon.pid).memory_info().rss - before < 30_000_000
    on_time(daemon, within=3)


def test_bad_handlers_that_a_change_made_run_run_again_with_the_next_change(
    daemon: Daemon, on_time: OnTime
) -> None:
    daemon.handler("bad", BAD)
    folder = daemon.folder / "in"
    folder.mkdir()
    daemon.jobs(jobs("watch: {paths: in, debounce: 200ms, initial: false}")).start()
    until(lambda: len(daemon.rows("SELECT * FROM watches")) >= len(ENDS), "the folder was looked at")
    for count, name in enumerate(("a", "b"), 1):
        (folder / name).write_text("x")
        for what, (status, _) in ENDS.items():
            check(daemon, what, daemon.wait_for(what, status, count=count)[-1])
    told = [json.loads(row["cause"])["paths"] for row in daemon.runs("raises")]
    assert [[Path(path).name for path in paths] for paths in told] == [["a"], ["b"]]
    until(lambda: not daemon.named("sleep"), "what was forked is gone")
    on_time(daemon, within=3)


def test_bad_handlers_that_are_services_are_started_again_and_left_alone_in_the_end(
    daemon: Daemon, on_time: OnTime
) -> None:
    daemon.handler("bad", BAD)
    how = "service: {restart: on-failure, wait: 100ms, max_wait: 200ms, healthy_after: 30s, tries: 2}"
    daemon.jobs(jobs(how)).start()
    for what, (status, _) in ENDS.items():
        count = 2 if status != "succeeded" else 1
        for row in daemon.wait_for(what, status, count=count):
            check(daemon, what, row)
    until(
        lambda: not [row for row in daemon.runs(None, "running", "queued") if row["job"] in ENDS],
        "all ended",
    )
    bad = {what for what, (status, _) in ENDS.items() if status != "succeeded"}
    until(
        lambda: {note["job"] for note in daemon.notes() if note["key"] == "service"} == bad,
        "a person is told",
    )
    assert {what: len(daemon.runs(what)) for what in ENDS} == {
        what: 2 if status != "succeeded" else 1 for what, (status, _) in ENDS.items()
    }
    until(lambda: not daemon.named("sleep"), "what was forked is gone")
    on_time(daemon, within=3)


def test_event_runs_that_hang_use_up_their_slots_and_people_see_who_waits_and_hear_of_it(
    daemon: Daemon,
    on_time: OnTime,
) -> None:
    daemon.handler("quick", '"""Come back at once."""\n\ndef run(ctx):\n    return None\n')
    daemon.jobs(
        "hang: {on: {event: 'hang/*'}, command: 'while test ! -e well; do sleep 0.1; done', overlap: allow}\n"
        f"waits: {{on: {{event: 'wait/*'}}, command: '{MARK}', alert: {{not_started_within: 2s}}}}\n"
        "thready: {every: 1s, overlap: allow, catch_up: all, run: quick, in: thread}\n"
        "heard: {on: {event: 'wait/*'}, run: quick, in: thread}\n",
        "slots: {process: 3, thread: 2}\nalerts: {channels: {file: {journal: told.jsonl, rate: 10ms}}}\n",
    ).start()
    for number in range(3):
        daemon.cli("events", "publish", f"hang/{number}")
    daemon.wait_for("hang", "running", count=3)
    for number in range(2):
        daemon.cli("events", "publish", f"wait/{number}")
    daemon.wait_for("heard", "succeeded", count=2)
    (first, _second) = daemon.wait_for("waits", "queued", count=2)
    waiting = daemon.cli("status", "--json")["waiting_runs"]
    assert [(one["job"], one["position"]) for one in waiting] == [("waits", 1), ("waits", 2)]
    assert "no free process slot" in waiting[0]["why"] and waiting[0]["since_at"]
    shown = daemon.cli("runs", "show", str(first["id"]), "--json")["waiting"]
    assert shown["position"] == 1 and shown["seconds"] > 0
    assert "no free process slot" in str(daemon.cli("runs", "show", str(first["id"])))
    path = daemon.folder / "told.jsonl"
    until(lambda: path.exists() and "waits: not started" in path.read_text(), "a person is told")
    on_time(daemon, "thready", within=3)
    (daemon.folder / "well").touch()
    daemon.wait_for("waits", "succeeded", count=2)
    until(lambda: "over: waits: not started" in path.read_text(), "and that it is over")
    until(
        lambda: not daemon.rows("SELECT * FROM events WHERE status != 'processed'"),
        "every event is processed",
    )
