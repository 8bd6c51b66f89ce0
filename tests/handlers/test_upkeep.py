"""`prune` and `backup_ledger`: the ledger stays small, and there is a copy of it."""

import sqlite3
import stat
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from jarvis import errors, testing
from jarvis.handling import catalogue, mount
from jarvis.handling.stores import LazyStores
from jarvis.store import tables
from jarvis.store.database import Database
from jarvis.store.events import Events

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path):
    database = Database(tmp_path / "state" / "ledger.sqlite")
    database.open()
    yield database
    database.close()


@pytest.fixture
def upkeep(ledger):
    def run(handler, *, now=NOW, **values):
        stores = LazyStores(ledger.url)
        try:
            ctx = testing.context(stores=stores, state=ledger.path.parent, now=now)
            return testing.run_handler(handler, ctx, **values)
        finally:
            stores.close()

    return run


def arrive(ledger, age, status="processed"):
    events = Events(ledger)
    number = events.add(source="a", event_type="b", received_at=NOW - age)
    if status != "pending":
        with ledger.write() as connection:
            change = update(tables.events).where(tables.events.c.id == number)
            connection.execute(change.values(status=status, processed_at=NOW))


class TestPrune:
    def test_removes_what_is_older_than_asked_and_counts_it(self, upkeep, ledger):
        for days in (1, 20, 40):
            arrive(ledger, timedelta(days=days))
        arrive(ledger, timedelta(days=400), "pending")
        outcome = upkeep("prune")
        assert (outcome.status, outcome.result) == ("ok", "removed 1 events")
        assert {name for name, count in outcome.numbers.items() if count} == {"events"}
        assert upkeep("prune", events="10d").numbers["events"] == 1
        assert upkeep("prune").result == "nothing to remove"
        assert len(Events(ledger).newest()) == 2

    def test_gives_the_ledger_one_instant_for_each_kind(self):
        class Ledger:
            def prune(self, *, before):
                self.before = before
                return {"runs": 2, "output": 1, "journal": 0, "events": 0}

        stores = type("Stores", (), {"ledger": Ledger()})()
        outcome = testing.run_handler(
            "prune", testing.context(stores=stores, now=NOW), runs="100d", output="12h"
        )
        assert outcome.result == "removed 2 runs, 1 output"
        assert {name: NOW - at for name, at in stores.ledger.before.items()} == {
            "runs": timedelta(days=100), "output": timedelta(hours=12),
            "journal": timedelta(days=180), "events": timedelta(days=30), "samples": timedelta(days=30),
            "pauses": timedelta(days=90), "tickets": timedelta(days=180), "memory": timedelta(days=730),
        }  # fmt: skip

    def test_never_empties_the_ledger_by_a_slip(self, upkeep):
        outcome = upkeep("prune", runs="0s")
        assert outcome.status == "gave_up" and "at least 1h" in outcome.error


class TestBackup:
    def copies(self, ledger):
        return sorted(path.name for path in (ledger.path.parent / "backups").iterdir())

    def test_makes_a_whole_copy_while_the_ledger_is_in_use(self, upkeep, ledger):
        arrive(ledger, timedelta(days=1))
        with ledger.read() as reading:
            reading.exec_driver_sql("SELECT count(*) FROM events").scalar()
            outcome = upkeep("backup_ledger")
        assert outcome.status == "ok" and outcome.result.startswith("ledger-2026-11-20.sqlite: ")
        assert self.copies(ledger) == ["ledger-2026-11-20.sqlite"]
        path = ledger.path.parent / "backups" / "ledger-2026-11-20.sqlite"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600 and outcome.numbers["bytes"] == path.stat().st_size
        connection = sqlite3.connect(path)
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)
        connection.close()

    def test_keeps_the_newest_and_leaves_other_files_alone(self, upkeep, ledger):
        for day in range(10):
            upkeep("backup_ledger", now=NOW + timedelta(days=day), keep=3)
        (ledger.path.parent / "backups" / "mine.sqlite").write_text("x")
        outcome = upkeep("backup_ledger", now=NOW + timedelta(days=10), keep=2)
        assert self.copies(ledger) == ["ledger-2026-11-29.sqlite", "ledger-2026-11-30.sqlite", "mine.sqlite"]
        assert outcome.numbers["kept"] == 2

    def test_a_second_one_of_the_day_replaces_the_first(self, upkeep, ledger):
        upkeep("backup_ledger")
        arrive(ledger, timedelta(0))
        upkeep("backup_ledger")
        assert self.copies(ledger) == ["ledger-2026-11-20.sqlite"]
        connection = sqlite3.connect(ledger.path.parent / "backups" / "ledger-2026-11-20.sqlite")
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)
        connection.close()

    def test_a_damaged_copy_replaces_nothing_and_is_removed(self, upkeep, ledger, tmp_path):
        upkeep("backup_ledger")
        good = (ledger.path.parent / "backups" / "ledger-2026-11-20.sqlite").read_bytes()

        class Ledger:
            def backup(self, to):
                to.write_bytes(good[:100] + b"\xff" * (len(good) - 100))

        ctx = testing.context(
            stores=type("Stores", (), {"ledger": Ledger()})(), state=ledger.path.parent, now=NOW
        )
        outcome = testing.run_handler("backup_ledger", ctx)
        assert outcome.status == "error" and "the copy of the ledger is damaged" in outcome.error
        assert self.copies(ledger) == ["ledger-2026-11-20.sqlite"]
        assert (ledger.path.parent / "backups" / "ledger-2026-11-20.sqlite").read_bytes() == good

    def test_another_folder_may_be_given(self, upkeep, tmp_path):
        upkeep("backup_ledger", folder=str(tmp_path / "elsewhere"))
        assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["ledger-2026-11-20.sqlite"]

    @pytest.mark.parametrize("content", [b"", b"not a database at all" * 100])
    def test_what_is_no_ledger_is_never_called_whole(self, tmp_path, content):
        check = mount.load(catalogue.shipped() / "backup_ledger.py").function.__globals__["check"]
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(errors.StoreError, match="damaged"):
            check(tmp_path / "x")
