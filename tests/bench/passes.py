"""Does a pass cost more when more jobs are there that are not due? (P6)

The clock, the timetable and the ledger as the daemon uses them, in a process of their own; nothing is started: what
runs cost would hide what a pass costs. 100,000 jobs are put into the ledger as an edit of jobs.yaml does it, from one
definition with other names, because what reading so large a file costs is not the question here.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jarvis.config import load
from jarvis.core.job import Job
from jarvis.core.run import Run
from jarvis.handling.catalogue import Catalogue
from jarvis.running import garbage
from jarvis.running.clock import Clock
from jarvis.running.readings import Clocks, Heartbeat
from jarvis.running.roster import Roster
from jarvis.running.trouble import Troubles
from jarvis.store.database import Database
from tests.bench import figures
from tests.bench.figures import BenchError, Figure, Measure, Scale
from tests.bench.ours import Ours

DUE = 100
JOBS = {
    "due": {"command": "true", "every": "1s"},
    "idle": {"command": "true", "cron": "0 0 1 1 *"},
}


def not_due(scale: Scale) -> list[Figure]:
    """The CPU seconds of the clock's thread for each pass that releases 100 runs."""
    many, passes = scale.size(100_000, 2_000), scale.size(20, 4)
    large, small = [], []
    for number in scale.times(3):
        large.append(_measured(scale.work / f"large-{number}", many, passes))
        small.append(_measured(scale.work / f"small-{number}", DUE, passes))
    return [
        figures.at_most(
            f"a pass: {DUE} due jobs among {many:,}", large, small, against=f"{DUE} among {DUE}",
            floor=1.5, target=1.1, unit="ms CPU",
        )
    ]  # fmt: skip


def _measured(folder: Path, count: int, passes: int) -> float:
    """Milliseconds of CPU a pass, on average of these passes, in a new process."""
    ours = Ours(folder)
    ours.jobs(JOBS)
    asked = json.dumps({"folder": str(folder), "count": count, "passes": passes})
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.passes", asked],
        env=ours.env, cwd=Path(__file__).parents[2], stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BenchError(f"the passes among {count} jobs ended: {done.stderr.decode()[-1_000:]}")
    said: dict[str, Any] = json.loads(done.stdout)
    (fires, jobs) = ours.rows("SELECT count(DISTINCT job || ' ' || fire), count(DISTINCT job) FROM runs")[0]
    (known,) = ours.rows("SELECT count(*) FROM jobs WHERE state = 'active' AND next_fire_at IS NOT NULL")[0]
    if (known, jobs) != (count, DUE) or fires != said["released"] or fires < DUE * passes:
        raise BenchError(
            f"{known} of {count} jobs known; {jobs} of {DUE} fired {fires} times in {passes} passes"
        )
    return float(sum(said["costs"]) / len(said["costs"])) * 1_000


class _Notes:
    """What the clock's thread had used at the end of each pass. ``release`` is called there, by that thread."""

    def __init__(self, passes: int) -> None:
        self._passes = passes
        self._used = 0.0
        self.costs: list[float] = []
        self.released = 0
        self.enough = threading.Event()

    def release(self, released: Sequence[Run]) -> None:
        self.released += len(released)
        used = time.thread_time()
        # The first pass settles what became due while the jobs were loaded; the others are like each other.
        if len(released) == DUE and self._used:
            self.costs.append(used - self._used)
        if threading.current_thread() is not threading.main_thread() and released:
            self._used = used
        if len(self.costs) >= self._passes:
            self.enough.set()


def _child(asked: dict[str, Any]) -> None:
    folder = Path(asked["folder"])
    state = folder / "state"
    state.mkdir(mode=0o700)
    notes = _Notes(asked["passes"])
    database = Database(state / "ledger.sqlite")
    database.open()
    heartbeat = Heartbeat(state / "heartbeat")
    clock = Clock(
        database=database, clocks=Clocks(), heartbeat=heartbeat, troubles=Troubles(),
        release=notes.release, gone=lambda: None,
    )  # fmt: skip
    roster = Roster(clock=clock, database=database, is_python=lambda name: False)
    jobs = _jobs(folder / "jobs.yaml", asked["count"])
    roster.apply(roster.compare({name: job.fingerprint() for name, job in jobs.items()}), jobs)
    clock.start()
    garbage.keep_what_is_there()
    in_time = notes.enough.wait(60 + 3 * asked["passes"])
    clock.stop()
    heartbeat.close()
    database.close()
    if not in_time:
        sys.exit(f"only {len(notes.costs)} passes released {DUE} runs in time; {notes.released} runs in all")
    print(json.dumps({"costs": notes.costs, "released": notes.released}))


def _jobs(config: Path, count: int) -> dict[str, Job]:
    """The first ones are due every second, the others in January."""
    found = load.read(config, handlers=Catalogue([]), environ={}, local_zone="UTC").jobs
    due, idle = found["due"], found["idle"]
    names = [f"job-{number}" for number in range(count)]
    return {name: replace(due if n < DUE else idle, name=name) for n, name in enumerate(names)}


MEASURES = [Measure(name="P6", about="a pass among many jobs that are not due", run=not_due)]


if __name__ == "__main__":
    _child(json.loads(sys.argv[1]))
