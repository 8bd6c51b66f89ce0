"""How late does a job that is due every second really start? (P3, P4)"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import figures, peers, processes
from tests.bench.figures import BenchError, Figure, Measure, Scale
from tests.bench.ours import Ours

NOTE = "date +%s%N >> marks"
"""A command that notes when it really started."""


def aligned(scale: Scale) -> list[Figure]:
    """Many handlers at the same full second, again and again."""
    count, seconds = scale.size(200, 50), scale.size(20, 5)
    mine: list[list[float]] = []
    theirs: list[list[float]] = []
    for number in scale.times(3):
        mine.append(_our_jobs(scale.work / f"ours-{number}", count, seconds))
        theirs.append(_their_jobs(scale.work / f"theirs-{number}", count, seconds))
    return [
        figures.faster(
            f"{count} one-second jobs, lateness p{share}",
            [figures.percentile(each, share / 100) * 1_000 for each in mine],
            [figures.percentile(each, share / 100) * 1_000 for each in theirs],
            against=peers.WAL, floor=2, target=5, unit="ms",
        )
        for share in (50, 99)
    ]  # fmt: skip


def _our_jobs(folder: Path, count: int, seconds: int) -> list[float]:
    ours = Ours(folder)
    ours.jobs({f"job-{n}": {"run": "mark", "in": "thread", "every": "1s"} for n in range(count)})
    with ours.up():
        begins, ends = _window(seconds)
        known = ours.rows(
            "SELECT count(*) FROM runs WHERE status = 'succeeded' AND scheduled_at >= ? AND scheduled_at < ?",
            int(begins * 1e6), int(ends * 1e6),
        )[0][0]  # fmt: skip
    if known != count * seconds:
        raise BenchError(
            f"{count * seconds} runs were due in these seconds; the ledger says {known} succeeded"
        )
    return _late(processes.noted(ours.marks), begins, ends, count * seconds)


def _their_jobs(folder: Path, count: int, seconds: int) -> list[float]:
    first = math.ceil(time.time()) + 2
    asked = {"count": count, "first": first, "period": 1, "loading_is_not_measured": True}
    with peers.apscheduler(folder, **asked):
        begins, ends = _window(seconds)
    return _late(processes.noted(folder / "marks"), begins, ends, count * seconds)


def _window(seconds: int) -> tuple[float, float]:
    """Wait for full seconds, all of them, a while from now; when they began and ended."""
    begins = math.ceil(time.time()) + 3
    ends = begins + seconds
    # Three quarters of a second more, so that what was late is seen too.
    time.sleep(ends + 0.75 - time.time())
    return begins, ends


def _late(started: list[float], begins: float, ends: float, expected: int) -> list[float]:
    """Seconds after the full second. Starts over a second late are taken for early ones of the next: so are misses."""
    found = [at % 1 for at in started if begins <= at < ends]
    if len(found) < 0.9 * expected:
        raise BenchError(f"{expected} starts were due and only {len(found)} were seen")
    return found


def one_command(scale: Scale) -> list[Figure]:
    """One command a second, by the shell, in both."""
    seconds = scale.size(20, 5)
    mine: list[list[float]] = []
    theirs: list[list[float]] = []
    for number in scale.times(3):
        mine.append(_our_command(scale.work / f"ours-{number}", seconds))
        theirs.append(_their_command(scale.work / f"theirs-{number}", seconds))
    sides: list[tuple[str, Callable[[list[float]], float]]] = [
        ("p50", lambda late: figures.percentile(late, 0.5)),
        ("mean", lambda late: sum(late) / len(late)),
    ]
    return [
        figures.at_most(
            f"a command every second, lateness {name}",
            [1_000 * middle(each) for each in mine],
            [1_000 * middle(each) for each in theirs],
            against="cronstable", floor=1.0, target=0.5, unit="ms",
        )
        for name, middle in sides
    ]  # fmt: skip


def _our_command(folder: Path, seconds: int) -> list[float]:
    ours = Ours(folder)
    marks = folder / "started"
    ours.jobs({"tick": {"command": NOTE.replace("marks", str(marks)), "every": "1s"}})
    with ours.up():
        begins, ends = _window(seconds)
        known = ours.rows(
            "SELECT count(*) FROM runs WHERE status = 'succeeded' AND scheduled_at >= ? AND scheduled_at < ?",
            int(begins * 1e6), int(ends * 1e6),
        )[0][0]  # fmt: skip
    if known != seconds:
        raise BenchError(f"{seconds} runs were due; the ledger says {known} succeeded")
    return _late(processes.marked_at(marks), begins, ends, seconds)


def _their_command(folder: Path, seconds: int) -> list[float]:
    marks = folder / "started"
    job = {"name": "tick", "command": NOTE.replace("marks", str(marks)), "schedule": "* * * * * * *"}
    with peers.cronstable(folder, [job]):
        processes.until(marks.exists, "a first start by cronstable", 30)
        begins, ends = _window(seconds)
    return _late(processes.marked_at(marks), begins, ends, seconds)


MEASURES = [
    Measure(name="P3", about="jobs of every second at the same moment: lateness", run=aligned),
    Measure(name="P4", about="one command of every second: lateness", run=one_command),
]
