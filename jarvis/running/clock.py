"""What is due now? APScheduler's thread, its pass made one transaction.

A pass reads the clocks, lets APScheduler step through the due jobs of the timetable, commits everything that was
decided, and only then releases the new runs. If the commit fails memory is restored and the fires are still due:
late, not lost. The pass never raises and never waits longer than five seconds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.executors.base import BaseExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import Connection

from jarvis.core import clockfacts
from jarvis.core.clockfacts import Fact, Reading
from jarvis.core.run import Run
from jarvis.core.settle import Lateness
from jarvis.errors import StoreError
from jarvis.running import following, recording
from jarvis.running.readings import Clocks, Heartbeat
from jarvis.running.recording import Renewal
from jarvis.running.timetable import Line, Timetable
from jarvis.running.trouble import Troubles
from jarvis.store import book, crashpoint
from jarvis.store.database import Database
from jarvis.store.journal import Note

log = logging.getLogger("jarvis.clock")

LONGEST_WAIT = timedelta(seconds=5)
MAKE_WAY = timedelta(milliseconds=5)
FACTS_KEPT = 200
ALARM = timedelta(seconds=30)
"""A ledger that cannot be written for this long is an alarm, not a hiccup."""


class _Executor(BaseExecutor):  # type: ignore[misc]
    """Takes every due job and does nothing: lateness, overlap and instances are decided after the commit."""

    def submit_job(self, job: Any, run_times: list[datetime]) -> None:
        return

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        return


class _Scheduler(BackgroundScheduler):  # type: ignore[misc]
    """BackgroundScheduler whose pass is ours."""

    def __init__(self, timetable: Timetable, run_pass: Callable[[Callable[[], Any]], float]) -> None:
        super().__init__(timezone=UTC, logger=logging.getLogger("jarvis.apscheduler"))
        self._logger.setLevel(logging.WARNING)
        self.add_jobstore(timetable, "default")
        self.add_executor(_Executor(), "default")
        self._run_pass = run_pass

    @property
    def lock(self) -> threading.RLock:
        lock: threading.RLock = self._jobstores_lock
        return lock

    def _process_jobs(self) -> float:
        return self._run_pass(super()._process_jobs)


class Change:
    """One transaction over the timetable: settle lines, write rows, and say what memory becomes after the commit."""

    def __init__(self, connection: Connection, now: datetime, timetable: Timetable) -> None:
        self.connection = connection
        self.now = now
        self.timetable = timetable
        self.released: list[Run] = []
        self._rows: list[Mapping[str, object]] = []
        self._after: list[Callable[[], None]] = []

    def put_after_moves(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Job rows that are written after the next fires of settled lines, which they replace."""
        self._rows += rows

    def after(self, step: Callable[[], None]) -> None:
        """Do this when the transaction is committed, still under the timetable's lock."""
        self._after.append(step)

    def write_rows(self) -> None:
        book.put(self.connection, self._rows)

    def finish(self) -> None:
        for step in self._after:
            step()


