"""As whom and with which PATH does the service run? Real shells are asked."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jarvis.errors import NotFound
from jarvis.service import account
from jarvis.service.account import Account
from tests.rooms.launch_house import until


@pytest.fixture
def anna(tmp_path: Path) -> Account:
    return Account(name="anna", uid=os.geteuid(), gid=os.getegid(), home=tmp_path, shell="/bin/sh")


def profile(of: Account, text: str) -> None:
    (of.home / ".profile").write_text(text)


def test_the_path_is_the_one_the_login_shell_sets(anna: Account) -> None:
    profile(anna, 'PATH="$HOME/bin:/usr/bin"; export PATH')
    assert account.login_path(anna) == (f"{anna.home}/bin:/usr/bin", None)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("echo Welcome; echo PATH=/wrong", id="one that greets"),
        pytest.param("read answer", id="one that asks"),
        pytest.param("sleep 60 &", id="one that leaves something in the background"),
        pytest.param("echo trouble >&2; false", id="one that complains"),
    ],
)
def test_a_profile_that_does_more_is_no_trouble(anna: Account, text: str) -> None:
    profile(anna, f"PATH=/opt/anna:/usr/bin; export PATH\n{text}\n")
    assert account.login_path(anna) == ("/opt/anna:/usr/bin", None)


def test_what_a_profile_leaves_behind_is_ended(anna: Account) -> None:
    profile(
        anna, 'sh -c \'echo $$ > "$HOME/left"; exec sleep 60\' &\nwhile ! [ -s "$HOME/left" ]; do :; done\n'
    )
    account.login_path(anna)
    left = int((anna.home / "left").read_text())
    until(lambda: not _alive(left))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_the_venv_of_the_moment_does_not_get_in(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"/somewhere/.venv/bin:{os.environ['PATH']}")
    path, _ = account.login_path(anna)
    assert ".venv" not in path


@pytest.mark.parametrize(
    ("shell", "said"),
    [
        pytest.param(
            "/nowhere/zsh", "could not be asked for PATH (No such file or directory)", id="is missing"
        ),
        pytest.param("/bin/false", "-l named no PATH", id="refuses to log in"),
    ],
)
def test_a_shell_that_cannot_answer_gives_the_minimal_path(anna: Account, shell: str, said: str) -> None:
    path, why = account.login_path(replace(anna, shell=shell))
    assert path == account.MINIMAL_PATH
    assert why is not None
    assert said in why


def test_a_shell_that_hangs_is_not_waited_for(anna: Account) -> None:
    profile(anna, "sleep 60")
    path, why = account.login_path(anna, patience=timedelta(milliseconds=50))
    assert path == account.MINIMAL_PATH
    assert why is not None
    assert "did not answer" in why


@pytest.fixture
def nobody() -> Iterator[Account]:
    home = Path(tempfile.mkdtemp(prefix="jarvis-nobody-", dir="/tmp"))
    home.chmod(0o755)
    yield Account(name="nobody", uid=65534, gid=65534, home=home, shell="/bin/sh", own=False)
    shutil.rmtree(home)


@pytest.mark.needs("root", "linux")
def test_root_asks_another_user_s_shell_as_that_user(nobody: Account) -> None:
    profile(nobody, 'PATH="/uid/$(id -u)/$(id -G | tr " " -):/usr/bin"; export PATH')
    assert account.login_path(nobody) == ("/uid/65534/65534:/usr/bin", None)


@pytest.mark.parametrize(
    ("path", "tidied"),
    [
        pytest.param("/a:/b:/a", "/a:/b", id="each once"),
        pytest.param(":/a::.:bin", "/a", id="nothing relative"),
        pytest.param("/a/:/", "/a:/", id="no slash at the end"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_a_path_is_tidied(path: str, tidied: str) -> None:
    assert account.tidy(path) == tidied


@pytest.mark.needs("root", "linux")
def test_root_installs_for_the_owner_of_the_jobs(tmp_path: Path) -> None:
    jobs = tmp_path / "jobs.yaml"
    jobs.write_text("jobs: {}\n")
    assert account.of(jobs).name == "root"
    os.chown(jobs, 65534, 65534)
    found = account.of(jobs)
    assert (found.name, found.own) == ("nobody", False)
    os.chown(jobs, 54321, 54321)
    with pytest.raises(NotFound, match="user id 54321, which has no account"):
        account.of(jobs)


def test_a_missing_jobs_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"jobs.yaml: No such file or directory; name the jobs.yaml"):
        account.of(tmp_path / "jobs.yaml")


def test_a_venv_s_python_keeps_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/home/anna/jarvis/.venv/bin/python")
    assert account.python() == (Path("/home/anna/jarvis/.venv/bin/python"), None)


def test_homebrew_s_versioned_folder_becomes_its_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brewed = tmp_path / "Cellar/python@3.13/3.13.1/bin/python3.13"
    brewed.parent.mkdir(parents=True)
    brewed.touch()
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt/python@3.13").symlink_to(tmp_path / "Cellar/python@3.13/3.13.1")
    monkeypatch.setattr(sys, "executable", str(brewed))
    assert account.python()[0] == tmp_path / "opt/python@3.13/bin/python3.13"


@pytest.mark.parametrize(
    ("executable", "said"),
    [
        pytest.param("/tmp/try/.venv/bin/python", "temporary files", id="a temporary folder"),
        pytest.param("/home/anna/.cache/uv/archive-v0/x/bin/python", "may be cleared", id="uvx"),
        pytest.param("/Users/anna/Library/Caches/x/bin/python", "may be cleared", id="a cache on macOS"),
    ],
)
def test_a_python_that_will_not_stay_is_told(
    executable: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    doubt = account.python()[1]
    assert doubt is not None
    assert said in doubt
