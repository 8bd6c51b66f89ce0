"""A run has ended: where does its result go (``deliver:``)? Messages in the same transaction as the end of the run.

A result that cannot be delivered is tried again by the outbox and never fails the job. A run that is tried again, or
that never started and is not a failure, has no result.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from jarvis.core import template
from jarvis.core.duration import spell
from jarvis.core.job import Job
from jarvis.core.run import Run, Status
from jarvis.core.telling import Deliver
from jarvis.store import deliveries

TAIL = 16_384
"""Bytes of a program's output that are delivered: its end."""
NOTHING = "(no output)"
WISH = "deliver"
"""In a run's cause: what ``jobs run --deliver/--no-deliver`` asked for."""


def wished(cause: Mapping[str, Any]) -> bool | None:
    """Whether whoever asked for the run wants its result delivered; None: as the job says."""
    wish = cause.get(WISH)
    return wish if isinstance(wish, bool) else None


def wanted(deliver: Deliver, run: Run, output: str) -> bool:
    """Whether the result of this run goes out."""
    wish = wished(run.cause)
    if wish is not None:
        return wish
    if run.started_at is None and not run.status.bad:
        return False
    if deliver.on == "output":
        return bool(said(run, output))
    if deliver.on == "failure":
        return run.status.bad
    return deliver.on == "always" or run.status is Status.SUCCEEDED


def post(connection: Connection, run: Run, job: Job, output: str, now: datetime) -> tuple[int, ...]:
    """Put the result of a run that has ended into the outbox; ids of the messages.

    ``output``: the end of what its program wrote.
    """
    deliver = job.spec.deliver
    if deliver is None:
        return ()
    if not wanted(deliver, run, output):
        return ()
    values = names(run, output, job.timezone, now)
    subject = " ".join(template.fill(deliver.subject or template.SUBJECT, values).split())
    body = template.fill(deliver.body or template.BODY, values)
    channels = [deliver.to] if isinstance(deliver.to, str) else deliver.to
    return tuple(
        deliveries.add(
            connection,
            channel=channel,
            kind="result",
            severity="high" if run.status.bad else "info",
            subject=subject,
            body=body,
            run_id=run.id,
            now=now,
        )
        for channel in dict.fromkeys(channels)
    )


def names(run: Run, output: str, timezone: str, now: datetime) -> dict[str, str]:
    """What the names of a template stand for."""
    ended_at = run.ended_at or now
    took = spell(ended_at - run.started_at) if run.started_at else ""
    text = said(run, output)
    if run.status.bad:
        why = (run.reason or "").strip()
        text = "\n\n".join(part for part in (why, text or (run.error or "").strip()) if part)
    return {
        "result": text or run.reason or NOTHING,
        "task_name": run.job,
        "job": run.job,
        "timestamp": ended_at.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M:%S %Z"),
        "status": run.status.value.replace("_", " "),
        "reason": run.reason or "",
        "duration": took,
        "run": str(run.id),
        "attempt": str(run.attempt),
    }


def said(run: Run, output: str) -> str:
    """What a run brought: what its handler returned, else its numbers, else the end of its output."""
    if run.result:
        return run.result
    if run.numbers:
        return "\n".join(f"{name}: {value:g}" for name, value in run.numbers.items())
    return output.lstrip("�").strip()  # the end of an output may begin within a character
