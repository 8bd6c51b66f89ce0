"""What can be asked about jobs? Which there are, what one is, when it is due, what became of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import Field

from jarvis.control import hiding, plain
from jarvis.control.desk import Desk
from jarvis.core import admission, duration
from jarvis.core.schedule import Moment, Schedule, ScheduleError
from jarvis.core.service import Rest
from jarvis.errors import NotFound, Refused
from jarvis.running.timetable import Line
from jarvis.store import queries

Count = Annotated[int, Field(ge=1, le=1000)]
WHEN = frozenset({"cron", "every", "at", "start", "on", "watch"})


def listing(desk: Desk, *, match: str = "", tags: list[str] | None = None) -> list[dict[str, Any]]:
    """All jobs: state, schedule, next fire, last run.

    Parameters:
        match: only names with this in them, or like this pattern (``back*``)
        tags: only jobs with all of these tags
    """
    now, wanted = desk.now(), set(tags or ())
    last = _last(desk)
    running = defaultdict(list)
    for active in desk.active():
        running[active.run.job].append(active.run.id)
    waiting = Counter(queued.held.run.job for queued in desk.queue())
    return [
        _entry(desk, line, now) | {
            "running": running.get(name, []),
            "waiting": waiting[name],
            "last": plain.last(last.get(name)),
        }
        for name, line in sorted(desk.lines.items())
        if _matches(name, match) and wanted <= set(line.entry.body.get("tags", ()))
    ]  # fmt: skip


def _last(desk: Desk) -> Mapping[str, queries.Last]:
    if not desk.began:
        return {}
    with desk.database.read() as connection:
        return queries.last_runs(connection)


def _matches(name: str, match: str) -> bool:
    return match in name or fnmatchcase(name, match)


def _entry(desk: Desk, line: Line, now: datetime) -> dict[str, Any]:
    """From the definition as it is written: a list of many jobs builds none of them."""
    body, pause = line.entry.body, line.pause_at(now)
    state, why = state_of(desk, line, now)
    return {
        "name": line.name,
        "state": state,
        "why": why,
        "schedule": plain.schedule(body),
        "timezone": body.get("timezone"),
        "next_at": plain.instant(line.next_at),
        "paused_until_at": plain.instant(pause.until_at) if pause else None,
        "handler": body.get("run", "command"),
        "description": body.get("description"),
        "tags": list(body.get("tags", ())),
        "origin": line.entry.origin,
    }


def state_of(desk: Desk, line: Line, now: datetime) -> tuple[str, str | None]:
    """active, disabled, broken, paused, finished (no moment is left, or a service that ended well) or left alone, and
    why."""
    entry = line.entry
    if entry.state == "disabled":
        return "disabled", "switched off" if entry.switch is False else "enabled: false in jobs.yaml"
    if why := desk.broken(line.name):
        return "broken", why
    if pause := line.pause_at(now):
        return "paused", pause.reason
    if desk.live and (left := desk.app.services.left.get(line.name)):
        well = isinstance(left, Rest) and left.well
        return ("finished" if well else "left alone"), left.why
    if line.next_at is None and plain.timed(entry.body):
        return "finished", "no moment is left"
    return "active", None


def show(desk: Desk, *, name: str) -> dict[str, Any]:
    """One job: its definition, its next fires, what it is doing, its last runs."""
    line, now = desk.line(name), desk.now()
    english, problem = _english(line)
    place = desk.app.config.lines.get(name) if desk.live and desk.app.config else None
    running = [active for active in desk.active() if active.run.job == name]
    return _entry(desk, line, now) | {
        "english": english,
        "problem": problem,
        "file": place[0] if place else None,
        "line": place[1] if place else None,
        "definition": hiding.without_passwords(line.entry.body),
        "rules": None if problem else _rules(line),
        "upcoming": [] if problem else plain.moments(_upcoming(desk, line, 3)),
        "running": [plain.run(active.run) | {"stopping": active.stopping} for active in running],
        "waiting": [
            {"run": queued.held.run.id, "why": queued.held.why, "position": queued.position}
            for queued in desk.queue()
            if queued.held.run.job == name
        ],
        "runs": history(desk, name=name, limit=5) if desk.began else [],
    }


def _english(line: Line) -> tuple[str, str | None]:
    """The schedule in words; a stored definition that this version cannot read has a problem instead."""
    try:
        return plain.english(line.entry.body, line.schedule), None
    except (ScheduleError, ValueError) as error:
        return plain.schedule(line.entry.body), f"its definition cannot be read: {error}"


def _overlap(line: Line) -> str:
    """A job that only events and other runs ask for waits for itself, unless it says otherwise."""
    body, spec = line.entry.body, line.job.spec
    whens = {kind for part in (body, *body.get("schedules", ())) for kind in WHEN & part.keys()}
    return "queue" if whens == {"on"} and "overlap" not in spec.model_fields_set else spec.overlap


def _rules(line: Line) -> dict[str, Any]:
    """What the rules of the job come to, with everything it left to the defaults."""
    job = line.job
    return {
        "timeout": duration.spell(job.timeout) if job.timeout else None,
        "retry": job.retry.model_dump(mode="json") if job.retry else None,
        "catch_up": job.catch_up.run,
        "overlap": _overlap(line),
        "max_instances": None if (most := admission.limit(job)) == admission.UNLIMITED else most,
        "misfire_grace": duration.spell(job.spec.misfire_grace) if job.spec.misfire_grace else None,
        "on_lost": job.spec.on_lost,
        "thread": job.thread,
    }


def upcoming(desk: Desk, *, name: str, count: Count = 5) -> dict[str, Any]:
    """When a job is due next."""
    line = desk.line(name)
    english, problem = _english(line)
    if problem:
        raise Refused(f"{name}: {problem}")
    state, why = state_of(desk, line, desk.now())
    return {
        "name": name,
        "state": state,
        "why": why,
        "english": english,
        "timezone": line.job.timezone,
        "moments": plain.moments(_upcoming(desk, line, count)),
    }


def _upcoming(desk: Desk, line: Line, count: int) -> list[Moment]:
    if line.entry.state == "disabled" or line.schedule is None:
        return []
    first = line.next_at
    # The next fire may be due this very moment, so it is asked for from just before it.
    after = desk.now() if first is None else first - timedelta(microseconds=1)
    return list(following(line.schedule, after, count))


def following(timed: Schedule, after: datetime, count: int) -> Iterator[Moment]:
    """The next moments of a schedule."""
    for _ in range(count):
        moment = timed.next(after)
        if moment is None:
            return
        yield moment
        after = moment.at


def history(desk: Desk, *, name: str, limit: Count = 20) -> list[dict[str, Any]]:
    """What became of a job's moments, newest first: runs, and spans of moments counted together.

    Entries have ``kind``: run or span.
    """
    with desk.database.read() as connection:
        runs = queries.page(connection, job=name, limit=limit)
        spans = queries.counted(connection, name, limit)
    if not runs and not spans and name not in desk.lines:
        desk.line(name)
        raise NotFound(f"no job {name!r}")
    found = [(one.scheduled_at, {"kind": "run"} | plain.run(one)) for one in runs]
    found += [(span.from_at, {"kind": "span"} | plain.span(span)) for span in spans]
    found.sort(key=lambda pair: pair[0], reverse=True)
    return [entry for _, entry in found[:limit]]
