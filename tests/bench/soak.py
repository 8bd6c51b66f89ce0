"""Does anything grow, run after run? (P14)"""

from __future__ import annotations

import time
from dataclasses import dataclass

import psutil

from tests.bench import figures, processes
from tests.bench.figures import BenchError, Figure, Measure, Scale
from tests.bench.ours import Ours

BOTH = 40
"""Jobs every second, half of them commands and half of them handlers in threads."""


@dataclass(frozen=True, slots=True)
class Look:
    """The daemon and its spawner at a moment between two bursts."""

    files: int
    threads: int
    zombies: int
    resident: float


def soak(scale: Scale) -> list[Figure]:
    """Thousands of runs; what was there after the first tenth, and at the end."""
    total = scale.size(5_000, 800)
    ours = Ours(scale.work / "ours")
    command = {f"command-{n}": {"command": "true", "every": "1s"} for n in range(BOTH // 2)}
    ours.jobs(
        command | {f"thread-{n}": {"run": "mark", "in": "thread", "every": "1s"} for n in range(BOTH // 2)}
    )
    with ours.up() as daemon:
        _runs(ours, total // 4)
        before = _look(daemon.pid)
        _runs(ours, total)
        after = _look(daemon.pid)
        outcomes = ours.outcomes()
    if bad := outcomes.keys() - {"succeeded", "running", "queued"}:
        raise BenchError(f"of the runs {', '.join(f'{outcomes[name]} are {name}' for name in sorted(bad))}")
    grown = 100 * (after.resident / before.resident - 1)
    return [
        figures.within(
            f"{total:,} runs: open files more than before",
            [after.files - before.files],
            limit=0,
            target=0,
            unit="",
        ),
        figures.within(
            "... threads more than before", [after.threads - before.threads], limit=0, target=0, unit=""
        ),
        figures.within("... zombies", [after.zombies], limit=0, target=0, unit=""),
        figures.within("... growth in memory (RSS)", [grown], limit=2, target=1, unit="%"),
    ]


def _runs(ours: Ours, count: int) -> None:
    processes.until(
        lambda: ours.rows("SELECT count(*) FROM runs WHERE status = 'succeeded'")[0][0] >= count,
        f"{count} runs", 60 + count, every=0.5,
    )  # fmt: skip


def _look(pid: int) -> Look:
    """At half past a second, when nothing runs."""
    time.sleep(1.6 - time.time() % 1)
    there = [child for child in processes.family(pid) if child.pid == pid or child.ppid() == pid]
    zombies = sum(child.status() == psutil.STATUS_ZOMBIE for child in processes.family(pid))
    return Look(
        files=sum(each.num_fds() for each in there),
        threads=sum(each.num_threads() for each in there),
        zombies=zombies,
        resident=sum(processes.resident(each.pid) for each in there),
    )


MEASURES = [Measure(name="P14", about="thousands of runs: does anything grow?", run=soak)]
