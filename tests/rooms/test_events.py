"""Events and chains in a whole Jarvis: what is asked for runs once, and each event says what became of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from jarvis.core.run import Run, Status
from jarvis.errors import StoreError
from jarvis.running.glancing import Glance
from jarvis.store import deliveries, journal
from jarvis.store.database import Database
from jarvis.store.events import LARGEST, Arrival, Event, Events, Unfit, measure
from jarvis.store.journal import Note
from jarvis.store.ledger import Ledger
from tests.rooms.running_house import GATE, Running

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TELL = '''
"""Leave what it was told in a file.

Parameters:
    fail: whether it fails
"""
import json
from pathlib import Path
from jarvis import Context, Skip

def run(ctx: Context, *, file: str, skip: bool = False) -> None:
    Path(file).write_text(json.dumps(dict(ctx.run.cause)))
    if skip:
        raise Skip("nothing to do")
'''
NOTHING = '''
"""Do nothing."""
from jarvis import Context

def run(ctx: Context) -> None:
    return
'''
SHOUT = '''
"""Publish events from inside a handler."""
from jarvis import Context

def run(ctx: Context) -> None:
    ctx.events.add(source="inside", event_type="shout", received_at=ctx.now)
'''


@contextmanager
def house(folder: Path, jobs: str) -> Iterator[Running]:
    """At work, with these two handlers beside the shipped ones; audited when it has ended."""
    made = Running(folder, jobs)
    for name, text in (("tell", TELL), ("shout", SHOUT), ("nothing", NOTHING)):
        (folder / "handlers" / f"{name}.py").write_text(text)
    with made.open():
        yield made
    assert made.audit() == []


def publish(made: Running, name: str, payload: Any = None, **more: Any) -> int:
    source, _, kind = name.partition("/")
    return int(made.ask("events.publish", source=source, type=kind, payload=payload, **more)["id"])


def settled(made: Running, number: int) -> dict[str, Any]:
    """Wait until the event is done with."""
    made.until(lambda: made.ask("events.show", id=number)["status"] != "pending")
    found: dict[str, Any] = made.ask("events.show", id=number)
    return found


# Events.


def test_an_event_fires_every_job_that_is_on_it_once_and_is_processed(tmp_path: Path) -> None:
    jobs = """
        jobs:
          deploy: {command: "true", on: {event: "github/*", where: {ref: "refs/heads/*"}}}
          note: {command: "true", schedules: [{on: {event: "*/push"}}, {on: {event: "github/push"}}]}
          other: {command: "true", on: {event: "mail/*"}}
    """
    with house(tmp_path, jobs) as made:
        one = settled(made, publish(made, "github/push", {"ref": "refs/heads/main"}))
        assert (one["status"], one["jobs"]) == ("processed", ["deploy", "note"])
        assert [(run["job"], run["status"]) for run in one["runs"]] == [
            ("deploy", "succeeded"),
            ("note", "succeeded"),
        ]
        assert made.rows("other") == []
        assert [run.fire for run in made.rows("deploy")] == [f"event:{one['id']}"]


def test_an_event_is_failed_when_one_of_its_runs_fails_after_its_retries(tmp_path: Path) -> None:
    jobs = """
        jobs:
          good: {command: "true", on: {event: "a/*"}}
          bad: {command: "exit 3", on: {event: "a/*"}, retry: {times: 1, wait: 50ms}}
    """
    with house(tmp_path, jobs) as made:
        one = settled(made, publish(made, "a/b"))
        assert one["status"] == "failed" and one["reason"].endswith("of bad: failed")
        assert [(run["job"], run["attempt"]) for run in one["runs"] if run["job"] == "bad"] == [
            ("bad", 1),
            ("bad", 2),
        ]
        assert {run.cause["event"] for run in made.rows("bad")} == {one["id"]}


def test_an_event_whose_retry_succeeds_is_processed(tmp_path: Path) -> None:
    jobs = """
        jobs:
          flaky: {command: 'test $JARVIS_ATTEMPT = 2', on: {event: "a/*"}, retry: {times: 1, wait: 50ms}}
    """
    with house(tmp_path, jobs) as made:
        one = settled(made, publish(made, "a/b"))
        assert one["status"] == "processed" and len(one["runs"]) == 2


def test_an_event_nobody_is_on_is_unmatched_for_good(tmp_path: Path) -> None:
    with house(tmp_path, "jobs: {a: {command: 'true', on: {event: 'x/*'}}}") as made:
        number = publish(made, "y/z")
        assert settled(made, number)["status"] == "unmatched"
        made.edit("jobs: {a: {command: 'true', on: {event: 'y/*'}}}")
        made.app.reload(confirm=True)
        later = settled(made, publish(made, "y/z"))
        assert later["status"] == "processed"
        assert made.ask("events.show", id=number)["status"] == "unmatched"
        assert [run.fire for run in made.rows("a")] == [f"event:{later['id']}"]


def test_a_handler_that_finds_nothing_to_do_has_dealt_with_its_event(tmp_path: Path) -> None:
    jobs = "jobs: {a: {run: tell, with: {file: told, skip: true}, on: {event: 'x/*'}}}"
    with house(tmp_path, jobs) as made:
        one = settled(made, publish(made, "x/y"))
        assert (one["status"], one["runs"][0]["status"]) == ("processed", "skipped")


def test_events_wait_for_each_other_unless_the_job_says_how_they_overlap(tmp_path: Path) -> None:
    jobs = f"""
        jobs:
          line: {{command: "{GATE.format("gate")}", on: {{event: "a/*"}}}}
          alone: {{command: "{GATE.format("gate")}", on: {{event: "a/*"}}, overlap: skip}}
    """
    with house(tmp_path, jobs) as made:
        numbers = [publish(made, "a/b", key=str(number)) for number in range(3)]
        made.until(lambda: len(made.rows("alone", "skipped")) == 2)
        made.let("gate")
        found = [settled(made, number) for number in numbers]
        assert [one["status"] for one in found] == ["processed", "failed", "failed"]
        skipped = next(run for run in found[1]["runs"] if run["job"] == "alone")
        assert "still running (overlap: skip)" in skipped["reason"]
        assert [run.status for run in made.rows("line")] == [Status.SUCCEEDED] * 3
        assert [run.fire for run in made.rows("line")] == [f"event:{number}" for number in numbers]


def test_a_paused_job_skips_its_events_and_a_disabled_one_is_not_asked(tmp_path: Path) -> None:
    jobs = """
        jobs:
          a: {command: "true", on: {event: "x/*"}}
          b: {command: "true", on: {event: "x/*"}, enabled: false}
    """
    with house(tmp_path, jobs) as made:
        made.app.roster.pause("a", None, "holidays")
        one = settled(made, publish(made, "x/y"))
        assert (one["status"], one["jobs"]) == ("failed", ["a"])
        assert one["runs"][0]["reason"] == "holidays"
        made.app.roster.resume("a")
        made.app.roster.switch("b", True)
        assert settled(made, publish(made, "x/y"))["jobs"] == ["a", "b"]
        made.app.roster.switch("a", False)
        assert settled(made, publish(made, "x/y"))["jobs"] == ["b"]


def test_a_job_that_is_removed_before_its_run_starts_leaves_a_row_that_says_so(tmp_path: Path) -> None:
    jobs = f"""
        jobs:
          a: {{command: "{GATE.format("gate")}", on: {{event: "x/*"}}}}
          b: {{command: "true"}}
    """
    with house(tmp_path, jobs) as made:
        first, second = publish(made, "x/y"), publish(made, "x/y", key="2")
        made.until(lambda: len(made.rows("a", "queued")) == 1)
        made.edit("jobs: {b: {command: 'true'}}")
        made.app.reload(confirm=True)
        made.let("gate")
        assert settled(made, first)["status"] == "processed"
        gone = settled(made, second)
        assert gone["status"] == "failed" and "removed from jobs.yaml" in gone["runs"][0]["reason"]


@pytest.mark.parametrize("where", ["process", "thread"])
@pytest.mark.parametrize("size", [10, 5_000, LARGEST - 2])
def test_a_handler_is_given_the_whole_event_whatever_its_size(tmp_path: Path, size: int, where: str) -> None:
    jobs = f"jobs: {{a: {{run: tell, in: {where}, with: {{file: '{tmp_path}/told'}}, on: {{event: 'x/*'}}}}}}"
    with house(tmp_path, jobs) as made:
        one = settled(made, publish(made, "x/y", "a" * size))
        cause = json.loads((tmp_path / "told").read_text())
        assert (cause["event"], cause["source"], cause["type"]) == (one["id"], "x", "y")
        assert cause["payload"] == "a" * size
        assert ("payload" in made.rows("a")[0].cause) is (size < 1_000)


@pytest.mark.parametrize("size", [10, 40_000])
def test_a_command_is_given_its_cause_in_a_variable_and_a_file(tmp_path: Path, size: int) -> None:
    command = 'printf %s \\"$JARVIS_CAUSE\\" > variable; cat $JARVIS_CAUSE_FILE > file; stat -c %a $JARVIS_CAUSE_FILE'
    with house(tmp_path, f"jobs: {{a: {{command: \"{command}\", on: {{event: 'x/*'}}}}}}") as made:
        settled(made, publish(made, "x/y", "a" * size))
        variable, file = (json.loads((tmp_path / name).read_text()) for name in ("variable", "file"))
        assert file["payload"] == "a" * size
        assert variable.get("payload") == ("a" * size if size < 100 else None)
        assert made.said(made.rows("a")[0]).strip() == "600"


def test_a_run_that_nothing_caused_has_no_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JARVIS_CAUSE", "of the daemon itself")
    with house(tmp_path, "jobs: {a: {command: 'echo \"<$JARVIS_CAUSE$JARVIS_CAUSE_FILE>\"'}}") as made:
        assert made.prints("a") == "<>\n"


def test_what_a_handler_publishes_is_noticed_when_its_run_ends(tmp_path: Path) -> None:
    jobs = "jobs: {shout: {run: shout}, heard: {command: 'true', on: {event: 'inside/*'}}}"
    with house(tmp_path, jobs) as made:
        made.app.clock.each_pass.clear()  # nobody looks by himself
        made.finish("shout")
        assert made.wait_for("heard", "succeeded")


def test_what_another_process_stores_is_noticed_by_the_next_pass(tmp_path: Path) -> None:
    with house(tmp_path, "jobs: {heard: {command: 'true', on: {event: 'x/*'}}}") as made:
        other = Database(made.instance.ledger)
        number = Events(other).add(source="x", event_type="y", received_at=NOW)
        other.close()
        made.app.clock.wake()
        assert settled(made, number)["status"] == "processed"


class Counting(Database):
    """Counts how often it is asked."""

    asked = 0

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self.asked += 1
        with super().read() as connection:
            yield connection


def test_nothing_is_asked_of_the_ledger_while_nobody_writes_to_it(tmp_path: Path) -> None:
    made = Counting(tmp_path / "ledger.sqlite")
    made.open()
    woken: list[str] = []
    glance = Glance(
        made,
        alerts=lambda: woken.append("alerts"),
        messages=lambda: woken.append("messages"),
        events=lambda: woken.append("events"),
    )
    glance()
    assert woken == []
    asked = made.asked
    for _ in range(5):
        glance()
    assert made.asked == asked
    other = Database(made.path)
    Events(other).add(source="x", event_type="y", received_at=NOW)
    glance()
    assert woken == ["events"]
    with other.write() as connection:
        journal.add(connection, [Note(at=NOW, severity="high", title="hot")])
        deliveries.add(connection, channel="a", kind="alert", severity="low", subject="", body="", now=NOW)
    glance()
    assert woken == ["events", "alerts", "messages", "events"], "whatever nobody has seen to"
    glance()
    assert made.asked == asked + 2
    made.close()
    other.close()


def test_a_handler_in_a_thread_is_heard_at_once(tmp_path: Path) -> None:
    """Its ledger is another one in the same process: whoever listens to the daemon's hears it too."""
    jobs = "jobs: {shout: {run: shout, in: thread}, heard: {command: 'true', on: {event: 'inside/*'}}}"
    with house(tmp_path, jobs) as made:
        made.app.clock.each_pass.clear()
        made.app.conductor.each_round.clear()
        made.finish("shout")
        assert made.wait_for("heard", "succeeded")


