"""A real daemon for the tests: a child process with a jobs.yaml, a state directory and a home of its own.

Everything is looked at from outside: the ledger with the sqlite3 module, the processes in /proc or with psutil,
what jobs really did in the marks they write. Nothing here imports the store.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import psutil

ROOT = Path(__file__).parents[2]
MARK = 'echo "$JARVIS_JOB $JARVIS_FIRE $JARVIS_ATTEMPT" >> marks'
"""A command that leaves proof that it really ran: job, fire and attempt, one line."""

SECOND = 1_000_000
PATIENCE = 40.0
FOREGROUND = [sys.executable, "-m", "jarvis", "up"]

Row = dict[str, Any]
T = TypeVar("T")


def until(condition: Callable[[], T | None], what: str, within: float = PATIENCE) -> T:
    """Poll until the condition answers something true, and answer it; fail naming what never came."""
    give_up = time.monotonic() + within
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > give_up:
            raise AssertionError(f"after {within:g} s still not: {what} (last answer: {found!r})")
        time.sleep(0.03)


class Daemon:
    """One instance and, between ``start`` and its end, its process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "jobs.yaml"
        self.state = folder / "state"
        self.ledger = self.state / "ledger.sqlite"
        self.said = folder / "daemon.out"
        self.env: dict[str, str] = {}
        self.program = FOREGROUND
        self.process: subprocess.Popen[bytes] | None = None
        self.audited = True
        self.starts: list[tuple[int, int]] = []
        """When each start began and when it answered (microseconds)."""
        folder.chmod(0o700)
        (folder / "home").mkdir(exist_ok=True)

    # jobs.yaml and handlers.

    def write(self, text: str) -> None:
        """Replace jobs.yaml, atomically."""
        draft = self.config.with_suffix(".draft")
        draft.write_text(textwrap.dedent(text))
        draft.replace(self.config)

    def jobs(self, text: str, more: str = "") -> Self:
        """Replace jobs.yaml by one with these jobs."""
        self.write(textwrap.dedent(more) + "\njobs:\n" + textwrap.indent(textwrap.dedent(text), "  "))
        return self

    def handler(self, name: str, text: str) -> Path:
        """Write a handler beside jobs.yaml, atomically."""
        folder = self.folder / "handlers"
        folder.mkdir(exist_ok=True, mode=0o700)
        draft = folder / f"{name}.draft"
        draft.write_text(textwrap.dedent(text))
        return draft.replace(folder / f"{name}.py")

    # Its life.

    @property
    def environment(self) -> dict[str, str]:
        home = str(self.folder / "home")
        plain = {"HOME": home, "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}
        return plain | {"JARVIS_STATE": str(self.state)} | self.env

    def arguments(self, *more: str) -> list[str]:
        return ["--config", str(self.config), "--state", str(self.state), *more]

    def start(self, *more: str, **env: str) -> Self:
        """Start and wait until it answers, which it does after its first pass."""
        begun = int(time.time() * SECOND)
        self.launch(*more, **env)
        until(self.ready, f"the daemon answers\n{self.output()}")
        self.starts.append((begun, int(time.time() * SECOND)))
        return self

    def launch(self, *more: str, **env: str) -> subprocess.Popen[bytes]:
        """Start and do not wait."""
        assert self.process is None or self.process.poll() is not None, "the last daemon still runs"
        with self.said.open("ab") as said:
            self.process = subprocess.Popen(
                [*self.program, *self.arguments(*more)],
                cwd=self.folder,
                env=self.environment | env,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self.process

    @property
    def now(self) -> datetime:
        """The time in its world."""
        return datetime.now(UTC)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ready(self) -> bool:
        """This very process answers."""
        assert self.process is not None
        code = self.process.poll()
        if code is not None:
            raise AssertionError(f"the daemon ended with exit code {code}:\n{self.output()}")
        return self.beat().get("pid") == self.process.pid and self.answers()

    def answers(self) -> bool:
        """Somebody listens at the control socket."""
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self.state / "control.sock"))
            except OSError:
                return False
        return True

    def beat(self) -> dict[str, Any]:
        """The heartbeat file."""
        try:
            found = json.loads((self.state / "heartbeat").read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def ended(self, within: float = PATIENCE) -> int:
        """Wait for its end; the exit code."""
        assert self.process is not None
        return self.process.wait(within)

    def stop(self, within: float = PATIENCE) -> int:
        """SIGTERM and wait; the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.ended(within)

    def restart(self, **env: str) -> Self:
        assert self.stop() == 0, self.output()
        return self.start(**env)

    def reload(self) -> None:
        """SIGHUP."""
        os.kill(self.pid, signal.SIGHUP)

    def output(self) -> str:
        """What the daemon said on its terminal (the newest part)."""
        return self.said.read_text(errors="replace")[-6_000:] if self.said.exists() else ""

    def log(self) -> str:
        try:
            return (self.state / "jarvis-daemon.log").read_text(errors="replace")
        except OSError:
            return ""

    # Asking it.

    def cli(self, *words: str, code: int | None = 0, **env: str) -> Any:
        """A jarvis command; its JSON when it answers with JSON, else its text."""
        done = subprocess.run(
            [sys.executable, "-m", "jarvis", *words],
            cwd=self.folder,
            env=self.environment | {"JARVIS_CONFIG": str(self.config)} | env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
        told = f"jarvis {' '.join(words)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        assert code is None or done.returncode == code, told
        assert "Traceback" not in done.stderr, told
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout + done.stderr

    # The ledger, read as any stranger would.

    def rows(self, query: str, *values: object) -> list[Row]:
        """Rows of the ledger; none when there is no such table yet."""
        if not self.ledger.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            try:
                return [dict(row) for row in connection.execute(query, values)]
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    return []
                raise

    def runs(self, job: str | None = None, *statuses: str) -> list[Row]:
        """Run rows, oldest first."""
        found = self.rows("SELECT * FROM runs ORDER BY id")
        return [
            row for row in found if job in (None, row["job"]) and (not statuses or row["status"] in statuses)
        ]

    def spans(self, job: str) -> list[Row]:
        return self.rows("SELECT * FROM spans WHERE job = ? ORDER BY id", job)

    def facts(self, kind: str) -> list[Row]:
        return self.rows("SELECT * FROM facts WHERE kind = ? ORDER BY id", kind)

    def notes(self) -> list[Row]:
        return self.rows("SELECT * FROM journal ORDER BY id")

    def job_rows(self) -> dict[str, Row]:
        return {row["name"]: row for row in self.rows("SELECT * FROM jobs")}

    def wait_for(self, job: str, *statuses: str, count: int = 1, within: float = PATIENCE) -> list[Row]:
        """Wait until the job has that many runs in one of these statuses."""
        what = f"{count} runs of {job} {' or '.join(statuses)}"

        def enough() -> list[Row]:
            found = self.runs(job, *statuses)
            return found if len(found) >= count else []

        try:
            return until(enough, what, within)
        except AssertionError as error:
            known = Counter((row["job"], row["status"], row["reason"]) for row in self.runs())
            raise AssertionError(f"{error}\n{known}\n{self.output()}") from None

    def wait_after(self, moment: int, job: str, *statuses: str, within: float = PATIENCE) -> list[Row]:
        """Wait until the job has such a run of a fire later than that moment (microseconds)."""

        def later() -> list[Row]:
            return [row for row in self.runs(job, *statuses) if row["scheduled_at"] > moment]

        return until(later, f"{job} goes on", within)

    def marks(self, name: str = "marks") -> list[tuple[str, str, int]]:
        """What really ran: (job, fire, attempt)."""
        try:
            lines = (self.folder / name).read_text().splitlines()
        except OSError:
            return []
        return [(job, fire, int(attempt)) for job, fire, attempt in (line.split() for line in lines)]

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    @contextmanager
    def held(self) -> Iterator[sqlite3.Connection]:
        """Another process' exclusive lock on the ledger (a connection of ours: SQLite cannot tell)."""
        with closing(sqlite3.connect(self.ledger, isolation_level=None, timeout=10)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield connection
            connection.execute("ROLLBACK")

    # Processes.

    def processes(self) -> list[psutil.Process]:
        """Everything of this instance but the daemon: spawner, supervisors and jobs, by command line or environment."""
        mark = str(self.state)
        found = []
        for process in psutil.process_iter():
            if process.pid in (os.getpid(), self.process.pid if self.process else 0):
                continue
            try:
                said = [*process.cmdline(), *process.environ().values()]
                if process.status() != psutil.STATUS_ZOMBIE and any(word.startswith(mark) for word in said):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def named(self, name: str) -> list[psutil.Process]:
        """Those of them that the system knows by this name (jarvis-spawner, jarvis-run, sleep ...)."""
        return [process for process in self.processes() if _name(process) == name]


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""
