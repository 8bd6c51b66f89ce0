"""What the tests of `health`, `tasks` and `patterns` need: a ledger, databases as other programs leave them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jarvis import testing
from jarvis.handling.contract import Outcome
from jarvis.handling.stores import LazyStores
from jarvis.store.database import Database

LONDON = ZoneInfo("Europe/London")
TODAY = "2026-11-20"


def at(hour: int, minute: int = 0, day: int = 20) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=LONDON)


class Life:
    """A folder with a ledger. ``run`` runs a handler as the next run of one job: what it remembered is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.memory: dict[str, Any] = {}
        self._ledger = Database(folder / "ledger.sqlite")
        self._ledger.open()

    def run(self, handler: str, now: datetime, **values: Any) -> Outcome:
        stores = LazyStores(self._ledger.url)
        try:
            context = testing.context(now=now, memory=self.memory, stores=stores, state=self.folder)
            outcome = testing.run_handler(handler, context, **values)
        finally:
            stores.close()
        self.memory |= outcome.memory
        return outcome

    def close(self) -> None:
        self._ledger.close()

    def wearable(self, days: Mapping[str, tuple[Any, ...]], synced_at: str = f"{TODAY}T08:50:00Z") -> str:
        """The cache of a wearable: by day (readiness, sleep_hours, hrv, stress)."""
        path = self.folder / "wearable.db"
        path.unlink(missing_ok=True)
        with sqlite3.connect(path) as connection:
            connection.execute(
                "CREATE TABLE wearable (day TEXT, readiness REAL, sleep_hours REAL, hrv REAL, stress REAL, "
                "synced_at TEXT)"
            )
            connection.executemany(
                "INSERT INTO wearable VALUES (?, ?, ?, ?, ?, ?)",
                [(day, *values, synced_at) for day, values in days.items()],
            )
        connection.close()
        return str(path)

    def tasks(self, *rows: tuple[Any, ...]) -> str:
        """A task system's database: (title, status, due, milestone, points, created_at, completed_at)."""
        path = self.folder / "tasks.db"
        path.unlink(missing_ok=True)
        with sqlite3.connect(path) as connection:
            connection.execute(
                "CREATE TABLE tasks (title TEXT, status TEXT, due TEXT, milestone INTEGER, points REAL, "
                "created_at TEXT, completed_at TEXT)"
            )
            connection.executemany("INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        connection.close()
        return str(path)


def keys(outcome: Outcome) -> dict[str | None, str]:
    return {one.key: one.severity for one in outcome.alerts}
