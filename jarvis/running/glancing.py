"""Did another process write to the ledger what the daemon has to see to? A glance after each pass of the clock.

What this process writes is told by the commit itself. A handler in a process of its own, a command without a daemon, a
person with a copy of SQLite write unseen: nobody has to look again and again because of them but the clock, which comes
round every five seconds anyway.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from jarvis.errors import StoreError
from jarvis.store import news
from jarvis.store.database import Database

log = logging.getLogger("jarvis.glancing")


class Glance:
    """``alerts``, ``messages`` and ``events`` wake who sees to them. Called by the clock's thread."""

    def __init__(
        self,
        database: Database,
        alerts: Callable[[], None],
        messages: Callable[[], None],
        events: Callable[[], None],
    ) -> None:
        self._database = database
        self._alerts = alerts
        self._messages = messages
        self._events = events
        self._written: object = None

    def __call__(self) -> None:
        """Ask the ledger, if it was written to since the last time: finding that out costs a system call."""
        written = self._database.written()
        if written == self._written:
            return
        try:
            with self._database.read() as connection:
                found = news.look(connection, datetime.now(UTC))
        except StoreError as error:  # asked again after the next pass
            log.debug("%s", error)
            return
        self._written = written
        if found.alerts:
            self._alerts()
        if found.messages:
            self._messages()
        if found.events:
            self._events()
