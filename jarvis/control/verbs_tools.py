"""What can be asked without a daemon? Is a file in order, when is that due, which handlers are there, was all done?"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from jarvis.alerts import schemes
from jarvis.config import load, zone
from jarvis.config import schema as schemas
from jarvis.control import plain, trial
from jarvis.control.desk import Desk
from jarvis.control.plain import Misfit
from jarvis.control.verbs_jobs import Count, following
from jarvis.core import localtime, schedule
from jarvis.core import when as when_of
from jarvis.core.job import Job
from jarvis.core.schedule import ScheduleError
from jarvis.errors import ConfigError
from jarvis.handling.contract import Handler

LISTED = 200
"""Jobs of a checked file that are described; of a larger file a person wants to know whether it is in order."""


def check(desk: Desk, *, file: Path | None = None) -> dict[str, Any]:
    """Is jobs.yaml in order? All problems and doubts at once, and what the schedules mean.

    Parameters:
        file: the file to read; without it, this instance's
    """
    path = (file or desk.instance.config).absolute()
    now = desk.now()
    try:
        config = load.read(path, handlers=desk.catalogue, environ=os.environ, now=now)
    except ConfigError as error:
        return {
            "file": str(path),
            "ok": False,
            "problems": plain.problems(error.problems),
            "warnings": [],
            "jobs": [],
            "total": 0,
        }
    names = list(config.jobs)
    return {
        "file": str(path),
        "ok": True,
        "problems": [],
        "warnings": plain.problems([*config.warnings, *schemes.doubts(config)]),
        "total": len(names),
        "jobs": [_described(config.jobs[name], config.broken.get(name), desk) for name in names[:LISTED]],
    }


def _described(job: Job, broken: str | None, desk: Desk) -> dict[str, Any]:
    timed = schedule.for_job(job)
    moment = timed.next(desk.now()) if timed and job.spec.enabled else None
    return {
        "name": job.name,
        "handler": job.run,
        "english": plain.english(job.dump(), timed),
        "timezone": job.timezone,
        "enabled": job.spec.enabled,
        "next_at": plain.instant(moment.at) if moment else None,
        "broken": broken,
    }


def schema(desk: Desk) -> dict[str, Any]:
    """JSON Schema of jobs.yaml, with the forms of the handlers there are."""
    return schemas.build(desk.catalogue)


def due(
    desk: Desk,
    *,
    expr: str,
    timezone: str | None = None,
    count: Count = 5,
    dst: Literal["once", "exact", "skip"] = "once",
) -> dict[str, Any]:
    """What a schedule means, and when it is due next.

    Parameters:
        expr: cron fields, a duration such as 15m, or a moment such as '2026-12-24 18:00'
        timezone: whose clock; without it, this machine's
        dst: what happens to a moment that the clock change removes or repeats
    """
    name = timezone or zone.local(os.environ)[0]
    try:
        schedule.find_zone(name)
        timed, kind = _schedule(expr, name, dst)
        doubts = schedule.warnings(expr) if kind == "cron" else []
    except ScheduleError as error:
        raise Misfit(str(error)) from None
    return {
        "expr": expr,
        "kind": kind,
        "english": timed.explain(),
        "timezone": name,
        "warnings": doubts,
        "moments": plain.moments(following(timed, desk.now(), count)),
    }


def _schedule(expr: str, name: str, dst: schedule.Dst) -> tuple[schedule.Schedule, str]:
    """A duration is an interval, a moment a single one, anything else cron text. Raises ScheduleError."""
    text = expr.strip()
    if localtime._DATE.match(text):
        return _one({"at": text}, name, dst), "at"
    for words in (text, text.removeprefix("every ")):
        try:
            return _one({"every": words}, name, dst), "every"
        except ScheduleError as error:
            if "duration" not in str(error):
                raise
    return _one({"cron": text}, name, dst), "cron"


def _one(fields: dict[str, str], name: str, dst: schedule.Dst) -> schedule.Schedule:
    try:
        when = when_of.When.model_validate(fields)
    except ValidationError as error:
        raise ScheduleError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    found = schedule.for_when(when, name, dst)
    assert found is not None
    return found


def handlers(desk: Desk) -> list[dict[str, Any]]:
    """Which handlers can a job run?"""
    return [_handler(one) for one in desk.catalogue.handlers()]


def _handler(one: Handler) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind,
        "origin": one.origin,
        "path": str(one.path),
        "description": one.description,
        "broken": one.broken,
        "shadows": one.shadows,
    }


def handler(desk: Desk, *, name: str) -> dict[str, Any]:
    """One handler: what it does, which values it takes, which jobs run it."""
    found = desk.catalogue.get(name)
    users = [line.name for line in desk.lines.values() if line.entry.body.get("run", "command") == name]
    return _handler(found) | {
        "doc": found.doc,
        "form": desk.catalogue.form_schema(name),
        "jobs": sorted(users),
    }


def attempt(
    desk: Desk,
    *,
    name: str,
    with_: dict[str, Any] | None = None,
    timeout: Annotated[timedelta, Field(gt=timedelta(0))] = timedelta(minutes=5),
) -> dict[str, Any]:
    """Call a handler once, for real, outside of any job: nothing is recorded, retried or remembered.

    Parameters:
        with_: values for its parameters
        timeout: end it after this long
    """
    found = desk.catalogue.get(name)
    values = with_ or {}
    said = [
        f"{message} ({hint})" if hint else message for _, message, hint in desk.catalogue.check(name, values)
    ]
    if said:
        raise Misfit(f"handler {name}: {'; '.join(said)}")
    found.ready()
    return trial.call(found, values, instance=desk.instance, timeout=timeout)


def audit(desk: Desk, *, since: str | None = None) -> dict[str, Any]:
    """Recompute what was due, and show that the ledger accounts for every moment exactly once.

    Parameters:
        since: from then on, such as 7d (ago) or '2026-11-01 00:00'; without it, everything the ledger remembers
    """
    from jarvis.running import auditing

    now = desk.now()
    report = auditing.audit(desk.database, plain.past(since, now) if since else None, now)
    return {
        "clean": report.clean,
        "said": str(report),
        "jobs": report.jobs,
        "moments": report.moments,
        "rows": report.rows,
        "spans": report.spans,
        "untold": report.untold,
        "violations": [
            {"rule": one.rule, "job": one.job, "text": one.text, "at": plain.instant(one.at), "runs": list(one.runs)}
            for one in report.violations
        ],
    }  # fmt: skip
