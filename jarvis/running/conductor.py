"""What becomes of a run that is due? One thread, one inbox, from the queued row to the closed one.

Each round: take what arrived, decide, write everything in one transaction, and only then act. Killed between any
two lines, the rows and the runs' directories say what the next start has to do (running/recovery.py).
"""

from __future__ import annotations

import logging
import queue
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from jarvis.core import admission
from jarvis.core.admission import Refuse, Start, Wait
from jarvis.core.job import Job
from jarvis.core.run import Run, Status
from jarvis.errors import JarvisError, LaunchError, NotFound, Refused, StoreError
from jarvis.handling.launch import Launcher, Notice, Request
from jarvis.running import closing, judging
from jarvis.running.floor import Active, Floor
from jarvis.running.judging import Verdict
from jarvis.running.readings import Clocks
from jarvis.running.threads import Called, Threads
from jarvis.running.trouble import Troubles
from jarvis.store import crashpoint, runs
from jarvis.store.database import Database
from jarvis.store.journal import Note

log = logging.getLogger("jarvis.conductor")

BATCH = 512
LONGEST_WAIT = 1.0
QUEUE_ALARM = timedelta(minutes=5)
"""A run that waits this long for a free slot is an alert."""


class Jobs(Protocol):
    """What the conductor asks about jobs."""

    def job(self, name: str) -> Job | None: ...

    def paused(self, name: str, now: datetime) -> str | None: ...

    def broken(self, name: str) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Released:
    """These rows are committed as queued."""

    runs: Sequence[Run]


