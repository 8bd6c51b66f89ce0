"""What does alert_eval cost over many rows? Beside a plain SELECT with a loop, and in how much memory. (P24)"""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from jarvis import testing
from jarvis.handling.stores import LazyStores
from jarvis.store.database import Database
from tests.bench import figures
from tests.bench.figures import BenchError, Figure, Measure, Scale

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EVERY = 10
"""One delegation in so many is overdue."""
MEGABYTES = 10
SELECT = (
    "SELECT task, delegated_to, due_date FROM delegations WHERE status = 'active' AND due_date IS NOT NULL"
)


def evaluated(scale: Scale) -> list[Figure]:
    """One rule over all delegations, each side in a process of its own; both have to find the same ones."""
    count = scale.size(100_000, 5_000)
    ledger = scale.work / "ledger.sqlite"
    _fill(ledger, count)
    mine, theirs, grown = [], [], []
    for _ in scale.times(5):
        ours, plain = _child("ours", ledger), _child("plain", ledger)
        if (ours["found"], plain["found"]) != (count // EVERY, count // EVERY):
            raise BenchError(
                f"{count // EVERY} are overdue; we found {ours['found']}, the loop {plain['found']}"
            )
        mine.append(ours["seconds"])
        theirs.append(plain["seconds"])
        grown.append(ours["grown"])
    what = f"alert_eval over {count:,} delegations"
    return [
        figures.at_most(what, mine, theirs, against="a SELECT and a loop", floor=5, target=2.5),
        figures.within(f"{what}: memory", grown, limit=MEGABYTES, target=2, unit="MB"),
    ]


def _fill(ledger: Path, count: int) -> None:
    database = Database(ledger)
    database.open()
    database.close()
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.executemany(
            "INSERT INTO delegations VALUES (NULL, ?, 'Ann', ?, 'low', 'active', 0, 0)",
            ((f"task {n}", "2026-11-01" if n % EVERY == 0 else "2026-12-01") for n in range(count)),
        )


def _child(side: str, ledger: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.rules", side, str(ledger)],
        cwd=Path(__file__).parents[2], env=os.environ, stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BenchError(f"{side} ended: {done.stderr.decode()[-1_000:]}")
    said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return said


def _ours(ledger: str) -> dict[str, Any]:
    """The handler as a run calls it, its imports behind it."""
    stores = LazyStores(f"sqlite:///{ledger}")
    context = testing.context(stores=stores, now=NOW)
    testing.run_handler("alert_eval", context, rules=[{"name": "b", "kind": "stale_backup"}])
    before, began = _most(), time.perf_counter()
    outcome = testing.run_handler(
        "alert_eval", context, rules=[{"name": "late", "kind": "overdue_delegation"}]
    )
    spent = time.perf_counter() - began
    stores.close()
    return {"seconds": spent, "found": outcome.numbers["matches.late"], "grown": _most() - before}


def _plain(ledger: str) -> dict[str, Any]:
    began, found, today = time.perf_counter(), 0, NOW.date()
    with closing(sqlite3.connect(ledger)) as connection:
        for _task, _who, due in connection.execute(SELECT):
            found += (today - date.fromisoformat(due)).days >= 1
    return {"seconds": time.perf_counter() - began, "found": found}


def _most() -> float:
    """The most memory this process ever had, in megabytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1_000 if sys.platform == "linux" else 1_000_000)


MEASURES = [Measure(name="P24", about="alert_eval over many rows", run=evaluated)]


if __name__ == "__main__":
    print(json.dumps({"ours": _ours, "plain": _plain}[sys.argv[1]](sys.argv[2])))
