"""A whole Jarvis in this process, and what became of its runs: for the tests of the running room."""

from __future__ import annotations

import sqlite3
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jarvis.core.run import Run, Status
from jarvis.handling import transcript
from jarvis.running import auditing
from jarvis.running.queueing import Asked
from jarvis.store import journal, queries, runs
from jarvis.store.database import Database
from jarvis.store.journal import Note
from tests.rooms.control_house import House

GATE = "until [ -e {} ]; do sleep 0.02; done"
"""A command that ends when a file of this name appears in the instance's folder."""


class Running(House):
    """``submit`` asks the conductor for a run; ``end`` waits for what became of it."""

    def submit(self, job: str, **params: Any) -> Run:
        line = self.app.roster.line(job)
        return self.app.conductor.submit(
            Asked(job=line.job, kind="manual", definition=line.definition, params=params)
        )

    def begin(self, job: str, **params: Any) -> Run:
        """Submit, and wait until it is running."""
        number = self.submit(job, **params).id
        self.until(lambda: self.row(number).status is not Status.QUEUED)
        return self.row(number)

    def end(self, run: int) -> Run:
        self.until(lambda: self.row(run).ended_at)
        return self.row(run)

    def finish(self, job: str, **params: Any) -> Run:
        """Submit, and wait for its end."""
        return self.end(self.submit(job, **params).id)

    def held(self, run: int) -> str:
        """Wait until it was asked and has to wait; for what."""

        def asked() -> str | None:
            found = self.app.conductor.floor.waiting.get(run)
            return found.why if found and found.on else None

        return str(self.until(asked))

    def row(self, run: int) -> Run:
        with self.app.database.read() as connection:
            found = runs.get(connection, run)
        assert found is not None
        return found

    def rows(self, job: str, *statuses: str) -> list[Run]:
        """Oldest first."""
        with self.app.database.read() as connection:
            numbers = [run.id for run in queries.page(connection, job=job, statuses=statuses, limit=1000)]
            found = [runs.get(connection, number) for number in sorted(numbers)]
        return [run for run in found if run is not None]

    def wait_for(self, job: str, *statuses: str, count: int = 1) -> list[Run]:
        """Wait until the job has so many such rows."""
        self.until(lambda: len(self.rows(job, *statuses)) >= count)
        return self.rows(job, *statuses)

    def notes(self) -> list[Note]:
        with self.app.database.read() as connection:
            return journal.newest(connection, limit=100)[::-1]

    def said(self, run: Run) -> str:
        """What it printed."""
        text, position = b"", 0
        while True:
            part, position = transcript.read(self.instance.runs, run.id, position, 50_000)
            if not part:
                return text.decode()
            text += part

    def prints(self, job: str, **params: Any) -> str:
        """Run it to its end; what it printed when it succeeded."""
        run = self.finish(job, **params)
        assert run.status is Status.SUCCEEDED, f"{run.reason}: {self.said(run)}"
        return self.said(run)

    def let(self, gate: str) -> None:
        """Let whoever waits at this gate go on."""
        (self.folder / gate).touch()

    def edit(self, jobs: str) -> None:
        """Replace jobs.yaml, atomically."""
        draft = self.folder / "jobs.draft"
        draft.write_text(textwrap.dedent(jobs))
        draft.replace(self.instance.config)

    def audit(self) -> list[str]:
        """What is wrong with the ledger that is left."""
        database = Database(self.instance.ledger)
        try:
            return [str(one) for one in auditing.audit(database, None, datetime.now(UTC)).violations]
        finally:
            database.close()

    def sql(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask or change the ledger as a stranger would."""
        with closing(sqlite3.connect(self.instance.ledger, timeout=10)) as connection, connection:
            return connection.execute(query, values).fetchall()


@contextmanager
def running(folder: Path, jobs: str) -> Iterator[Running]:
    """At work; audited when it has ended."""
    made = Running(folder, jobs)
    with made.open():
        yield made
    assert made.audit() == []
