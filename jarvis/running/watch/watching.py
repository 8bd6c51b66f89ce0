"""Which jobs are due because files changed? One thread; watchfiles tells it where to look (running/watch/ears.py).

What was seen is remembered in the transaction of the fire. A change that was noticed and not yet written is noticed
again at the next start, by comparison; one that was written is not told twice.
"""

from __future__ import annotations

import logging
import queue
import threading
import uuid
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from jarvis.core.changes import Pending
from jarvis.core.clockfacts import Reading
from jarvis.core.run import Run, Status
from jarvis.errors import StoreError
from jarvis.running.clock import Clock
from jarvis.running.readings import Clocks
from jarvis.running.roster import Roster
from jarvis.running.trouble import Troubles
from jarvis.running.watch import wanted
from jarvis.running.watch.faults import Faults
from jarvis.running.watch.hearing import Hearing
from jarvis.running.watch.mounting import KEY as MOUNTS
from jarvis.running.watch.mounting import Mounting
from jarvis.running.watch.watched import CROWD, Watched
from jarvis.store import crashpoint, runs, watches
from jarvis.store.database import Database
from jarvis.store.watches import Seen

log = logging.getLogger("jarvis.watching")

TICK = timedelta(seconds=2)
"""How often watched paths themselves are looked at: whether they are there, and still the same."""

HELD = timedelta(seconds=0.5)
"""How often a change asks whether the run that it waits for has ended."""
RETRY = timedelta(seconds=2)
MOUNTED, LISTENING = object(), object()


