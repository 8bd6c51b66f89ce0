"""Which jobs have an open problem that a success would end? Known in memory: the others' successes cost nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from jarvis.core import alert as alerts
from jarvis.core.alert import Wanted
from jarvis.core.run import Run, Status
from jarvis.running.judging import Verdict
from jarvis.store import docket
from jarvis.store.database import Database
from jarvis.store.journal import Note


class Afflicted:
    """Job -> keys of its open problems that a success without them would end.

    ``hear`` and ``add`` may be called from any thread, the rest is the conductor's. ``stuck``: jobs of which it was
    told, before this start, that a run waits too long.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._keys: dict[str, set[str]] = {}
        self.stuck: frozenset[str] = frozenset()

    def load(self) -> None:
        """What the ledger knows: open problems, and alerts that nobody has judged."""
        with self._database.read() as connection:
            known = [
                (job, key) for job, _, key in (one.partition(":") for one in docket.troubled(connection))
            ]
        self.add(known)
        self.stuck = frozenset(job for job, key in known if key == alerts.QUEUE)

    def add(self, known: Iterable[tuple[str, str]]) -> None:
        """These problems, each of a job (none: Jarvis itself, which no run can end), are open."""
        with self._lock:
            for job, key in known:
                if job and not key.startswith(alerts.OURS):
                    self._keys.setdefault(job, set()).add(key)

    def hear(self, notes: Iterable[Note]) -> None:
        """These notes are being written."""
        self.add(
            (note.job, alerts.short_key(note.key)) for note in notes if _lasts(note) and note.job and note.key
        )

    def over(self, verdicts: Sequence[Verdict], now: datetime) -> Sequence[Verdict]:
        """The verdicts, with a recovery where a run that succeeded ended problems of its job."""
        if not self._keys and not any(judged.notes for judged in verdicts):
            return verdicts
        return [self._over(judged, now) for judged in verdicts]

    def _over(self, judged: Verdict, now: datetime) -> Verdict:
        run = judged.run
        still = {alerts.short_key(note.key) for note in judged.notes if _lasts(note) and note.key}
        ended = self._keys.get(run.job, set()) - still
        self.hear(judged.notes)
        if not ended or run.status is not Status.SUCCEEDED:
            return judged
        self._forget(run.job, ended)
        over = Note(
            at=now,
            severity="info",
            job=run.job,
            run_id=run.id,
            title=f"run {run.id} succeeded",
            kind="recovery",
            wanted=Wanted(still=tuple(sorted(still))),
        )
        return replace(judged, notes=(*judged.notes, over))

    def well(self, run: Run, now: datetime) -> list[Note]:
        """A service has been running long enough: that its earlier runs failed, or that it was left alone, is over."""
        ended = self._keys.get(run.job, set()) & {f"run:{run.job}", alerts.SERVICE}
        if ended:
            self._forget(run.job, ended)
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

    def _forget(self, job: str, ended: set[str]) -> None:
        with self._lock:
            self._keys[job] -= ended
            if not self._keys[job]:
                del self._keys[job]


def _lasts(note: Note) -> bool:
    return (note.kind or ("problem" if note.key else "notice")) == "problem"
