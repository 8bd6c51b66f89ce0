"""Which parts make a Jarvis? Only this file builds; it starts, stops and reloads them."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jarvis.config.instance import Instance
from jarvis.config.load import Config
from jarvis.core import clockfacts
from jarvis.core.clockfacts import Reading
from jarvis.core.config import Settings, Slots
from jarvis.core.job import Job
from jarvis.core.plan import Plan
from jarvis.core.run import Run, changed
from jarvis.errors import StoreError
from jarvis.handling import catalogue as catalogues
from jarvis.handling.catalogue import Catalogue
from jarvis.handling.launch import Launcher, Request
from jarvis.running import preparing, readings, recovery, restoring
from jarvis.running.arrivals import Arrivals
from jarvis.running.clock import Clock
from jarvis.running.conditions import Asker
from jarvis.running.conductor import Conductor
from jarvis.running.edits import Edits
from jarvis.running.glancing import Glance
from jarvis.running.preparing import Place
from jarvis.running.readings import Clocks, Heartbeat
from jarvis.running.roster import Roster
from jarvis.running.services import Services
from jarvis.running.telling import pipeline, posting
from jarvis.running.threads import Threads
from jarvis.running.trouble import Troubles
from jarvis.running.watch.watching import Watching
from jarvis.running.watcher import Watcher
from jarvis.store import book, runs
from jarvis.store.database import Database
from jarvis.store.events import Events

log = logging.getLogger("jarvis.app")

BUSY = timedelta(seconds=1)
STOP_WITHIN = timedelta(seconds=1)
ENDS_WITHIN = timedelta(seconds=0.5)
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
        self.stop_asked: Callable[[], None] = lambda: None

    @property
    def config(self) -> Config | None:
        """jobs.yaml as it is in force."""
        return self.edits.config

    @property
    def config_problems(self) -> tuple[str, ...]:
        """Why the newest edit of jobs.yaml is not in force."""
        return self.edits.problems

    def look_again(self) -> bool:
        """Read jobs.yaml again; what cannot be used changes nothing and is told."""
        return self.edits.look_again()

    # Opening: everything that can be said without starting anything.

    def open(self, *, stopping: Callable[[], bool] = lambda: False) -> None:
        """The ledger, the handlers and jobs.yaml. Raises ConfigError when there is nothing to run on.

        ``stopping``: whether to give up waiting for a ledger that somebody holds.
        """
        self.instance.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.database = Database(self.instance.ledger, busy=BUSY)
        now = self.clocks.read().wall_at
        self.new, restored = restoring.open_patiently(
            self.database, self.instance.runs, now, OPEN_WITHIN, stopping
        )
        if restored is not None:
            restoring.account(self.database, restored, self.instance.runs, now)
        self.catalogue = Catalogue(self._handler_folders())
        last = readings.last_heartbeat(self.instance.heartbeat)
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
        self.edits = Edits(
            instance=self.instance,
            flags=self.flags,
            catalogue=self.catalogue,
            roster=self.roster,
            database=self.database,
            clocks=self.clocks,
            troubles=self.troubles,
            taken=self._taken,
        )
        config = self.edits.first()
        self._build_conductor(config.slots if config else Slots())
        self.clock.heard = self.conductor.afflicted.hear
        self.dispatcher, self.outbox = pipeline.build(
            database=self.database,
            clocks=self.clocks,
            troubles=self.troubles,
            roster=self.roster,
            conductor=lambda: self.conductor,
            rules=lambda: self.config.alerts if self.config else None,
            instance=self.instance,
        )
        self._build_starters()

    def _handler_folders(self) -> list[tuple[str, Path]]:
        return catalogues.folders(self.instance.config.parent, self.settings.handlers)

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
        self.asker = Asker(
            folder=self.place.folder, answered=lambda run, unmet: self.conductor.answered(run, unmet)
        )
        self.threads = Threads(
            catalogue=self.catalogue, place=self.place, done=lambda called: self.conductor.called(called),
            ours=self.database,
        )  # fmt: skip
        self.conductor = Conductor(
            database=self.database,
            jobs=self.roster,
            launcher=self.launcher,
            threads=self.threads,
            clocks=self.clocks,
            troubles=self.troubles,
            slots=slots.model_dump(),
            prepare=self._prepare,
            ask=self.asker.ask,
            environ=os.environ,
            triggers=self.clock.timetable.triggers,
        )

    def _build_starters(self) -> None:
        """Whatever starts runs besides the clock: services, events, changed files; and edits of jobs.yaml."""
        self.withheld = posting.Withheld(self.roster.secret_variables, lambda: self.config)
        folder = self.instance.config.parent
        self.services = Services(
            jobs=self.roster,
            conductor=self.conductor,
            threads=self.threads,
            database=self.database,
            folder=folder,
        )
        self.arrivals = Arrivals(
            database=self.database,
            triggers=self.clock.timetable.triggers,
            clocks=self.clocks,
            troubles=self.troubles,
            release=self.conductor.release,
            waiting=lambda: self.conductor.waiting(),
        )
        self.watching = Watching(
            clock=self.clock,
            roster=self.roster,
            database=self.database,
            clocks=self.clocks,
            troubles=self.troubles,
            folder=folder,
            state=self.instance.state,
        )
        self.watcher = Watcher(
            files=self.edits.files, folders=self._watched_folders, changed=self.edits.look_again
        )

    def _prepare(self, run: Run, job: Job, memory: Mapping[str, Any], now: datetime) -> Request:
        if run.cause:
            run = changed(run, cause=Events(self.database).whole(run.cause))
        return preparing.request(
            run, job, self.catalogue, self.place, memory=memory, now=now, withheld=self.withheld()
        )

    # Starting and stopping.

    def start(self, *, clock: bool = True, services: bool = True) -> None:
        """Take up what an earlier daemon left, make jobs.yaml the truth, and begin (without ``clock``: no schedule)."""
        now = self.clocks.read()
        self.started_at = now.wall_at
        self.launcher.start()
        found = recovery.recover(
            self.database, self.launcher, self.job_of, now.wall_at, self.clock.timetable.triggers()
        )
        for run, job in found.adopted:
            self.conductor.adopt(run, job)
            self.launcher.watch(run.id)
        self.conductor.release(found.queued)
        self.conductor.start()
        self.edits.begin(new=self.new)
        self.dispatcher.start()
        self.outbox.start()
        if clock:
            if services:
                self.services.begin(now.wall_at)
            self.roster.begin(self.daemon_id, now.boot_id)
            self.arrivals.begin(self.conductor.each_round, self.roster.job)
            glance = Glance(self.database, self.dispatcher.wake, self.outbox.wake, self.arrivals.poke)
            self.clock.each_pass += [glance, self.services.glance, self.watching.glance]
            self.clock.start()
            self.watcher.start()
            self.watching.start()

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
        self.database.hurry()
        self.watcher.stop()
        self.watching.stop()
        self.clock.stop()
        self.arrivals.stop(STOP_WITHIN.total_seconds())
        self.services.end(ENDS_WITHIN)
        self.conductor.stop(STOP_WITHIN)
        self.dispatcher.stop(STOP_WITHIN)
        self.outbox.stop(ENDS_WITHIN)
        self.threads.close()
        self.asker.close()
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
        """The ledger's file went away under us (noticed by a pass): memory and the runs' directories make a new one."""
        now = self.clocks.read().wall_at
        known = {name: line.next_at for name, line in self.roster.lines.items()}
        floor = self.conductor.floor
        active = [found.run for found in list(floor.active.values())]
        active += [found.run for found in list(floor.waiting.values())]
        restored = restoring.reopen(self.database, now)
        restoring.account(self.database, restored, self.instance.runs, now, known=known, active=active)
        self.roster.open()
        if self.config is not None:
            self.edits.take(self.config, confirm=True)

    def reload(self, *, confirm: bool) -> Plan:
        """Make jobs.yaml as it is now the truth. Raises ConfigError or Refused; then nothing changed."""
        return self.edits.reload(confirm=confirm)

    def _taken(self, config: Config) -> None:
        self.conductor.floor.slots = config.slots.model_dump()
        for wake in (self.outbox.wake, self.dispatcher.wake, self.conductor.wake):
            wake()

    def _watched_folders(self) -> list[Path]:
        return [*self.edits.folders(), *self.catalogue.folders]
