"""Does Jarvis work where there is no checkout: from its wheel alone, in a clean venv?"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.house import tree

VERSION = tomllib.loads((tree.ROOT / "pyproject.toml").read_text())["project"]["version"]
JOBS = """\
jobs:
  greet:
    every: 1h
    command: echo hello from the wheel
  look: {every: 1h, run: health}
"""


def build(folder: Path) -> Path:
    told = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=tree.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_holds_the_package_and_the_shipped_handlers_and_nothing_else(tmp_path: Path) -> None:
    wheel = build(tmp_path)
    assert wheel.name == f"jarvis_jobs-{VERSION}-py3-none-any.whl"
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = {str(file) for file in tree.files() if file.parts[0] == "jarvis"}
    handlers = {f"jarvis/_{file}" for file in tree.files() if file.parts[0] == "handlers"}
    assert held == package | handlers
    assert "jarvis/py.typed" in held


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    home = cwd / "home"
    home.mkdir(exist_ok=True)
    bare = {name: os.environ[name] for name in os.environ if name.startswith(("UV_", "SSL_", "LANG"))}
    return subprocess.run(
        command,
        cwd=cwd,
        env=bare | {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "UV_SYSTEM_CERTS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_an_installed_wheel_knows_its_handlers_and_runs_jobs(tmp_path: Path) -> None:
    wheel = build(tmp_path)
    venv, uv = tmp_path / "venv", Path(sys.executable).with_name("uv")
    python = venv / "bin/python"
    lock = tree.ROOT / "requirements/run.txt"
    commands: tuple[list[str | Path], ...] = (
        [sys.executable, "-m", "venv", "--without-pip", venv],
        [uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", lock],
        [uv, "pip", "install", "--quiet", "--python", python, "--no-deps", wheel],
    )
    for command in commands:
        told = run(*command, cwd=tmp_path)
        assert told.returncode == 0, told.stderr

    (tmp_path / "jobs.yaml").write_text(JOBS)
    jarvis = venv / "bin/jarvis"
    told = run(jarvis, "--version", cwd=tmp_path)
    assert (told.returncode, told.stdout.split()[-1]) == (0, VERSION), told.stderr
    told = run(jarvis, "handlers", "list", cwd=tmp_path)
    shipped = {
        file.stem
        for file in tree.files()
        if file.parts[0] == "handlers" and file.suffix == ".py" and not file.stem.startswith("_")
    }
    assert told.returncode == 0, told.stderr
    assert shipped <= set(told.stdout.split())
    told = run(jarvis, "check", "--config", "jobs.yaml", cwd=tmp_path)
    assert told.returncode == 0, told.stdout + told.stderr
    with tempfile.TemporaryDirectory() as state:  # a socket's path has to be short
        told = run(jarvis, "up", "--once", "--config", "jobs.yaml", "--state", state, cwd=tmp_path)
    assert told.returncode == 0, told.stdout + told.stderr