def test_a_payload_that_was_tampered_with_fails_its_event_and_no_other(tmp_path: Path) -> None:
    with house(tmp_path, "jobs: {a: {command: 'true', on: {event: 'x/*', where: {k: 1}}}}") as made:
        made.sql(
            "INSERT INTO events (source, event_type, payload, payload_bytes, status, received_at)"
            " VALUES ('x', 'y', '{broken', 7, 'pending', 1)"
        )
        good = publish(made, "x/y", {"k": 1})
        assert settled(made, good)["status"] == "processed"
        assert made.sql("SELECT status FROM events WHERE id < ?", good) == [("failed",)]


def test_a_burst_of_events_waits_in_the_ledger_not_in_memory_and_all_are_dealt_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jarvis.running import arrivals

    monkeypatch.setattr(arrivals, "MOST_WAITING", 50)
    monkeypatch.setattr(arrivals, "BATCH", 20)
    jobs = "jobs: {a: {run: nothing, in: thread, on: {event: 'x/*'}, max_instances: 8}}"
    with house(tmp_path, jobs) as made:
        Events(made.app.database).add_all([measure(Arrival(source="x", event_type="y"))] * 300, NOW)
        most = 0

        def done() -> bool:
            nonlocal most
            most = max(most, len(made.app.conductor.floor.waiting))
            made.app.arrivals.poke()
            return len(made.rows("a", "succeeded")) == 300

        made.until(done)
        assert most < 70, "the limit, and a batch that was begun below it"


