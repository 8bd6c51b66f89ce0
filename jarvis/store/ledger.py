"""What may a handler do with the ledger as a whole? Prune what is old, and copy it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, delete, func, select

from jarvis.store import alerts, book, crashpoint, tickets
from jarvis.store.database import Database
from jarvis.store.known import Known
from jarvis.store.samples import Samples
from jarvis.store.stalls import Stalls
from jarvis.store.tables import events, runs

BATCH = 500


class Ledger:
    """One ledger's upkeep. ``state``: where ``runs/`` and ``pauses/`` lie; without it, beside the database."""

    def __init__(self, database: Database, state: Path | None = None) -> None:
        self._database = database
        self._state = state or database.path.parent
        self._runs = self._state / "runs"

    def prune(self, *, before: Mapping[str, datetime]) -> Mapping[str, int]:
        """Remove what ended before these instants; returns how many of each went.

        Keys: ``runs`` (rows, their directories, and the spans, terms and pauses that explain them), ``output``
        (only the directories), ``journal``, ``events``, ``tickets`` (resolved ones), ``samples``, ``pauses``
        (reviewed or dismissed ones, with their directories), ``memory`` (delegations and decisions that are over).
        Runs that have not ended are never touched.
        """
        gone: dict[str, int] = {}
        if "output" in before:
            gone["output"] = self._prune_output(before["output"])
        if "runs" in before:
            gone["runs"] = self._prune_runs(before["runs"])
        if "journal" in before:
            with self._database.write() as connection:
                gone["journal"] = alerts.prune(connection, before["journal"])
        if "events" in before:
            gone["events"] = self._prune_events(before["events"])
        if "samples" in before:
            gone["samples"] = Samples(self._database).prune(before["samples"])
        if "pauses" in before:
            gone["pauses"] = Stalls(self._database).prune(before["pauses"], self._state / "pauses")
        if "memory" in before:
            gone["memory"] = Known(self._database).prune(before["memory"])
        if "tickets" in before:
            with self._database.write() as connection:
                gone["tickets"] = tickets.prune(connection, before["tickets"])
        return gone

    def _prune_runs(self, before: datetime) -> int:
        total = 0
        # A run may end before its moment when the clock was set back: both have to be old.
        old_ones = (runs.c.ended_at < before) & (runs.c.scheduled_at < before)
        query = select(runs.c.id).where(old_ones).order_by(runs.c.scheduled_at).limit(BATCH)
        with self._database.write() as connection:
            self._note_horizon(connection, before)
        while True:
            with self._database.read() as connection:
                old = list(connection.execute(query).scalars())
            if not old:
                break
            # Directories first: a row without its output is honest, an output without its row is litter.
            for run in old:
                shutil.rmtree(self._directory(run), ignore_errors=True)
            with self._database.write() as connection:
                connection.execute(delete(runs).where(runs.c.id.in_(old)))
                crashpoint.here("prune.in-transaction")
            total += len(old)
        with self._database.write() as connection:
            book.forget_terms(connection, before)
        return total

    @staticmethod
    def _note_horizon(connection: Connection, before: datetime) -> None:
        """What is older is no longer accounted for; an audit begins here. Said before anything goes."""
        from jarvis.store import database

        known = database.remembered(connection, "horizon")
        if not isinstance(known, str) or datetime.fromisoformat(known) < before:
            database.remember(connection, "horizon", before.isoformat())

    def _prune_output(self, before: datetime) -> int:
        total = 0
        query = select(runs.c.id).where(runs.c.ended_at < before, runs.c.output_bytes > 0)
        with self._database.read() as connection:
            for run in connection.execute(query).scalars():
                directory = self._directory(run)
                if directory.is_dir():
                    shutil.rmtree(directory, ignore_errors=True)
                    total += 1
        return total

    def _prune_events(self, before: datetime) -> int:
        """Those that are done with; never the newest, so that no number is given out twice."""
        from jarvis.store import database

        done = (events.c.received_at < before) & (events.c.status != "pending")
        newest = select(func.max(events.c.id)).scalar_subquery()
        with self._database.write() as connection:
            old = done & (events.c.id < newest)
            highest = connection.execute(select(func.max(events.c.id)).where(old)).scalar()
            if highest is None:
                return 0
            known = database.remembered(connection, "events_pruned")
            if not isinstance(known, int) or known < highest:
                database.remember(connection, "events_pruned", highest)
            return connection.execute(delete(events).where(old)).rowcount

    def _directory(self, run: int) -> Path:
        return self._runs / str(run // 1000) / str(run)

    def backup(self, to: Path) -> int:
        """An online copy; returns its bytes. Raises StoreError."""
        return self._database.backup(to)
