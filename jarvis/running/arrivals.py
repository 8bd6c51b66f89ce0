"""What becomes of an event that arrived? It is turned into runs of the jobs that are ``on:`` it, once.

A thread of its own that sleeps until somebody says that there may be something new: a commit of this process that
stored one, the end of a handler in a process of its own, or a glance at the ledger (running/glancing.py) that found
some. A batch of events and their runs are one transaction; the runs are released after it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from jarvis.core import causes
from jarvis.core.job import Job
from jarvis.core.run import Run
from jarvis.core.triggers import Asked, Triggers
from jarvis.errors import StoreError
from jarvis.running import following
from jarvis.running.readings import Clocks
from jarvis.running.trouble import Troubles
from jarvis.running.work import Work
from jarvis.store import crashpoint, events
from jarvis.store.database import Database
from jarvis.store.events import Event

log = logging.getLogger("jarvis.arrivals")

BATCH = 200
BATCH_BYTES = 8_000_000
"""Of payloads: what is read at once at most."""

MOST_WAITING = 10_000
"""While so many runs wait to start, further events stay pending in the ledger: memory is bounded."""

PAUSE = 0.05
LONGEST_BACKOFF = 5.0


class Arrivals:
    """The daemon's look at events. ``waiting``: how many runs wait to start, also those just released."""

    def __init__(
        self,
        *,
        database: Database,
        triggers: Callable[[], Triggers],
        clocks: Clocks,
        troubles: Troubles,
        release: Callable[[Sequence[Run]], None],
        waiting: Callable[[], int],
    ) -> None:
        self._database = database
        self._triggers = triggers
        self._clocks = clocks
        self._troubles = troubles
        self._release = release
        self._waiting = waiting
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="jarvis-arrivals", daemon=True)

    # From any thread.

    def begin(
        self,
        each_round: list[Callable[[Work, datetime], None]],
        job_of: Callable[[str], Job | None],
    ) -> None:
        """Look now, whenever an event was stored, and after the end of each process that may have stored some."""

        def look(work: Work, _now: datetime) -> None:
            if any((job := job_of(one.run.job)) and job.python and not job.thread for one in work.verdicts):
                self.poke()

        each_round.append(look)
        self._database.published = self.poke
        self._wake.set()
        self._thread.start()

    def stop(self, within: float) -> None:
        """Match nothing more; the batch under way is committed."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(within)

    def poke(self) -> None:
        """There may be something new."""
        self._wake.set()

    # The thread.

    def _loop(self) -> None:
        tries = 0
        while not self._stopping.is_set():
            self._wake.wait()
            self._wake.clear()
            try:
                while not self._stopping.is_set() and self.take():
                    continue
            except StoreError as error:
                self._troubles.note("events", str(error), self._clocks.read().wall_at)
                tries += 1
            except Exception:
                log.exception("events could not be matched; it is tried again")
                tries += 1
            else:
                if tries:
                    self._troubles.clear("events")
                tries = 0
            if tries:
                self._wake.set()
            self._stopping.wait(min(PAUSE * 2**tries, LONGEST_BACKOFF))

    def take(self) -> bool:
        """Match the oldest events; False when there are none, or too many runs wait already."""
        if self._waiting() >= MOST_WAITING:
            return False
        with self._database.read() as connection:
            found = events.unmatched(connection, limit=BATCH, most_bytes=BATCH_BYTES)
        if not found:
            return False
        now = self._clocks.read().wall_at
        asked = self._triggers()
        crashpoint.here("arrivals.before-commit")
        with self._database.write() as connection:
            queued = following.queue(
                connection,
                [wanted for event in found for wanted in _match(connection, event, asked, now)],
                now,
            )
            crashpoint.here("arrivals.in-transaction")
        crashpoint.here("arrivals.after-commit")
        self._release(queued)
        log.info("%d events became %d runs", len(found), len(queued))
        return True


def _match(
    connection: Connection, event: Event, asked: Triggers, now: datetime
) -> list[tuple[Asked, str, dict[str, object]]]:
    """What one event asks for, and noted with it."""
    read: list[object] = []

    def payload() -> object:
        if not read:
            read.append(events.payload_of(connection, event.id) if event.payload_bytes != 0 else None)
        return read[0]

    try:
        jobs = asked.for_event(event.source, event.event_type, payload)
        size = event.payload_bytes if event.payload_bytes is not None else causes.SMALL + 1
        small = payload() if jobs and size <= causes.SMALL else None
    except ValueError as error:
        events.fail(connection, event.id, f"its payload cannot be read: {error}", now)
        return []
    events.note_match(connection, event.id, [one.job for one in jobs], now)
    cause = causes.of_event(event.id, event.source, event.event_type, event.received_at, small, size)
    return [(one, f"event:{event.id}", cause) for one in jobs]
