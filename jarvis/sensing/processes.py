"""Which processes work most right now? Costs milliseconds, so it is asked seldom."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from jarvis.sensing import clocks

MOST_CPU, MOST_IO = 10, 5
MOST_MEMORY = 5
"""Who only sits on the memory is among the busiest of nothing, and still the culprit of its factor."""
CULPRITS = 5
FROM = 10
"""Points of a factor from which on it names culprits."""
BY = {"load": "cpu", "memory": "memory", "thermal": "cpu", "latency": "cpu", "io": "io"}
"""What somebody has much of to be a culprit of a factor."""
WANTED = ["name", "cpu_times", "memory_info", "create_time"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """``cpu``: per cent of one processor; ``memory``: bytes; ``io``: bytes a second. None: unknown."""

    pid: int
    name: str
    cpu: float | None
    memory: int | None
    io: float | None
    suspect: bool = False

    def dump(self) -> dict[str, Any]:
        return asdict(self)


class Table:
    """Who worked since the last scan; the first scan has nothing to compare with."""

    def __init__(self, suspects: Sequence[str] = ()) -> None:
        self._suspects = [pattern.lower() for pattern in suspects]
        self._before: dict[tuple[int, float], tuple[float, int | None]] = {}
        self._at: timedelta | None = None

    def scan(self) -> list[Process]:
        """Every process that lets itself be seen."""
        import psutil

        now = clocks.awake()
        length = (now - self._at).total_seconds() if self._at is not None else 0.0
        found, seen = [], {}
        for one in psutil.process_iter(WANTED):
            info = one.info
            times = info["cpu_times"]
            key = (one.pid, info["create_time"] or 0.0)
            used = times.user + times.system if times else 0.0
            seen[key] = (used, _io(one))
            found.append(self._process(one.pid, info, seen[key], self._before.get(key), length))
        self._before, self._at = seen, now
        return found

    def _process(
        self, pid: int, info: dict[str, Any], now: tuple[float, int | None],
        before: tuple[float, int | None] | None, length: float,
    ) -> Process:  # fmt: skip
        known = before is not None and length > 0
        cpu = round(100 * max(now[0] - before[0], 0.0) / length, 1) if known and before else None
        grown = (
            now[1] - before[1] if known and before and now[1] is not None and before[1] is not None else None
        )
        name = info["name"] or "?"
        return Process(
            pid=pid,
            name=name,
            cpu=cpu if info["cpu_times"] else None,
            memory=info["memory_info"].rss if info["memory_info"] else None,
            io=None if grown is None else round(max(grown, 0) / length, 1),
            suspect=any(fnmatch.fnmatch(name.lower(), pattern) for pattern in self._suspects),
        )


def _io(process: Any) -> int | None:
    """Bytes read and written so far; None where this system or the process does not tell."""
    import psutil

    try:
        counts = process.io_counters()
    except (psutil.Error, OSError, AttributeError):
        return None
    return int(counts.read_bytes + counts.write_bytes)


def top(found: Iterable[Process]) -> list[Process]:
    """Ten by processor, five by input and output, five by memory, and the suspects; each once."""
    everybody = list(found)
    busiest = _most(everybody, "cpu", MOST_CPU)
    disks = _most(everybody, "io", MOST_IO)
    largest = _most(everybody, "memory", MOST_MEMORY)
    suspects = [one for one in everybody if one.suspect]
    return list({one.pid: one for one in (*busiest, *disks, *largest, *suspects)}.values())


def _most(found: Iterable[Process], what: str, count: int) -> list[Process]:
    known = [one for one in found if getattr(one, what)]
    return sorted(known, key=lambda one: -float(getattr(one, what)))[:count]


def culprits(found: Sequence[Process], factors: dict[str, int | None]) -> dict[str, list[dict[str, Any]]]:
    """Whom each factor of ten points and more names: its top five. Suspects are always named."""
    named = {
        factor: [one.dump() for one in _most(found, BY[factor], CULPRITS)]
        for factor, points in factors.items()
        if points is not None and points >= FROM
    }
    suspects = [one.dump() for one in found if one.suspect]
    return named | ({"suspects": suspects} if suspects else {})
