"""Which parts make a Jarvis? Only this file builds; it starts, stops and reloads them."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jarvis.config import load
from jarvis.config.instance import Instance
from jarvis.config.load import Config
from jarvis.core import clockfacts, plan
from jarvis.core.clockfacts import Reading
from jarvis.core.config import Settings, Slots
from jarvis.core.job import Job
from jarvis.core.run import Run
from jarvis.errors import ConfigError, Refused, StoreBusy, StoreError
from jarvis.handling import catalogue as catalogues
from jarvis.handling.catalogue import Catalogue
from jarvis.handling.launch import Launcher, Request
from jarvis.running import conditions, preparing, readings, recovery, restoring
from jarvis.running.clock import Clock
from jarvis.running.conductor import Conductor
from jarvis.running.preparing import Place
from jarvis.running.readings import Clocks, Heartbeat
from jarvis.running.restoring import Restored
from jarvis.running.roster import Roster
from jarvis.running.threads import Threads
from jarvis.running.trouble import Troubles
from jarvis.running.watcher import Watcher
from jarvis.store import book, journal, runs
from jarvis.store.database import Database
from jarvis.store.journal import Note

log = logging.getLogger("jarvis.app")

BUSY = timedelta(seconds=1)
STOP_WITHIN = timedelta(seconds=1)
OPEN_WITHIN = 60
"""Tries of ``BUSY`` each before a ledger that somebody holds keeps Jarvis from starting."""


@dataclass(kw_only=True)
class App:
    """One instance with all its rooms. ``open`` reads, ``start`` begins, ``stop`` ends; verbs are asked of it."""

    instance: Instance
    settings: Settings
    flags: Mapping[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None

    def __post_init__(self) -> None:
        self.clocks = Clocks()
        self.troubles = Troubles()
        self.daemon_id = uuid.uuid4().hex[:12]
        self.config: Config | None = None
        self.config_problems: tuple[str, ...] = ()
        self.stop_asked: Callable[[], None] = lambda: None

    # Opening: everything that can be said without starting anything.

    def open(self) -> None:
        """The ledger, the handlers and jobs.yaml. Raises ConfigError when there is nothing to run on."""
        self.instance.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.database = Database(self.instance.ledger, busy=BUSY)
        now = self.clocks.read().wall_at
        self.new, restored = self._open_ledger(now)
        if restored is not None:
            restoring.account(self.database, restored, self.instance.runs, now)
        self.catalogue = Catalogue(self._handler_folders())
        last = self._last_reading()
        self.heartbeat = Heartbeat(self.instance.heartbeat)
        self.clock = Clock(
            database=self.database,
            clocks=self.clocks,
            heartbeat=self.heartbeat,
            troubles=self.troubles,
            release=lambda released: self.conductor.release(released),
            gone=self._ledger_gone,
        )
        self.roster = Roster(clock=self.clock, database=self.database, is_python=self.catalogue.is_python)
        self._downtime(last)
        self.roster.open()
        try:
            self.config = self._read()
        except ConfigError as error:
            if not self.roster.lines:
                raise
            self._refuse_config(error, "jobs.yaml cannot be used; the last good set of jobs runs on")
        self._build_conductor(self.config.slots if self.config else Slots())
        self.watcher = Watcher(files=self._watched, folders=self._watched_folders, changed=self.look_again)

    def _open_ledger(self, now: datetime) -> tuple[bool, Restored | None]:
        """Somebody may hold the ledger for a while (a backup tool at login): that is waited for, and said."""
        for left in reversed(range(OPEN_WITHIN)):
            try:
                opened = restoring.open_ledger(self.database, self.instance.runs, now)
                with self.database.write():
                    return opened
            except StoreBusy as error:
                if not left:
                    raise
                log.warning("%s", error)
        raise AssertionError("unreachable: the last try returned or raised")

    def _handler_folders(self) -> list[tuple[str, Path]]:
        own = [*map(Path, self.settings.handlers), self.instance.config.parent / "handlers"]
        shipped = catalogues.shipped()
        found = [
            ("user", folder) for folder in own if folder.is_dir() and folder.resolve() != shipped.resolve()
        ]
        return [*found, (catalogues.SHIPPED, shipped)]

    def _read(self) -> Config:
        return load.read(
            self.instance.config,
            handlers=self.catalogue,
            environ=os.environ,
            now=datetime.now(UTC),
            flags=self.flags,
            cache=self.instance.cache,
            mark=self.catalogue.fingerprint,
        )

    def _last_reading(self) -> Reading | None:
        return readings.last_heartbeat(self.instance.heartbeat)

    def _downtime(self, last: Reading | None) -> None:
        now = self.clocks.read()
        self.clock.know(clockfacts.downtime(last, now) if last else [])
        with self.database.write() as connection:
            runs.raise_counter(connection, recovery.highest_directory(self.instance.runs))

    def _build_conductor(self, slots: Slots) -> None:
        self.place = Place(
            folder=self.instance.config.parent,
            state=self.instance.state,
            runs=self.instance.runs,
            database=self.database.url,
            nice=self.settings.nice or None,
        )
        self.launcher = Launcher(runs=self.instance.runs, notify=lambda notice: self.conductor.notice(notice))
        self._asking = ThreadPoolExecutor(max_workers=4, thread_name_prefix="jarvis-condition")
        self.threads = Threads(
            catalogue=self.catalogue,
            place=self.place,
            done=lambda called: self.conductor.called(called),
        )
        self.conductor = Conductor(
            database=self.database,
            jobs=self.roster,
            launcher=self.launcher,
            threads=self.threads,
            clocks=self.clocks,
            troubles=self.troubles,
            slots=slots.model_dump(),
            prepare=self._prepare,
            ask=self._ask,
            environ=os.environ,
        )

    def _prepare(self, run: Run, job: Job, memory: Mapping[str, Any], now: datetime) -> Request:
        return preparing.request(run, job, self.catalogue, self.place, memory=memory, now=now)

    def _ask(self, run: Run, job: Job) -> None:
        condition = job.spec.condition
        if condition is not None:
            asked = self._asking.submit(conditions.unmet, condition, self.place.folder)
            asked.add_done_callback(
                lambda done: self.conductor.answered(
                    run.id, str(done.exception()) if done.exception() else done.result()
                )
            )

    # Starting and stopping.

    def start(self, *, clock: bool = True) -> None:
        """Take up what an earlier daemon left, make jobs.yaml the truth, and begin (without ``clock``: no schedule)."""
        now = self.clocks.read()
        self.started_at = now.wall_at
        self.launcher.start()
        found = recovery.recover(self.database, self.launcher, self.job_of, now.wall_at)
        for run, job in found.adopted:
            self.conductor.adopt(run, job)
            self.launcher.watch(run.id)
        self.conductor.release(found.queued)
        self.conductor.start()
        if self.config is not None:
            self._apply_at_start(self.config)
        if clock:
            self.roster.begin(self.daemon_id, now.boot_id)
            self.clock.start()
            self.watcher.start()

    def _apply_at_start(self, config: Config) -> None:
        """An edit made while Jarvis was down that would need a word first: the stored jobs run on until it is said."""
        try:
            self._apply(config, confirm=self.new)
        except Refused as error:
            self._note("medium", "reload", "the edit of jobs.yaml was not taken over", str(error))

    def job_of(self, run: Run) -> Job | None:
        """The job of a run: as it is now, or as it was when the run was queued."""
        known = self.roster.job(run.job)
        if known is not None or run.definition is None:
            return known
        with self.database.read() as connection:
            return book.job_of_definition(connection, run.definition)

    def stop(self) -> list[int]:
        """Start nothing more and let go; returns the runs that go on under their supervisors."""
        now = self.clocks.read().wall_at
        self.watcher.stop()
        self.clock.stop()
        self.conductor.stop(STOP_WITHIN)
        self.threads.close()
        self._asking.shutdown(wait=False, cancel_futures=True)
        left = sorted(number for number, active in self.conductor.floor.active.items() if not active.thread)
        self.launcher.close()
        try:
            with self.database.write() as connection:
                book.add_fact(connection, "stop", now, now, 0.0, f"daemon {self.daemon_id}")
        except StoreError as error:  # for information only; nothing may keep a daemon from stopping
            log.warning("the end could not be noted: %s", error)
        self.heartbeat.close()
        self.database.close()
        return left

    def _ledger_gone(self) -> None:
        """The ledger's file went away under us: memory and the runs' directories make a new one (in the clock's pass)."""
        now = self.clocks.read().wall_at
        known = {name: line.next_at for name, line in self.roster.lines.items()}
        floor = self.conductor.floor
        active = [found.run for found in list(floor.active.values())]
        active += [found.run for found in list(floor.waiting.values())]
        restored = restoring.reopen(self.database, now)
        restoring.account(self.database, restored, self.instance.runs, now, known=known, active=active)
        self.roster.open()
        if self.config is not None:
            self._apply(self.config, confirm=True)

    # Reloading.

    def look_again(self) -> bool:
        """Files changed: read handlers and jobs.yaml again; what cannot be used changes nothing. False: ask again."""
        try:
            self._look_again()
        except StoreError as error:
            self.troubles.note("reload", str(error), self.clocks.read().wall_at)
            return False
        self.troubles.clear("reload")
        return True

    def _look_again(self) -> None:
        try:
            self.reload(confirm=False)
        except ConfigError as error:
            self._refuse_config(error, "the edit of jobs.yaml cannot be used; the jobs run on as they were")
        except Refused as error:
            self._note("medium", "reload", "the edit of jobs.yaml was not taken over", str(error))

    def reload(self, *, confirm: bool) -> plan.Plan:
        """Make jobs.yaml as it is now the truth. Raises ConfigError or Refused; then nothing changed."""
        self.catalogue.refresh()
        config = self._read()
        return self._apply(config, confirm=confirm)

    def _apply(self, config: Config, *, confirm: bool) -> plan.Plan:
        changes = self.roster.compare(config.fingerprints)
        refusal = plan.too_many_gone(changes, len(self.roster.fingerprints()))
        if refusal and not confirm:
            self.config_problems = (refusal,)
            raise Refused(refusal)
        self.roster.mark_broken(config.broken)
        self.roster.apply(changes, config.jobs)
        self.conductor.floor.slots = config.slots.model_dump()
        self.config, self.config_problems = config, ()
        if not changes.empty:
            log.info("jobs.yaml: %s", changes)
        return changes

    def _refuse_config(self, error: ConfigError, title: str) -> None:
        self.config_problems = tuple(map(str, error.problems))
        self._note("high", "reload", title, str(error))

    def _note(self, severity: str, key: str, title: str, text: str) -> None:
        log.warning("alert %s %s\n%s", severity, title, text)
        note = Note(at=self.clocks.read().wall_at, severity=severity, key=key, title=title, text=text)
        with self.database.write() as connection:
            journal.add(connection, [note])

    def _watched(self) -> list[Path]:
        return list(self.config.files) if self.config else [self.instance.config]

    def _watched_folders(self) -> list[Path]:
        included = list(self.config.folders) if self.config else []
        return [*included, *(folder for _origin, folder in self._handler_folders())]
