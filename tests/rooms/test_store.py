"""The ledger: created, migrated, copied, and refused in words when it cannot be used."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from jarvis.core.run import Run, Status, schedule_fire
from jarvis.errors import StoreBusy, StoreError
from jarvis.store import database, journal, memory, migrate, queries, runs, schema
from jarvis.store.database import Database
from jarvis.store.ledger import Ledger

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path):
    made = Database(tmp_path / "ledger.sqlite", busy=timedelta(milliseconds=50))
    made.open()
    yield made
    made.close()


def queued(number: int, *, at: datetime = NOW, job: str = "backup") -> Run:
    return Run(
        id=number,
        job=job,
        fire=schedule_fire(at),
        attempt=1,
        status=Status.QUEUED,
        scheduled_at=at,
        queued_at=at,
    )


def test_a_new_ledger_has_the_schema_that_the_migrations_build(tmp_path: Path) -> None:
    migrated = Database(tmp_path / "migrated.sqlite")
    with migrated.write() as connection:
        migrate.upgrade(connection)
    with migrated.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    made = Database(tmp_path / "made.sqlite")
    made.open()
    assert made.version() == migrated.version() == database.HEAD


def test_a_committed_row_survives_because_every_commit_is_synced(ledger: Database) -> None:
    with ledger.write() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"


def test_a_transaction_that_raises_leaves_nothing(ledger: Database) -> None:
    with pytest.raises(ZeroDivisionError), ledger.write() as connection:
        runs.insert(connection, [queued(1)])
        raise ZeroDivisionError
    with ledger.read() as connection:
        assert runs.get(connection, 1) is None


def test_a_run_reads_back_as_it_was_written(ledger: Database) -> None:
    with ledger.write() as connection:
        runs.insert(connection, [queued(1)])
    with ledger.read() as connection:
        assert runs.get(connection, 1) == queued(1)


def test_the_same_fire_is_never_inserted_twice(ledger: Database) -> None:
    with ledger.write() as connection:
        assert runs.insert(connection, [queued(1)]) == [queued(1)]
        assert runs.insert(connection, [queued(2), queued(3, at=NOW + timedelta(hours=1))]) == [
            queued(3, at=NOW + timedelta(hours=1))
        ]


def test_run_ids_are_given_out_once_also_after_the_counter_was_raised(ledger: Database) -> None:
    with ledger.write() as connection:
        assert runs.reserve(connection, 3) == 1
        runs.raise_counter(connection, 100)
        runs.raise_counter(connection, 50)
        assert runs.reserve(connection, 1) == 101


def test_a_locked_ledger_is_busy_not_broken(ledger: Database) -> None:
    other = sqlite3.connect(ledger.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreBusy, match="another process holds the ledger"), ledger.write():
        pass
    other.execute("ROLLBACK")
    with ledger.write() as connection:
        runs.reserve(connection, 1)


def test_a_file_that_is_no_ledger_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"this is not a database, and long enough to be looked at as one" * 20)
    with pytest.raises(StoreError, match="damaged"):
        Database(path).open()


def test_a_ledger_of_a_newer_version_is_refused_in_words(ledger: Database) -> None:
    with ledger.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer Jarvis"):
        Database(ledger.path).open()


def test_a_deleted_or_exchanged_file_is_noticed(ledger: Database) -> None:
    assert not ledger.replaced()
    ledger.path.rename(ledger.path.with_suffix(".old"))
    assert ledger.replaced()


def test_a_copy_is_a_ledger_of_its_own(ledger: Database, tmp_path: Path) -> None:
    with ledger.write() as connection:
        runs.insert(connection, [queued(7)])
    to = tmp_path / "backups" / "copy.sqlite"
    assert Ledger(ledger).backup(to) == to.stat().st_size > 0
    copy = Database(to)
    copy.open()
    with copy.read() as connection:
        assert runs.get(connection, 7) == queued(7)


def test_pruning_takes_old_ends_and_leaves_what_is_open_or_young(ledger: Database) -> None:
    old, young, waiting = (
        queued(1),
        queued(2, at=NOW + timedelta(days=9)),
        queued(3, at=NOW + timedelta(minutes=1)),
    )
    with ledger.write() as connection:
        runs.insert(connection, [old, young, waiting])
        ended = [
            replace(run, status=Status.SUCCEEDED, started_at=run.queued_at, ended_at=run.queued_at)
            for run in (old, young)
        ]
        runs.close(connection, ended)
        journal.add(connection, [journal.Note(at=NOW, severity="low", title="old")])
        connection.exec_driver_sql("UPDATE journal SET verdict = 'dropped'")
    directory = ledger.path.parent / "runs" / "0" / "1"
    directory.mkdir(parents=True)
    before = NOW + timedelta(days=5)
    gone = Ledger(ledger).prune(before={"runs": before, "journal": before, "events": before})
    assert gone == {"runs": 1, "journal": 1, "events": 0}
    assert not directory.exists()
    with ledger.read() as connection:
        assert {run.id for run in queries.page(connection)} == {2, 3}


def test_output_is_pruned_in_the_state_directory_wherever_the_ledger_lies(
    ledger: Database, tmp_path: Path
) -> None:
    directory = tmp_path / "elsewhere" / "runs" / "0" / "1"
    directory.mkdir(parents=True)
    with ledger.write() as connection:
        runs.insert(connection, [queued(1)])
        runs.close(connection, [replace(queued(1), status=Status.SUCCEEDED, ended_at=NOW, output_bytes=5)])
    before = NOW + timedelta(days=5)
    assert Ledger(ledger, tmp_path / "elsewhere").prune(before={"output": before}) == {"output": 1}
    assert not directory.exists()


def test_memory_keeps_what_changed_and_drops_what_was_forgotten(ledger: Database) -> None:
    with ledger.write() as connection:
        memory.keep(connection, "mail", {"cursor": 1, "seen": ["a"]}, (), NOW)
        memory.keep(connection, "mail", {"cursor": 2}, ("seen",), NOW)
        assert memory.recall(connection, "mail") == {"cursor": 2}
        assert memory.owners(connection) == {"mail"}
