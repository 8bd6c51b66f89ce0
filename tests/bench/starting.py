"""How long from the start of the process to the first thing it really does? (P5, P5b, P13)"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench import figures, peers, processes
from tests.bench.figures import Figure, Measure, Scale
from tests.bench.ours import Ours

FAR = "0 0 1 1 *"
"""Once a year."""

IMPORTS = "import jarvis.cli.main, jarvis.control.daemon"


def unchanged(scale: Scale) -> list[Figure]:
    """Everything as it was: the second start of ours, and a program that adds its jobs again as it always does."""
    count = scale.size(10_000, 1_000)
    ours = Ours(scale.work / "ours")
    ours.jobs(_many(count) | {"first": {"run": "mark", "in": "thread", "start": "daemon"}})
    theirs = scale.work / "theirs"
    mine, others = [], []
    for number in range(len(scale.times(5)) + 1):
        one, other = _our_start(ours), _their_start(theirs, count)
        if number:  # the first one makes what the others find
            mine.append(one)
            others.append(other)
    return [
        figures.faster(
            f"start with {count:,} unchanged jobs, to the first job running", mine, others,
            against=peers.WAL, floor=4, target=10,
        )
    ]  # fmt: skip


def _many(count: int) -> dict[str, dict[str, Any]]:
    return {f"job-{n}": {"run": "mark", "in": "thread", "cron": FAR} for n in range(count)}


def _our_start(ours: Ours) -> float:
    processes.prepare_notes(ours.marks)
    begun = time.time()
    with ours.up():
        processes.until(lambda: processes.noted(ours.marks), "a first start of ours", 60)
        time.sleep(0.5)
    return processes.noted(ours.marks)[0] - begun


def _their_start(folder: Path, count: int) -> float:
    folder.mkdir(exist_ok=True)
    processes.prepare_notes(folder / "marks")
    begun = time.time()
    with peers.apscheduler(folder, count=count, first=begun + 86_400, period=86_400, at_once=True):
        processes.until(lambda: processes.noted(folder / "marks"), "a first start of theirs", 120)
    return processes.noted(folder / "marks")[0] - begun


def cold(scale: Scale) -> list[Figure]:
    """The jobs.yaml that comes with Jarvis in a folder that has never seen it, beside the imports alone."""
    fired, began, imported = [], [], []
    for number in scale.times(7):
        ours = Ours(scale.work / f"ours-{number}")
        shutil.copy(peers.ROOT / "jobs.yaml", ours.config)
        imported.append(processes.timed([sys.executable, "-c", IMPORTS], ours.env, ours.folder))
        begun = time.time()
        with ours.up():
            processes.until(lambda ours=ours: _first(ours, "started_at"), "a first start", 30)  # type: ignore[misc]
            fired.append(_first(ours, "queued_at") - begun)
            began.append(_first(ours, "started_at") - begun)
    return [
        figures.at_most(
            "cold start of the shipped jobs.yaml to the first fire", fired, imported,
            against="its imports alone", floor=2, target=1.3,
        ),
        figures.Figure(
            what="... to the first job's process running", unit="s", ours=sorted(began)[len(began) // 2],
            theirs=None, against="", score=sorted(began)[len(began) // 2], score_unit="s", floor=None,
            more_is_better=False, samples={"ours": began},
        ),
    ]  # fmt: skip


def _first(ours: Ours, what: str) -> float:
    (at,) = ours.rows(f"SELECT min({what}) FROM runs WHERE fire LIKE 'start:%'")[0]
    return (at or 0) / 1e6


def edited(scale: Scale) -> list[Figure]:
    """One job's schedule of many is changed in the file: until the ledger has its new next fire."""
    count = scale.size(1_000, 200)
    ours = Ours(scale.work / "ours")
    jobs = _many(count)
    ours.jobs(jobs)
    took = []
    with ours.up():
        for number in range(2 + len(scale.times(5))):
            before = _next(ours)
            jobs["job-7"] = {**jobs["job-7"], "cron": f"{number + 1} 12 1 1 *"}
            # Not in step with whatever looks at the file every so often.
            time.sleep(1 + 0.13 * number)
            begun = time.perf_counter()
            ours.jobs(jobs)
            processes.until(lambda before=before: _next(ours) != before, "the new schedule", 30, 0.005)  # type: ignore[misc]
            took.append(time.perf_counter() - begun)
    return [
        figures.within(
            f"an edit of a file of {count:,} jobs, to the new schedule in force", took[1:], limit=2, target=0.5,
            unit="s",
        )
    ]  # fmt: skip


def _next(ours: Ours) -> int:
    return int(ours.rows("SELECT next_fire_at FROM jobs WHERE name = 'job-7'")[0][0])


MEASURES = [
    Measure(name="P5", about="start with unchanged jobs", run=unchanged),
    Measure(name="P5B", about="cold start of the shipped jobs.yaml", run=cold),
    Measure(name="P13", about="an edit of jobs.yaml, to the new schedule in force", run=edited),
]