def test_events_are_not_matched_while_runs_are_on_their_way_to_a_conductor_that_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jarvis.running import arrivals

    monkeypatch.setattr(arrivals, "MOST_WAITING", 50)
    monkeypatch.setattr(arrivals, "BATCH", 20)
    busy, free = threading.Event(), threading.Event()

    def hold(_work: object, _now: object) -> None:
        busy.set()
        free.wait(30)

    with house(
        tmp_path, "jobs: {a: {run: nothing, in: thread, on: {event: 'x/*'}, max_instances: 8}}"
    ) as made:
        made.app.conductor.each_round.append(hold)
        made.app.conductor.wake()
        assert busy.wait(30)
        Events(made.app.database).add_all([measure(Arrival(source="x", event_type="y"))] * 100, NOW)
        made.until(lambda: made.app.conductor.waiting() == 60)
        assert not made.app.arrivals.take(), "further ones stay in the ledger"
        assert len(made.rows("a")) == 60
        made.app.conductor.each_round.remove(hold)
        free.set()

        def done() -> bool:
            made.app.arrivals.poke()
            return len(made.rows("a", "succeeded")) == 100

        made.until(done)
        made.until(lambda: made.app.conductor.waiting() == 0)
        assert made.sql("SELECT DISTINCT status FROM events") == [("processed",)]


