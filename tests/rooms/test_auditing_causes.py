"""The audit of chains and events: each forgery of a real ledger is found out, and an honest one is found in order."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jarvis.running import auditing
from jarvis.store.database import Database
from jarvis.store.ledger import Ledger
from tests.rooms.running_house import Running

JOBS = """
    jobs:
      backup: {command: 'test $JARVIS_ATTEMPT = 2', retry: {times: 1, wait: 50ms}}
      report: {command: "true", on: {job: backup}}
      mail: {command: "true", on: {job: report, status: ended}}
      deploy: {command: "true", on: {event: "github/*"}}
      big: {command: "true", on: {event: "disk/*", where: {size: {above: 10}}}}
"""
LONG_AGO = 10 * 1_000_000


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """backup: runs 1 (failed) and 2, report: 3, mail: 4, deploy: 5 and big: 6 for events 1 and 3; in force for long."""
    folder = tmp_path_factory.mktemp("honest")
    made = Running(folder, JOBS)
    with made.open():
        made.submit("backup")
        made.wait_for("mail", "succeeded")
        made.ask("events.publish", source="github", type="push")
        made.wait_for("deploy", "succeeded")
        made.ask("events.publish", source="other", type="thing")
        made.until(lambda: made.ask("events.list", status="unmatched"))
        for size in (20, 5):
            made.ask("events.publish", source="disk", type="grew", payload={"size": size})
        made.wait_for("big", "succeeded")
        made.until(lambda: len(made.ask("events.list", status="unmatched")) == 2)
    made.sql("UPDATE terms SET from_at = from_at - ?", LONG_AGO)
    assert made.audit() == []
    yield made.instance.ledger


def told(ledger: Path) -> list[str]:
    database = Database(ledger)
    try:
        report = auditing.audit(database, None, datetime.now(UTC))
    finally:
        database.close()
    return [f"[{one.rule}] {one}" for one in report.violations]


@pytest.fixture
def copy(honest: Path, tmp_path: Path) -> Path:
    to = tmp_path / "ledger.sqlite"
    shutil.copyfile(honest, to)
    return to


def forge(ledger: Path, change: str) -> None:
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute(change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DELETE FROM runs WHERE id = 3", "[no-row] report: run 2 of backup succeeded at"),
        ("DELETE FROM runs WHERE id = 4", "[no-row] mail: run 3 of report succeeded at"),
        ("DELETE FROM runs WHERE id = 5", "[no-row] deploy: event 1 github/push was matched at"),
        ("UPDATE runs SET fire = 'run:1' WHERE id = 3", "[cause] report: run 3 follows run 1, which was tried again"),
        ("UPDATE runs SET fire = 'run:99' WHERE id = 3", "[cause] report: run 3 says run:99, which is no run"),
        ("UPDATE runs SET fire = 'run:x' WHERE id = 3", "[cause] report: run 3 says run:x"),
        ("UPDATE runs SET status = 'failed' WHERE id = 2", "report: run 3 follows run 2 of backup, which ended failed"),
        ("UPDATE runs SET fire = 'run:2' WHERE id = 4", "[cause] mail: run 4 follows run 2 of backup"),
        ("DELETE FROM events WHERE id = 1", "[cause] deploy: run 5 is for event 1, which is not in the ledger"),
        ("UPDATE runs SET fire = 'event:7' WHERE id = 5", "run 5 is for event 7, which is not in the ledger"),
        ("UPDATE runs SET fire = 'event:y' WHERE id = 5", "[cause] deploy: run 5 says event:y, which is no event"),
        ("""UPDATE events SET jobs = '["other"]' WHERE id = 1""", "run 5 is for event 1, which did not ask"),
        ("UPDATE runs SET fire = 'sale:1' WHERE id = 3", "which nothing asks for"),
        ("UPDATE events SET source = 'mail' WHERE id = 1",
         "[cause] deploy: run 5 is for event 1, which its definition does not ask for"),
        ("UPDATE events SET source = 'github' WHERE id = 2",
         "[no-row] deploy: event 2 github/thing was matched without it at"),
        ("UPDATE events SET payload = '{\"size\": 3}' WHERE id = 3",
         "[cause] big: run 6 is for event 3, which its definition does not ask for"),
        ("UPDATE events SET payload = '{\"size\": 30}' WHERE id = 4",
         "[no-row] big: event 4 disk/grew was matched without it at"),
    ],
)  # fmt: skip
def test_a_forged_cause_is_found_out(copy: Path, change: str, said: str) -> None:
    forge(copy, change)
    assert any(said in one for one in told(copy)), told(copy)


def test_an_end_outside_of_the_definition_that_follows_it_needs_no_follower(copy: Path) -> None:
    forge(copy, "DELETE FROM runs WHERE id IN (3, 4)")
    forge(copy, f"UPDATE terms SET from_at = from_at + 3 * {LONG_AGO} WHERE job = 'report'")
    assert told(copy) == []


def test_what_was_pruned_is_not_asked_for(copy: Path) -> None:
    database = Database(copy)
    with database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE runs SET scheduled_at = 1, queued_at = 1, started_at = 1, ended_at = 2 WHERE id < 4"
        )
        connection.exec_driver_sql("UPDATE events SET received_at = 1")
    old = datetime(1980, 1, 1, tzinfo=UTC)
    Ledger(database).prune(before={"runs": old, "events": old})
    database.close()
    assert told(copy) == []


def test_a_ledger_restored_from_an_older_copy_is_not_accused(copy: Path) -> None:
    forge(copy, "DELETE FROM runs WHERE id = 3")
    now = int(datetime.now(UTC).timestamp() * 1_000_000)
    forge(
        copy,
        "INSERT INTO facts (kind, from_at, until_at, amount, detail)"
        f" VALUES ('restored', {now} - 3600000000, {now}, 3600, 'a copy')",
    )
    assert told(copy) == []
