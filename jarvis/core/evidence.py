"""What does an audit look at? The ledger's rows as plain values, not yet believed."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from jarvis.core import admission
from jarvis.core import job as jobs
from jarvis.core import schedule as schedules
from jarvis.core.clockfacts import Fact
from jarvis.core.job import Job
from jarvis.core.schedule import Schedule
from jarvis.core.settle import Pause

TICK = timedelta(microseconds=1)
STEP_SLACK = timedelta(minutes=1)
"""A set clock is noticed a few seconds after it was set: so much before it is as doubtful as what follows."""


class Row(NamedTuple):
    """One attempt as the ledger has it. ``damage``: what of it cannot be read, in words."""

    id: int
    fire: str
    attempt: int
    status: str
    scheduled_at: datetime
    not_before: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None
    definition: int | None = None
    damage: str | None = None

    @property
    def kind(self) -> str:
        return self.fire.partition(":")[0]

    @property
    def of_schedule(self) -> bool:
        return self.fire.startswith("schedule:")


class Begun(NamedTuple):
    """From when to when a run was running; ``ended_at`` None: it still is."""

    id: int
    definition: int | None
    started_at: datetime
    ended_at: datetime | None = None


class Damaged(NamedTuple):
    """Something of a job that cannot even be placed in time; ``run`` is its id if it is a run."""

    what: str
    run: int | None = None


class Caused(NamedTuple):
    """A first attempt whose fire names a run (``run:41``) or an event (``event:7``).

    ``there``: the ledger has it. Of a run: its job and status, and whether it was tried again after that. Of an event:
    ``jobs`` is what it became, as stored; ``fits``: whether the definition of the run asks for it (None: not known).
    """

    id: int
    fire: str
    at: datetime
    definition: int | None
    there: bool
    job: str | None = None
    status: str | None = None
    again: bool = False
    jobs: str | None = None
    fits: bool | None = None


class Unanswered(NamedTuple):
    """A run that ended, or an event that was matched, while the job was on: it, and no row came of it."""

    what: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """The job was due under ``definition`` for its moments m with from_at < m <= until_at (None: still)."""

    definition: int
    era: int
    from_at: datetime
    until_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """A span of the ledger: ``count`` moments m with from_at <= m < until_at."""

    id: int
    definition: int
    era: int
    from_at: datetime
    until_at: datetime
    count: int
    status: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One version of the job. ``why``: why it cannot be understood; then ``job`` is None."""

    number: int
    job: Job | None
    why: str | None = None

    @classmethod
    def read(cls, number: int, name: str, body: Any, python: bool) -> Definition:
        """From what is stored: JSON text of ``Job.dump``. Whatever is wrong with it becomes ``why``."""
        try:
            job = jobs.load(name, json.loads(body), python=python)
            schedules.for_job(job)
        except (TypeError, ValueError) as error:
            why = str(error).splitlines()[0]
            return cls(number=number, job=None, why=f"cannot be read ({why})")
        return cls(number=number, job=job)

    @cached_property
    def schedule(self) -> Schedule | None:
        return schedules.for_job(self.job) if self.job else None

    @cached_property
    def limit(self) -> int:
        """How many of its runs may be running at once."""
        return admission.limit(self.job) if self.job else admission.UNLIMITED

    @property
    def exact(self) -> bool:
        return self.job is not None and self.job.spec.dst == "exact"

    def starts(self) -> set[str]:
        """Which of ``daemon`` and ``boot`` it is started with."""
        return {when.start for when in self.job.when if when.start} if self.job else set()


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """A daemon began its work."""

    at: datetime
    daemon: str
    boot: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything about one job. ``state`` None: the job has no row of its own.

    ``rows`` come by scheduled_at, ``begun`` by started_at; each is read once, in this order.
    """

    job: str
    state: str | None
    next_fire_at: datetime | None
    definitions: Mapping[int, Definition]
    terms: Sequence[Term] = ()
    spans: Sequence[Counted] = ()
    pauses: Sequence[Pause] = ()
    damaged: Sequence[Damaged] = ()
    rows: Iterable[Row | Damaged] = ()
    begun: Iterable[Begun] = ()
    caused: Iterable[Caused] = ()
    unanswered: Iterable[Unanswered] = ()

    def in_force(self, at: datetime) -> list[Definition]:
        """The definitions that may have decided about a start at this instant."""
        return [
            self.definitions[term.definition]
            for term in self.terms
            if term.definition in self.definitions
            and term.from_at - STEP_SLACK <= at
            and (term.until_at is None or at <= term.until_at + STEP_SLACK)
        ]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What is true for all jobs. Before ``horizon`` the ledger was pruned; before ``since`` nobody asked.

    ``events_pruned``: events up to this number may be gone.
    """

    now: datetime
    since: datetime | None = None
    horizon: datetime | None = None
    facts: Sequence[Fact] = ()
    starts: Sequence[Start] = field(default=())
    events_pruned: int = 0

    @property
    def begin(self) -> datetime | None:
        """Where the audit begins; None: at the beginning."""
        return max((at for at in (self.since, self.horizon) if at is not None), default=None)

    def doubtful(self, from_at: datetime, until_at: datetime | None = None) -> bool:
        """Wall times that came round twice because the clock was set back: their order proves nothing."""
        low, high = from_at, until_at or from_at
        if low > high:
            low, high = high, low
        return any(begin <= high and low <= end for begin, end in self._twice)

    @cached_property
    def _twice(self) -> list[tuple[datetime, datetime]]:
        return [
            (fact.until_at - STEP_SLACK, fact.from_at + STEP_SLACK)
            for fact in self.facts
            if fact.kind in ("step", "era") and fact.amount < timedelta(0)
        ]

    def restored(self, at: datetime) -> bool:
        """In a time of which the ledger only knows what the runs themselves left: it was restored from a copy."""
        return any(begin - STEP_SLACK <= at <= end for begin, end in self._restored)

    @cached_property
    def _restored(self) -> list[tuple[datetime, datetime]]:
        return [(fact.from_at, fact.until_at) for fact in self.facts if fact.kind == "restored"]

    def disturbed(self, from_at: datetime, until_at: datetime) -> bool:
        """The machine slept, was starved or its clock was set meanwhile."""
        ends, facts = self._disturbances
        return any(
            min(fact.from_at, fact.until_at) <= until_at for fact in facts[bisect_left(ends, from_at) :]
        )

    @cached_property
    def _disturbances(self) -> tuple[list[datetime], list[Fact]]:
        facts = [fact for fact in self.facts if fact.kind in ("sleep", "stall", "step")]
        facts.sort(key=lambda fact: max(fact.from_at, fact.until_at))
        return [max(fact.from_at, fact.until_at) for fact in facts], facts
