"""The others: how are plain APScheduler and cronstable started, from an environment of their own?"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.bench import processes
from tests.bench.figures import BenchError

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".bench" / "venv" / "bin"
WAL = "APScheduler SQLite-WAL"


def program(name: str) -> str:
    """A program of the peers' environment."""
    if not (BIN / name).exists():
        raise BenchError(f"{name} is not in .bench/venv: run it as scripts/bench, which puts it there")
    return str(BIN / name)


def environment(folder: Path) -> dict[str, str]:
    (folder / "home").mkdir(exist_ok=True, parents=True)
    return {"HOME": str(folder / "home"), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC"}


def launch_apscheduler(folder: Path, **asked: Any) -> subprocess.Popen[bytes]:
    """Start it and do not wait. ``count`` jobs from ``first`` on, every ``period`` seconds."""
    folder.mkdir(exist_ok=True, parents=True)
    if not (folder / "marks").exists():
        processes.prepare_notes(folder / "marks")
    said = {"database": str(folder / "jobs.sqlite"), "marks": str(folder / "marks"), **asked}
    with (folder / "said").open("ab") as errors:
        return subprocess.Popen(
            [program("python"), str(ROOT / "tests/bench/apscheduler_program.py"), json.dumps(said)],
            env=environment(folder), cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
        )  # fmt: skip


@contextmanager
def apscheduler(folder: Path, **asked: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Its program, started and ready; ended at the end."""
    process = launch_apscheduler(folder, **asked)
    assert process.stdin is not None and process.stdout is not None
    try:
        if process.stdout.readline() != b"ready\n":
            raise BenchError(f"the APScheduler peer did not start:\n{(folder / 'said').read_text()[-2_000:]}")
        yield process
    finally:
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            processes.end(process)
        process.stdout.close()


@contextmanager
def cronstable(folder: Path, jobs: list[dict[str, Any]], **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """cronstable with these jobs in its YAML."""
    folder.mkdir(exist_ok=True, parents=True)
    config = folder / "cronstable.yaml"
    # Its reader refuses JSON.
    config.write_text(yaml.safe_dump({"jobs": jobs, **more}, default_flow_style=False, sort_keys=False))
    with (folder / "said").open("ab") as said:
        process = subprocess.Popen(
            [program("cronstable"), "-c", str(config)],
            env=environment(folder), cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
        )  # fmt: skip
    try:
        yield process
        if process.poll() is not None:
            told = (folder / "said").read_text()[-2_000:]
            raise BenchError(f"cronstable ended with exit code {process.returncode}:\n{told}")
    finally:
        processes.end(process)
