"""May this queued run start now? Start, wait (why) or refuse (why)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from jarvis.core.duration import spell
from jarvis.core.job import Job
from jarvis.core.run import Run, Status

UNLIMITED = 1000


class Blocker(StrEnum):
    """What a waiting run waits for; the conductor wakes it when that changes."""

    TIME = "time"
    JOB = "job"
    LOCK = "lock"
    SLOT = "slot"
    CONDITION = "condition"


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """Yes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """Not yet. ``until_at`` is set when only time is missing; ``replace`` names runs to end first."""

    on: Blocker
    why: str
    until_at: datetime | None = None
    replace: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Refuse:
    """Never. The run ends with this status and reason."""

    status: Status
    why: str


Decision = Start | Wait | Refuse

START = Start()
NO_SLOT = {kind: Wait(on=Blocker.SLOT, why=f"no free {kind} slot") for kind in ("thread", "process")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """What is true around a run when it wants to start.

    ``running``: ids of this job's running runs, oldest first. ``lock_holder``: the run holding the job's lock.
    ``condition``: None when it holds or there is none, else why not; ``condition_known`` False until it was asked.
    """

    now: datetime
    running: Sequence[int] = ()
    slot_free: bool = True
    lock_holder: int | None = None
    last_started_at: datetime | None = None
    paused: str | None = None
    broken: str | None = None
    condition_known: bool = True
    condition: str | None = None


def limit(job: Job) -> int:
    """How many runs of the job may be running at once."""
    if job.spec.overlap == "allow" and "max_instances" not in job.spec.model_fields_set:
        return UNLIMITED
    return job.spec.max_instances


def overlap(run: Run, job: Job) -> str:
    """What holds for this run: one that an event or another run asked for waits, unless the job says otherwise."""
    if run.caused and "overlap" not in job.spec.model_fields_set:
        return "queue"
    return job.spec.overlap


def admit(run: Run, job: Job, now: Situation) -> Decision:
    """Ask the rules in their order: broken, paused, too early, too late, overlap, spacing, lock, slot, condition.

    A slot is asked for before the condition: a condition is true or false at the moment of the start.
    """
    return (
        _usable(run, now)
        or _timely(run, job, now)
        or _alone(run, job, now)
        or _spaced(run, job, now)
        or _free(job, now)
        or _wanted(now)
        or Start()
    )


def _usable(run: Run, now: Situation) -> Refuse | None:
    if now.broken:
        return Refuse(status=Status.FAILED, why=now.broken)
    if now.paused and (run.scheduled or run.caused):
        return Refuse(status=Status.SKIPPED, why=now.paused)
    return None


def _timely(run: Run, job: Job, now: Situation) -> Wait | Refuse | None:
    if run.not_before is not None and run.not_before > now.now:
        return Wait(on=Blocker.TIME, why=f"not before {run.not_before:%H:%M:%S} UTC", until_at=run.not_before)
    grace = job.spec.misfire_grace
    due = max(run.scheduled_at, run.not_before or run.scheduled_at)
    if run.scheduled and run.attempt == 1 and grace is not None and now.now - due > grace:
        return Refuse(status=Status.MISSED, why=f"waited longer than misfire_grace ({spell(grace)})")
    return None


def _alone(run: Run, job: Job, now: Situation) -> Wait | Refuse | None:
    most = limit(job)
    if len(now.running) < most:
        return None
    names = ", ".join(map(str, now.running[:3]))
    plural = "runs" if len(now.running) > 1 else "run"
    match overlap(run, job):
        case "queue":
            return Wait(on=Blocker.JOB, why=f"behind {plural} {names} (overlap: queue)")
        case "replace":
            oldest = tuple(now.running[: len(now.running) - most + 1])
            return Wait(on=Blocker.JOB, why=f"replacing {plural} {names}", replace=oldest)
        case "allow":
            return Refuse(status=Status.SKIPPED, why=f"{len(now.running)} running (max_instances: {most})")
        case _:
            are = "are" if len(now.running) > 1 else "is"
            return Refuse(status=Status.SKIPPED, why=f"{plural} {names} {are} still running (overlap: skip)")


def _spaced(run: Run, job: Job, now: Situation) -> Wait | None:
    spacing, last = job.spec.min_spacing, now.last_started_at
    if spacing is None or last is None or last + spacing <= now.now or last > now.now:
        return None
    return Wait(on=Blocker.TIME, why=f"min_spacing {spell(spacing)}", until_at=last + spacing)


def _free(job: Job, now: Situation) -> Wait | None:
    if now.lock_holder is not None:
        return Wait(on=Blocker.LOCK, why=f"lock {job.spec.lock!r} is held by run {now.lock_holder}")
    if not now.slot_free:
        return NO_SLOT["thread" if job.thread else "process"]
    return None


def _wanted(now: Situation) -> Wait | Refuse | None:
    if not now.condition_known:
        return Wait(on=Blocker.CONDITION, why="asking its condition")
    if now.condition:
        return Refuse(status=Status.SKIPPED, why=f"condition: {now.condition}")
    return None
