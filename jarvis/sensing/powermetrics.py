"""What does macOS' powermetrics add, for a Jarvis that runs as root? Frequency, GPU, thermal pressure, busy tasks."""

from __future__ import annotations

import os
import plistlib
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from xml.parsers.expat import ExpatError

from jarvis.sensing import clocks

PROGRAM = "/usr/bin/powermetrics"
SAMPLERS = "cpu_power,gpu_power,thermal,tasks"
LONGEST = 8_000_000
"""A document that grows beyond this is none."""
STALE = timedelta(seconds=30)
AGAIN = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Power:
    """One document. ``frequency`` in MHz over all clusters, ``gpu`` %, ``tasks``: name, pid and cpu %."""

    frequency: float | None = None
    gpu: float | None = None
    throttled: bool | None = None
    tasks: Sequence[Mapping[str, Any]] = ()


def argv(interval: timedelta, program: str = PROGRAM) -> list[str]:
    """The program that prints one document an interval for ever."""
    milliseconds = str(round(interval.total_seconds() * 1000))
    return [program, "--format", "plist", "--sample-rate", milliseconds, "--samplers", SAMPLERS]


def parse(document: bytes) -> Power | None:
    """One plist document; None when it is none. Keys that are missing leave their value unknown."""
    try:
        found = plistlib.loads(document.strip(b"\0\n "))
    except (ValueError, ExpatError, plistlib.InvalidFileException):
        return None
    if not isinstance(found, Mapping):
        return None
    thermal = found.get("thermal_pressure")
    idle = _number(_mapping(found.get("gpu")).get("idle_ratio"))
    return Power(
        frequency=_frequency(_mapping(found.get("processor")).get("clusters")),
        gpu=None if idle is None else round(100 * (1 - min(max(idle, 0.0), 1.0)), 1),
        throttled=None if not isinstance(thermal, str) else thermal != "Nominal",
        tasks=_tasks(found.get("tasks"), _number(found.get("elapsed_ns"))),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _frequency(clusters: Any) -> float | None:
    each = [_number(_mapping(one).get("freq_hz")) for one in clusters] if isinstance(clusters, list) else []
    known = [value for value in each if value]
    return round(max(known) / 1e6, 1) if known else None


def _tasks(tasks: Any, elapsed: float | None) -> tuple[Mapping[str, Any], ...]:
    """Those that used the processor, the busiest first."""
    found = []
    for one in tasks if isinstance(tasks, list) else ():
        task = _mapping(one)
        used = _number(task.get("cputime_ns"))
        if used and elapsed and isinstance(task.get("name"), str):
            found.append(
                {"name": task["name"], "pid": task.get("pid"), "cpu": round(100 * used / elapsed, 1)}
            )
    return tuple(sorted(found, key=lambda task: -float(task["cpu"])))


def documents(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Cut a stream where a NUL stands between two documents; what is too long is left out."""
    waiting = b""
    for chunk in chunks:
        *whole, waiting = (waiting + chunk).split(b"\0")
        yield from (each for each in whole if each.strip())
        if len(waiting) > LONGEST:
            waiting = b""
    if waiting.strip():
        yield waiting


class Stream:
    """The program in the background; ``latest`` is its newest document while that is fresh."""

    def __init__(self, interval: timedelta, program: str = PROGRAM) -> None:
        self._argv = argv(interval, program)
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._latest: tuple[timedelta, Power] | None = None
        self.why: str | None = "powermetrics has not said anything yet"
        self._thread = threading.Thread(target=self._follow, name="jarvis-powermetrics", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def latest(self) -> Power | None:
        """None when the newest one is old, or there is none; ``why`` says what is wrong."""
        if self._latest is None or clocks.awake() - self._latest[0] > STALE:
            return None
        return self._latest[1]

    def _follow(self) -> None:
        """Start it, read it to its end, and start it again a minute later."""
        while not self._ending.is_set():
            try:
                self._read()
            except OSError as error:
                self.why = f"{self._argv[0]} cannot be started: {error.strerror}"
            self._ending.wait(AGAIN)

    def _read(self) -> None:
        with subprocess.Popen(
            self._argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            process_group=0,
        ) as process:  # fmt: skip
            self._process = process
            assert process.stdout is not None
            pieces = iter(lambda: os.read(process.stdout.fileno(), 65_536), b"")  # type: ignore[union-attr]
            for document in documents(pieces):
                if (power := parse(document)) is not None:
                    self._latest, self.why = (clocks.awake(), power), None
        self.why = f"{self._argv[0]} ended with exit code {process.returncode}"

    def stop(self) -> None:
        """End the program, if it runs."""
        self._ending.set()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        if self._thread.is_alive():
            self._thread.join(1)
