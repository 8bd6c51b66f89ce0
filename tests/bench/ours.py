"""Jarvis as anybody would run it: a daemon process with a jobs.yaml, handlers beside it, a state folder and a home."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.bench import processes
from tests.bench.figures import BenchError

MARK = '''"""Note the time of the start: no call of the system, nothing a no-op does not do but the note itself."""

import itertools
import mmap
import struct
import time
from pathlib import Path

from jarvis import Context

with open(Path(__file__).parents[1] / "marks", "r+b") as file:
    MARKS = mmap.mmap(file.fileno(), 0)
NEXT = itertools.count().__next__


def run(ctx: Context) -> None:
    struct.pack_into("<q", MARKS, 8 * NEXT(), time.time_ns())
'''


class Ours:
    """One instance; ``up`` is its life."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.config = folder / "jobs.yaml"
        self.marks = folder / "marks"
        for each in (folder, folder / "home", folder / "handlers"):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "handlers" / "mark.py").write_text(MARK)
        processes.prepare_notes(self.marks)
        self.pid = 0

    @property
    def env(self) -> dict[str, str]:
        """Nothing of the user's but PATH, and PYTHONPATH: another checkout can be measured with it."""
        passed = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        return {"HOME": str(self.folder / "home"), "LANG": "C.UTF-8", "TZ": "UTC", **passed}

    def jobs(self, jobs: Mapping[str, Mapping[str, Any]], **more: Any) -> None:
        """Write jobs.yaml; JSON is YAML, one job a line."""
        lines = [f"  {name}: {json.dumps(job)}" for name, job in jobs.items()]
        head = [f"{key}: {json.dumps(value)}" for key, value in more.items()]
        draft = self.config.with_suffix(".draft")
        draft.write_text("\n".join([*head, "jobs:", *lines, ""]))
        draft.replace(self.config)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "jarvis", *words]

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the daemon and do not wait."""
        with (self.folder / "said").open("ab") as said:
            process = subprocess.Popen(
                self.command("up", "--config", str(self.config), "--state", str(self.state)),
                cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                start_new_session=True,
            )  # fmt: skip
        self.pid = process.pid
        return process

    @contextmanager
    def up(self, within: float = 60.0) -> Iterator[subprocess.Popen[bytes]]:
        """A daemon that has done its first pass and answers; ended at the end, which it has to do well."""
        process = self.launch()
        try:
            processes.until(lambda: self._ready(process), f"a first pass\n{self.said()}", within)
            yield process
        except BaseException:
            processes.end(process)
            raise
        if code := processes.end(process):
            raise BenchError(f"the daemon ended with exit code {code}\n{self.said()}")

    def _ready(self, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is not None:
            raise BenchError(f"the daemon ended with exit code {process.returncode}\n{self.said()}")
        try:
            beaten = json.loads((self.state / "heartbeat").read_text())["pid"] == process.pid
        except (OSError, ValueError):
            return False
        return beaten and (self.state / "control.sock").exists()

    def said(self) -> str:
        """The newest of what the daemon wrote on its terminal."""
        return (self.folder / "said").read_text(errors="replace")[-3_000:]

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Asked of the ledger as any stranger would."""
        ledger = self.state / "ledger.sqlite"
        with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(query, values).fetchall()

    def outcomes(self, like: str = "%") -> dict[str, int]:
        """How many runs of these jobs are in which status."""
        return dict(self.rows("SELECT status, count(*) FROM runs WHERE job LIKE ? GROUP BY status", like))

    def all_succeeded(self, count: int, like: str = "%", within: float = 60.0) -> None:
        """Wait until that many runs of as many fires are closed as succeeded, and no other is there."""
        processes.until(
            lambda: sum(self.outcomes(like).values()) >= count and not _open(self.outcomes(like)),
            f"{count} closed runs",
            within,
            every=0.1,
        )
        if self.outcomes(like) != {"succeeded": count}:
            raise BenchError(f"{count} runs should have succeeded; the ledger says {self.outcomes(like)}")
        (fires,) = self.rows("SELECT count(DISTINCT job || ' ' || fire) FROM runs WHERE job LIKE ?", like)[0]
        if fires != count:
            raise BenchError(f"{count} runs are of {fires} fires; each should be one of its own")

    def due_until(self, like: str = "%") -> float:
        """Epoch seconds of the newest fire in the ledger."""
        (newest,) = self.rows("SELECT max(scheduled_at) FROM runs WHERE job LIKE ?", like)[0]
        return (newest or 0) / 1e6


def _open(outcomes: Mapping[str, int]) -> bool:
    return bool(outcomes.keys() & {"queued", "running"})


def daily(at: float) -> str:
    """Every day at the time of day of these epoch seconds, in UTC, as a cron text with seconds."""
    return time.strftime("%S %M %H * * *", time.gmtime(at))
