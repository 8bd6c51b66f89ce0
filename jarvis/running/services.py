"""Which services have to be started, and which have to end? Asked again and again by the conductor's thread.

Nothing is remembered here that the ledger does not say too: a service that should run and has no open run is
decided by how its last ones ended (core/service.py). Killed at any moment, the next start decides the same.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from jarvis.core import alert as alerts
from jarvis.core import service as services
from jarvis.core.admission import Refuse
from jarvis.core.run import Run, Status
from jarvis.errors import StoreError
from jarvis.running.conductor import Conductor
from jarvis.running.floor import Floor
from jarvis.running.queueing import Asked
from jarvis.running.threads import Threads
from jarvis.running.timetable import Line
from jarvis.running.work import Work
from jarvis.store import queries
from jarvis.store.database import Database
from jarvis.store.journal import Note

log = logging.getLogger("jarvis.services")

LOOK = timedelta(seconds=2)
"""How often paths are looked at, and what waits for its time."""


class Jobs(Protocol):
    """What is asked about jobs. ``changes`` rises with every change of them."""

    @property
    def changes(self) -> int: ...

    @property
    def lines(self) -> Mapping[str, Line]: ...

    def paused(self, name: str, now: datetime) -> str | None: ...

    def broken(self, name: str) -> str | None: ...


@dataclass(slots=True)
class Services:
    """All jobs with ``service:``. ``left``: those that are left as they are, and why.

    Everything but ``begin`` and ``end`` is done by the conductor's thread.
    """

    jobs: Jobs
    conductor: Conductor
    threads: Threads
    database: Database
    folder: Path
    left: dict[str, services.Rest | services.GiveUp] = field(default_factory=dict)
    _since_at: datetime | None = None
    _names: list[str] = field(default_factory=list)
    _seen: int = -1
    _next_at: datetime | None = None
    _calm: bool = False
    _resting: dict[str, tuple[int | None, int]] = field(default_factory=dict)

    @property
    def floor(self) -> Floor:
        return self.conductor.floor

    def begin(self, now: datetime) -> None:
        """Jarvis starts: from now on they are kept running."""
        self._since_at = now
        self.conductor.each_round.append(self.look)
        self.conductor.attentive = lambda: bool(self._names) and not self._calm

    def glance(self) -> None:
        """Have the conductor look, if jobs changed since it did; from any thread."""
        if self._seen != self.jobs.changes:
            self.conductor.wake()

    def leave(self) -> None:
        """From now on a service that ends is not started again."""
        if self.look in self.conductor.each_round:
            self.conductor.each_round.remove(self.look)

    def end(self, within: timedelta) -> None:
        """Jarvis stops: those in threads end with it, and are recorded if the ledger takes it in time."""
        until = time.monotonic() + within.total_seconds()
        self.leave()
        self.threads.end_all("Jarvis stops", within)
        while time.monotonic() < until and any(
            active.thread and active.job.service for active in list(self.floor.active.values())
        ):
            time.sleep(0.005)

    def look(self, work: Work, now: datetime) -> None:
        """Start what should run and end what should not; cheap while nothing happened."""
        fresh = self._seen != self.jobs.changes
        if fresh:
            self._names = [
                name for name, line in dict(self.jobs.lines).items() if "service" in line.entry.body
            ]
            self._seen = self.jobs.changes
            self._resting.clear()
            self.left.clear()
            self._end_strangers(work, now)
        ended = any(verdict.run.job in self._names for verdict in work.verdicts) if self._names else False
        early = self._next_at is not None and self._next_at - LOOK <= now < self._next_at
        if not self._names or (early and not fresh and not ended):
            return
        self._next_at = now + LOOK
        gone = {verdict.run.job for verdict in work.verdicts}  # their ends are not written yet
        self._calm = not gone.intersection(self._names)
        for name in self._names:
            if name in gone:
                self._next_at = now
            elif line := self.jobs.lines.get(name):
                self._calm = self._one(line, work, now) and self._calm

    def _end_strangers(self, work: Work, now: datetime) -> None:
        """Runs of services that are no services any more, or no jobs at all."""
        for active in list(self.floor.active.values()):
            name = active.run.job
            if active.run.fire.startswith(services.PREFIX) and name not in self._names:
                self._stop(name, "it is no longer a service of jobs.yaml", work, now)

    def _one(self, line: Line, work: Work, now: datetime) -> bool:
        """See to one service; True when nothing about it changes unless somebody says so."""
        timed = self._timed(line, now)
        open_runs = list(self._open(line.name))
        if unwanted := self._unwanted(line, now):
            self._stop(line.name, unwanted, work, now)
            return not open_runs and not timed
        stale = [
            run
            for run in open_runs
            if run.definition != line.definition and run.fire.startswith(services.PREFIX)
        ]
        if stale:
            self._stop(line.name, "its definition changed", work, now)
            return False
        if not open_runs:
            self._decide(line, work, now)
            return line.name in self._resting and not timed
        self.left.pop(line.name, None)
        spec = line.job.spec.service
        healthy = [
            run for run in open_runs
            if spec and run.started_at and now - run.started_at >= spec.healthy_after
        ]  # fmt: skip
        for run in healthy:
            work.notes += self.conductor.afflicted.well(run, now)
        return len(healthy) == len(open_runs) and not timed

    def _timed(self, line: Line, now: datetime) -> bool:
        """Whether it has to be looked at again and again: for its path, or for the end of its pause."""
        spec, pause = line.job.spec.service, line.pause_at(now)
        return bool(spec and spec.while_path) or bool(pause and pause.until_at)

    def _unwanted(self, line: Line, now: datetime) -> str | None:
        """Why it should not run now."""
        if line.entry.state != "active":
            return "it was disabled"
        spec = line.job.spec.service
        path = spec.while_path if spec else None
        if path and not os.path.exists(self.folder / os.path.expanduser(path)):
            return f"{path} is not there (while_path)"
        return self.jobs.paused(line.name, now) or self.jobs.broken(line.name)

    def _open(self, name: str) -> Iterator[Run]:
        yield from (active.run for active in self.floor.active.values() if active.run.job == name)
        yield from (held.run for held in self.floor.waiting.values() if held.run.job == name)

    def _stop(self, name: str, why: str, work: Work, now: datetime) -> None:
        for held in [held for held in self.floor.waiting.values() if held.run.job == name]:
            if held.run.fire.startswith(services.PREFIX):
                self.conductor.close(held.run, Refuse(status=Status.SKIPPED, why=why), work, now)
        for number, active in self.floor.active.items():
            if active.run.job == name and active.run.fire.startswith(services.PREFIX) and not active.stopping:
                active.stopping = why
                work.stops.append((number, why))

    def _decide(self, line: Line, work: Work, now: datetime) -> None:
        spec = line.job.spec.service
        assert spec is not None and self._since_at is not None
        try:
            with self.database.read() as connection:
                ends = queries.ended(connection, line.name, spec.tries + 1)
            mark = (line.definition, ends[0].id if ends else 0)
            if self._resting.get(line.name) == mark:
                return
            decision = services.decide(
                spec, ends, definition=line.definition, since_at=self._since_at, now=now
            )
            if isinstance(decision, services.Due):
                asked = Asked(
                    job=line.job,
                    kind="service",
                    definition=line.definition,
                    not_before=decision.at,
                    reason=decision.why,
                )
                self.conductor.submit(asked)
                return
        except StoreError as error:  # the ledger is busy: asked again in two seconds
            log.warning("service %s could not be looked at: %s", line.name, error)
            return
        self._resting[line.name] = mark
        self.left[line.name] = decision
        if isinstance(decision, services.GiveUp):
            work.notes.append(_given_up(line.name, decision.why, now))


def _given_up(name: str, why: str, now: datetime) -> Note:
    return Note(
        at=now,
        severity="critical",
        key=alerts.SERVICE,
        job=name,
        title=f"{name}: the service is left alone: {why}",
        text=f"See 'jarvis jobs show {name}'. 'jarvis jobs run {name}' or an edit of its definition starts it again.",
    )
