"""What becomes of an edit of jobs.yaml or of a handler while Jarvis is at work?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from jarvis.core.run import Status
from jarvis.errors import ConfigError, Refused
from tests.rooms.control_house import GREET
from tests.rooms.running_house import Running, running

JOBS = """
    include: [more/]
    jobs:
      kept: {every: 12h, command: echo kept}
      greet: {run: greet, with: {whom: you}, retry: none}
      three: {command: "true"}
      four: {command: "true"}
      five: {command: "true"}
"""
NAMES = ["kept", "greet", "three", "four", "five"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "more").mkdir(mode=0o700)
    with running(tmp_path, JOBS) as opened:
        opened.app.watcher.stop()  # each test looks when it wants to
        yield opened


def names(house: Running) -> list[str]:
    return sorted(house.app.roster.lines)


def test_an_edit_is_taken_over_as_a_whole(house: Running) -> None:
    before = house.app.roster.line("kept")
    house.edit(JOBS.replace("echo kept", "echo changed").replace("three", "third"))
    assert house.app.look_again()
    assert names(house) == ["five", "four", "greet", "kept", "third"]
    assert house.prints("kept") == "changed\n"
    assert house.app.roster.line("kept").definition != before.definition
    assert house.app.config_problems == ()


def test_the_same_text_again_changes_nothing(house: Running) -> None:
    before = {name: line.definition for name, line in house.app.roster.lines.items()}
    house.edit("# a comment\n" + JOBS)
    assert house.app.look_again()
    assert {name: line.definition for name, line in house.app.roster.lines.items()} == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("jobs: {a: {command: x, evry: 1h}}", "evry", id="an unknown field"),
        pytest.param("jobs: [", "jobs.yaml:", id="no YAML"),
        pytest.param("", "jobs.yaml", id="nothing at all"),
    ],
)
def test_a_file_that_cannot_be_used_changes_nothing_and_is_told(house: Running, text: str, said: str) -> None:
    house.edit(text)
    assert house.app.look_again(), "it was dealt with: it is not read again until it changes"
    assert names(house) == sorted(NAMES)
    assert any(said in problem for problem in house.app.config_problems)
    (note,) = [note for note in house.notes() if note.key == "reload"]
    assert (note.severity, note.title) == (
        "high",
        "the edit of jobs.yaml cannot be used; the jobs run on as they were",
    )
    assert said in note.text
    assert house.prints("kept") == "kept\n"
    with pytest.raises(ConfigError):
        house.app.reload(confirm=True)
    house.edit(JOBS)
    assert house.app.look_again()
    assert house.app.config_problems == ()


def test_many_jobs_at_once_disappear_only_with_a_word(house: Running) -> None:
    house.edit("jobs: {kept: {every: 12h, command: echo kept}}")
    assert house.app.look_again()
    assert names(house) == sorted(NAMES)
    (problem,) = house.app.config_problems
    (note,) = [note for note in house.notes() if note.key == "reload"]
    assert (note.severity, note.text) == ("medium", problem)
    with pytest.raises(Refused):
        house.app.reload(confirm=False)
    assert sorted(house.app.reload(confirm=True).removed) == sorted(set(NAMES) - {"kept"})
    assert (names(house), house.app.config_problems) == (["kept"], ())


def test_an_edit_the_ledger_cannot_take_is_asked_for_again(house: Running) -> None:
    house.edit(JOBS.replace("echo kept", "echo changed"))
    with closing(sqlite3.connect(house.instance.ledger, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert house.app.look_again() is False
        assert "reload" in house.app.troubles.current()
        assert house.app.roster.line("kept").job.with_["command"] == "echo kept"
        other.execute("ROLLBACK")
    assert house.app.look_again() is True
    assert "reload" not in house.app.troubles.current()
    assert house.prints("kept") == "changed\n"


def test_a_broken_handler_breaks_its_own_jobs_and_heals_when_it_is_saved(house: Running) -> None:
    file = house.folder / "handlers" / "greet.py"
    file.write_text("def run(ctx:\n")
    assert house.app.look_again()
    assert names(house) == sorted(NAMES)
    run = house.finish("greet")
    assert run.status is Status.FAILED
    assert run.reason is not None and "greet" in run.reason
    assert run.started_at is None
    assert house.prints("kept") == "kept\n"
    file.write_text(GREET)
    assert house.app.look_again()
    assert house.finish("greet").result == "greeted you"


def test_a_handler_that_goes_breaks_its_own_jobs_only(house: Running) -> None:
    (house.folder / "handlers" / "greet.py").unlink()
    assert house.app.look_again()
    assert house.prints("kept") == "kept\n"
    run = house.finish("greet")
    assert (run.status, run.started_at) == (Status.FAILED, None)


def test_a_new_file_in_an_included_folder_is_noticed_by_itself(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir(mode=0o700)
    with running(tmp_path, JOBS) as house:
        new = tmp_path / "more" / "new.yaml"
        new.write_text("jobs: {new: {command: echo new}}")
        house.until(lambda: "new" in house.app.roster.lines)
        assert house.prints("new") == "new\n"
        new.unlink()
        house.until(lambda: "new" not in house.app.roster.lines)


def test_slots_are_taken_over_with_the_edit(house: Running) -> None:
    house.edit("    slots: {process: 3, thread: 2}" + JOBS)
    assert house.app.look_again()
    assert house.app.conductor.floor.slots == {"process": 3, "thread": 2}