@dataclass(frozen=True, slots=True)
class Answered:
    """A run's condition was asked: None when it holds."""

    run: int
    unmet: str | None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Somebody wants this run to end."""

    run: int
    why: str
    answer: queue.SimpleQueue[str | JarvisError]


@dataclass(slots=True)
class Work:
    """What one round decided: rows to write first, then things to do."""

    started: dict[int, Run] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    threads: list[tuple[Run, Job]] = field(default_factory=list)
    questions: list[tuple[Run, Job]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    stops: list[tuple[int, str]] = field(default_factory=list)
    said: list[Callable[[], None]] = field(default_factory=list)

    @property
    def writes(self) -> bool:
        return bool(self.started or self.verdicts or self.notes)


class Conductor:
    """The life of a fire after its commit. Messages may come from any thread; everything else is one thread's."""

    def __init__(
        self,
        *,
        database: Database,
        jobs: Jobs,
        launcher: Launcher,
        threads: Threads,
        clocks: Clocks,
        troubles: Troubles,
        slots: Mapping[str, int],
        prepare: Callable[[Run, Job, Mapping[str, Any], datetime], Request],
        ask: Callable[[Run, Job], None],
        environ: Mapping[str, str],
    ) -> None:
        self.floor = Floor(dict(slots))
        self.rounds = 0
        self._database = database
        self._jobs = jobs
        self._launcher = launcher
        self._threads = threads
        self._clocks = clocks
        self._troubles = troubles
        self._prepare = prepare
        self._ask = ask
        self._environ = environ
        self._memory = closing.Memories(database)
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="jarvis-conductor", daemon=True)

    # From any thread.

    def start(self) -> None:
        self._memory.load()
        self._thread.start()

    def stop(self, within: timedelta) -> None:
        """Start nothing more; the round under way is written."""
        self._stopping.set()
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(within.total_seconds())

    def release(self, released: Sequence[Run]) -> None:
        """These runs are in the ledger and may start."""
        if released:
            self._inbox.put(Released(released))

    def notice(self, notice: Notice) -> None:
        """A supervisor started or ended something."""
        self._inbox.put(notice)

    def called(self, called: Called) -> None:
        """A handler in a thread ended."""
        self._inbox.put(called)

    def answered(self, run: int, unmet: str | None) -> None:
        """A condition was asked."""
        self._inbox.put(Answered(run, unmet))

    def cancel(self, run: int, why: str) -> str:
        """End a waiting or running run; returns what was done. Raises NotFound or Refused."""
        answer: queue.SimpleQueue[str | JarvisError] = queue.SimpleQueue()
        self._inbox.put(Cancel(run, why, answer))
        try:
            said = answer.get(timeout=5)
        except queue.Empty:
            raise Refused(f"run {run} could not be cancelled: Jarvis is busy (see 'jarvis status')") from None
        if isinstance(said, JarvisError):
            raise said
        return said

    def submit(self, job: Job, *, kind: str, definition: int | None, params: Mapping[str, Any]) -> Run:
        """Queue a fire that no schedule asked for (``manual:<id>``); returns its row, already committed."""
        now = self._clocks.read().wall_at
        with self._database.write() as connection:
            run = Run(
                id=runs.reserve(connection, 1),
                job=job.name,
                fire=f"{kind}:{uuid.uuid4().hex[:12]}",
                attempt=1,
                status=Status.QUEUED,
                scheduled_at=now,
                queued_at=now,
                definition=definition,
                params=params,
            )
            runs.insert(connection, [run])
        self.release([run])
        return run

    def adopt(self, run: Run, job: Job) -> None:
        """A run of an earlier daemon that is still running; before ``start`` only."""
        now = self._clocks.read().wall_at
        self.floor.arrive(run, job.spec.priority, now)
        self.floor.start(run, job, run.started_at or now)

    # The conductor's thread.

    def _loop(self) -> None:
        while not self._stopping.is_set():
            messages = self._messages()
            try:
                self._round(messages)
            except Exception:
                log.exception("a round of the conductor failed; the runs it concerned are taken up at the next start")
            self.rounds += 1

    def _messages(self) -> list[Any]:
        wait = LONGEST_WAIT
        if timer := self.floor.next_timer():
            wait = min(max((timer - self._clocks.read().wall_at).total_seconds(), 0.0), LONGEST_WAIT)
        found = []
        try:
            found.append(self._inbox.get(timeout=wait))
            while len(found) < BATCH:
                found.append(self._inbox.get_nowait())
        except queue.Empty:
            pass
        return found

    def _round(self, messages: Sequence[Any]) -> None:
        now = self._clocks.read().wall_at
        work = Work()
        for message in messages:
            try:
                self._hear(message, work, now)
            except Exception as error:  # one message must not stop the others
                log.exception("a message could not be dealt with: %.200r", message)
                self._give_up(message, error, work, now)
        for run in self.floor.ready(now):
            try:
                self.take(run, work, now)
            except Exception as error:
                log.exception("run %d of %s could not be started", run.id, run.job)
                why = f"could not be started: {type(error).__name__}: {error}"
                self._close(run, Refuse(status=Status.FAILED, why=why), work, now)
        self._watch_the_time(work, now)
        if work.writes and not self._write(work, now):
            return
        self._act(work)

    def _watch_the_time(self, work: Work, now: datetime) -> None:
        """Threads over their timeout, and runs that wait too long for a slot."""
        for active in self.floor.overdue(now):
            active.given_up = True
            why = "over its timeout; its thread cannot be ended and keeps its slot until it returns"
            ended = replace(active.run, status=Status.TIMED_OUT, reason=why, ended_at=now)
            work.verdicts.append(judging.verdict(ended, active.job, None, now))
        for held in self.floor.stuck(now, QUEUE_ALARM):
            held.told = True
            work.notes.append(judging.stuck(held.run, held.why, now - held.since_at, now))

    def _hear(self, message: Any, work: Work, now: datetime) -> None:
        match message:
            case Released(runs=released):
                for run in released:
                    self._arrive(run, work, now)
            case Notice(kind="started"):
                self._started(message, work)
            case Notice():
                self._gone(message.run, work, now)
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
            return self._close(run, Refuse(status=Status.SKIPPED, why="the job was removed from jobs.yaml"), work, now)
        if run.scheduled and run.attempt == 1:
            for held in self.floor.superseded_by(run, job):
                why = f"not started before the next fire: {held.why}"
                self._close(held.run, Refuse(status=Status.MISSED, why=why), work, now)
        self.floor.arrive(run, job.spec.priority, now)

    def take(self, run: Run, work: Work, now: datetime) -> None:
        """The life of a queued run, top to bottom: admit it, prepare it, start it."""
        job = self._jobs.job(run.job)
        if job is None:
            return self._close(run, Refuse(status=Status.SKIPPED, why="the job was removed from jobs.yaml"), work, now)
        situation = self.floor.situation(
            run, job, now, paused=self._jobs.paused(run.job, now), broken=self._jobs.broken(run.job)
        )
        match admission.admit(run, job, situation):
            case Refuse() as refusal:
                self._close(run, refusal, work, now)
            case Wait() as wait:
                self._wait(run, job, wait, work)
            case Start() if job.thread:
                # No claim on disk will say that it began, so the row has to: before it begins.
                begun = replace(run, status=Status.RUNNING, started_at=now)
                self.floor.start(begun, job, now)
                work.started[run.id] = begun
                work.threads.append((begun, job))
            case Start():
                self._launch(run, job, work, now)

    def _launch(self, run: Run, job: Job, work: Work, now: datetime) -> None:
        try:
            request = self._prepare(run, job, self._memory.recall(job.name), now)
        except JarvisError as error:
            return self._close(run, Refuse(status=Status.FAILED, why=str(error)), work, now)
        self.floor.start(run, job, now)
        work.requests.append(request)

    def _wait(self, run: Run, job: Job, wait: Wait, work: Work) -> None:
        self.floor.park(run, job, wait)
        if wait.on is admission.Blocker.CONDITION:
            work.questions.append((run, job))
        for number in wait.replace:
            active = self.floor.active[number]
            if not active.stopping and not active.thread:
                active.stopping = f"replaced by run {run.id}"
                work.stops.append((number, active.stopping))

    def _close(self, run: Run, refusal: Refuse, work: Work, now: datetime) -> None:
        self.floor.leave(run.id)
        ended = self.floor.refused(run, refusal, now)
        job = self._jobs.job(run.job)
        work.verdicts.append(judging.refused(ended, job, now))

    def _started(self, notice: Notice, work: Work) -> None:
        if active := self.floor.active.get(notice.run):
            active.run = replace(active.run, status=Status.RUNNING, pid=notice.pid, started_at=notice.at)
            work.started[notice.run] = active.run

    def _gone(self, number: int, work: Work, now: datetime) -> None:
        active = self.floor.active.get(number)
        if active is None:
            return
        verdict = closing.verdict(active.run, active.job, self._launcher, now)
        if verdict is None:  # its supervisor lost the race for the claim: the winner's end will be told
            return
        self._finish(active, verdict, work)

    def _give_up(self, message: Any, error: Exception, work: Work, now: datetime) -> None:
        """An end that cannot be understood is still an end: recorded, and the run's slot is free again."""
        number = message.run if isinstance(message, Notice | Called) else None
        if number is not None and (active := self.floor.active.get(number)) and getattr(message, "kind", "") != "started":
            why = f"its end could not be read: {type(error).__name__}: {error}"
            self._finish(active, judging.lost(active.run, active.job, why, now), work)

    def _called(self, called: Called, work: Work) -> None:
        active = self.floor.active.get(called.run)
        if active is None:
            return
        run = replace(active.run, started_at=called.started_at)
        if active.given_up:
            self.floor.end(called.run)
            return
        self._finish(active, judging.threaded(run, active.job, called.outcome, called.ended_at), work)

    def _finish(self, active: Active, verdict: Verdict, work: Work) -> None:
        self.floor.end(active.run.id)
        work.started.pop(active.run.id, None)
        work.verdicts.append(verdict)

    def _cancel(self, asked: Cancel, work: Work, now: datetime) -> None:
        if held := self.floor.waiting.get(asked.run):
            self._close(held.run, Refuse(status=Status.CANCELLED, why=asked.why), work, now)
            work.said.append(lambda: asked.answer.put("it was waiting; it will not start"))
        elif active := self.floor.active.get(asked.run):
            if active.thread:
                asked.answer.put(Refused(f"run {asked.run} is a thread of the daemon (in: thread) and cannot be ended"))
                return
            active.stopping = asked.why
            work.stops.append((asked.run, asked.why))
            after = active.job.spec.stop.after
            work.said.append(lambda: asked.answer.put(f"told to stop; killed after {after.total_seconds():g}s if it does not"))
        else:
            asked.answer.put(NotFound(f"run {asked.run} is neither waiting nor running"))

    def _write(self, work: Work, now: datetime) -> bool:
        """Everything of this round in one transaction, tried until the ledger takes it; False when stopping."""
        tries = 0
        while True:
            try:
                crashpoint.here("conductor.before-commit")
                retries = closing.write(self._database, work.started.values(), work.verdicts, work.notes, now)
                crashpoint.here("conductor.after-commit")
                break
            except StoreError as error:
                tries += 1
                self._troubles.note("runs", str(error), now)
                if self._stopping.wait(min(0.1 * 2**tries, 2.0)):
                    return False
        if tries:
            self._troubles.clear("runs")
        self._memory.learned(work.verdicts)
        closing.say(work.verdicts)
        self.release(retries)
        return True

    def _act(self, work: Work) -> None:
        for number, why in work.stops:
            self._launcher.stop_run(number, why)
        for run, job in work.threads:
            self._threads.start(run, job, self._memory.recall(job.name), self._environ)
        for run, job in work.questions:
            self._ask(run, job)
        if work.requests:
            self._hand_over(work.requests)
        for say in work.said:
            say()

    def _hand_over(self, requests: Sequence[Request]) -> None:
        try:
            crashpoint.here("conductor.before-launch")
            self._launcher.launch(requests)
            crashpoint.here("conductor.after-launch")
        except LaunchError as error:
            now = self._clocks.read().wall_at
            self._troubles.note("launch", str(error), now)
            for request in requests:
                if active := self.floor.end(request.run):
                    again = replace(active.run, not_before=now + timedelta(seconds=2))
                    self.floor.arrive(again, active.job.spec.priority, now)
        else:
            self._troubles.clear("launch")
