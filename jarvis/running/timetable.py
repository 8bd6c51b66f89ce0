"""Which jobs are due? APScheduler's job store over the ledger: due times in memory, decisions in one list.

Nothing here writes: a pass collects what it decided in ``Decisions`` and the clock commits it in one transaction.
If that fails ``undo`` restores memory, and the fires are still due.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.job import Job as SchedulerJob
from apscheduler.jobstores.base import BaseJobStore, JobLookupError

from jarvis.core import schedule as schedules
from jarvis.core.job import Job
from jarvis.core.schedule import Schedule
from jarvis.core.settle import Fire, Lateness, Pause, Span, settle
from jarvis.core.triggers import NOTHING, Triggers
from jarvis.store.book import Entry

CHUNK = 256
"""Due jobs settled in one transaction: small enough for an early first start, large enough to be cheap."""

NOTICEABLE = timedelta(seconds=1)
PUNCTUAL = Lateness()

SOON = timedelta(minutes=10)
"""Jobs that are due by then stay built: when thousands of them are new and due at once, none has to be built first."""

Item = tuple[datetime, str]
"""A heap item: a next fire and its job."""


class Line:
    """One job in the timetable. The job and its schedule are built when first needed."""

    __slots__ = (
        "_job", "_schedule", "aside", "definition", "entry", "era", "name", "next_at", "pauses", "since_at",
    )  # fmt: skip

    def __init__(
        self,
        entry: Entry,
        *,
        job: Job | None = None,
        pauses: Iterable[Pause] = (),
        since_at: datetime | None = None,
    ) -> None:
        """``since_at``: where the current term began, or the last one ended; no later term may begin before it."""
        self.entry = entry
        self.name = entry.name
        self.since_at = since_at
        self.aside = False
        self.definition = entry.definition
        self.era = entry.era
        self.next_at = entry.next_fire_at
        self.pauses = list(pauses)
        self._job = job
        self._schedule: Schedule | None = None

    @property
    def job(self) -> Job:
        if self._job is None:
            self._job = self.entry.job()
        return self._job

    @property
    def schedule(self) -> Schedule | None:
        if self._schedule is None:
            self._schedule = schedules.for_job(self.job)
        return self._schedule

    def resting(self, now: datetime) -> Line:
        """The line; without what was built of its job when that is not due soon: of thousands that is much memory."""
        if self.next_at is None or self.next_at - now > SOON:
            self._job = self._schedule = None
        return self

    def boundary(self, now: datetime) -> datetime:
        """Where a term ends or begins that is changed now: later than now only after the clock was set back."""
        return now if self.since_at is None else max(now, self.since_at)

    def next_after(self, now: datetime) -> datetime | None:
        schedule = self.schedule
        moment = schedule.next(now) if schedule else None
        return moment.at if moment else None

    def pause_at(self, now: datetime) -> Pause | None:
        """The pause in force now."""
        for pause in self.pauses:
            if pause.from_at <= now and (pause.until_at is None or now < pause.until_at):
                return pause
        return None


@dataclass(slots=True)
class Decisions:
    """What one pass decided: to be written in one transaction."""

    fires: list[tuple[Line, Fire]] = field(default_factory=list)
    spans: list[tuple[Line, Span]] = field(default_factory=list)
    moved: list[tuple[Line, datetime | None, datetime | None]] = field(default_factory=list)
    unusable: list[tuple[Line, str]] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return not (self.moved or self.unusable)


class Due(SchedulerJob):  # type: ignore[misc]
    """What APScheduler's pass handles: one due fire. Its own trigger; never pickled, never run by APScheduler.

    The next fire is the first one after now: APScheduler's triggers would step through every fire that was missed.
    """

    def __init__(self, scheduler: Any, line: Line, following: datetime | None) -> None:
        # Not calling SchedulerJob.__init__: its checks of functions and arguments cost more than the fire itself.
        self._scheduler = scheduler
        self._jobstore_alias = None
        self.id = self.name = line.name
        self.line = line
        self.following = following
        self.executor = "default"
        self.trigger = self
        self.coalesce = True
        self.next_run_time = line.next_at

    def get_next_fire_time(self, previous: datetime, now: datetime) -> datetime | None:
        return self.following

    def _get_run_times(self, now: datetime) -> list[Any]:
        return [self.next_run_time]

    def _modify(self, **changes: Any) -> None:
        self.next_run_time = changes["next_run_time"]


class Timetable(BaseJobStore):  # type: ignore[misc]
    """All lines by name and a heap of their next fires."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, Line] = {}
        self.decisions = Decisions()
        self.now = datetime.fromtimestamp(0, UTC)
        self.triggers: Callable[[], Triggers] = lambda: NOTHING
        self.lateness: Callable[[Line, datetime], Lateness] = lambda line, first: Lateness()
        self._heap: list[Item] = []

    # What the clock calls.

    def put(self, line: Line) -> None:
        """Add or replace a line."""
        self.lines[line.name] = line
        self._push(line)

    def drop(self, name: str) -> None:
        """Forget a line; its heap item goes stale and is passed over."""
        self.lines.pop(name, None)

    def fill(self, lines: Iterable[Line]) -> None:
        """All lines at once."""
        self.lines = {line.name: line for line in lines}
        self._heap = [(line.next_at, line.name) for line in self.lines.values() if line.next_at is not None]
        heapq.heapify(self._heap)

    def move(self, line: Line, next_at: datetime | None) -> None:
        """Give a line its next fire, remembering the old one for ``undo``."""
        self.decisions.moved.append((line, line.next_at, next_at))
        line.next_at = next_at
        self._push(line)

    def settle(self, line: Line, now: datetime, next_at: datetime | None) -> None:
        """Decide every moment of the line up to ``now`` and move it to ``next_at``."""
        first = line.next_at
        if first is not None and first <= now and (schedule := line.schedule) is not None:
            lateness = self.lateness(line, first) if now - first > NOTICEABLE else PUNCTUAL
            for decided in settle(line.job, schedule, first, now, pauses=line.pauses, lateness=lateness):
                if isinstance(decided, Fire):
                    self.decisions.fires.append((line, decided))
                else:
                    self.decisions.spans.append((line, decided))
        self.move(line, next_at)

    def close(self, line: Line, now: datetime) -> Schedule | None:
        """Settle a line under its rules so far, because they change now. Returns its schedule if that can be used."""
        if line.aside:
            return None
        try:
            if line.next_at is not None:
                self.settle(line, now, line.next_after(now))
            return line.schedule
        except Exception as error:
            self._set_aside(line, error)
            return None

    def undo(self) -> None:
        """Memory as it was before this pass."""
        for line, _why in self.decisions.unusable:
            line.aside = False
            self._push(line)
        for line, old, _new in reversed(self.decisions.moved):
            line.next_at = old
            self._push(line)
        self.decisions = Decisions()

    def take(self) -> Decisions:
        """The pass' decisions, now the caller's."""
        taken, self.decisions = self.decisions, Decisions()
        return taken

    def due(self, now: datetime) -> Iterator[Line]:
        """Lines due by ``now``, earliest first, each once."""
        found: Item | None = None
        while self._heap and self._heap[0][0] <= now:
            item = heapq.heappop(self._heap)
            # After an undo the same item may be there more than once.
            if item != found and (line := self._current(item)):
                found = item
                yield line

    def _current(self, item: Item) -> Line | None:
        """The line of a heap item that is not stale."""
        at, name = item
        line = self.lines.get(name)
        return line if line is not None and line.next_at == at and not line.aside else None

    def _set_aside(self, line: Line, error: Exception) -> None:
        """It is not asked again by this process. In the ledger it stays due: nothing of it was settled."""
        self.decisions.unusable.append((line, f"{type(error).__name__}: {error}"))
        line.aside = True

    def _push(self, line: Line) -> None:
        if line.next_at is not None and not line.aside:
            heapq.heappush(self._heap, (line.next_at, line.name))

    # What APScheduler calls.

    def get_due_jobs(self, _now: datetime) -> list[Due]:
        # APScheduler reads the clock again; a pass has one now, and the clock has set it.
        now = self.now
        found: list[Due] = []
        for line in self.due(now):
            try:
                found.append(Due(self._scheduler, line, line.next_after(now)))
            except Exception as error:  # one unreadable definition must not keep the others from firing
                self._set_aside(line, error)
            if len(found) == CHUNK:
                break
        return found

    def get_next_run_time(self) -> datetime | None:
        while self._heap:
            if self._current(self._heap[0]):
                return self._heap[0][0]
            heapq.heappop(self._heap)
        return None

    def update_job(self, job: Due) -> None:
        try:
            self.settle(job.line, self.now, job.next_run_time)
        except Exception as error:
            self._set_aside(job.line, error)

    def remove_job(self, job_id: str) -> None:
        """APScheduler removes a job without a next fire; here its moments are settled and it stays, exhausted."""
        line = self.lines.get(job_id)
        if line is None:
            raise JobLookupError(job_id)
        self.settle(line, self.now, None)

    def lookup_job(self, job_id: str) -> Due | None:
        line = self.lines.get(job_id)
        return Due(self._scheduler, line, None) if line else None

    def get_all_jobs(self) -> list[Due]:
        return [Due(self._scheduler, line, None) for line in self.lines.values()]

    def add_job(self, job: Any) -> None:
        raise TypeError("jobs are added by the clock's change(), with their definition in the ledger")

    def remove_all_jobs(self) -> None:
        self.fill([])
