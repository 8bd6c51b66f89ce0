"""What does it cost to look at the machine every second? (P15)"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

from tests.bench import figures, processes
from tests.bench.figures import BenchError, Figure, Measure, Scale
from tests.bench.ours import Ours

SCAN = """
import sys, time, psutil
wanted = ["name", "cpu_times", "memory_info", "create_time", "io_counters"]
list(psutil.process_iter(wanted))
began, used = time.monotonic(), time.process_time()
for _ in range(int(sys.argv[1])):
    assert len([one.info for one in psutil.process_iter(wanted)]) > 1
    time.sleep(1)
print(100 * (time.process_time() - used) / (time.monotonic() - began))
"""
"""A scan of all processes every second: what a sampler without a plan would do. Prints per cent of a core."""

SAMPLING = {"run": "pause_sample", "in": "thread", "service": {"restart": "always"}}
EVERY = {"interval": "1s", "elevated_interval": "1s", "forensics": False}


def sampling(scale: Scale) -> list[Figure]:
    """Two daemons side by side, one of which samples every second; and the scan beside them."""
    seconds = scale.size(65, 15)
    busy, idle = Ours(scale.work / "sampling"), Ours(scale.work / "idle")
    busy.jobs({"pauses": SAMPLING | {"with": EVERY}})
    idle.jobs({"pauses": SAMPLING | {"with": EVERY, "enabled": False}})
    with busy.up() as first, idle.up() as second:
        processes.until(lambda: _samples(busy) >= 3, "the first samples", 30)
        time.sleep(5)  # what a daemon does once when it starts is no part of it
        scan = subprocess.Popen([sys.executable, "-c", SCAN, str(seconds)], stdout=subprocess.PIPE, text=True)
        before, began, counted = _used(first, second), time.monotonic(), _samples(busy)
        time.sleep(seconds)
        after, passed, taken = _used(first, second), time.monotonic() - began, _samples(busy) - counted
        scanned, _ = scan.communicate(timeout=60)
    if taken < seconds - 2 or _samples(idle):
        raise BenchError(
            f"in {seconds} s there were {taken} samples (and {_samples(idle)} of the idle daemon)"
        )
    ours, nothing = (100 * (last - first) / passed for first, last in zip(before, after, strict=True))
    theirs = float(scanned)
    return [
        figures.within(
            f"sampling every second ({taken} samples), of one core", [ours - nothing], limit=0.5, target=0.1, unit="%",
        ),
        figures.at_most(
            "the same", [ours - nothing], [theirs], against="psutil, all processes every second", floor=1,
            target=0.5, unit="%",
        ),
    ]  # fmt: skip


def _used(*daemons: subprocess.Popen[Any]) -> list[float]:
    return [processes.own_cpu(daemon.pid) for daemon in daemons]


def _samples(ours: Ours) -> int:
    return int(ours.rows("SELECT count(*) FROM samples")[0][0])


MEASURES = [Measure(name="P15", about="pause sampling every second", run=sampling)]
