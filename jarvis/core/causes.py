"""What asked for a run, as data for the run and in words for people?

A run of ``on: {job}`` has ``{"run", "job", "status", "fire", ...}``, one of ``on: {event}`` ``{"event", "source",
"type", "received_at", "payload"}``. A payload of more than SMALL bytes is not stored with the run a second time:
``payload_bytes_omitted`` stands in its place, and the run is given it from the event when it starts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jarvis.core.run import Run, Status, instant

SMALL = 1_000
"""Bytes of a payload that is stored with each run that the event caused."""

IN_ENVIRONMENT = 32 * 1024
"""Bytes of JARVIS_CAUSE; what is longer is in the file only."""

OMITTED = "payload_bytes_omitted"
_SAID = 1_000


def of_event(
    number: int, source: str, event_type: str, received_at: datetime, payload: Any, size: int
) -> dict[str, Any]:
    """The cause of a run that an event asked for. ``payload`` is looked at only if its ``size`` is small."""
    cause = {"event": number, "source": source, "type": event_type, "received_at": instant(received_at)}
    return cause | ({"payload": payload} if size <= SMALL else {OMITTED: size})


def completed(cause: Mapping[str, Any], payload: Any) -> dict[str, Any]:
    """With the payload that was left out."""
    return {name: value for name, value in cause.items() if name != OMITTED} | {"payload": payload}


def of_run(run: Run) -> dict[str, Any]:
    """The cause of a run that follows this one, which has ended."""
    return {
        "run": run.id,
        "job": run.job,
        "status": run.status.value,
        "fire": run.fire,
        "scheduled_at": instant(run.scheduled_at),
        "ended_at": None if run.ended_at is None else instant(run.ended_at),
        "exit_code": run.exit_code,
        "reason": None if run.reason is None else run.reason[:_SAID],
        "result": None if run.result is None else run.result[:_SAID],
    }


def environment(cause: Mapping[str, Any]) -> str:
    """JSON for JARVIS_CAUSE: the whole cause, or, where that is too long, the cause without its payload."""
    text = written(cause)
    if len(text) <= IN_ENVIRONMENT:
        return text
    rest = {name: value for name, value in cause.items() if name != "payload"}
    return written(rest | {OMITTED: len(written(cause.get("payload")))})


def written(cause: Any) -> str:
    """As the file and the variable have it: one line, ASCII."""
    return json.dumps(cause, separators=(",", ":"))


def said(cause: Mapping[str, Any]) -> str | None:
    """``because run 41 of backup succeeded``, ``because of 2 changes in ~/inbox`` and so on; None for other causes."""
    if "run" in cause:
        ended = str(cause.get("status", "ended")).replace("_", " ")
        was = {"lost": "was ", "skipped": "was ", "cancelled": "was ", "missed": "was "}.get(ended, "")
        return f"because run {cause['run']} of {cause.get('job')} {was}{ended}"
    if "event" in cause:
        return f"because of event {cause['event']} {cause.get('source')}/{cause.get('type')}"
    if "watch" in cause:
        return _watched(cause)
    if "mount" in cause:
        return f"because {cause['mount']} was mounted"
    return None


def _watched(cause: Mapping[str, Any]) -> str:
    states = {"exists": "exists", "not_empty": "is not empty"}
    if state := states.get(str(cause.get("when"))):
        return f"because {cause['watch']} {state}"
    count = cause.get("count")
    if not count:
        return f"because {cause['watch']} changed"
    return f"because of {count} {'change' if count == 1 else 'changes'} in {cause['watch']}"


def failing(job: str, run: int, status: str, started: bool) -> str | None:
    """Why an event whose run ended so was not dealt with; None when it was: a handler may find nothing to do."""
    if status == Status.SUCCEEDED or (status == Status.SKIPPED and started):
        return None
    return f"run {run} of {job}: {status.replace('_', ' ')}"
