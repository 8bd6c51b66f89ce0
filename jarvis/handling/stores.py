"""Which parts of the ledger may a handler touch? Opened when first asked for, closed when the run ends."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from jarvis import errors

if TYPE_CHECKING:
    from jarvis.store.database import Database
    from jarvis.store.events import Events
    from jarvis.store.ledger import Ledger

SQLITE = "sqlite:///"


class LazyStores:
    """``events`` and ``ledger`` of the database at ``url``; the first touch imports SQLAlchemy."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._opened: Database | None = None

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
                self._opened = found
            return self._opened

    @property
    def events(self) -> Events:
        from jarvis.store import events

        return events.Events(self._database())

    @property
    def ledger(self) -> Ledger:
        from jarvis.store import ledger

        return ledger.Ledger(self._database())

    def close(self) -> None:
        """Give the connections back, if any were made."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None


def ledger_path(url: str | None) -> Path:
    """The file a database URL names. Raises StoreError."""
    if url is None:
        raise errors.StoreError("this run was given no ledger")
    if not url.startswith(SQLITE):
        raise errors.StoreError(f"the ledger {url} is not an SQLite file")
    return Path(url.removeprefix(SQLITE))
