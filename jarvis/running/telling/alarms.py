"""What should a person hear of a run? Its alerts, its end if that is bad, and that it waits too long."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from jarvis.core import alert as alerts
from jarvis.core import stages
from jarvis.core.alert import Wanted
from jarvis.core.duration import spell
from jarvis.core.job import Job
from jarvis.core.run import Run
from jarvis.core.telling import AlertRule
from jarvis.handling import raising
from jarvis.handling.contract import Alert
from jarvis.store.journal import Note

_PLAIN = AlertRule()


def rule(job: Job | None) -> AlertRule:
    """What the job asks for; the defaults if it does not say."""
    return (job.spec.alert if job else None) or _PLAIN


def wanted(job: Job | None) -> Wanted:
    """Where alerts about the job go and how often they are repeated."""
    asked = rule(job)
    return Wanted(to=tuple(stages.names(asked.to)), repeat=asked.repeat, recovery=asked.recovery)


def key(job: str | None) -> str:
    """The key of the problem that runs of the job end badly."""
    return f"run:{job}"


def outcome(run: Run, job: Job | None, now: datetime, *, times: int = 1) -> tuple[Note, ...]:
    """The alert that a fire ended so, if the job's rule names that ending. ``times``: for how many fires it stands."""
    asked = rule(job)
    if run.status.value not in asked.on:
        return ()
    attempts = f" (attempt {run.attempt}, the last)" if run.attempt > 1 else ""
    reason = run.reason or ""
    return (
        Note(
            at=now,
            severity=alerts.ALIASES.get(asked.severity, asked.severity),
            key=key(run.job),
            job=run.job,
            run_id=run.id or None,
            title=f"{run.job}: {run.status.value.replace('_', ' ')}: {reason}{attempts}",
            text=run.error or "",
            wanted=replace(wanted(job), after=asked.after, times=times, root=alerts.root(reason) or None),
        ),
    )


def raised(run: Run, job: Job, alert: Alert, now: datetime) -> Note:
    """An alert of a handler; with a key it lasts until a run that succeeds does not raise it."""
    return raising.raised(alert, run=run.id, job=run.job, wanted=wanted(job), now=now)


def resolved(run: Run, key: str, now: datetime) -> Note:
    """A handler's word that what it raised under this key is over."""
    return raising.resolved(key, run=run.id, job=run.job, now=now)


def stuck(run: Run, why: str, waited: timedelta, now: datetime) -> Note:
    """A run that waits too long for a slot."""
    return Note(
        at=now,
        severity="medium",
        key=alerts.QUEUE,
        job=run.job,
        run_id=run.id,
        title=f"{run.job}: queued for {spell(timedelta(seconds=round(waited.total_seconds())))}: {why}",
        text="More runs want to start than there are slots: end what hangs (give it a timeout) or raise 'slots'.",
        wanted=Wanted(root=alerts.root(f"queue: {why}")),
    )


def unstuck(job: str, now: datetime) -> Note:
    """None of its runs waits too long any more."""
    title = f"no run of {job} waits for a slot any more"
    return Note(at=now, severity="medium", key=alerts.QUEUE, job=job, title=title, kind="recovery")
