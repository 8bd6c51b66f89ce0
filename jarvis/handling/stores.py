"""Which parts of the ledger may a handler touch? Opened when first asked for, closed when the run ends."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jarvis import errors

if TYPE_CHECKING:
    from jarvis.core.alert import Wanted
    from jarvis.handling.contract import Alert
    from jarvis.store.breakers import Breakers
    from jarvis.store.cache import Cache
    from jarvis.store.database import Database
    from jarvis.store.events import Events
    from jarvis.store.known import Known
    from jarvis.store.ledger import Ledger
    from jarvis.store.metrics import Metrics
    from jarvis.store.rules import Rules
    from jarvis.store.samples import Samples
    from jarvis.store.tickets import Tickets

SQLITE = "sqlite:///"


class LazyStores:
    """``events`` and ``ledger`` of the database at ``url``; the first touch imports SQLAlchemy."""

    def __init__(self, url: str | None, state: Path | None = None, *, ours: Database | None = None) -> None:
        """``state``: the state directory, where that is not the folder of the ledger.

        ``ours``: the same ledger, open in this process already; whoever is told of its commits is told of these, too.
        """
        self._url = url
        self._ours = ours
        self._state = state
        self._lock = threading.Lock()
        self._opened: Database | None = None
        self._breakers: Breakers | None = None

    def _database(self) -> Database:
        from jarvis.store import database

        with self._lock:  # handlers in threads share one of these
            if self._opened is None:
                found = database.Database(ledger_path(self._url))
                try:
                    found.open(create=False)
                except BaseException:
                    found.close()
                    raise
                if self._ours is not None:
                    found.tell(self._ours)
                self._opened = found
            return self._opened

    @property
    def events(self) -> Events:
        from jarvis.store import events

        return events.Events(self._database())

    @property
    def ledger(self) -> Ledger:
        from jarvis.store import ledger

        return ledger.Ledger(self._database(), self._state)

    @property
    def rules(self) -> Rules:
        from jarvis.store import rules

        return rules.Rules(self._database())

    @property
    def known(self) -> Known:
        from jarvis.store import known

        return known.Known(self._database())

    @property
    def cache(self) -> Cache:
        from datetime import UTC, datetime

        from jarvis.store import cache

        return cache.Cache(self._database(), lambda: datetime.now(UTC))

    @property
    def tickets(self) -> Tickets:
        from jarvis.store import tickets

        return tickets.Tickets(self._database())

    @property
    def metrics(self) -> Metrics:
        from jarvis.store import metrics

        return metrics.Metrics(self._database())

    @property
    def samples(self) -> Samples:
        from jarvis.store import samples

        return samples.Samples(self._database())

    def live(self, run: int, job: str, wanted: Wanted) -> Live:
        """What a run that goes on says at once; ``wanted``: what its job's ``alert:`` asks for."""
        return Live(self, run, job, wanted)

    def tell(self, run: int, job: str, wanted: Wanted, alert: Alert) -> None:
        """Journal an alert of a run that goes on (a service's). Raises StoreError."""
        from datetime import UTC, datetime

        from jarvis.handling import raising
        from jarvis.store import journal

        note = raising.raised(alert, run=run, job=job, wanted=wanted, now=datetime.now(UTC))
        with self._database().write() as connection:
            journal.add(connection, [note])

    def resolve(self, run: int, job: str, key: str) -> None:
        """Journal that a problem of a job is over, if it is there. Raises StoreError."""
        from datetime import UTC, datetime

        from jarvis.core import alert as alerts
        from jarvis.handling import raising
        from jarvis.store import docket, journal

        known, database = (job, alerts.short_key(key)), self._database()
        with database.read() as connection:
            if known not in docket.troubled(connection, {job}):
                return
        note = raising.resolved(key, run=run, job=job, now=datetime.now(UTC))
        with database.write() as connection:
            if known in docket.troubled(connection, {job}):
                journal.add(connection, [note])

    @property
    def breakers(self) -> Breakers:
        from jarvis.store import breakers

        database = self._database()
        with self._lock:
            if self._breakers is None:
                self._breakers = breakers.Breakers(database)
            return self._breakers

    def close(self) -> None:
        """Give the connections back, if any were made."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None
                self._breakers = None


@dataclass(frozen=True, slots=True)
class Live:
    """Says at once what a run of a service has to say."""

    stores: LazyStores
    run: int
    job: str
    wanted: Wanted

    def tell(self, alert: Alert) -> None:
        """Journal it. Raises StoreError."""
        self.stores.tell(self.run, self.job, self.wanted, alert)

    def resolve(self, key: str) -> None:
        """Journal that it is over. Raises StoreError."""
        self.stores.resolve(self.run, self.job, key)


def ledger_path(url: str | None) -> Path:
    """The file a database URL names. Raises StoreError."""
    if url is None:
        raise errors.StoreError("this run was given no ledger")
    if not url.startswith(SQLITE):
        raise errors.StoreError(f"the ledger {url} is not an SQLite file")
    return Path(url.removeprefix(SQLITE))
