"""Is each condition true when it holds, and said in words when it does not?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from jarvis.core.parts import Condition
from jarvis.running import conditions
from tests.rooms.launch_house import running as pids
from tests.rooms.launch_house import until
from tests.whole.daemon import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``full/`` with a file, ``empty/``, ``text``, ``blank``, and a program ``bin/tool``."""
    for name in ("full", "empty", "bin"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "one.pdf").write_text("x")
    (tmp_path / "full" / "text").write_text("x")
    (tmp_path / "full" / "blank").touch()
    tool = tmp_path / "bin" / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o700)
    return tmp_path


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param({"path_exists": "full/text"}, None, id="a path that is there"),
        pytest.param({"path_exists": "nowhere"}, "nowhere does not exist", id="a path that is not"),
        pytest.param({"path_exists": "/"}, None, id="an absolute path"),
        pytest.param({"glob": "full/*.pdf"}, None, id="a pattern that matches"),
        pytest.param({"glob": "**/*.pdf"}, None, id="a pattern for all folders"),
        pytest.param({"glob": "full/*.doc"}, "nothing matches full/*.doc", id="a pattern that does not"),
        pytest.param({"not_empty": "full"}, None, id="a folder with something in it"),
        pytest.param({"not_empty": "empty"}, "empty is empty", id="a folder with nothing in it"),
        pytest.param({"not_empty": "full/text"}, None, id="a file with something in it"),
        pytest.param({"not_empty": "full/blank"}, "full/blank is empty", id="a file with nothing in it"),
        pytest.param(
            {"not_empty": "nowhere"}, "nowhere: No such file or directory", id="a folder that is not there"
        ),
        pytest.param({"executable": "sh"}, None, id="a program on the path"),
        pytest.param({"executable": "bin/tool"}, None, id="a program in the folder"),
        pytest.param(
            {"executable": "no-such-program"},
            "no-such-program is not an executable file",
            id="a program that is not there",
        ),
        pytest.param(
            {"executable": "full/text"}, "full/text is not an executable file", id="a file that is no program"
        ),
        pytest.param({"exec": "test -e full/text"}, None, id="a text that succeeds"),
        pytest.param({"exec": "exit 3"}, "'exit 3' ended with exit code 3", id="a text that fails"),
        pytest.param({"exec": ["test", "-e", "full/text"]}, None, id="words that succeed"),
        pytest.param(
            {"exec": ["test", "-e", "x y"]}, "'test -e x y' ended with exit code 1", id="words that fail"
        ),
        pytest.param(
            {"exec": ["no-such-program"]},
            "'no-such-program' could not start: No such file or directory",
            id="words that cannot start",
        ),
        pytest.param({}, None, id="nothing is asked"),
        pytest.param({"path_exists": "full", "not_empty": "empty"}, "empty is empty", id="all must hold"),
    ],
)
def test_a_condition_holds_or_says_why_not(folder: Path, body: dict[str, Any], why: str | None) -> None:
    assert conditions.unmet(Condition(**body), folder) == why


def test_home_is_understood(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    for body in (
        {"path_exists": "~/full"},
        {"glob": "~/full/*"},
        {"not_empty": "~/full"},
        {"executable": "~/bin/tool"},
    ):
        assert conditions.unmet(Condition(**body), Path("/")) is None


def test_a_pattern_is_looked_for_in_a_folder_whose_name_looks_like_one(tmp_path: Path) -> None:
    folder = tmp_path / "photos [2026]"
    folder.mkdir()
    (folder / "one.pdf").touch()
    assert conditions.unmet(Condition(glob="*.pdf"), folder) is None


@pytest.mark.parametrize(
    ("battery", "on_ac"),
    [
        pytest.param(None, True, id="no battery at all"),
        pytest.param(SimpleNamespace(power_plugged=True), True, id="charging"),
        pytest.param(SimpleNamespace(power_plugged=False), False, id="on battery"),
    ],
)
def test_mains_power(
    folder: Path, monkeypatch: pytest.MonkeyPatch, battery: SimpleNamespace | None, on_ac: bool
) -> None:
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery)
    assert conditions.unmet(Condition(on_ac=True), folder) == (None if on_ac else "on battery")
    assert conditions.unmet(Condition(on_ac=False), folder) == ("on mains power" if on_ac else None)


@pytest.mark.parametrize(
    ("load", "idle", "why"),
    [
        pytest.param(0.1, True, None, id="idle, as wanted"),
        pytest.param(0.5, True, "load per core is 0.50", id="busy, idle wanted"),
        pytest.param(0.5, False, None, id="busy, as wanted"),
        pytest.param(0.1, False, "load per core is 0.10", id="idle, busy wanted"),
    ],
)
def test_idle(
    folder: Path, monkeypatch: pytest.MonkeyPatch, load: float, idle: bool, why: str | None
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (load * (os.cpu_count() or 1), 9.0, 9.0))
    assert conditions.unmet(Condition(idle=idle), folder) == why


def test_there_is_a_network_or_there_is_none(folder: Path) -> None:
    up, down = (conditions.unmet(Condition(network=wanted), folder) for wanted in (True, False))
    assert (up, down) in [(None, "the network is up"), ("the network is down", None)]


ASK = """
from pathlib import Path
from jarvis.core.parts import Condition
from jarvis.running import conditions
print([conditions.unmet(Condition(network=wanted), Path("/")) for wanted in (True, False)])
"""


@pytest.mark.needs("root", "linux", "unshare", "ip")
@pytest.mark.parametrize(
    ("before", "said"),
    [
        pytest.param("true", "['the network is down', None]", id="without a route"),
        pytest.param(
            "ip link set lo up && ip route add default dev lo",
            "[None, 'the network is up']",
            id="with a route",
        ),
    ],
)
def test_a_route_is_a_network(before: str, said: str) -> None:
    script = f'{before} && exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script, sys.executable, ASK],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == said, done.stderr


def test_a_question_that_takes_too_long_is_ended_with_everything_it_started(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conditions, "EXEC_LIMIT", 0.2)
    asked = "sleep 61.2345; true"
    assert conditions.unmet(Condition(exec=asked), folder) == f"'{asked}' took longer than 0.2s"
    until(lambda: not pids("sleep 61.2345"))