# Chains.


def test_a_chain_of_five_runs_from_end_to_end_each_with_its_cause(tmp_path: Path) -> None:
    links = "\n".join(
        f"  j{number}: {{command: 'true', on: {{job: j{number - 1}}}}}" for number in range(1, 5)
    )
    with house(tmp_path, f"jobs:\n  j0: {{command: 'true'}}\n{links}\n") as made:
        first = made.finish("j0")
        last = made.wait_for("j4", "succeeded")[0]
        shown = made.ask("runs.show", id=last.id)
        assert (
            len(shown["because"]) == 4 and shown["because"][-1] == f"because run {first.id} of j0 succeeded"
        )
        made.until(lambda: made.ask("runs.show", id=first.id)["asked_for"])
        assert made.ask("runs.show", id=first.id)["asked_for"][0]["job"] == "j1"


def test_one_end_may_have_several_followers_and_each_follows_the_ends_it_names(tmp_path: Path) -> None:
    jobs = """
        jobs:
          backup: {run: greet, with: {whom: you}, retry: none}
          good: {command: "true", on: {job: backup}}
          too: {command: "true", on: {job: backup, status: succeeded}}
          bad: {command: "true", on: {job: backup, status: bad}}
          always: {command: "true", on: {job: backup, status: ended}}
          quiet: {command: "true", on: {job: backup, status: skipped}}
    """
    with house(tmp_path, jobs) as made:
        first = made.finish("backup")
        for name in ("good", "too", "always"):
            assert [run.fire for run in made.wait_for(name, "succeeded")] == [f"run:{first.id}"]
        second = made.finish("backup", whom="")
        assert second.status is Status.SKIPPED
        made.wait_for("quiet", "succeeded")
        made.wait_for("always", "succeeded", count=2)
        assert made.rows("bad") == [] and len(made.rows("good")) == 1


