"""What does a message mean for a run, and may a waiting run start? Decisions only: the conductor writes and acts.

``take`` is the life of a queued run, top to bottom; everything it decides goes into the round's ``Work``.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from jarvis.core import admission
from jarvis.core.admission import Refuse, Start, Wait
from jarvis.core.job import Job
from jarvis.core.run import Run, Status, changed
from jarvis.errors import JarvisError, NotFound, Refused
from jarvis.handling.launch import Launcher, NeverStarted, Notice, Request
from jarvis.running import closing, judging
from jarvis.running.floor import Active, Floor
from jarvis.running.judging import Verdict
from jarvis.running.telling import alarms
from jarvis.running.threads import Called
from jarvis.running.work import Answered, Cancel, Released, Work

QUEUE_ALARM = timedelta(minutes=5)
"""A run that waits this long for a free slot is an alert."""

TRY_AGAIN = timedelta(seconds=2)
TRIES = 3
PASSING = (
    "No space left",
    "quota",
    "Too many open files",
    "temporarily unavailable",
    "Cannot allocate memory",
)
"""What keeps a supervisor from claiming a run only for a while."""

log = logging.getLogger("jarvis.deciding")

Prepare = Callable[[Run, Job, datetime], Request]


class Jobs(Protocol):
    """What the conductor asks about jobs."""

    def job(self, name: str) -> Job | None: ...

    def paused(self, name: str, now: datetime) -> str | None: ...

    def broken(self, name: str) -> str | None: ...


class Decider:
    """Decides over the floor; the conductor's thread only."""

    def __init__(self, *, floor: Floor, jobs: Jobs, launcher: Launcher, prepare: Prepare) -> None:
        self.floor = floor
        self._jobs = jobs
        self._launcher = launcher
        self._prepare = prepare
        self._tries: Counter[int] = Counter()
        self._looked_at = datetime.min.replace(tzinfo=UTC)
        self.stuck: set[str] = set()
        """Jobs of which it was told that a run waits too long for a slot."""

    def watch_the_time(self, work: Work, now: datetime) -> None:
        """Threads over their timeout, and runs that wait too long for a slot."""
        for active in self.floor.overdue(now):
            active.given_up = True
            work.verdicts.append(judging.overdue(active.run, active.job, now))
        if now - self._looked_at < timedelta(seconds=1) and now >= self._looked_at:
            return
        self._looked_at = now
        for held in self.floor.stuck(now, QUEUE_ALARM):
            held.told = True
            self.stuck.add(held.run.job)
            work.notes.append(alarms.stuck(held.run, held.why, now - held.since_at, now))
        for job in self.stuck - {held.run.job for held in self.floor.waiting.values() if held.told}:
            self.stuck.discard(job)
            work.notes.append(alarms.unstuck(job, now))

    def hear(self, message: Any, work: Work, now: datetime) -> None:
        match message:
            case Released(runs=released):
                for run in released:
                    self._arrive(run, work, now)
            case Notice(kind="started"):
                self._started(message, work)
            case Notice():
                self._gone(message, work, now)
            case Called():
                self._called(message, work)
            case Answered(run=number, unmet=unmet):
                if held := self.floor.waiting.get(number):
                    held.conditions.append(unmet)
                    self.floor.wake(number)
            case Cancel():
                self._cancel(message, work, now)

    def _arrive(self, run: Run, work: Work, now: datetime) -> None:
        job = self._jobs.job(run.job)
        if job is None:
            return self.close(
                run, Refuse(status=Status.SKIPPED, why="the job was removed from jobs.yaml"), work, now
            )
        if run.scheduled and run.attempt == 1:
            for held in self.floor.superseded_by(run, job):
                why = f"not started before the next fire: {held.why}"
                self.close(held.run, Refuse(status=Status.MISSED, why=why), work, now)
        self.floor.arrive(run, job, now)

    def take(self, run: Run, work: Work, now: datetime) -> None:
        """The life of a queued run, top to bottom: admit it, prepare it, start it."""
        job = self._jobs.job(run.job)
        if job is None:
            return self.close(
                run, Refuse(status=Status.SKIPPED, why="the job was removed from jobs.yaml"), work, now
            )
        paused, broken = self._jobs.paused(run.job, now), self._jobs.broken(run.job)
        short = None if paused or broken else self.floor.answer(run, job)
        match short or self._admit(run, job, now, paused, broken):
            case Start() if job.thread:
                # No claim on disk will say that it began, so the row has to: before it begins.
                log.debug("run %d of %s (%s) is started in a thread", run.id, run.job, run.fire)
                begun = changed(run, status=Status.RUNNING, started_at=now)
                self.floor.start(begun, job, now)
                work.started[run.id] = begun
                work.threads.append((begun, job))
            case Start():
                self._launch(run, job, work, now)
            case Wait() as wait:
                self._wait(run, job, wait, work)
            case Refuse() as refusal:
                self.close(run, refusal, work, now)

    def _admit(
        self, run: Run, job: Job, now: datetime, paused: str | None, broken: str | None
    ) -> admission.Decision:
        return admission.admit(run, job, self.floor.situation(run, job, now, paused=paused, broken=broken))

    def _launch(self, run: Run, job: Job, work: Work, now: datetime) -> None:
        try:
            request = self._prepare(run, job, now)
        except JarvisError as error:
            return self.close(run, Refuse(status=Status.FAILED, why=str(error)), work, now)
        log.debug("run %d of %s (%s) is started", run.id, run.job, run.fire)
        self.floor.start(run, job, now)
        work.requests.append(request)

    def _wait(self, run: Run, job: Job, wait: Wait, work: Work) -> None:
        log.debug("run %d of %s waits: %s", run.id, run.job, wait.why)
        self.floor.park(run, job, wait)
        if wait.on is admission.Blocker.CONDITION:
            work.questions.append((run, job))
        for number in wait.replace:
            active = self.floor.active[number]
            if not active.stopping and not active.thread:
                active.stopping = f"replaced by run {run.id}"
                work.stops.append((number, active.stopping))

    def close(self, run: Run, refusal: Refuse, work: Work, now: datetime) -> None:
        self.floor.leave(run.id)
        ended = self.floor.refused(run, refusal, now)
        job = self._jobs.job(run.job)
        work.verdicts.append(judging.refused(ended, job, now))

    def _started(self, notice: Notice, work: Work) -> None:
        if active := self.floor.active.get(notice.run):
            active.run = changed(active.run, status=Status.RUNNING, pid=notice.pid, started_at=notice.at)
            work.started[notice.run] = active.run

    def _gone(self, notice: Notice, work: Work, now: datetime) -> None:
        active = self.floor.active.get(notice.run)
        if active is None:
            return
        if notice.kind == "gone" and isinstance(self._launcher.find(notice.run), NeverStarted):
            return self._unstarted(
                active, notice.reason or "its supervisor ended before it claimed the run", work, now
            )
        verdict = closing.verdict(active.run, active.job, self._launcher, now)
        if verdict is None:  # its supervisor lost the race for the claim: the winner's end will be told
            return
        self._finish(active, verdict, work)

    def _unstarted(self, active: Active, why: str, work: Work, now: datetime) -> None:
        """Where only space or descriptors are missing it is tried until there are some; anything else three times."""
        self._tries[active.run.id] += 1
        if any(word in why for word in PASSING) or self._tries[active.run.id] < TRIES:
            log.warning("run %d was not started (%s); it is tried again", active.run.id, why)
            return self.again(active, now)
        del self._tries[active.run.id]
        ended = changed(active.run, status=Status.FAILED, reason=f"could not be started: {why}", ended_at=now)
        self._finish(active, judging.refused(ended, active.job, now), work)

    def again(self, active: Active, now: datetime) -> None:
        """Nothing was started (no spawner, no space for a claim): the run waits a little and is asked again."""
        self.floor.end(active.run.id)
        waits = changed(active.run, status=Status.QUEUED, not_before=now + TRY_AGAIN)
        self.floor.arrive(waits, active.job, now)

    def give_up(self, message: Any, error: Exception, work: Work, now: datetime) -> None:
        """An end that cannot be understood is still an end: recorded, and the run's slot is free again."""
        number = message.run if isinstance(message, Notice | Called) else None
        if (
            number is not None
            and (active := self.floor.active.get(number))
            and getattr(message, "kind", "") != "started"
        ):
            why = f"its end could not be read: {type(error).__name__}: {error}"
            self._finish(active, judging.lost(active.run, active.job, why, now), work)

    def _called(self, called: Called, work: Work) -> None:
        active = self.floor.active.get(called.run)
        if active is None:
            return
        if active.given_up:
            self.floor.end(called.run)
            return
        verdict = judging.threaded(
            active.run, active.job, called.outcome, called.started_at, called.ended_at, active.stopping
        )
        self._finish(active, verdict, work)

    def _finish(self, active: Active, verdict: Verdict, work: Work) -> None:
        self.floor.end(active.run.id)
        work.started.pop(active.run.id, None)
        work.verdicts.append(verdict)

    def _cancel(self, asked: Cancel, work: Work, now: datetime) -> None:
        if held := self.floor.waiting.get(asked.run):
            self.close(held.run, Refuse(status=Status.CANCELLED, why=asked.why), work, now)
            work.said.append(lambda: asked.answer.put("it was waiting; it will not start"))
        elif active := self.floor.active.get(asked.run):
            if active.thread and not active.job.service:
                asked.answer.put(
                    Refused(f"run {asked.run} is a thread of the daemon (in: thread) and cannot be ended")
                )
                return
            active.stopping = asked.why
            work.stops.append((asked.run, asked.why))
            after = active.job.spec.stop.after
            work.said.append(
                lambda: asked.answer.put(
                    f"told to stop; killed after {after.total_seconds():g}s if it does not"
                )
            )
        else:
            asked.answer.put(NotFound(f"run {asked.run} is neither waiting nor running"))
