"""Is every way of changing a file noticed, once it has settled, and until somebody has dealt with it?"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jarvis.running import watcher
from jarvis.running.watcher import Watcher
from tests.rooms.launch_house import until


class Ear:
    """What the watcher told: the content of the file each time; answers from ``deals``."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.heard: list[str] = []
        self.deals: Callable[[], bool] = lambda: True

    def __call__(self) -> bool:
        self.heard.append(self.file.read_text() if self.file.exists() else "(gone)")
        return self.deals()


@pytest.fixture
def ear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ear]:
    """Watching ``jobs.yaml`` and the folder ``more``, fifty times a second."""
    monkeypatch.setattr(watcher, "EVERY", 0.02)
    file = tmp_path / "jobs.yaml"
    file.write_text("first")
    (tmp_path / "more").mkdir()
    ear = Ear(file)
    watching = Watcher(files=lambda: [file], folders=lambda: [tmp_path / "more"], changed=ear)
    watching.start()
    yield ear
    watching.stop()


def looked(times: int = 8) -> None:
    """Let it look that often."""
    threading.Event().wait(0.02 * times + 0.15)


def test_nothing_changed_is_nothing_heard(ear: Ear) -> None:
    looked()
    os.utime(ear.file.parent)
    (ear.file.parent / "other.yaml").touch()
    (ear.file.parent / "more" / "notes.txt").touch()
    looked()
    assert ear.heard == []


def test_a_file_replaced_by_another(ear: Ear) -> None:
    draft = ear.file.with_suffix(".draft")
    draft.write_text("other")
    os.utime(draft, ns=(ear.file.stat().st_mtime_ns,) * 2)
    draft.replace(ear.file)
    until(lambda: ear.heard)
    looked()
    assert ear.heard == ["other"], "once, and also when size and time are the same"


def test_a_file_written_in_place(ear: Ear) -> None:
    ear.file.write_text("second")
    until(lambda: ear.heard)
    looked()
    assert ear.heard == ["second"]


def test_a_link_that_is_swapped(ear: Ear) -> None:
    folder = ear.file.parent
    for name in ("one", "two"):
        (folder / name).write_text(name)
    link = folder / "link"
    for name in ("one", "two"):
        link.symlink_to(name)
        link.replace(ear.file)
        until(lambda name=name: name in ear.heard)
    (folder / "two").write_text("two, edited")
    until(lambda: "two, edited" in ear.heard)


def test_a_file_written_slowly_is_not_told_before_it_is_whole(ear: Ear) -> None:
    apart = []
    with ear.file.open("w") as file:
        for number in range(30):
            before = time.monotonic()
            print(number, file=file, flush=True)
            threading.Event().wait(0.02)
            apart.append(time.monotonic() - before)
    whole = "".join(f"{number}\n" for number in range(30))
    until(lambda: ear.heard and ear.heard[-1] == whole)
    looked()
    if max(apart) < 0.1:  # who pauses for longer on a busy machine has written a file that settled
        assert ear.heard == [whole]


def test_a_file_that_goes_and_comes_again(ear: Ear) -> None:
    ear.file.unlink()
    until(lambda: "(gone)" in ear.heard)
    ear.file.write_text("again")
    until(lambda: "again" in ear.heard)
    looked()
    assert ear.heard == ["(gone)", "again"]


def test_a_file_in_a_folder_comes_changes_and_goes(ear: Ear) -> None:
    new = ear.file.parent / "more" / "new.yaml"
    new.write_text("a: 1")
    until(lambda: len(ear.heard) == 1)
    new.write_text("a: 12")
    until(lambda: len(ear.heard) == 2)
    new.unlink()
    until(lambda: len(ear.heard) == 3)
    (new.parent / "handler.py").touch()
    until(lambda: len(ear.heard) == 4)


def test_it_is_told_again_until_it_was_dealt_with(ear: Ear) -> None:
    answers = iter([False, False])
    ear.deals = lambda: next(answers, True)
    ear.file.write_text("second")
    until(lambda: len(ear.heard) >= 3)
    looked()
    assert ear.heard == ["second"] * 3


def test_a_failure_to_deal_with_it_does_not_end_the_watching(ear: Ear) -> None:
    failures = iter([OSError("disk"), ValueError("odd")])

    def deals() -> bool:
        for failure in failures:
            raise failure
        return True

    ear.deals = deals
    ear.file.write_text("second")
    until(lambda: len(ear.heard) >= 3)
    ear.file.write_text("third")
    until(lambda: ear.heard[-1] == "third")
