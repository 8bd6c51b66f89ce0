"""How long until the last one of many jobs due at the same moment has really started? (P1, P2)"""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path

from tests.bench import figures, peers, processes
from tests.bench.figures import BenchError, Figure, Measure, Scale
from tests.bench.ours import Ours, daily

DAY = 86_400


def no_ops(scale: Scale) -> list[Figure]:
    """Handlers in threads, each run with its row, against a scheduler that keeps no history."""
    count = scale.size(10_000, 1_000)
    mine, theirs = [], []
    for number in scale.times(3):
        mine.append(_our_no_ops(scale.work / f"ours-{number}", count))
        theirs.append(_their_no_ops(scale.work / f"theirs-{number}", count))
    return [
        figures.faster(
            f"{count:,} no-op jobs due at once, last one started", mine, theirs,
            against=peers.WAL, floor=8, target=20,
        )
    ]  # fmt: skip


def commands(scale: Scale) -> list[Figure]:
    """Commands with everything around them, against nothing but the command."""
    count = scale.size(1_000, 200)
    mine, theirs = [], []
    for number in scale.times(3):
        mine.append(count / _our_commands(scale.work / f"ours-{number}", count))
        theirs.append(count / _their_commands(scale.work / f"theirs-{number}", count))
    return [
        figures.rate(
            f"{count:,} commands due at once, starts a second", mine, theirs,
            against=peers.WAL, floor=0.6, target=1.0,
        )
    ]  # fmt: skip


def _our_no_ops(folder: Path, count: int) -> float:
    ours = Ours(folder)
    due = _soon(count)
    ours.jobs({f"job-{n}": {"run": "mark", "in": "thread", "cron": daily(due)} for n in range(count)})
    with ours.up():
        _in_time(due)
        processes.until(lambda: len(processes.noted(ours.marks)) >= count, f"{count} marks", 120, 0.25)
        ours.all_succeeded(count)
    return _last(processes.noted(ours.marks), due, count)


def _their_no_ops(folder: Path, count: int) -> float:
    due = _soon(count, 300)
    with peers.apscheduler(folder, count=count, first=due, period=DAY, loading_is_not_measured=True):
        _in_time(due)
        processes.until(lambda: len(processes.noted(folder / "marks")) >= count, f"{count} marks", 120, 0.25)
    return _last(processes.noted(folder / "marks"), due, count)


def _our_commands(folder: Path, count: int) -> float:
    ours = Ours(folder)
    touched = _empty(folder / "touched")
    due = _soon(count)
    ours.jobs(
        {f"job-{n}": {"command": ["touch", str(touched / str(n))], "cron": daily(due)} for n in range(count)}
    )
    with ours.up():
        _in_time(due)
        processes.until(lambda: len(list(touched.iterdir())) >= count, f"{count} touched files", 120, 0.25)
        ours.all_succeeded(count)
    return _last(_touched_at(touched), due, count)


def _their_commands(folder: Path, count: int) -> float:
    touched = _empty(folder / "touched")
    due = _soon(count, 300)
    with peers.apscheduler(
        folder, count=count, first=due, period=DAY, loading_is_not_measured=True, touch=str(touched)
    ):
        _in_time(due)
        processes.until(lambda: len(list(touched.iterdir())) >= count, f"{count} touched files", 120, 0.25)
    return _last(_touched_at(touched), due, count)


def _soon(count: int, loaded: int = 1_000) -> float:
    """A full second that is far enough away to load so many jobs before it, ``loaded`` of them a second."""
    return math.ceil(time.time() + 3 + count / loaded)


def _in_time(due: float) -> None:
    if time.time() > due - 0.5:
        raise BenchError(
            "the jobs were loaded too late to be measured; is the machine busy with something else?"
        )
    # Whoever polls while it is measured disturbs it.
    time.sleep(due - time.time() + 0.2)


def _last(started: list[float], due: float, count: int) -> float:
    if len(started) != count or started[0] < due:
        raise BenchError(
            f"{len(started)} of {count} started, the first one {started[0] - due:.3f} s after its time"
        )
    return started[-1] - due


def _touched_at(folder: Path) -> list[float]:
    return sorted(file.stat().st_mtime for file in folder.iterdir())


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


MEASURES = [
    Measure(name="P1", about="no-op jobs due at once: last one started", run=no_ops),
    Measure(name="P2", about="commands due at once: starts a second", run=commands),
]
