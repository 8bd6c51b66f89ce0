"""What does it cost to keep a command's output: memory of the daemon, and how fast may the command write? (P12)"""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

import psutil

from tests.bench import figures, processes
from tests.bench.figures import BenchError, Figure, Measure, Scale
from tests.bench.ours import Ours

FLOOR_MB, AIM_MB = 10, 2


def gigabyte(scale: Scale) -> list[Figure]:
    """``head`` of ``/dev/zero``, captured by a run and written straight to a file, in turn."""
    size = scale.size(1_000_000_000, 100_000_000)
    ours = Ours(scale.work / "ours")
    ours.jobs(
        {
            "small": {"command": _command(1_000), "cron": "0 0 1 1 *"},
            "large": {"command": _command(size), "cron": "0 0 1 1 *"},
            "whole": {"command": _command(size), "cron": "0 0 1 1 *", "output": {"cap": f"{size}B"}},
        }
    )
    grown, mine, whole, theirs = [], [], [], []
    with ours.up() as daemon:
        _run(ours, "small", 1_000)
        for _ in scale.times(5):
            with Highest(daemon.pid) as highest:
                mine.append(size / 1e6 / _run(ours, "large", size))
                whole.append(size / 1e6 / _kept(ours, "whole", size))
            grown.append(highest.growth)
            theirs.append(size / 1e6 / _redirected(scale.work / "file", size))
    what = f"{size / 1e6:,.0f} MB of output"
    return [
        figures.within(
            f"{what}: growth of the daemon's memory", [max(grown)], limit=FLOOR_MB, target=AIM_MB, unit="MB"
        ),
        figures.rate(
            f"{what}, 10 MB kept: written a second", mine, theirs, against="the same > file", floor=0.3,
            target=0.8, unit="MB/s",
        ),
        figures.rate(
            f"{what}, all of it kept: written a second", whole, theirs, against="the same > file", floor=0.3,
            target=0.8, unit="MB/s",
        ),
    ]  # fmt: skip


class Highest:
    """How much the resident memory of a process grew at most, looked at every 5 ms."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)
        self.growth = 0.0

    def __enter__(self) -> Highest:
        self._before = self._resident()
        self._looking.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self._looking.join()

    def _look(self) -> None:
        while not self._over.wait(0.005):
            self.growth = max(self.growth, self._resident() - self._before)

    def _resident(self) -> float:
        return float(self._process.memory_info().rss) / 1e6


def _command(size: int) -> list[str]:
    return ["head", "-c", str(size), "/dev/zero"]


def _run(ours: Ours, job: str, size: int) -> float:
    """Run it by hand; seconds from the start to the end that the ledger tells. Every byte has to be counted."""
    (before,) = ours.rows("SELECT coalesce(max(id), 0) FROM runs")[0]
    _started(ours, job)
    asked = (
        "SELECT status, started_at, ended_at, output_bytes FROM runs WHERE id > ? AND ended_at IS NOT NULL"
    )
    processes.until(lambda: ours.rows(asked, before), f"a closed run of {job}", 120, 0.05)
    [(status, started_at, ended_at, counted)] = ours.rows(asked, before)
    if status != "succeeded" or counted != size:
        raise BenchError(f"{job} {status} with {counted:,} bytes of output; {size:,} were written")
    return float(ended_at - started_at) / 1e6


def _kept(ours: Ours, job: str, size: int) -> float:
    """The same; every byte has to be in the run's output, which is then taken away."""
    took = _run(ours, job, size)
    large = [file for file in (ours.state / "runs").rglob("output*") if file.stat().st_size >= size]
    if len(large) != 1 or large[0].stat().st_size != size:
        raise BenchError(f"the output of {job} is in {len(large)} files; one of {size:,} bytes was expected")
    large[0].unlink()
    return took


def _started(ours: Ours, job: str) -> None:
    words = ours.command("jobs", "run", job, "--config", str(ours.config), "--state", str(ours.state))
    done = subprocess.run(
        words, env=ours.env, cwd=ours.folder, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode:
        raise BenchError(f"{job} could not be run: {done.stderr.decode()[-500:]}")


def _redirected(file: Path, size: int) -> float:
    """Seconds of the same command with its output in a file, which is then taken away."""
    with file.open("wb") as sink:
        begun = time.perf_counter()
        subprocess.run(_command(size), stdin=subprocess.DEVNULL, stdout=sink, check=True)
        took = time.perf_counter() - begun
    if file.stat().st_size != size:
        raise BenchError(f"{file.stat().st_size:,} of {size:,} bytes are in the file")
    file.unlink()
    return took


MEASURES = [
    Measure(name="P12", about="a command that prints a gigabyte: memory and throughput", run=gigabyte)
]
