"""What does an inbox of 10,000 files cost, beside only reading them? (P17)

Ours is a whole poll: a lock, every file checked and moved to ``processed/``, every event stored in a ledger that
survives a power cut. The peer reads each file, parses it and inserts it, in one transaction of the same SQLite.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from jarvis import testing
from jarvis.handling.stores import LazyStores
from jarvis.store.database import Database
from tests.bench import figures
from tests.bench.figures import BenchError, Figure, Measure, Scale

LONG_AGO = time.time() - 3600


def inbox(scale: Scale) -> list[Figure]:
    """Seconds for the same files, in turn."""
    count = scale.size(10_000, 500)
    ours, theirs = [], []
    for number in scale.times(3):
        theirs.append(_peer(_files(scale.work / f"peer-{number}", count)))
        ours.append(_ours(_files(scale.work / f"ours-{number}", count)))
    return [
        figures.at_most(
            f"an inbox of {count:,} files", ours, theirs, against="read, json, insert", floor=5, target=2,
            note="ours also checks, moves and syncs",
        )
    ]  # fmt: skip


def _files(folder: Path, count: int) -> Path:
    inside = folder / "inbox"
    inside.mkdir(parents=True)
    for number in range(count):
        path = inside / f"{number:06}.json"
        payload = {"ref": "refs/heads/main", "number": number, "commits": [{"id": f"{number:040x}"}] * 3}
        path.write_text(json.dumps({"source": "github", "event_type": "push", "payload": payload}))
        os.utime(path, (LONG_AGO, LONG_AGO))
    return folder


def _peer(folder: Path) -> float:
    began = time.perf_counter()
    with closing(sqlite3.connect(folder / "peer.sqlite")) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(
            "CREATE TABLE events (id INTEGER PRIMARY KEY, source TEXT, type TEXT, payload TEXT)"
        )
        for name in sorted(os.listdir(folder / "inbox")):
            with open(folder / "inbox" / name, encoding="utf-8") as file:
                event = json.load(file)
            row = (event["source"], event["event_type"], json.dumps(event["payload"]))
            connection.execute("INSERT INTO events (source, type, payload) VALUES (?, ?, ?)", row)
    return time.perf_counter() - began


def _ours(folder: Path) -> float:
    count = len(os.listdir(folder / "inbox"))
    database = Database(folder / "ledger.sqlite")
    database.open()
    stores = LazyStores(database.url)
    try:
        context = testing.context(stores=stores, state=folder)
        began = time.perf_counter()
        outcome = testing.run_handler("webhook_poll", context)
        took = time.perf_counter() - began
    finally:
        stores.close()
        database.close()
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as connection:
        (stored,) = connection.execute(
            "SELECT count(DISTINCT json_extract(payload, '$.number')) FROM events"
        ).fetchone()
    moved = len(os.listdir(folder / "inbox" / "processed"))
    if not outcome.numbers.get("ingested") == stored == moved == count:
        raise BenchError(f"of {count} files {stored} are stored and {moved} moved: {outcome}")
    return took


MEASURES = [Measure(name="P17", about="an inbox of 10,000 files", run=inbox)]
