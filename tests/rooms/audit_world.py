"""A Jarvis without threads: the real clock, roster, timetable and ledger, moved by hand through invented time."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from apscheduler.schedulers.base import BaseScheduler

from jarvis.core import clockfacts
from jarvis.core.audit import Report
from jarvis.core.clockfacts import Reading
from jarvis.core.job import Job, JobSpec
from jarvis.core.run import Run, Status
from jarvis.errors import StoreError
from jarvis.running import auditing, readings
from jarvis.running.clock import Clock
from jarvis.running.readings import Clocks, Heartbeat
from jarvis.running.roster import Roster
from jarvis.running.trouble import Troubles
from jarvis.store import runs
from jarvis.store.database import Database

BEGIN = datetime(2026, 3, 28, 20, 0, tzinfo=UTC)
"""The evening before the clocks of Europe go forward."""


class Time(Clocks):
    """The machine's clocks, moved by the test."""

    def __init__(self) -> None:
        self.wall_at = BEGIN
        self.awake = timedelta(hours=1)
        self.since_boot = timedelta(hours=2)
        self.boots = 1

    def read(self) -> Reading:
        return Reading(
            wall_at=self.wall_at, awake=self.awake, since_boot=self.since_boot, boot_id=f"boot{self.boots}"
        )

    def pass_by(self, length: timedelta, *, asleep: bool = False) -> None:
        self.wall_at += length
        self.since_boot += length
        if not asleep:
            self.awake += length

    def boot(self) -> None:
        self.boots += 1
        self.awake = self.since_boot = timedelta(seconds=20)


def job(name: str, **body: object) -> Job:
    """A job of the file."""
    spec = JobSpec.model_validate({"command": "true", **body})
    return spec.resolve(name, timezone="Europe/London", python=False)


@dataclass
class World:
    """One instance. ``file``: what jobs.yaml says."""

    folder: Path
    file: dict[str, Job] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.time = Time()
        self.daemons = 0
        self.waiting: list[Run] = []
        self.open()

    # The daemon.

    def open(self) -> None:
        """What the builder does at a start."""
        self.daemons += 1
        self.database = Database(self.folder / "ledger.sqlite", busy=timedelta(0))
        self.database.open()
        last = readings.last_heartbeat(self.folder / "heartbeat")
        self.heartbeat = Heartbeat(self.folder / "heartbeat")
        self.clock = Clock(
            database=self.database,
            clocks=self.time,
            heartbeat=self.heartbeat,
            troubles=Troubles(),
            release=self.waiting.extend,
            gone=self._gone,
        )
        self.roster = Roster(clock=self.clock, database=self.database, is_python=lambda name: False)
        self.clock.know(clockfacts.downtime(last, self.time.read()) if last else [])
        self.roster.open()
        with self.database.read() as connection:
            self.waiting[:] = runs.unfinished(connection)
        self.save()
        # Started as APScheduler starts, except for the thread: passes are made by ``look``.
        self.clock._scheduler._event = threading.Event()
        BaseScheduler.start(self.clock._scheduler)
        self.roster.begin(f"daemon{self.daemons}", self.time.read().boot_id)

    def save(self) -> None:
        """jobs.yaml as it is now becomes the truth."""
        fingerprints = {name: each.fingerprint() for name, each in self.file.items()}
        self.roster.apply(self.roster.compare(fingerprints), self.file)

    def look(self) -> None:
        """One pass of the clock's thread, and what the conductor makes of the runs it released."""
        self.clock._scheduler._process_jobs()
        self.conduct()

    def conduct(self) -> None:
        """Everything that may start runs and ends at once, or waits for its time."""
        now = self.time.wall_at
        held = [run for run in self.waiting if run.not_before and run.not_before > now]
        ended = [self._ran(run, now) for run in self.waiting if run not in held]
        self.waiting[:] = held
        with self.database.write() as connection:
            runs.close(connection, ended)

    def _ran(self, run: Run, now: datetime) -> Run:
        if self.roster.paused(run.job, now) and run.scheduled:
            return replace(run, status=Status.SKIPPED, reason="paused", ended_at=now)
        job = self.roster.job(run.job)
        grace = job.spec.misfire_grace if job else None
        if grace is not None and now - max(run.scheduled_at, run.not_before or run.scheduled_at) > grace:
            return replace(run, status=Status.MISSED, reason="waited too long", ended_at=now)
        return replace(run, status=Status.SUCCEEDED, started_at=now, ended_at=now)

    def _gone(self) -> None:
        raise AssertionError("nobody takes the ledger away in this world")

    def kill(self) -> None:
        """kill -9: memory is gone, the files are there."""
        self.heartbeat.close()
        self.database.close()

    def restart(self, down: timedelta, *, boot: bool = False, step: timedelta = timedelta(0)) -> None:
        """Killed, and started again after a while; meanwhile the machine may boot or its clock be set."""
        self.kill()
        self.time.pass_by(down)
        self.time.wall_at += step
        if boot:
            self.time.boot()
        self.open()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Another process holds the ledger."""
        holder = sqlite3.connect(self.database.path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            holder.execute("ROLLBACK")
            holder.close()

    def look_in_vain(self) -> None:
        """A pass while the ledger cannot be written."""
        with self.locked():
            self.clock._scheduler._process_jobs()

    def try_in_vain(self, name: str) -> None:
        """A change while the ledger cannot be written changes nothing."""
        with self.locked():
            try:
                self.roster.pause(name, None, "in vain")
            except StoreError:
                return
        raise AssertionError("the ledger was locked")

    # The proof.

    def audit(self, since: datetime | None = None) -> Report:
        return auditing.audit(self.database, since, self.time.wall_at)

    def tell(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Look into the ledger, or change it behind Jarvis' back."""
        connection = sqlite3.connect(self.database.path)
        try:
            with connection:
                return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def close(self) -> None:
        self.kill()


def sentences(report: Report) -> Sequence[str]:
    return [f"[{found.rule}] {found}" for found in report.violations]
