"""Is a file that somebody else can change refused, and only such a file?"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from jarvis.config import safety, stamp
from jarvis.errors import Unsafe


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "own"
    folder.mkdir()
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)


@pytest.fixture
def file(folder: Path) -> Path:
    path = folder / "jobs.yaml"
    path.write_text("jobs: {}")
    path.chmod(0o644)
    return path


def found(path: Path) -> list[str]:
    return [str(problem) for problem in safety.problems(path)]


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o444, 0o755])
def test_a_file_only_its_owner_can_write_is_safe(file: Path, mode: int) -> None:
    file.chmod(mode)
    safety.check(file)


@pytest.mark.parametrize("mode", [0o666, 0o602, 0o646])
def test_a_file_everybody_can_write_is_refused_with_the_chmod(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(Unsafe) as caught:
        safety.check(file)
    assert str(caught.value) == (
        f"{file}: everybody can write this file and so decide what runs here (run: chmod go-w {file})"
    )
    assert caught.value.exit_code == 2


def test_so_is_a_folder_everybody_can_write(folder: Path, file: Path) -> None:
    folder.chmod(0o777)
    assert found(file) == [
        f"{folder}: everybody can write this folder and so decide what runs here (run: chmod go-w {folder})"
    ]


def test_a_sticky_folder_is_safe(folder: Path, file: Path) -> None:
    folder.chmod(0o1777)
    assert found(file) == []


def test_a_folder_further_up_counts_when_everybody_can_write_it(folder: Path) -> None:
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    path = inner / "jobs.yaml"
    path.write_text("")
    for one in (path, inner, inner.parent):
        one.chmod(0o755)
    folder.chmod(0o777)
    assert found(path) == [
        f"{folder}: everybody can write this folder and so swap what is in it (run: chmod o-w {folder})"
    ]


def test_a_group_of_several_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.chmod(0o664)
    owner = pwd.getpwuid(os.geteuid())
    group(monkeypatch, name="staff", members=[owner.pw_name, "other"])
    assert [one.split(": ")[1].split(" and")[0] for one in found(file)] == [
        "the group staff can write this file"
    ]


def test_the_owners_private_group_is_the_owner(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.chmod(0o664)
    owner = pwd.getpwuid(os.geteuid())
    group(monkeypatch, name=owner.pw_name, members=[])
    assert found(file) == []
    group(monkeypatch, name=owner.pw_name, members=["other"])
    assert len(found(file)) == 1


def group(monkeypatch: pytest.MonkeyPatch, *, name: str, members: list[str]) -> None:
    entry = SimpleNamespace(gr_name=name, gr_mem=members)
    monkeypatch.setattr("grp.getgrgid", lambda gid: entry)


def test_a_link_is_as_safe_as_its_target_and_both_folders(folder: Path, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    link = other / "jobs.yaml"
    link.symlink_to(file)
    assert found(link) == []
    other.chmod(0o777)
    assert len(found(link)) == 1
    folder.chmod(0o777)
    assert len(found(link)) == 2


def test_what_is_not_there_is_no_danger(folder: Path) -> None:
    assert found(folder / "none") == []


def test_a_file_of_another_user_is_doubtful(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert safety.stranger(file) is None
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    if file.stat().st_uid == 0:
        assert safety.stranger(file) is None
    else:
        doubt = safety.stranger(file)
        assert doubt is not None and "who can change what runs as user 54321" in doubt.message


class TestStamps:
    def test_two_stamps_of_an_untouched_file_are_equal(self, file: Path) -> None:
        first = stamp.stamps([file])
        assert stamp.settled(first, stamp.stamps([file]))

    def test_any_change_makes_another_stamp(self, file: Path) -> None:
        first = stamp.stamp(file)
        assert first is not None
        file.write_text("jobs: []")
        os.utime(file, ns=(first.mtime_ns, first.mtime_ns))
        second = stamp.stamp(file)
        assert second is not None
        assert (first.size, first.mtime_ns, first.inode) == (second.size, second.mtime_ns, second.inode)
        assert first != second

    def test_a_replaced_file_is_another_even_with_the_same_content(self, file: Path) -> None:
        first = stamp.stamp(file)
        twin = file.with_name("twin")
        twin.write_text(file.read_text())
        about = file.stat()
        os.utime(twin, ns=(about.st_atime_ns, about.st_mtime_ns))
        twin.replace(file)
        assert stamp.stamp(file) != first

    def test_what_is_missing_or_no_file_has_not_settled(self, file: Path, folder: Path) -> None:
        os.mkfifo(folder / "pipe")
        for path in (folder / "none", folder / "pipe", folder):
            assert stamp.stamp(path) is None
            assert not stamp.settled(stamp.stamps([file, path]), stamp.stamps([file, path]))