class Clock:
    """The scheduler. ``release`` is given the runs whose rows are committed; ``gone`` is called when the ledger's file
    is no longer the one that was opened."""

    def __init__(
        self,
        *,
        database: Database,
        clocks: Clocks,
        heartbeat: Heartbeat,
        troubles: Troubles,
        release: Callable[[Sequence[Run]], None],
        gone: Callable[[], None],
    ) -> None:
        self.timetable = Timetable()
        self.timetable.lateness = self._lateness
        self.passes = 0
        self.each_pass: list[Callable[[], None]] = []
        self.heard: Callable[[Sequence[Note]], None] = lambda notes: None
        self.changes = 0
        self.timetable.triggers = following.Gathered(self.timetable, lambda: self.changes)
        self._database = database
        self._clocks = clocks
        self._heartbeat = heartbeat
        self._troubles = troubles
        self._release = release
        self._gone = gone
        self._scheduler = _Scheduler(self.timetable, self._pass)
        self._last: Reading | None = None
        self._waited = LONGEST_WAIT
        self._facts: list[Fact] = []
        self._unwritten: list[Fact] = []
        self._stopping = False
        self._alarmed = False

    def start(self, facts: Sequence[Fact] = ()) -> None:
        """Begin passes. ``facts``: what is known of the time before (downtime)."""
        self._facts += facts
        self._scheduler.start()

    def stop(self) -> None:
        """No further pass; the one under way is finished, and what happened to the clock since is written."""
        self._stopping = True
        if not self._scheduler.running:
            return
        self._scheduler.shutdown(wait=True)
        try:
            # Runs that this releases stay queued in the ledger for the next start.
            with self._scheduler.lock:
                self._notice()
        except Exception as error:  # nothing may keep a daemon from stopping
            log.warning("what happened to the clock at last could not be written: %s", error)

    def wake(self) -> None:
        """Look at the timetable now."""
        if self._scheduler.running:
            self._scheduler.wakeup()

    def know(self, facts: Sequence[Fact]) -> None:
        """Facts about the time before this process: written with the first commit, and acted on there."""
        self._facts += facts
        self._unwritten += facts

    @contextmanager
    def changing(self) -> Iterator[Change]:
        """Change the timetable and the ledger together; nothing of it happens when the block or commit fails."""
        with self._scheduler.lock:
            self._release(self._notice())
            now = self.timetable.now
            try:
                with self._database.write() as connection:
                    change = Change(connection, now, self.timetable)
                    yield change
                    runs = recording.record(
                        connection, self.timetable.decisions, now, self.timetable.triggers(), self.heard
                    )
                    change.write_rows()
                    crashpoint.here("change.in-transaction")
            except BaseException:
                self.timetable.undo()
                raise
            self.timetable.take()
            change.finish()
            self.changes += 1
        self._release([*change.released, *runs])
        self.wake()

    def _pass(self, process: Callable[[], Any]) -> float:
        if self._stopping:
            return LONGEST_WAIT.total_seconds()
        with self._scheduler.lock:
            try:
                released = self._commit(process)
            except StoreError as error:
                released = self._failed(str(error))
            except Exception as error:
                log.exception("the pass failed; it is tried again")
                released = self._failed(f"{type(error).__name__}: {error}")
        self._release(released)
        self.passes += 1
        wait = self._next_wait()
        if wait:  # nothing else is due at once
            if (
                released and self.each_pass
            ):  # runs come first: one interpreter cannot start them and look on at the same time
                time.sleep(min(wait, MAKE_WAY).total_seconds())
            self._look_on()
            wait = self._next_wait()  # looking on took time, and the next one is not to be late for it
        self._waited = wait
        return wait.total_seconds()

    def _look_on(self) -> None:
        for look in self.each_pass:
            try:
                look()
            except Exception:  # what looks on must not keep the clock from going
                log.exception("a look after the pass failed; it is tried again after the next one")

    def _notice(self) -> list[Run]:
        """What happened to the clock since the last pass, written before anything is changed at the new time."""
        try:
            return self._commit(lambda: None)
        except BaseException:
            self.timetable.undo()
            raise

    def _commit(self, process: Callable[[], Any]) -> list[Run]:
        if self._database.replaced():
            self._gone()
        reading = self._clocks.read()
        now = self._compare(reading)
        self.timetable.now = now
        process()
        decisions = self.timetable.decisions
        over = self._troubles.current().get("ledger")
        if decisions.empty and not self._unwritten and not over:
            self._heartbeat.beat(reading, self.passes)
            return []
        crashpoint.here("pass.before-commit")
        renewals: Sequence[Renewal] = ()
        with self._database.write() as connection:
            if back := clockfacts.set_back(self._unwritten):
                renewals = recording.begin_era(connection, self.timetable, now + back, now, back)
            runs = recording.record(connection, decisions, now, self.timetable.triggers(), self.heard)
            for fact in self._unwritten:
                book.note_fact(connection, fact)
            if over:
                recording.recovered(connection, over, now)
            crashpoint.here("pass.in-transaction")
        crashpoint.here("pass.after-commit")
        self.timetable.take()
        self._unwritten = []
        for renewal in renewals:
            renewal.apply()
        if over:
            self._troubles.clear("ledger")
            self._alarmed = False
        self._heartbeat.beat(reading, self.passes)
        return runs

    def _compare(self, reading: Reading) -> datetime:
        """Now. It runs backwards only with a fact that says so."""
        now, last = reading.wall_at, self._last
        if last is not None:
            facts = clockfacts.between(last, reading, self._waited)
            self._facts = [*self._facts, *facts][-FACTS_KEPT:]
            self._unwritten += facts
            if not clockfacts.set_back(facts):
                now = max(now, last.wall_at)
        self._last = replace(reading, wall_at=now)
        return now

    def _failed(self, why: str) -> list[Run]:
        self.timetable.undo()
        now = self._clocks.read().wall_at
        trouble = self._troubles.note("ledger", why, now)
        if now - trouble.since_at > ALARM and not self._alarmed:
            self._alarmed = True
            log.critical("nothing has been recorded for %s; due jobs wait: %s", now - trouble.since_at, why)
        degraded = Fact(
            kind="degraded", from_at=trouble.since_at, until_at=now, amount=now - trouble.since_at
        )
        self._facts = [*(fact for fact in self._facts if fact.from_at != trouble.since_at), degraded]
        return []

    def _next_wait(self) -> timedelta:
        trouble = self._troubles.current().get("ledger")
        if trouble:
            return min(timedelta(seconds=0.25 * 2 ** min(trouble.tries, 5)), LONGEST_WAIT)
        next_at = self.timetable.get_next_run_time()
        if next_at is None:
            return LONGEST_WAIT
        return min(max(next_at - self._clocks.read().wall_at, timedelta(0)), LONGEST_WAIT)

    def _lateness(self, line: Line, first: datetime) -> Lateness:
        return clockfacts.explain(first, self.timetable.now, self._facts, line.job.timezone)
