"""Did one job suffer from what ran beside it? No later than the machine makes a daemon that has nothing else to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from tests.whole.daemon import MARK, SECOND, Daemon, Row, until

TICK = f"tick: {{every: 1s, overlap: allow, catch_up: all, command: '{MARK}'}}\n"
"""Each second has its run, however late: what is left out cannot be told from what nobody noticed."""
PAUSES = """
SELECT * FROM stalls WHERE kind = 'pause' AND cause NOT IN ('cpu starvation', 'memory stall', 'io stall') ORDER BY id
"""
"""Those that are not the fault of a machine that has too much to do."""
FINE = {"succeeded", "running", "queued"}


class OnTime(Protocol):
    def __call__(
        self, daemon: Daemon, job: str = "tick", *, within: float = 1.0, spans: bool = False
    ) -> None:
        """Fail if a run of the job was late by more than that (seconds) and the machine's own delay.

        Moments that pass while the daemon starts are not looked at.
        """


class Lasted(Protocol):
    def __call__(self, row: Row, seconds: float, *, within: float = 1.0) -> None:
        """Fail if the run took less than that (seconds), or more by ``within`` and the machine's own delay."""


class Metronome:
    """A daemon with one job a second: how late the machine makes a run that nothing of Jarvis disturbs."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon

    def delay(self, begin: int, end: int) -> int:
        """The longest delay of its runs of these moments and the two seconds before (all in microseconds)."""
        rows = until(lambda: self._rows(begin, end), "the metronome has come that far")
        return max(map(delay, rows))

    def _rows(self, begin: int, end: int) -> list[Row] | None:
        query = "SELECT scheduled_at, started_at FROM runs WHERE scheduled_at BETWEEN ? AND ?"
        rows = self.daemon.rows(query, begin - 2 * SECOND, end)
        started = all(row["started_at"] for row in rows)
        return rows if started and rows and max(row["scheduled_at"] for row in rows) > end - SECOND else None

    def on_time(self, daemon: Daemon, job: str = "tick", *, within: float = 1.0, spans: bool = False) -> None:
        daemon.wait_after(daemon.starts[-1][1], job, "succeeded")
        rows = daemon.runs(job)
        assert {row["status"] for row in rows} <= FINE, rows
        assert spans or daemon.spans(job) == []
        for row in rows:
            starting = any(begun <= row["scheduled_at"] <= ready for begun, ready in daemon.starts)
            if starting or not row["started_at"] or delay(row) <= within * SECOND:
                continue
            excused = self.delay(row["scheduled_at"], row["started_at"])
            assert delay(row) - excused <= within * SECOND, f"{excused / SECOND:g} s are the machine's: {row}"

    def lasted(self, row: Row, seconds: float, *, within: float = 1.0) -> None:
        """The run took that long (seconds), or longer by no more than ``within`` and the machine's own delay."""
        more = row["ended_at"] - row["started_at"] - round(seconds * SECOND)
        assert more > -0.1 * SECOND, row
        if more > within * SECOND:
            assert more - self.delay(row["started_at"], row["ended_at"]) <= within * SECOND, row


def delay(row: Row) -> int:
    started: int = row["started_at"]
    return started - int(row["scheduled_at"])


def at_best(act: Callable[[], float], within: float, tries: int = 3) -> None:
    """Fail if what it answers is more (seconds) each time: the machine is busy now and then, a slow program always."""
    took = [act()]
    while took[-1] >= within and len(took) < tries:
        took.append(act())
    assert took[-1] < within, took


def timed(act: Callable[[], object]) -> float:
    """The seconds it took."""
    begun = time.monotonic()
    act()
    return time.monotonic() - begun