def test_only_the_last_attempt_has_followers(tmp_path: Path) -> None:
    jobs = """
        jobs:
          flaky: {command: 'test $JARVIS_ATTEMPT = 3', retry: {times: 2, wait: 50ms, backoff: 1}}
          hopeless: {command: 'exit 3', retry: {times: 1, wait: 50ms}}
          after: {command: "true", schedules: [{on: {job: flaky, status: ended}}, {on: {job: hopeless, status: bad}}]}
    """
    with house(tmp_path, jobs) as made:
        made.submit("flaky")
        good = made.wait_for("flaky", "succeeded")[0]
        made.submit("hopeless")
        bad = made.wait_for("hopeless", "failed", count=2)[-1]
        found = made.wait_for("after", "succeeded", count=2)
        assert [(run.fire, run.cause["status"]) for run in found] == [
            (f"run:{good.id}", "succeeded"),
            (f"run:{bad.id}", "failed"),
        ]


def test_runs_of_threads_and_runs_that_were_cancelled_have_followers_too(tmp_path: Path) -> None:
    jobs = """
        jobs:
          quick: {run: greet, with: {whom: you}, in: thread}
          long: {command: "sleep 30", stop: {after: 1s}}
          after: {command: "true", schedules: [{on: {job: quick}}, {on: {job: long, status: cancelled}}]}
    """
    with house(tmp_path, jobs) as made:
        made.finish("quick")
        run = made.begin("long")
        made.app.conductor.cancel(run.id, "enough")
        made.wait_for("after", "succeeded", count=2)


def test_followers_wait_for_each_other_unless_the_job_says_otherwise(tmp_path: Path) -> None:
    jobs = f"""
        jobs:
          many: {{command: "true", overlap: allow}}
          one: {{command: "{GATE.format("gate")}", on: {{job: many}}}}
    """
    with house(tmp_path, jobs) as made:
        for _ in range(3):
            made.finish("many")
        made.until(lambda: len(made.rows("one", "queued")) == 2)
        made.let("gate")
        made.wait_for("one", "succeeded", count=3)


def test_a_missed_fire_has_followers_that_ask_for_it_and_a_span_has_none(tmp_path: Path) -> None:
    jobs = """
        jobs:
          tick: {every: 1h, command: "true", misfire_grace: 1s}
          told: {command: "true", on: {job: tick, status: missed}}
    """
    with house(tmp_path, jobs) as made:
        line = made.app.roster.line("tick")
        late = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        if datetime.now(UTC) - late < timedelta(seconds=3):
            late -= timedelta(hours=1)
        with made.app.clock._scheduler.lock:
            line.next_at = late
            made.app.clock.timetable._push(line)
        with made.app.database.write() as connection:
            begun = int(late.timestamp() * 1_000_000) - 1
            connection.exec_driver_sql("UPDATE terms SET from_at = ? WHERE job = 'tick'", (begun,))
        made.app.clock.wake()
        missed = made.wait_for("tick", "missed")[0]
        assert [run.fire for run in made.wait_for("told", "succeeded")] == [f"run:{missed.id}"]


# The store.


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "ledger.sqlite")
    made.open()
    yield made
    made.close()


