"""How does a run end in the ledger? Its row, its retry, its alerts and its memory, all in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from jarvis.alerts import results
from jarvis.core.job import Job
from jarvis.core.run import Run, Status
from jarvis.core.triggers import NOTHING, Triggers
from jarvis.handling.contract import Outcome
from jarvis.handling.launch import Alive, Dead, Finished, Launcher, NeverStarted
from jarvis.running import following, judging
from jarvis.running.judging import Verdict
from jarvis.running.telling.afflicted import Afflicted
from jarvis.store import crashpoint, journal, memory, runs
from jarvis.store.database import Database
from jarvis.store.journal import Note

log = logging.getLogger("jarvis.runs")


def verdict(run: Run, job: Job, launcher: Launcher, now: datetime) -> Verdict | None:
    """How a run ended, from what its directory says; None while its supervisor is alive."""
    match launcher.find(run.id):
        case Finished(result=result):
            judged = judging.supervised(run, job, result, outcome(launcher.left(run.id)), now)
            if judging.needs_output(judged, job):
                judged = judging.with_output(judged, launcher.tail(run.id, result.output_bytes, results.TAIL))
            return judged
        case Dead():
            killed = launcher.bury(run.id)
            left = f"; {killed} processes of it were ended" if killed else ""
            return judging.lost(run, job, f"its supervisor died without a result{left}", now)
        case NeverStarted():
            return judging.lost(run, job, "its supervisor ended before it claimed the run", now)
        case Alive():
            return None


def outcome(left: Mapping[str, Any] | None) -> Outcome | None:
    """What a Python handler left, as a value."""
    if left is None:
        return None
    try:
        return Outcome.load(left)
    except ValueError as error:
        return Outcome(status="error", error=f"what the handler left cannot be read: {error}")


def write(
    database: Database,
    started: Iterable[Run],
    verdicts: Sequence[Verdict],
    notes: Sequence[Note],
    now: datetime,
    afflicted: Afflicted,
    triggers: Triggers = NOTHING,
) -> list[Run]:
    """One transaction; returns the rows of further attempts and of jobs that follow (``on:``), queued."""
    with database.write() as connection:
        runs.mark_started(connection, started)
        runs.close(connection, [judged.run for judged in verdicts])
        again = [judged for judged in verdicts if judged.retry_at is not None]
        retries: list[Run] = []
        if again:
            first = runs.reserve(connection, len(again))
            retries = runs.insert(
                connection, [_retry(judged, number, now) for number, judged in enumerate(again, first)]
            )
        over = [judged.run for judged in verdicts if judged.retry_at is None]
        followers = following.follow(connection, over, triggers, now)
        journal.add(connection, afflicted.judge(connection, notes, verdicts, now))
        for judged in verdicts:
            if judged.memory or judged.forgotten:
                memory.keep(connection, judged.run.job, judged.memory, judged.forgotten, now)
            if judged.delivers and judged.retry_at is None:
                results.post(connection, judged.run, judged.delivers, judged.output, now)
        crashpoint.here("conductor.in-transaction")
    return [*retries, *followers]


class Write(Protocol):
    """``write`` bound to its ledger, waiting while that is busy."""

    def __call__(
        self, started: Iterable[Run], verdicts: Sequence[Verdict], notes: Sequence[Note] = (), /
    ) -> list[Run]: ...


def write_singly(
    write: Write, started: Iterable[Run], verdicts: Sequence[Verdict], notes: Sequence[Note]
) -> list[Run]:
    """A round one by one, when something in it cannot be stored: that run loses its words, never its end."""
    retries: list[Run] = []
    for note in notes:
        try:
            write((), (), (note,))
        except Exception:
            log.exception("an alert could not be stored: %s", note.title)
    for run in started:
        try:
            write((run,), ())
        except Exception:
            log.exception("the start of run %d could not be stored", run.id)
    for judged in verdicts:
        try:
            retries += write((), (judged,))
        except Exception as error:
            log.exception("the end of run %d could not be stored as it was", judged.run.id)
            why = f"{judged.run.status.value}; what it left could not be stored: {type(error).__name__}"
            bare = replace(judged.run, reason=why, result=None, numbers={}, error=None)
            write((), (Verdict(run=bare),))
    return retries


def _retry(judged: Verdict, number: int, now: datetime) -> Run:
    ended = judged.run
    why = (
        "rerun: the attempt before was lost"
        if judged.rerun
        else f"retry after: {ended.reason or ended.status}"
    )
    return Run(
        id=number,
        job=ended.job,
        fire=ended.fire,
        attempt=ended.attempt + 1,
        status=Status.QUEUED,
        scheduled_at=ended.scheduled_at,
        queued_at=now,
        not_before=judged.retry_at,
        reason=why[:500],
        definition=ended.definition,
        params=ended.params,
        cause=ended.cause,
    )


class Memories:
    """What handlers remember; jobs without a memory cost nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._jobs: set[str] = set()

    def load(self) -> None:
        with self._database.read() as connection:
            self._jobs = memory.owners(connection)

    def recall(self, job: str) -> Mapping[str, Any]:
        if job not in self._jobs:
            return {}
        with self._database.read() as connection:
            return memory.recall(connection, job)

    def learned(self, verdicts: Iterable[Verdict]) -> None:
        self._jobs |= {judged.run.job for judged in verdicts if judged.memory}
