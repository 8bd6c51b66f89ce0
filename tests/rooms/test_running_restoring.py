"""The ledger is damaged, gone or exchanged: does history go on without a hole that nobody explains?"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jarvis.core.run import Status
from tests.rooms.running_house import GATE, Running

JOBS = f"""
    jobs:
      tick: {{command: 'echo "$JARVIS_FIRE" >> fires', every: 1s}}
      fine: {{command: echo fine}}
      bad: {{command: exit 3}}
      long: {{command: "{GATE.format("gate")}", stop: {{after: 1s}}}}
      nightly: {{command: "true", cron: "30 2 * * *"}}
"""


class Past:
    """What a Jarvis left: its instance with a copy of the ledger, made before its newest runs."""

    def __init__(self, folder: Path) -> None:
        self.house = Running(folder, JOBS)
        with self.house.open():
            self.house.wait_for("tick", "succeeded")
            self.old = self.house.finish("fine")
            self.house.app.database.backup(self.backup)
            self.new = [self.house.finish("fine"), self.house.finish("bad")]
            self.house.wait_for("tick", "succeeded", count=len(self.house.rows("tick")) + 2)
            # One that the copy does not know, and not the newest: its id must not be the next one's.
            self.untold = next(
                run for run in self.house.rows("tick", "succeeded") if run.id > self.new[-1].id
            )
            self.highest = max(run.id for name in ("tick", "fine", "bad") for run in self.house.rows(name))

    @property
    def backup(self) -> Path:
        return self.house.instance.state / "backups" / "ledger-1.sqlite"

    @property
    def ledger(self) -> Path:
        return self.house.instance.ledger


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Past:
    return Past(tmp_path_factory.mktemp("past"))


@pytest.fixture
def past(template: Past) -> Iterator[Past]:
    """The same past for each test."""
    kept = template.house.folder.with_name("kept")
    if not kept.exists():
        shutil.copytree(template.house.folder, kept, symlinks=True)
    shutil.rmtree(template.house.folder)
    shutil.copytree(kept, template.house.folder, symlinks=True)
    yield template


def remove(past: Past) -> None:
    for ending in ("", "-wal", "-shm"):
        past.ledger.with_name(past.ledger.name + ending).unlink(missing_ok=True)


def spoil_header(past: Past) -> None:
    with past.ledger.open("r+b") as file:
        file.write(b"not a database at all!")


def cut_in_half(past: Past) -> None:
    with past.ledger.open("r+b") as file:
        file.truncate(past.ledger.stat().st_size // 2 // 4096 * 4096)


def empty(past: Past) -> None:
    """As any program leaves it that opens a ledger which was just deleted."""
    remove(past)
    past.ledger.touch(mode=0o600)


def without_copy(past: Past) -> None:
    remove(past)
    past.backup.unlink()


def without_good_copy(past: Past) -> None:
    remove(past)
    past.backup.write_bytes(b"no copy either" * 1000)


def exchanged_by_the_copy(past: Past) -> None:
    remove(past)
    shutil.copyfile(past.backup, past.ledger)


def went_on(past: Past) -> None:
    """It is at work, nothing is given out or run twice, and the ledger explains everything."""
    house = past.house
    with house.open():
        house.wait_for("tick", "succeeded")
        after = house.finish("fine")
        assert after.id > past.highest, "no id is given out again"
        house.wait_for("tick", "succeeded", count=2)
    assert house.audit() == []
    fires = (house.folder / "fires").read_text().split()
    assert len(fires) == len(set(fires)), "no fire ran twice"


@pytest.mark.parametrize(
    ("harm", "copied"),
    [
        pytest.param(spoil_header, True, id="its header is damaged"),
        pytest.param(cut_in_half, True, id="half of it is gone"),
        pytest.param(remove, True, id="deleted, with a copy"),
        pytest.param(empty, True, id="an empty file"),
        pytest.param(without_copy, False, id="deleted, without a copy"),
        pytest.param(without_good_copy, False, id="deleted, with a copy that is damaged too"),
    ],
)
def test_a_ledger_lost_while_jarvis_was_down_is_accounted_for(
    past: Past, harm: Callable[[Past], None], copied: bool
) -> None:
    harm(past)
    house = past.house
    with house.open():
        assert house.sql("SELECT count(*) FROM facts WHERE kind = 'restored'") == [(1,)]
        (note,) = [note for note in house.notes() if note.key == "restored"]
        assert note.severity == "critical" and note.title.startswith("ledger restored: ")
        assert ("restored from the copy ledger-1.sqlite" in note.text) is copied
        if copied:
            assert house.row(past.old.id) == past.old, "the copy knows it"
        for run in past.new:
            found = house.row(run.id)
            assert (found.job, found.fire, found.attempt) == (run.job, run.fire, run.attempt)
            if copied:
                ended = (run.status, run.exit_code, run.ended_at)
                assert (found.status, found.exit_code, found.ended_at) == ended, "its folder told its end"
            else:
                assert found.status.ended
    went_on(past)


def test_a_moment_that_left_no_trace_lies_in_a_span_that_says_so_and_is_not_run_again(past: Past) -> None:
    shutil.rmtree(past.house.instance.runs / "0" / str(past.untold.id))
    spoil_header(past)
    went_on(past)
    at = round(past.untold.scheduled_at.timestamp() * 1_000_000)
    (span,) = past.house.sql(
        "SELECT job, status, reason FROM spans WHERE from_at <= ? AND until_at > ?", at, at
    )
    assert span == ("tick", "missed", "ledger restored")
    assert past.house.sql("SELECT 1 FROM runs WHERE fire = ?", past.untold.fire) == []


def test_what_was_left_of_it_is_moved_aside_and_never_deleted(past: Past) -> None:
    spoil_header(past)
    damaged = past.ledger.read_bytes()
    went_on(past)
    (aside,) = past.ledger.parent.glob("ledger.damaged-*.sqlite")
    assert aside.read_bytes() == damaged


def test_a_ledger_exchanged_for_an_older_copy_while_jarvis_was_down(past: Past) -> None:
    """Nobody can tell that it is older but by the folders of runs it does not know."""
    exchanged_by_the_copy(past)
    went_on(past)


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(remove, id="deleted"),
        pytest.param(empty, id="replaced by an empty file"),
        pytest.param(exchanged_by_the_copy, id="exchanged by an older copy"),
    ],
)
def test_a_ledger_lost_while_jarvis_is_at_work_is_accounted_for(
    past: Past, harm: Callable[[Past], None]
) -> None:
    house = past.house
    with house.open():
        long = house.begin("long")
        before = house.wait_for("tick", "succeeded", count=len(house.rows("tick", "succeeded")) + 1)
        harm(past)
        house.until(
            lambda: (
                house.sql("SELECT 1 FROM sqlite_master WHERE name = 'facts'")
                and house.sql("SELECT count(*) FROM facts WHERE kind = 'restored'") == [(1,)]
            )
        )
        for run in [past.old, *past.new, *before]:
            assert house.row(run.id).fire == run.fire, "each has its row again"
        house.let("gate")
        assert house.end(long.id).status is Status.SUCCEEDED, "a run that goes on ends as it would have"
        assert house.finish("fine").id > max(long.id, past.highest)
        house.wait_for("tick", "succeeded", count=len(house.rows("tick", "succeeded")) + 1)
    assert house.audit() == []


@pytest.mark.parametrize("seed", range(20))
def test_no_damaged_page_makes_a_silently_empty_or_unusable_ledger(past: Past, seed: int) -> None:
    chance = random.Random(seed)
    size = past.ledger.stat().st_size
    page = 0 if seed == 0 else chance.randrange(size // 4096)
    offset = page * 4096 + chance.randrange(3000)
    with past.ledger.open("r+b") as file:
        file.seek(offset)
        file.write(chance.randbytes(1000))
    house = past.house
    with house.open():
        assert house.finish("fine").id > past.highest
        assert house.wait_for("tick", "succeeded")
        known = house.sql("SELECT count(*) FROM runs WHERE id <= ?", past.highest)
        assert known >= [(past.highest // 2,)], "history is still there"
    with closing(sqlite3.connect(past.ledger)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        restored = connection.execute("SELECT count(*) FROM facts WHERE kind = 'restored'").fetchone()
    if restored == (1,):
        assert house.audit() == []
