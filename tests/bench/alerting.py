"""P16: how long do ten thousand alerts take through the policy, and how many messages come of them?"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jarvis.alerts.dispatch import Dispatcher
from jarvis.core.telling import Alerts
from jarvis.store import journal
from jarvis.store.database import Database
from jarvis.store.journal import Note
from tests.bench import figures
from tests.bench.figures import BenchError, Figure, Measure, Scale

STORM = 20
SEVERITIES = ("info", "low", "medium", "high")


def alerts(scale: Scale) -> list[Figure]:
    """Rows of a minute in a real ledger, judged until nothing is new; then the digest, when the cycle is over."""
    count = scale.size(10_000, 1_000)
    took, messages = [], 0
    for round_ in scale.times(5):
        seconds, messages = _storm(scale.work / f"{round_}.sqlite", count)
        took.append(seconds)
    note = f"{messages} messages for {count:,} alerts; all rows are in the journal, each with its verdict"
    return [
        figures.within(
            f"{count:,} alerts through policy and ledger", took, limit=2.0, target=0.3, unit="s", note=note
        )
    ]


def _storm(path: Path, count: int) -> tuple[float, int]:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    rules = Alerts.model_validate({"channels": {"phone": "ntfy://x"}, "storm": STORM})
    database = Database(path)
    database.open()
    try:
        dispatcher = Dispatcher(database=database, now=lambda: now, rules=lambda: rules, zone="UTC")
        with database.write() as connection:
            journal.add(connection, [_note(number, now) for number in range(count)])
        begun = time.perf_counter()
        dispatcher.round(now)
        seconds = time.perf_counter() - begun
        dispatcher.round(now + timedelta(minutes=5))
    finally:
        database.close()
    return seconds, _checked(path, count)


def _note(number: int, now: datetime) -> Note:
    """Every second one about one of a thousand problems, the others notices of their own."""
    key = f"disk{number % 1000}" if number % 2 else None
    severity = SEVERITIES[number % len(SEVERITIES)]
    return Note(
        at=now, severity=severity, key=key, job=f"job{number % 50}", title=f"alert {number}", text="x" * 200
    )


def _checked(path: Path, count: int) -> int:
    """Nothing is lost: each alert has its row, or is counted on a problem whose newest row is there."""
    with closing(sqlite3.connect(path)) as ledger:
        rows = ledger.execute(
            "SELECT COUNT(*) FROM journal WHERE kind = 'notice' AND verdict != 'new'"
        ).fetchone()[0]
        counted = ledger.execute("SELECT COALESCE(SUM(count), 0) FROM problems").fetchone()[0]
        new = ledger.execute("SELECT COUNT(*) FROM journal WHERE verdict IN ('new', 'held')").fetchone()[0]
        messages = int(ledger.execute("SELECT COUNT(*) FROM deliveries").fetchone()[0])
    if rows + counted != count or new:
        raise BenchError(f"of {count} alerts {rows} have a row, {counted} are counted and {new} are not told")
    if messages > STORM + 1:
        raise BenchError(f"{messages} messages are more than {STORM} and a digest")
    return messages


MEASURES = [Measure(name="P16", about="ten thousand alerts in a minute", run=alerts)]
