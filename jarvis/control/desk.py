"""Whom do verbs ask? A running daemon's rooms, or, without one, its ledger (or only jobs.yaml), read only."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from jarvis.app import App
from jarvis.config import load, peek
from jarvis.config.instance import Instance
from jarvis.control.hiding import Hiding
from jarvis.core import schedule
from jarvis.core.job import Job
from jarvis.errors import NotFound, NotRunning, StoreError
from jarvis.handling import catalogue as catalogues
from jarvis.handling.catalogue import Catalogue
from jarvis.running.floor import Active, Waiting
from jarvis.running.roster import unknown
from jarvis.running.timetable import Line
from jarvis.store import book
from jarvis.store import database as databases
from jarvis.store.book import Entry
from jarvis.store.database import Database


@dataclass(frozen=True, slots=True)
class Queued:
    """A waiting run and its place among those that wait for the same thing."""

    held: Waiting
    position: int


class Desk:
    """One instance, as verbs see it. ``live``: its daemon runs in this very process."""

    def __init__(self, app: App, *, live: bool) -> None:
        self.app = app
        self.live = live
        self.instance = app.instance
        self._hiding = Hiding()

    @classmethod
    def of(cls, app: App) -> Desk:
        """A running daemon's."""
        return cls(app, live=True)

    @classmethod
    def alone(cls, instance: Instance, flags: Mapping[str, Any] | None = None) -> Desk:
        """An instance whose daemon does not run (or is not asked)."""
        looked = peek.peek(instance.config, environ=os.environ, flags=flags or {})
        app = App(instance=peek.placed(instance, looked), settings=looked.settings, flags=flags or {})
        return cls(app, live=False)

    def daemon(self) -> App:
        """The running daemon. Raises NotRunning."""
        if not self.live:
            raise NotRunning(f"Jarvis is not running for {self.instance.config}; start it with 'jarvis up'")
        return self.app

    def now(self) -> datetime:
        return datetime.now(UTC)

    @cached_property
    def database(self) -> Database:
        """The ledger. Raises StoreError when there is none yet, or one that this version cannot read."""
        if self.live:
            return self.app.database
        path = self.instance.ledger
        if not path.exists():
            raise StoreError(f"there is no ledger at {path} yet: start Jarvis with 'jarvis up' first")
        found = Database(path)
        if (version := found.version()) != databases.HEAD:
            raise StoreError(
                f"the ledger {path} has schema {version}, this Jarvis reads {databases.HEAD}: "
                "'jarvis up' brings it up to date"
            )
        return found

    @property
    def began(self) -> bool:
        """There is a ledger: Jarvis has run here before."""
        return self.live or self.instance.ledger.exists()

    @cached_property
    def catalogue(self) -> Catalogue:
        if self.live:
            return self.app.catalogue
        return Catalogue(catalogues.folders(self.instance.config.parent, self.app.settings.handlers))

    # Jobs.

    @property
    def lines(self) -> Mapping[str, Line]:
        """All jobs by name: a copy, because the clock goes on."""
        return dict(self.app.roster.lines) if self.live else self._remembered

    @cached_property
    def _remembered(self) -> Mapping[str, Line]:
        if not self.began:
            return self._written()
        with self.database.read() as connection:
            known, pauses = book.entries(connection), book.all_pauses(connection)
        return {name: Line(entry, pauses=pauses.get(name, ())) for name, entry in known.items()}

    def _written(self) -> Mapping[str, Line]:
        """What jobs.yaml says, where Jarvis never ran."""
        now = self.now()
        config = load.read(self.instance.config, handlers=self.catalogue, environ=os.environ, now=now)
        return {name: Line(_entry(job, now), job=job) for name, job in config.jobs.items()}

    def line(self, name: str) -> Line:
        """One job. Raises NotFound with the nearest name."""
        lines = self.app.roster.lines if self.live else self._remembered
        if (line := lines.get(name)) is None:
            raise NotFound(unknown("job", name, lines))
        return line

    def broken(self, name: str) -> str | None:
        """Why a job cannot run right now."""
        return self.app.roster.broken(name) if self.live else None

    # Runs at work. The conductor owns its memory and goes on meanwhile: everything here is copied first.

    def active(self) -> list[Active]:
        """Running runs, oldest first."""
        if not self.live:
            return []
        return sorted(_copied(self.app.conductor.floor.active), key=lambda active: active.run.id)

    def queue(self) -> list[Queued]:
        """Waiting runs in the order in which they would start, each with its place."""
        if not self.live:
            return []
        held = _copied(self.app.conductor.floor.waiting)
        held.sort(key=lambda one: (-one.priority, one.run.scheduled_at, one.run.id))
        places: dict[object, int] = {}
        found = []
        for one in held:
            places[one.on] = places.get(one.on, 0) + 1
            found.append(Queued(one, places[one.on]))
        return found

    # Secrets.

    @property
    def hide(self) -> Hiding:
        """What takes secrets out of an answer."""
        of = self.app.config if self.live else self.instance
        self._hiding.look(of, self._bodies(), os.environ)
        return self._hiding

    def _bodies(self) -> Iterator[Mapping[str, Any]]:
        """Everything that may refer to a secret."""
        lines = self.app.roster.lines if self.live else self.__dict__.get("_remembered", {})
        yield from (line.entry.body for line in _copied(lines))
        if self.live and self.app.config is not None:
            yield self.app.config.alerts.model_dump(by_alias=True, include={"channels"})


def _copied(living: Mapping[Any, Any]) -> list[Any]:
    """The values of a mapping that another thread changes."""
    while True:
        try:
            return list(living.values())
        except RuntimeError:  # it changed its size meanwhile
            continue


def _entry(job: Job, now: datetime) -> Entry:
    timed = schedule.for_job(job)
    moment = timed.next(now) if timed and job.spec.enabled else None
    return Entry(
        name=job.name,
        definition=0,
        fingerprint=job.fingerprint(),
        python=True,
        body=job.dump(),
        origin=job.origin,
        state="active" if job.spec.enabled else "disabled",
        switch=None,
        era=0,
        next_fire_at=moment.at if moment else None,
    )
