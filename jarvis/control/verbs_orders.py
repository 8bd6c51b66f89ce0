"""What can a job be told? To run now, to pause, to resume, to be switched on or off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from jarvis.alerts import results
from jarvis.config import secrets
from jarvis.control import plain
from jarvis.control.desk import Desk
from jarvis.control.plain import Misfit
from jarvis.errors import Refused
from jarvis.running.queueing import Asked
from jarvis.running.timetable import Line


def run(
    desk: Desk, *, name: str, with_: dict[str, Any] | None = None, deliver: bool | None = None
) -> dict[str, Any]:
    """Run a job now, with these values over those of its ``with:``; its schedule does not move.

    It is admitted like any other run: overlap, lock and slots count.

    Parameters:
        deliver: whether its result is delivered, whatever its ``deliver: {on: …}`` says
    """
    app = desk.daemon()
    line = desk.line(name)
    values = with_ or {}
    fitting(desk, line, values)
    if why := desk.broken(name):
        raise Refused(f"{name} cannot run: {why}")
    cause = wish(line, deliver)
    return plain.run(
        app.conductor.submit(
            Asked(job=line.job, kind="manual", definition=line.definition, params=values, cause=cause)
        )
    )


def wish(line: Line, deliver: bool | None) -> dict[str, bool]:
    """The cause of a run whose result is (not) to be delivered. Raises Misfit when nobody knows where to."""
    if deliver and line.job.spec.deliver is None:
        raise Misfit(f"{line.name} has no 'deliver:' that says where its result goes")
    return {} if deliver is None else {results.WISH: deliver}


def fitting(desk: Desk, line: Line, values: Mapping[str, Any]) -> None:
    """Raise Misfit when a job cannot run with these values. A program gets them as JARVIS_WITH_NAME and takes any."""
    if any(secrets.references(dict(values))):
        raise Misfit("a secret's reference belongs into jobs.yaml; give the job its own 'with:' for it")
    job = line.job
    handler = desk.catalogue.get(job.run)
    if not values or handler.kind == "program":
        return
    found = desk.catalogue.check(job.run, {**job.with_, **values})
    said = [
        f"{message} ({hint})" if hint else message for at, message, hint in found if not at or at[0] in values
    ]
    if said:
        raise Misfit(f"{line.name} runs the handler {job.run}: {'; '.join(said)}")


def pause(
    desk: Desk, *, name: str, for_: timedelta | None = None, until: str | None = None, reason: str = ""
) -> dict[str, Any]:
    """Skip a job's moments from now on, for a while or until it is resumed. A run that is going on goes on.

    Parameters:
        for_: how long, such as 2h
        until: or until when, such as '2026-12-24 18:00' (local time)
        reason: shown wherever it is asked why nothing ran
    """
    app = desk.daemon()
    until_at = _end(desk.now(), for_, until)
    app.roster.pause(name, until_at, reason or "paused")
    return _told(desk, name, until_at)


def _end(now: datetime, length: timedelta | None, until: str | None) -> datetime | None:
    if length is not None and until is not None:
        raise Misfit("say for how long or until when, not both")
    if length is not None:
        if length <= timedelta(0):
            raise Misfit("a pause takes longer than 0s")
        return now + length
    return None if until is None else plain.coming(until, now)


def resume(desk: Desk, *, name: str) -> dict[str, Any]:
    """End a job's pause."""
    desk.daemon().roster.resume(name)
    return _told(desk, name)


def enable(desk: Desk, *, name: str) -> dict[str, Any]:
    """Switch a job on, whatever its ``enabled:`` says."""
    desk.daemon().roster.switch(name, True)
    return _told(desk, name)


def disable(desk: Desk, *, name: str) -> dict[str, Any]:
    """Switch a job off: nothing of it is due until it is enabled again."""
    desk.daemon().roster.switch(name, False)
    return _told(desk, name)


def _told(desk: Desk, name: str, until_at: datetime | None = None) -> dict[str, Any]:
    line = desk.line(name)
    return {
        "name": name,
        "state": line.entry.state,
        "next_at": plain.instant(line.next_at),
        "paused_until_at": plain.instant(until_at),
    }
