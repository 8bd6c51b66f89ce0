"""Does a fresh checkout become a working one, whatever happens on the way? (scripts/setup, for real)"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.house import tree

EVERYWHERE = {"bash", "ionice", "mount", "setsid", "unshare", "git", "root", "not-root", "linux", "macos"}
"""What is no program, or one that no Debian is without (git: scripts/setup says that it is missing)."""


def test_it_installs_every_program_a_test_needs() -> None:
    marks = [
        name
        for module in tree.modules("tests")
        if module.name != "test_skipping.py"  # which needs what nobody has
        for mark in re.findall(r"mark\.needs\(([^)]*)\)", (tree.ROOT / module).read_text())
        for name in re.findall(r'"([^"]+)"', mark)
    ]
    script = (tree.ROOT / "scripts/setup").read_text()
    said = {"systemctl": "systemd-analyze"}  # of the same package
    missing = {name for name in marks if f"command -v {said.get(name, name)} " not in script}
    assert missing - EVERYWHERE == set()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The project's files alone, in a folder with a space in its name."""
    copy = tmp_path / "a checkout"
    for file in tree.files():
        (copy / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(tree.ROOT / file, copy / file)
    return copy


def environment(folder: Path, **more: str) -> dict[str, str]:
    """That of somebody who has just arrived: an empty home, this Python first on PATH."""
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    python = os.path.dirname(os.path.realpath(sys.executable))
    kept = {name: os.environ[name] for name in os.environ if name.startswith(("UV_", "PIP_", "SSL_", "LANG"))}
    return kept | {"HOME": str(home), "PATH": f"{python}:/usr/local/bin:/usr/bin:/bin"} | more


def setup(checkout: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "scripts/setup"],
        cwd="/",
        env=environment(checkout, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def works(checkout: Path) -> bool:
    """Its Python finds the project, its version and what it needs, from any folder."""
    code = "import importlib.metadata as m, jarvis.core.job; print(m.version('jarvis-jobs'), jarvis.__file__)"
    told = subprocess.run(
        [checkout / ".venv/bin/python", "-P", "-c", code],
        cwd="/",
        env=environment(checkout),
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return str(checkout) in told.stdout and (checkout / ".venv/bin/jarvis").exists()


@pytest.mark.slow
def test_two_at_once_make_one_a_third_finds_nothing_to_do_and_a_move_is_noticed(checkout: Path) -> None:
    with subprocess.Popen([checkout / "scripts/setup"], env=environment(checkout)) as first:
        second = setup(checkout)
    assert (first.returncode, second.returncode) == (0, 0), second.stderr
    assert works(checkout)
    made = (checkout / ".venv/.made-from").stat().st_mtime_ns
    third = setup(checkout)
    assert (third.returncode, third.stdout, third.stderr) == (0, "", "")
    assert (checkout / ".venv/.made-from").stat().st_mtime_ns == made

    moved = checkout.with_name("moved")
    checkout.rename(moved)
    assert setup(moved).returncode == 0
    assert works(moved)


@pytest.mark.slow
def test_killed_half_way_it_is_mended_by_the_next(checkout: Path) -> None:
    with subprocess.Popen(
        [checkout / "scripts/setup"], env=environment(checkout), start_new_session=True
    ) as first:
        packages = checkout / ".venv/lib"
        deadline = time.monotonic() + 60
        while not (packages.exists() and [*packages.glob("*/site-packages/pip")]):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(first.pid, signal.SIGKILL)
    assert not (checkout / ".venv/.made-from").exists()
    told = setup(checkout)
    assert told.returncode == 0, told.stderr
    assert works(checkout)


def test_no_python_is_told_in_a_sentence(checkout: Path) -> None:
    told = setup(checkout, PYTHON="python-nobody-has")
    assert told.returncode == 1
    assert told.stderr.startswith(
        "scripts/setup: no Python 3.11 or newer found (looked for python-nobody-has); install"
    )
    assert told.stderr.count("\n") == 1


def test_a_python_without_venv_is_told_with_its_debian_package(checkout: Path) -> None:
    lame = checkout / "python3"
    lame.write_text(f'#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexec "{sys.executable}" "$@"\n')
    lame.chmod(0o755)
    told = setup(checkout, PYTHON="./python3")
    major, minor = sys.version_info[:2]
    assert told.returncode == 1
    assert f"apt-get install python{major}.{minor}-venv" in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_python_that_is_too_old_is_passed_over(checkout: Path) -> None:
    old = checkout / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    assert "no Python 3.11 or newer found" in setup(checkout, PYTHON="./python3").stderr


def test_an_unknown_argument_is_told(checkout: Path) -> None:
    told = subprocess.run([checkout / "scripts/setup", "--fast"], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (
        2,
        "scripts/setup: unknown argument '--fast'; there is only --dev\n",
    )