def add(ledger: Database, **more: Any) -> int:
    given: dict[str, Any] = {"source": "a", "event_type": "b", "received_at": NOW} | more
    return Events(ledger).add(**given)


def test_an_event_with_the_same_key_is_stored_once(ledger: Database) -> None:
    first = add(ledger, key="one")
    assert add(ledger, key="one") == first
    assert add(ledger, key="two") != first
    assert add(ledger) != add(ledger)
    batch = [measure(Arrival(source="a", event_type="b", key=key)) for key in ("one", "three", "three")]
    assert Events(ledger).add_all(batch, NOW) == 1


def test_events_of_a_batch_are_stored_all_or_none(ledger: Database) -> None:
    good = measure(Arrival(source="a", event_type="b"))
    with pytest.raises(StoreError):
        Events(ledger).add_all([good, good._replace(source=None)], NOW)  # type: ignore[arg-type]
    assert Events(ledger).newest() == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"source": " "}, "source is empty"),
        ({"event_type": ""}, "event_type is empty"),
        ({"source": "a" * 201}, "has 201 characters; 200 are allowed"),
        ({"source": "a\nb"}, "cannot be printed"),
        ({"source": "a\ud800"}, "cannot be printed"),
        ({"payload": "a" * (LARGEST - 1)}, f"has {LARGEST + 1} bytes as JSON; {LARGEST} are allowed"),
        ({"payload": {1, 2}}, "not JSON"),
    ],
    ids=["no_source", "no_type", "long", "line_break", "surrogate", "large", "a_set"],
)
def test_what_is_no_event_is_refused_in_words(ledger: Database, more: dict[str, Any], said: str) -> None:
    with pytest.raises(Unfit, match=said):
        add(ledger, **more)


def test_the_longest_name_and_the_largest_payload_are_taken(ledger: Database) -> None:
    number = add(ledger, source="a" * 200, payload="a" * (LARGEST - 2))
    stored = Events(ledger).get(number)
    assert (stored.payload_bytes, len(stored.payload), len(stored.source)) == (LARGEST, LARGEST - 2, 200)


def test_numbers_of_events_are_never_used_twice_also_after_pruning(ledger: Database) -> None:
    for _ in range(3):
        add(ledger)
    with ledger.write() as connection:
        connection.exec_driver_sql("UPDATE events SET status = 'processed'")
    late = NOW + timedelta(days=31)
    assert Ledger(ledger).prune(before={"events": late}) == {"events": 2}
    assert add(ledger) == 4
    assert Ledger(ledger).prune(before={"events": late}) == {"events": 1}
    assert [one.id for one in Events(ledger).newest()] == [4]


@pytest.mark.parametrize(("age", "gone"), [(-1, 0), (0, 0), (1, 1)], ids=["younger", "exactly", "older"])
def test_only_events_that_are_done_with_and_old_are_pruned(ledger: Database, age: int, gone: int) -> None:
    add(ledger)
    add(ledger)
    add(ledger, received_at=NOW + timedelta(days=1))
    with ledger.write() as connection:
        connection.exec_driver_sql("UPDATE events SET status = 'unmatched' WHERE id = 1")
    before = NOW + timedelta(microseconds=age)
    assert Ledger(ledger).prune(before={"events": before}) == {"events": gone}


def test_an_event_that_a_restored_ledger_does_not_know_keeps_its_number(ledger: Database) -> None:
    from jarvis.store import events

    with ledger.write() as connection:
        events.hold_place(connection, 9, NOW)
    held: Event = Events(ledger).get(9)
    assert held.status == "failed" and "restored" in (held.reason or "")
    assert add(ledger) == 10


def test_a_run_keeps_its_cause_in_the_ledger(ledger: Database) -> None:
    from jarvis.store import runs

    run = Run(
        id=1, job="a", fire="event:1", attempt=1, status=Status.QUEUED, scheduled_at=NOW, queued_at=NOW,
        cause={"event": 1},
    )  # fmt: skip
    with ledger.write() as connection:
        runs.insert(connection, [run])
        assert runs.get(connection, 1) == run
