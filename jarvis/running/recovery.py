"""What became of the runs an earlier daemon left unfinished? Asked once, before anything starts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from jarvis.core.job import Job
from jarvis.core.run import Run, Status
from jarvis.core.triggers import NOTHING, Triggers
from jarvis.handling.launch import Alive, Launcher, NeverStarted
from jarvis.running import closing, judging, saying
from jarvis.running.judging import Verdict
from jarvis.running.telling.afflicted import Afflicted
from jarvis.store import runs
from jarvis.store.database import Database

log = logging.getLogger("jarvis.recovery")


@dataclass(slots=True)
class Recovery:
    """Sorted: still running (adopt), never started (release again), ended meanwhile (already closed)."""

    adopted: list[tuple[Run, Job]] = field(default_factory=list)
    queued: list[Run] = field(default_factory=list)
    closed: list[Verdict] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{len(self.adopted)} adopted, {len(self.queued)} queued, {len(self.closed)} closed"


def recover(
    database: Database,
    launcher: Launcher,
    job_of: Callable[[Run], Job | None],
    now: datetime,
    triggers: Triggers = NOTHING,
) -> Recovery:
    """Match unfinished rows to what their directories say, and close those that ended, in one transaction.

    ``job_of`` answers with the definition a run was queued under when the job itself is gone. ``triggers``: what
    follows those ends, which is queued with them.
    """
    found = Recovery()
    with database.read() as connection:
        unfinished = runs.unfinished(connection)
    for run in unfinished:
        job = job_of(run)
        if job is None:
            ended = replace(run, status=Status.LOST, reason="its definition is no longer known", ended_at=now)
            found.closed.append(Verdict(run=ended))
        else:
            _sort(run, job, launcher, found, now)
    if found.closed:
        afflicted = Afflicted(database)
        afflicted.load()
        found.queued += closing.write(database, (), found.closed, (), now, afflicted, triggers)
        saying.Log().say(found.closed)
    if unfinished:
        log.info("unfinished runs of before: %s", found)
    return found


def _sort(run: Run, job: Job, launcher: Launcher, found: Recovery, now: datetime) -> None:
    match launcher.find(run.id):
        case Alive(claim=claim):
            adopted = replace(
                run, status=Status.RUNNING, pid=claim.pid, started_at=run.started_at or claim.at
            )
            found.adopted.append((adopted, job))
        case NeverStarted() if run.status is Status.QUEUED:
            found.queued.append(run)
        case NeverStarted():
            why = (
                "the daemon ended while it ran in one of its threads"
                if job.thread
                else "no trace of its supervisor"
            )
            found.closed.append(judging.lost(run, job, why, now))
        case _:
            if judged := closing.verdict(run, job, launcher, now):
                found.closed.append(judged)


def highest_directory(folder: Path) -> int:
    """The highest run id that has a directory: after a restore no id up to it may be given out again."""
    numbers = [int(run.name) for block in _numbered(folder)[-2:] for run in _numbered(block)]
    return max(numbers, default=0)


def _numbered(folder: Path) -> Sequence[Path]:
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