class Watching:
    """All watches of all jobs, and ``start: mount``. ``folder``: where relative paths begin; ``state`` never counts."""

    def __init__(
        self,
        *,
        clock: Clock,
        roster: Roster,
        database: Database,
        clocks: Clocks,
        troubles: Troubles,
        folder: Path,
        state: Path,
    ) -> None:
        self._clock = clock
        self._roster = roster
        self._database = database
        self._clocks = clocks
        self._troubles = troubles
        self._folder = folder
        self._state = state
        self._all: dict[tuple[str, str], Watched] = {}
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._faults = Faults(database, troubles)
        self._hearing = Hearing(self._inbox.put, ready=lambda: self._inbox.put(LISTENING))
        self._changes = -1
        self._tick_at = timedelta(0)
        self._mounts_changed = False
        self._mounting = Mounting(
            clock=clock, roster=roster, boot=clocks.boot_id, changed=lambda: self._inbox.put(MOUNTED),
        )  # fmt: skip
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="jarvis-watching", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def glance(self) -> None:
        """Look at once, if jobs changed; from any thread."""
        if self._roster.changes != self._changes:
            self._inbox.put(frozenset())

    def stop(self) -> None:
        """Notice nothing more; the fire under way is written."""
        self._stopping.set()
        self._inbox.put(frozenset())
        if self._thread.is_alive():
            self._thread.join(2)

    def _loop(self) -> None:
        wait: timedelta | None = timedelta(0)
        while not self._stopping.is_set():
            try:
                self._step(wait)
                wait = self._wait()
                self._troubles.clear("watching")
            except StoreError as error:
                self._troubles.note("watching", str(error), self._clocks.read().wall_at)
                wait = RETRY
            except Exception:
                log.exception("watching failed; it is tried again")
                wait = RETRY
        self._hearing.close(wait=False)
        self._mounting.close()

    def _wait(self) -> timedelta | None:
        if not self._all and not self._mounting.jobs:
            return None
        times = [self._tick_at, *(due for one in self._all.values() if (due := one.due_at()) is not None)]
        return max(min(times) - self._clocks.read().awake, timedelta(0))

    def _step(self, wait: timedelta | None) -> None:
        """Hear what happened, see to the paths themselves, and settle what is due."""
        heard = self._heard(wait)
        now = self._clocks.read()
        self._mounts_changed |= MOUNTED in heard
        if LISTENING in heard:
            self._tick_at = now.awake
        self._tell([said for said in heard if said not in (MOUNTED, LISTENING)], now)
        if self._mounts_changed:
            self._mounting.look(now.wall_at)
            self._mounts_changed = False
        if self._roster.changes != self._changes:
            changes = self._roster.changes
            self._follow(now)
            self._changes = changes
            self._tick_at = now.awake
        if now.awake >= self._tick_at:
            self._tick(now)
            self._tick_at = now.awake + TICK
        for watched in list(self._all.values()):
            if (due := watched.due_at()) is not None and due <= now.awake:
                self._settle(watched, now)

    def _heard(self, wait: timedelta | None) -> list[Any]:
        found: list[Any] = []
        try:
            found.append(self._inbox.get(timeout=None if wait is None else wait.total_seconds()))
            while True:
                found.append(self._inbox.get_nowait())
        except queue.Empty:
            return found

    def _tell(self, heard: Iterable[frozenset[str] | None], now: Reading) -> None:
        for paths in heard:
            if paths is None:  # an ear broke: nobody knows what was missed
                self._hearing.close()
                for watched in self._all.values():
                    watched.verify(now.awake)
                self._tick_at = now.awake
                continue
            crowded = len(paths) > CROWD
            for watched in self._all.values():
                if watched.awake:
                    watched.hear(paths, now.awake, crowded=crowded)
            volumes = self._mounting.folder
            self._mounts_changed |= volumes is not None and any(path.startswith(volumes) for path in paths)

    # Who is watched.

    def _follow(self, now: Reading) -> None:
        """The watches as jobs.yaml has them now; those that are gone are forgotten."""
        with self._database.read() as connection:
            seen = watches.recall(connection)
        lines = list(self._roster.lines.values())
        asked, mounting = wanted.wanted(lines, self._all, self._folder, self._state)
        for gone in self._all.keys() - asked.keys():
            self._faults.forget(self._all[gone])
        self._all = asked
        stale = [one for one in seen if one not in asked and one != ("", MOUNTS)]
        if stale:
            with self._database.write() as connection:
                watches.forget(connection, stale)
        self._mounting.follow(mounting, seen, now.wall_at)

    def _tick(self, now: Reading) -> None:
        """Paths that came, went or were replaced; jobs that are paused or go on; states that hold."""
        beginning = []
        for watched in self._all.values():
            line = self._roster.lines.get(watched.job)
            active = line is not None and line.entry.state == "active" and not line.pause_at(now.wall_at)
            if active and not watched.awake:
                beginning.append(watched)
            elif not active and watched.awake:
                watched.rest()
            if active:
                watched.turned(now.awake)
        self._listen(now)
        if beginning := [watched for watched in beginning if self._hearing.hears(watched)]:
            with self._database.read() as connection:
                seen = watches.recall(connection)
            for watched in beginning:
                try:
                    self._begin(watched, seen.get((watched.job, watched.key)), now)
                except BaseException:
                    watched.rest()  # it begins again
                    raise
        for watched in self._all.values():
            if watched.awake and watched.level:
                watched.judge(now.awake)
            if watched.awake and watched.blind:
                self._faults.see(watched, now)

    def _listen(self, now: Reading) -> None:
        """Listen to what is there now; what was not listened to before is looked at again."""
        fresh = self._hearing.listen(self._all.values(), self._mounting.folder, now.awake)
        if fresh is None:
            return
        self._faults.hear(self._hearing.deaf(self._all.values(), now.awake), self._all.values(), now)
        for watched in self._all.values():
            if not fresh.isdisjoint(watched.folders):
                watched.verify(now.awake)

    def _begin(self, watched: Watched, seen: Seen | None, now: Reading) -> None:
        watched.begin(seen)
        if watched.level:
            return
        different = watched.look(now.awake)
        if watched.first() or not watched.spec.initial:
            different = watched.spec.initial and watched.files > 0
            if not different:
                self._remember(watched, now)
        if different:
            watched.pending = watched.pending or _now(now)
        self._faults.see(watched, now)

    def _remember(self, watched: Watched, now: Reading) -> None:
        seen = watched.seen(now.wall_at)
        with self._database.write() as connection:
            watches.keep(connection, seen)
        watched.settled(seen)

    # Firing.

    def _settle(self, watched: Watched, now: Reading) -> None:
        """Its time has come: look, and queue a run when there is a reason to."""
        if watched.level:
            path = watched.holds()
            if path is None:
                watched.pending = None
            elif self._fire(watched, None, watched.state(path), now):
                watched.fired_at, watched.pending = self._clocks.read().awake, None
            return
        settled = watched.recheck_at is not None and watched.recheck_at <= now.awake
        different = watched.look(self._clocks.read().awake)
        self._faults.see(watched, now)
        if settled:  # new folders are listened to by now, or there is no place for them
            self._faults.hear(self._hearing.deaf(self._all.values(), now.awake), self._all.values(), now)
        if not different:
            watched.calm()
        elif watched.pending is None:  # found by a comparison, not heard: it may still be going on
            watched.pending = _now(now)
        elif watched.ripe(now.awake):
            seen = watched.seen(self._clocks.read().wall_at)
            if self._fire(watched, seen, watched.cause(), now):
                watched.settled(seen)

    def _fire(self, watched: Watched, seen: Seen | None, cause: Any, now: Reading) -> bool:
        """Queue the run and remember what was seen, in one transaction; False when it has to wait or may not be."""
        with self._database.read() as connection:
            if self._held(watched, connection):
                watched.not_before = now.awake + HELD
                return False
        crashpoint.here("watch.before-commit")
        with self._clock.changing() as change:
            line = self._roster.lines.get(watched.job)
            if line is None or line.entry.state != "active" or line.pause_at(change.now):
                watched.rest()
                return False
            if self._held(watched, change.connection):
                watched.not_before = now.awake + HELD
                return False
            run = Run(
                id=runs.reserve(change.connection, 1), job=watched.job, fire=f"watch:{uuid.uuid4().hex[:12]}",
                attempt=1, status=Status.QUEUED, scheduled_at=change.now, queued_at=change.now,
                definition=line.definition, cause=cause,
            )  # fmt: skip
            change.released += runs.insert(change.connection, [run])
            if seen is not None:
                watches.keep(change.connection, seen)
        crashpoint.here("watch.after-commit")
        return True

    def _held(self, watched: Watched, connection: Connection) -> bool:
        """A change during a run waits for its end: ``overlap: skip`` must not lose it, one run is enough for many."""
        line = self._roster.lines.get(watched.job)
        alone = watched.level or line is None or line.job.spec.overlap in ("skip", "queue")
        return alone and watches.unfinished(connection, watched.job)


def _now(now: Reading) -> Pending:
    return Pending(now.awake, now.awake)
