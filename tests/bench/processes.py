"""What do processes cost, seen from outside: CPU seconds, memory that is really theirs, files, threads?"""

from __future__ import annotations

import array
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

from tests.bench.figures import BenchError

T = TypeVar("T")


def until(condition: Callable[[], T], what: str, within: float, every: float = 0.02) -> T:
    """Poll until the condition answers something true, and answer it; a sentence when it never comes."""
    give_up = time.monotonic() + within
    while not (found := condition()):
        if time.monotonic() > give_up:
            raise BenchError(f"after {within:g} s still not: {what} (last answer: {found!r})")
        time.sleep(every)
    return found


def family(pid: int) -> list[psutil.Process]:
    """The process and everything below it."""
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def cpu(pid: int) -> float:
    """CPU seconds of the process, of all below it, and of those of them that have ended and were waited for."""
    total = 0.0
    for process in family(pid):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def own_cpu(pid: int) -> float:
    """CPU seconds of this process alone, to the nanosecond where the kernel says so."""
    total = 0.0
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0]) / 1e9
    except OSError:
        times = psutil.Process(pid).cpu_times()
        return times.user + times.system
    return total


def proportional_memory(pid: int) -> float:
    """Megabytes (PSS: shared pages divided by who shares them) of the process and everything below it."""
    total = 0.0
    for process in family(pid):
        try:
            total += process.memory_full_info().pss / 1e6
        except AttributeError:
            raise BenchError("this system does not say what memory a process shares (no PSS)") from None
        except psutil.NoSuchProcess:
            continue
    return total


def resident(pid: int) -> float:
    """Megabytes of this process in memory."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def end(process: subprocess.Popen[bytes], within: float = 15.0) -> int:
    """SIGTERM, and SIGKILL if that is not heard; the exit code."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(within)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


NOTES = 1_000_000
"""How many starts a file of notes has room for: eight bytes each, mapped into the memory of who notes."""


def prepare_notes(file: Path) -> None:
    """A file of zeros, for handlers and functions that note the time of their start in it."""
    with file.open("wb") as made:
        made.truncate(8 * NOTES)


def noted(file: Path) -> list[float]:
    """Epoch seconds of the starts, earliest first."""
    found = array.array("q")
    with file.open("rb") as notes:
        while (chunk := notes.read(65_536)) and chunk.strip(b"\0"):
            found.frombytes(chunk)
    return sorted(at / 1e9 for at in found if at)


def marked_at(file: Path) -> list[float]:
    """Epoch seconds, one for each line of nanoseconds; earliest first."""
    try:
        return sorted(int(line) / 1e9 for line in file.read_bytes().split())
    except OSError:
        return []


def output(arguments: list[str], env: dict[str, str], cwd: Path) -> str:
    """What a program says; it has to succeed."""
    done = subprocess.run(
        arguments, env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode:
        raise BenchError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    return done.stdout.decode()


def timed(arguments: list[str], env: dict[str, str], cwd: Path) -> float:
    """How long a program takes from its start to its end; it has to succeed."""
    begun = time.perf_counter()
    output(arguments, env, cwd)
    return time.perf_counter() - begun
