"""What comes after the end of a run? The jobs that are ``on:`` it, and the event whose last run it was.

Run inside the transaction that records the end: killed before it, the run has not ended; after it, all is queued.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from jarvis.core import causes
from jarvis.core import triggers as asking
from jarvis.core.job import Job
from jarvis.core.run import Run, Status
from jarvis.core.triggers import Asked, Triggers
from jarvis.running.timetable import Line, Timetable
from jarvis.store import events, runs


class Gathered:
    """Every ``on:`` that is in force, gathered again when a job was changed or switched (``changes`` rises then)."""

    def __init__(self, timetable: Timetable, changes: Callable[[], int]) -> None:
        self._timetable = timetable
        self._changes = changes
        self._known: tuple[int, Mapping[str, Line], Triggers] | None = None

    def __call__(self) -> Triggers:
        known, changes, lines = self._known, self._changes(), self._timetable.lines
        if known is None or known[0] != changes or known[1] is not lines:
            known = self._known = changes, lines, asking.gather(_active(lines.copy().values()))
        return known[2]


def _active(lines: Iterable[Line]) -> Iterator[tuple[Job, int]]:
    for line in lines:
        if line.entry.state != "active" or not asking.written(line.entry.body):
            continue
        try:
            yield line.job, line.definition
        except ValueError:  # a stored definition that cannot be read asks for nothing; the audit tells of it
            continue


def follow(connection: Connection, over: Sequence[Run], asked: Triggers, now: datetime) -> list[Run]:
    """Runs that ended and are not tried again: queue what is ``on:`` them, settle the events they are for."""
    if numbers := events.numbers(over):
        events.settle(connection, numbers, now)
    if not asked.followers:
        return []
    wanted = [(one, run) for run in over for one in asked.for_end(run.job, run.status)]
    return queue(connection, [(one, f"run:{run.id}", causes.of_run(run)) for one, run in wanted], now)


def queue(
    connection: Connection, wanted: Sequence[tuple[Asked, str, Mapping[str, Any]]], now: datetime
) -> list[Run]:
    """A queued run for each (job, fire, cause); a fire that is there already is left out."""
    if not wanted:
        return []
    first = runs.reserve(connection, len(wanted))
    rows = [
        Run(
            id=number, job=one.job, fire=fire, attempt=1, status=Status.QUEUED, scheduled_at=now, queued_at=now,
            definition=one.definition, cause=cause,
        )
        for number, (one, fire, cause) in enumerate(wanted, first)
    ]  # fmt: skip
    return runs.insert(connection, rows)
