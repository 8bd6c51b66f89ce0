"""What becomes of a run that is due? One thread, one inbox, from the queued row to the closed one.

Each round: take what arrived, decide, write everything in one transaction, and only then act. Killed between any
two lines, the rows and the runs' directories say what the next start has to do (running/recovery.py).
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from jarvis.core import clockfacts
from jarvis.core.admission import Refuse
from jarvis.core.clockfacts import Reading
from jarvis.core.job import Job
from jarvis.core.run import Run, Status
from jarvis.core.triggers import NOTHING, Triggers
from jarvis.errors import JarvisError, LaunchError, Refused, StoreError
from jarvis.handling.launch import Launcher, Notice, Request
from jarvis.running import closing, queueing, saying
from jarvis.running.deciding import Decider, Jobs
from jarvis.running.floor import Floor
from jarvis.running.inbox import Inbox
from jarvis.running.judging import Verdict
from jarvis.running.queueing import Asked
from jarvis.running.readings import Clocks
from jarvis.running.telling.afflicted import Afflicted
from jarvis.running.threads import Called, Threads
from jarvis.running.trouble import Troubles
from jarvis.running.work import Answered, Cancel, Released, Work
from jarvis.store import crashpoint
from jarvis.store import database as databases
from jarvis.store.database import Database
from jarvis.store.journal import Note

log = logging.getLogger("jarvis.conductor")

LONGEST_WAIT = 1.0
IDLE_WAIT = 10.0
"""Seconds between two rounds while nothing is expected: it shows that the conductor lives."""
NEVER = timedelta(days=36_500)


class _Stopping(Exception):
    """The ledger cannot be written and the daemon ends: what was not written is found again at the next start."""


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
        triggers: Callable[[], Triggers] = lambda: NOTHING,
    ) -> None:
        self.floor = Floor(dict(slots))
        self.rounds = 0
        self.each_round: list[Callable[[Work, datetime], None]] = []
        self.attentive: Callable[[], bool] = lambda: False
        """Whether who looks on in ``each_round`` has something to look at again soon."""
        self._database = database
        self._launcher = launcher
        self._threads = threads
        self._clocks = clocks
        self._troubles = troubles
        self._ask = ask
        self._environ = environ
        self._triggers = triggers
        self._memory = closing.Memories(database)
        self.afflicted = Afflicted(database)
        self._decider = Decider(
            floor=self.floor,
            jobs=jobs,
            launcher=launcher,
            prepare=lambda run, job, now: prepare(run, job, self._memory.recall(job.name), now),
        )
        self._inbox = Inbox()
        self._log = saying.Log()
        self._last: Reading | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="jarvis-conductor", daemon=True)

    # From any thread.

    def start(self) -> None:
        self._memory.load()
        self.afflicted.load()
        self._decider.stuck = set(self.afflicted.stuck)
        self._thread.start()

    def stop(self, within: timedelta) -> None:
        """Start nothing more; the round under way is written."""
        self._stopping.set()
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(within.total_seconds())

    def wake(self) -> None:
        """Come round now: whoever looks on has something to see."""
        self._inbox.put(None)

    def release(self, released: Sequence[Run]) -> None:
        """These runs are in the ledger and may start."""
        if released:
            self._inbox.put(Released(released))

    def waiting(self) -> int:
        """How many runs wait to start, those that are on their way to us among them."""
        return len(self.floor.waiting) + self._inbox.coming

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

    def submit(self, asked: Asked) -> Run:
        """Queue a fire that no schedule asked for (``manual:<id>``); returns its row, already committed."""
        with self._database.write() as connection:
            run = queueing.insert(connection, asked, self._clocks.read().wall_at)
        self.release([run])
        return run

    def close(self, run: Run, refusal: Refuse, work: Work, now: datetime) -> None:
        """A waiting run ends without having started; in ``each_round`` only."""
        self._decider.close(run, refusal, work, now)

    def adopt(self, run: Run, job: Job) -> None:
        """A run of an earlier daemon that is still running; before ``start`` only."""
        now = self._clocks.read().wall_at
        self.floor.arrive(run, job, now)
        self.floor.start(run, job, run.started_at or now)

    # The conductor's thread.

    def _loop(self) -> None:
        while not self._stopping.is_set():
            messages = self._messages()
            try:
                self._round(messages)
            except Exception:
                log.exception(
                    "a round of the conductor failed; the runs it concerned are taken up at the next start"
                )
            finally:
                self._inbox.dealt_with(messages)
            self.rounds += 1
        self._log.say(())

    def _messages(self) -> list[Any]:
        calm = self.floor.idle and not self._decider.stuck and not self.attentive()
        wait = IDLE_WAIT if calm else LONGEST_WAIT
        if timer := self.floor.next_timer():
            wait = min(max((timer - self._clocks.read().wall_at).total_seconds(), 0.0), LONGEST_WAIT)
        return self._inbox.take(wait)

    def _now(self) -> datetime:
        """The wall clock; when it was set, those who wait for a length of time are shifted with it."""
        reading = self._clocks.read()
        last, self._last = self._last, reading
        steps = (
            [fact for fact in clockfacts.between(last, reading, NEVER) if fact.kind == "step"] if last else []
        )
        for step in steps:
            self.floor.shift(step.amount)
        return reading.wall_at

    def _round(self, messages: Sequence[Any]) -> None:
        now = self._now()
        work = Work()
        for message in messages:
            try:
                self._decider.hear(message, work, now)
            except Exception as error:  # one message must not stop the others
                log.exception("a message could not be dealt with: %.200r", message)
                self._decider.give_up(message, error, work, now)
        for run in self.floor.ready(now):
            try:
                self._decider.take(run, work, now)
            except Exception as error:
                log.exception("run %d of %s could not be started", run.id, run.job)
                why = f"could not be started: {type(error).__name__}: {error}"
                self._decider.close(run, Refuse(status=Status.FAILED, why=why), work, now)
        self._decider.watch_the_time(work, now)
        for look in self.each_round:
            try:
                look(work, now)
            except Exception:  # what looks on must not keep the round from being written
                log.exception("a look at the round failed; it is asked again in the next one")
        if work.writes and not self._write(work, now):
            return
        self._act(work)
        self._log.say(work.verdicts, more=not self._inbox.empty())  # nobody waits for a log line

    def _write(self, work: Work, now: datetime) -> bool:
        """Everything of this round in one transaction, tried until the ledger takes it; False when stopping."""

        def write(
            started: Iterable[Run], verdicts: Sequence[Verdict], notes: Sequence[Note] = (), /
        ) -> list[Run]:
            def once() -> list[Run]:
                return closing.write(
                    self._database, started, verdicts, notes, now, self.afflicted, self._triggers()
                )

            return self._patiently(once, now)

        try:
            crashpoint.here("conductor.before-commit")
            retries = write(work.started.values(), work.verdicts, work.notes)
            crashpoint.here("conductor.after-commit")
        except _Stopping:
            return False
        except Exception:
            log.exception("a round could not be written as a whole; each run is written by itself")
            retries = closing.write_singly(write, work.started.values(), work.verdicts, work.notes)
        self._memory.learned(work.verdicts)
        self.release(retries)
        return True

    def _patiently(self, write: Callable[[], list[Run]], now: datetime) -> list[Run]:
        """Write until the ledger takes it. Raises _Stopping, or what says that it never will."""
        tries = 0
        while True:
            try:
                written = write()
                break
            except StoreError as error:
                if databases.unstorable(error):
                    raise
                tries += 1
                self._troubles.note("runs", str(error), now)
                if self._stopping.wait(min(0.1 * 2**tries, 2.0)):
                    raise _Stopping from error
        if tries:
            self._troubles.clear("runs")
        return written

    def _act(self, work: Work) -> None:
        for number, why in work.stops:
            active = self.floor.active.get(number)
            stop = self._threads.end if active and active.thread else self._launcher.stop_run
            stop(number, why)
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
                if active := self.floor.active.get(request.run):
                    self._decider.again(active, now)
        else:
            self._troubles.clear("launch")
