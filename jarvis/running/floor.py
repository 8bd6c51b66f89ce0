"""Who is running, who is waiting and for what? The conductor's memory, touched by its thread only."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from jarvis.core import admission
from jarvis.core.admission import NO_SLOT, START, Blocker, Refuse, Situation, Start, Wait
from jarvis.core.job import Job
from jarvis.core.run import Run, Status


@dataclass(slots=True)
class Active:
    """A run that was started and has not ended. ``slot``: what it took; ``stopping``: why it was told to end."""

    run: Run
    job: Job
    thread: bool
    slot: str = ""
    stopping: str | None = None
    given_up: bool = False


@dataclass(slots=True)
class Waiting:
    """A queued run. ``slot``: what it will take; ``on``, ``why``: what it waits for (None: not asked yet)."""

    run: Run
    priority: int
    since_at: datetime
    slot: str
    on: Blocker | None = None
    why: str = "about to start"
    conditions: list[str | None] = field(default_factory=list)
    told: bool = False


def slot(job: Job) -> str:
    """What a run of the job takes a slot of. A service takes none: it would never give it back."""
    if job.service:
        return "service"
    return "thread" if job.thread else "process"


class Floor:
    """Runs by id; waiting ones by what they wait for, so that one ending wakes only those it concerns."""

    def __init__(self, slots: dict[str, int]) -> None:
        self.slots = slots
        self.active: dict[int, Active] = {}
        self.waiting: dict[int, Waiting] = {}
        self.last_started: dict[str, datetime] = {}
        self._running: dict[str, list[int]] = defaultdict(list)
        self._used: dict[str, int] = defaultdict(int)
        self._locks: dict[str, int] = {}
        self._ready: list[tuple[int, datetime, int]] = []
        self._timers: list[tuple[datetime, int]] = []
        self._deadlines: list[tuple[datetime, int]] = []
        self._parked: dict[tuple[str, str], list[tuple[int, datetime, int]]] = defaultdict(list)
        self._queued: dict[str, set[int]] = defaultdict(set)
        self._in_line: list[Waiting] = []
        self._behind: dict[str, Job] = {}

    # Arriving and waiting.

    def arrive(self, run: Run, job: Job, now: datetime) -> None:
        """A queued run wants to start. If it needs but a slot it stands in line, and is asked when one is free."""
        held = self.waiting[run.id] = Waiting(run, job.spec.priority, now, slot(job))
        self._queued[run.job].add(run.id)
        if held.slot in self.slots and self._needs_but_a_slot(run, job):
            ticket = (-held.priority, run.scheduled_at, run.id)
            heapq.heappush(self._parked[Blocker.SLOT, held.slot], ticket)
            self._in_line.append(held)
        else:
            self.wake(run.id)

    def park(self, run: Run, job: Job, wait: Wait) -> None:
        """It has to wait; it is woken by what it waits for."""
        held = self.waiting[run.id]
        held.on, held.why = wait.on, wait.why
        ticket = (-job.spec.priority, run.scheduled_at, run.id)
        if wait.on is Blocker.TIME and wait.until_at is not None:
            heapq.heappush(self._timers, (wait.until_at, run.id))
        elif wait.on is not Blocker.CONDITION:
            heapq.heappush(self._parked[wait.on, self._whose(wait.on, job)], ticket)
        if wait.on is Blocker.JOB:
            self._behind[job.name] = job
        grace = job.spec.misfire_grace
        if grace is not None and run.scheduled and wait.on is not Blocker.TIME:
            heapq.heappush(self._timers, (run.scheduled_at + grace, run.id))

    @staticmethod
    def _whose(on: Blocker, job: Job) -> str:
        if on is Blocker.SLOT:
            return slot(job)
        return (job.spec.lock or "") if on is Blocker.LOCK else job.name

    def ready(self, now: datetime) -> Iterator[Run]:
        """Runs to ask about now, most urgent first."""
        while self._timers and self._timers[0][0] <= now:
            self.wake(heapq.heappop(self._timers)[1])
        self._wake_for_slots()
        while self._ready:
            number = heapq.heappop(self._ready)[2]
            if number in self.waiting:
                yield self.waiting[number].run
            if not self._ready:
                # Whoever was woken for a free slot may not have taken it.
                self._wake_for_slots()
        for held in self._in_line:
            if held.on is None:
                held.on, held.why = Blocker.SLOT, NO_SLOT[held.slot].why
        self._in_line.clear()

    def _wake_for_job(self, name: str) -> None:
        """As many of those that wait for the job's other runs as may start now, not a queue of thousands."""
        if (job := self._behind.get(name)) is None:
            return
        free = admission.limit(job) - len(self._running.get(name, ()))
        self._unpark((Blocker.JOB, name), most=None if job.spec.overlap == "replace" else free)
        if not self._parked.get((Blocker.JOB, name)):
            del self._behind[name]

    def _wake_for_slots(self) -> None:
        """As many as there are free slots: there may be more slots than before."""
        for kind, size in self.slots.items():
            self._unpark((Blocker.SLOT, kind), most=size - self._used[kind])

    def shift(self, by: timedelta) -> None:
        """The wall clock was set by this much: whoever waits for a length of time waits no longer and no shorter."""
        self._timers = [(at + by, number) for at, number in self._timers]
        self._deadlines = [(at + by, number) for at, number in self._deadlines]
        self.last_started = {job: at + by for job, at in self.last_started.items()}
        for held in self.waiting.values():
            held.since_at += by
            if held.run.not_before is not None:
                held.run = replace(held.run, not_before=held.run.not_before + by)

    def wake(self, number: int) -> None:
        """Ask about this run again."""
        if held := self.waiting.get(number):
            heapq.heappush(self._ready, (-held.priority, held.run.scheduled_at, number))

    @property
    def idle(self) -> bool:
        """Nobody waits, and no thread has a timeout: nothing changes by time alone."""
        return not (self.waiting or self._deadlines)

    def next_timer(self) -> datetime | None:
        """When the next waiting run becomes ready by time alone."""
        if not self.waiting:
            self._timers.clear()
        return self._timers[0][0] if self._timers else None

    def leave(self, number: int) -> Waiting | None:
        """It waits no longer (started, refused or cancelled)."""
        held = self.waiting.pop(number, None)
        if held:
            self._queued[held.run.job].discard(number)
            # the next one of a queue is asked also when this one may never start
            self._wake_for_job(held.run.job)
        return held

    def superseded_by(self, run: Run, job: Job) -> list[Waiting]:
        """Waiting fires that end when this newer one of the same job arrives: their time is over."""
        if not self._queued.get(job.name):
            return []
        if (
            job.spec.overlap in ("queue", "allow")
            or job.catch_up.run == "all"
            or job.spec.misfire_grace is not None
        ):
            return []
        return [
            held
            for number in self._queued.get(job.name, ())
            if (held := self.waiting[number]).run.scheduled
            and held.run.attempt == 1
            and held.run.scheduled_at < run.scheduled_at
            and held.on not in (None, Blocker.TIME)
        ]

    # Running.

    def answer(self, run: Run, job: Job) -> Start | Wait | None:
        """What ``admit`` says of a run that nothing but a slot can keep (nearly all are such); None: ask it."""
        if not self._needs_but_a_slot(run, job):
            return None
        kind = self.waiting[run.id].slot
        return START if kind not in self.slots or self._used[kind] < self.slots[kind] else NO_SLOT[kind]

    def _needs_but_a_slot(self, run: Run, job: Job) -> bool:
        spec = job.spec
        return (
            job.name not in self._running
            and run.not_before is None
            and spec.lock is None
            and spec.min_spacing is None
            and spec.misfire_grace is None
            and spec.condition is None
        )

    def situation(
        self, run: Run, job: Job, now: datetime, *, paused: str | None, broken: str | None
    ) -> Situation:
        """What is true around this run."""
        held = self.waiting[run.id]
        lock = job.spec.lock
        kind = slot(job)
        asked = job.spec.condition is not None
        return Situation(
            now=now,
            running=tuple(self._running.get(job.name, ())),
            slot_free=kind not in self.slots or self._used[kind] < self.slots[kind],
            lock_holder=self._locks.get(lock) if lock else None,
            last_started_at=self.last_started.get(job.name),
            paused=paused,
            broken=broken,
            condition_known=not asked or bool(held.conditions),
            condition=held.conditions[-1] if held.conditions else None,
        )

    def start(self, run: Run, job: Job, now: datetime) -> Active:
        """It takes its slot and its lock."""
        self.leave(run.id)
        kind = slot(job)
        active = Active(run=run, job=job, thread=job.thread, slot=kind)
        self.active[run.id] = active
        self._running[job.name].append(run.id)
        self._used[kind] += 1
        if job.spec.lock:
            self._locks[job.spec.lock] = run.id
        self.last_started[job.name] = now
        if job.thread and job.timeout:
            heapq.heappush(self._deadlines, (now + job.timeout, run.id))
        return active

    def end(self, number: int) -> Active | None:
        """It gives back what it took; those who waited for it are asked again (for a slot: in ``ready``)."""
        active = self.active.pop(number, None)
        if active is None:
            return None
        name = active.job.name
        self._running[name].remove(number)
        if not self._running[name]:
            del self._running[name]
        self._used[active.slot] -= 1
        self._wake_for_job(name)
        for lock in [lock for lock, holder in self._locks.items() if holder == number]:
            del self._locks[lock]
            self._unpark((Blocker.LOCK, lock))
        return active

    def _unpark(self, key: tuple[str, str], most: int | None = None) -> None:
        parked = self._parked.get(key)
        if not parked:
            return
        if most is None:
            for ticket in self._parked.pop(key):
                heapq.heappush(self._ready, ticket)
            return
        while parked and most > 0:
            ticket = heapq.heappop(parked)
            heapq.heappush(self._ready, ticket)
            most -= ticket[2] in self.waiting

    # Looking.

    def overdue(self, now: datetime) -> list[Active]:
        """Thread runs over their timeout that nobody has given up yet."""
        while self._deadlines and (self._deadlines[0][1] not in self.active):
            heapq.heappop(self._deadlines)
        found = []
        while self._deadlines and self._deadlines[0][0] <= now:
            active = self.active.get(heapq.heappop(self._deadlines)[1])
            if active is not None:
                found.append(active)
        return found

    def stuck(self, now: datetime, longest: timedelta) -> list[Waiting]:
        """Runs that wait longer than that for a slot, and of which nobody was told."""
        return [
            held
            for held in self.waiting.values()
            if held.on is Blocker.SLOT and not held.told and now - held.since_at > longest
        ]

    def queue(self) -> Iterable[Waiting]:
        """Waiting runs, oldest first."""
        return sorted(self.waiting.values(), key=lambda held: (held.run.scheduled_at, held.run.id))

    def refused(self, run: Run, decision: Refuse, now: datetime) -> Run:
        """The run as it ends when it may never start."""
        status = decision.status if decision.status.ended else Status.SKIPPED
        return replace(run, status=status, reason=decision.why, ended_at=now)
