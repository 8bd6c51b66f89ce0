"""Which problems does a success end? The ledger says so, in the transaction that writes the success.

What is known in memory is a hint: jobs without it cost nothing. A hint that is out of date costs one look at the
ledger, so each problem has one recovery, whoever judged what in the meantime.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from jarvis.core import alert as alerts
from jarvis.core.alert import Wanted
from jarvis.core.run import Run, Status
from jarvis.core.service import PREFIX
from jarvis.running.judging import Verdict
from jarvis.store import docket
from jarvis.store.database import Database
from jarvis.store.journal import Note


class Afflicted:
    """Job -> keys of its problems that a success without them would end; more than there are, never fewer.

    Everything may be called from any thread. ``stuck``: jobs of which it was told, before this start, that a run
    waits too long.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._keys: dict[str, set[str]] = {}
        self.stuck: frozenset[str] = frozenset()

    def load(self) -> None:
        """What the ledger knows: open problems, and alerts that nobody has judged."""
        with self._database.read() as connection:
            known = docket.troubled(connection)
        self.add(known)
        self.stuck = frozenset(job for job, key in known if key == alerts.QUEUE)

    def add(self, known: Iterable[tuple[str, str]]) -> None:
        """These problems, each of a job (none: Jarvis itself, which no run can end), are open."""
        with self._lock:
            for job, key in known:
                if job and not key.startswith(alerts.OURS):
                    self._keys.setdefault(job, set()).add(key)

    def hear(self, notes: Iterable[Note]) -> None:
        """These notes are being written, in the transaction that is under way."""
        self.add((note.job, key) for note in notes if note.job and (key := _lasts(note)))

    def judge(
        self, connection: Connection, notes: Sequence[Note], verdicts: Sequence[Verdict], now: datetime
    ) -> list[Note]:
        """What is written of a round: its notes, those of its ends, and the recoveries of what these ended.

        In the transaction that writes them. A recovery of what is not open is left out.
        """
        everything = [*notes, *(note for one in verdicts for note in one.notes)]
        asked = {note.job for note in everything if note.kind == "recovery" and note.job}
        raised = [note.job for note in everything if _lasts(note)]
        asked |= {one.run.job for one in verdicts if self._may_end(one.run, raised)}
        found = docket.troubled(connection, asked) if asked else set()
        self._known(asked, found)
        said: list[Note] = []

        def say(note: Note) -> None:
            if note.kind != "recovery" or not note.job or any(_ends(note, one) for one in found):
                said.append(note)
                _heard(note, found)

        for note in notes:
            say(note)
        for judged in verdicts:
            for note in judged.notes:
                say(note)
            if judged.run.job in asked and (over := _over(judged, found, now)):
                say(over)
        self.hear(said)
        return said

    def _may_end(self, run: Run, raised: Collection[str | None]) -> bool:
        """Whether its success may be the end of something; a service's process tells of problems by itself."""
        if run.status is not Status.SUCCEEDED:
            return False
        return run.job in self._keys or run.job in raised or run.fire.startswith(PREFIX)

    def _known(self, jobs: Iterable[str], found: Iterable[tuple[str, str]]) -> None:
        """The ledger was asked about these jobs: that is what is open."""
        with self._lock:
            for job in jobs:
                self._keys.pop(job, None)
        self.add(found)

    def well(self, run: Run, now: datetime) -> list[Note]:
        """A service has been running long enough: that its earlier runs failed, or that it was left alone, is over."""
        ended = self._keys.get(run.job, set()) & {f"run:{run.job}", alerts.SERVICE}
        return [
            Note(
                at=now,
                severity="info",
                key=key,
                job=run.job,
                run_id=run.id,
                title=f"run {run.id} of the service is well",
                kind="recovery",
            )
            for key in sorted(ended)
        ]


def _over(judged: Verdict, found: Iterable[tuple[str, str]], now: datetime) -> Note | None:
    """The recovery, where a run that succeeded ended problems of its job."""
    run = judged.run
    if run.status is not Status.SUCCEEDED:
        return None
    still = sorted({key for note in judged.notes if (key := _lasts(note))})
    over = Note(
        at=now,
        severity="info",
        job=run.job,
        run_id=run.id,
        title=f"run {run.id} succeeded",
        kind="recovery",
        wanted=Wanted(still=tuple(still)),
    )
    return over if any(_ends(over, one) for one in found) else None


def _heard(note: Note, found: set[tuple[str, str]]) -> None:
    """What is open when this was written, too."""
    if key := _lasts(note):
        found.add((note.job or "", key))
    elif note.kind == "recovery":
        found -= {one for one in found if _ends(note, one)}


def _ends(note: Note, about: tuple[str, str]) -> bool:
    """Whether this recovery ends the problem (job, key)."""
    key = alerts.short_key(note.key) if note.key else None
    return alerts.ends((note.job or "", key), note.wanted, about)


def _lasts(note: Note) -> str | None:
    """The key of the problem that a note is, as it is stored; None when it is none."""
    if not note.key or (note.kind or "problem") != "problem":
        return None
    return alerts.short_key(note.key)
