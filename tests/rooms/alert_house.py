"""A ledger with a dispatcher at its side, round by round: for the tests of the alert pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jarvis.alerts.dispatch import Dispatcher
from jarvis.core.alert import Problem
from jarvis.core.telling import Alerts
from jarvis.store import alerts, bulletin, deliveries, docket, journal
from jarvis.store.bulletin import Entry
from jarvis.store.database import Database
from jarvis.store.deliveries import Delivery
from jarvis.store.journal import Note

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PHONE = {"channels": {"phone": "ntfy://x"}}


class Told:
    """``later`` moves the time on, ``raises`` journals and judges, ``accepts`` is a channel that takes everything."""

    def __init__(self, path: Path, rules: dict[str, Any]) -> None:
        self.now = NOON
        self.rules = Alerts.model_validate(rules)
        self.path = path
        self.database = Database(path)
        self.database.open()
        self.unjudged: list[tuple[int, str]] = []
        self.restart()

    def restart(self, **more: Any) -> None:
        """Another daemon: only the ledger is left. ``more``: whom its dispatcher tells."""
        self.dispatcher = Dispatcher(
            database=self.database,
            now=lambda: self.now,
            rules=lambda: self.rules,
            zone="UTC",
            unjudged=lambda alert, why: self.unjudged.append((alert.id, why)),
            **more,
        )

    def later(self, **length: float) -> None:
        self.now += timedelta(**length)

    def writes(self, *notes: Note) -> None:
        with self.database.write() as connection:
            journal.add(connection, notes)

    def note(self, job: str = "backup", **fields: Any) -> Note:
        plain: dict[str, Any] = {
            "at": self.now,
            "severity": "high",
            "key": f"run:{job}",
            "job": job,
            "title": f"{job}: failed",
        }
        return Note(**plain | fields)

    def raises(self, job: str = "backup", **fields: Any) -> None:
        self.writes(self.note(job, **fields))
        self.judges()

    def recovers(self, job: str = "backup", **fields: Any) -> None:
        """A run of the job succeeded."""
        self.raises(
            job, **{"kind": "recovery", "key": None, "severity": "info", "title": "run 2 succeeded"} | fields
        )

    def judges(self) -> None:
        self.dispatcher.round(self.now)

    def outbox(self, *statuses: str) -> list[Delivery]:
        """Messages, the oldest first."""
        with self.database.read() as connection:
            last = connection.exec_driver_sql("SELECT COALESCE(MAX(id), 0) FROM deliveries").scalar_one()
            found = [deliveries.get(connection, number) for number in range(1, last + 1)]
        return [one for one in found if one is not None and (not statuses or one.status in statuses)]

    def accepts(self) -> list[Delivery]:
        """The channels take whatever waits for them."""
        waiting = self.outbox("queued")
        with self.database.write() as connection:
            for one in waiting:
                deliveries.sent(connection, [one.id], self.now)
                alerts.accepted(connection, one, self.now)
        return waiting

    def subjects(self) -> list[str]:
        return [one.subject for one in self.outbox()]

    def journal(self) -> list[Entry]:
        """The oldest first."""
        with self.database.read() as connection:
            return bulletin.entries(connection, limit=100_000)[::-1]

    def verdicts(self) -> list[str]:
        return [one.verdict for one in self.journal()]

    def problems(self) -> list[Problem]:
        with self.database.read() as connection:
            return docket.open_problems(connection)


@contextmanager
def told(folder: Path, **rules: Any) -> Iterator[Told]:
    """With one channel, ``phone``, unless the rules say otherwise."""
    made = Told(folder / "ledger.sqlite", PHONE | rules)
    try:
        yield made
    finally:
        made.database.close()
