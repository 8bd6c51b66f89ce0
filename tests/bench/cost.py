"""What does it cost to be there: CPU of many small jobs, memory and CPU of doing nothing? (P7, P8, P9)"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from tests.bench import figures, peers, processes
from tests.bench.figures import BenchError, Figure, Measure, Scale
from tests.bench.ours import Ours

YEARLY = "0 0 1 1 *"


def busy(scale: Scale) -> list[Figure]:
    """Jobs in threads every second, ours with history, theirs without."""
    count, seconds = 100, scale.size(30, 6)
    mine, theirs = [], []
    for number in scale.times(3):
        mine.append(_our_cpu(scale.work / f"ours-{number}", count, seconds))
        theirs.append(_their_cpu(scale.work / f"theirs-{number}", count, seconds))
    return [
        figures.at_most(
            f"{count} jobs every second: CPU seconds a minute", mine, theirs,
            against=peers.WAL, floor=1.0, target=0.4, unit="s/min",
        )
    ]  # fmt: skip


def _our_cpu(folder: Path, count: int, seconds: int) -> float:
    ours = Ours(folder)
    ours.jobs({f"job-{n}": {"run": "mark", "in": "thread", "every": "1s"} for n in range(count)})
    with ours.up() as daemon:
        spent = _spent(daemon.pid, seconds)
        (closed,) = ours.rows("SELECT count(*) FROM runs WHERE status = 'succeeded'")[0]
        if closed < count * seconds:
            raise BenchError(f"{count * seconds} runs were due; the ledger says {closed} succeeded")
    return spent


def _their_cpu(folder: Path, count: int, seconds: int) -> float:
    asked = {
        "count": count,
        "first": math.ceil(time.time()) + 2,
        "period": 1,
        "loading_is_not_measured": True,
    }
    with peers.apscheduler(folder, **asked) as peer:
        spent = _spent(peer.pid, seconds)
        started = len(processes.noted(folder / "marks"))
        if started < count * seconds:
            raise BenchError(f"{count * seconds} starts of theirs were due and {started} were seen")
    return spent


def _spent(pid: int, seconds: int) -> float:
    """CPU seconds a minute of the process and everything below it, from a few seconds after its start on."""
    time.sleep(4)
    begun, spent = time.monotonic(), processes.cpu(pid)
    time.sleep(seconds)
    return (processes.cpu(pid) - spent) / (time.monotonic() - begun) * 60


def idle_memory(scale: Scale) -> list[Figure]:
    """Everything that is there while nothing is due, a while after the start; theirs without and with its web API."""
    count = scale.size(1_000, 200)
    mine, plain, web = [], [], []
    for number in scale.times(3):
        mine.append(_our_memory(scale.work / f"ours-{number}", count))
        plain.append(_their_memory(scale.work / f"theirs-{number}", count))
        web.append(
            _their_memory(scale.work / f"web-{number}", count, web={"listen": ["http://127.0.0.1:28734"]})
        )
    return [
        figures.at_most(
            f"idle with {count:,} jobs: memory of all processes (PSS)", mine, plain,
            against="cronstable", floor=1.6, target=1.0, unit="MB",
        ),
        figures.at_most(
            "... beside cronstable with its web API", mine, web,
            against="cronstable, web", floor=1.6, target=1.0, unit="MB",
        ),
    ]  # fmt: skip


def _idle(folder: Path, count: int) -> Ours:
    ours = Ours(folder)
    ours.jobs({f"job-{n}": {"command": "true", "cron": YEARLY} for n in range(count)})
    return ours


def _our_memory(folder: Path, count: int) -> float:
    ours = _idle(folder, count)
    with ours.up() as daemon:
        time.sleep(5)
        return processes.proportional_memory(daemon.pid)


def _their_memory(folder: Path, count: int, **more: Any) -> float:
    jobs = [{"name": f"job-{n}", "command": "true", "schedule": YEARLY} for n in range(count)]
    with peers.cronstable(folder, jobs, **more) as peer:
        time.sleep(5 + count / 200)
        return processes.proportional_memory(peer.pid)


def idle_cpu(scale: Scale) -> list[Figure]:
    """CPU of the daemon and all below it while nothing is due."""
    count, seconds = 1_000, scale.size(60, 10)
    ours = _idle(scale.work / "ours", count)
    spent = []
    with ours.up() as daemon:
        time.sleep(5)
        for _ in scale.times(3):
            before, begun = _to_the_nanosecond(daemon.pid), time.monotonic()
            time.sleep(seconds)
            spent.append((_to_the_nanosecond(daemon.pid) - before) / (time.monotonic() - begun) * 60)
    return [
        figures.within(
            f"idle with {count:,} jobs: CPU seconds a minute", spent, limit=0.1, target=0.03, unit="s/min"
        )
    ]


def _to_the_nanosecond(pid: int) -> float:
    return sum(processes.own_cpu(process.pid) for process in processes.family(pid))


MEASURES = [
    Measure(name="P7", about="jobs in threads every second: CPU", run=busy),
    Measure(name="P8", about="idle: memory", run=idle_memory),
    Measure(name="P9", about="idle: CPU", run=idle_cpu),
]
