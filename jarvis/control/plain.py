"""How are values said in JSON? Instants as ISO 8601 in UTC, lengths in seconds, nothing that only Python knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from jarvis.core import duration, localtime
from jarvis.core.run import Run
from jarvis.core.schedule import Moment, Schedule
from jarvis.errors import JarvisError, Problem
from jarvis.store.journal import Note
from jarvis.store.queries import Counted, Last


class Misfit(JarvisError):
    """A question that cannot be meant as it was asked; the message says what to ask instead."""

    exit_code = 2


def instant(at: datetime | None) -> str | None:
    """``2026-11-20T09:00:00Z``."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def seconds(length: timedelta | None) -> float | None:
    """A length as a number of seconds."""
    return None if length is None else round(length.total_seconds(), 3)


def run(one: Run) -> dict[str, Any]:
    """A run as lists show it."""
    took = one.ended_at - one.started_at if one.started_at and one.ended_at else None
    return {
        "id": one.id,
        "job": one.job,
        "fire": one.fire,
        "attempt": one.attempt,
        "status": one.status.value,
        "reason": one.reason,
        "result": one.result,
        "exit_code": one.exit_code,
        "scheduled_at": instant(one.scheduled_at),
        "queued_at": instant(one.queued_at),
        "not_before": instant(one.not_before),
        "started_at": instant(one.started_at),
        "ended_at": instant(one.ended_at),
        "seconds": seconds(took),
        "numbers": dict(one.numbers),
        "output_bytes": one.output_bytes,
        "output_dropped": one.output_dropped,
    }


def last(one: Last | None) -> dict[str, Any] | None:
    """A job's last run in a list of jobs."""
    if one is None:
        return None
    return {
        "run": one.id,
        "status": one.status,
        "scheduled_at": instant(one.scheduled_at),
        "started_at": instant(one.started_at),
        "ended_at": instant(one.ended_at),
        "reason": one.reason,
    }


def span(one: Counted) -> dict[str, Any]:
    """Moments that share one fate."""
    return {
        "from_at": instant(one.from_at),
        "until_at": instant(one.until_at),
        "count": one.count,
        "status": one.status,
        "reason": one.reason,
    }


def note(one: Note) -> dict[str, Any]:
    """An alert."""
    return {
        "at": instant(one.at),
        "severity": one.severity,
        "title": one.title,
        "text": one.text,
        "job": one.job,
        "run": one.run_id,
    }


def moments(found: Iterable[Moment]) -> list[dict[str, Any]]:
    """Due moments; ``times`` exceeds 1 where one instant counts more than once."""
    return [{"at": instant(one.at), "times": one.times} for one in found]


def problems(found: Iterable[Problem]) -> list[dict[str, Any]]:
    """What is wrong with a file, each with its address."""
    return [asdict(one) for one in found]


def schedule(body: Mapping[str, Any]) -> str:
    """The schedules of a definition as they are written, on one line; ``on request`` when there are none."""
    said = [words for part in (body, *body.get("schedules", ())) if (words := _when(part))]
    return "; ".join(said) or "on request"


def _when(part: Mapping[str, Any]) -> str | None:
    if "service" in part:
        return "all the time"
    if "cron" in part:
        return str(part["cron"])
    if "every" in part:
        every = part["every"]
        return f"every {every['period'] if isinstance(every, Mapping) else every}"
    if "at" in part:
        return f"at {part['at']}"
    if "start" in part:
        return {"boot": "at boot", "mount": "at mount"}.get(part["start"], "at start")
    if "on" in part:
        return asked(part["on"])
    if "watch" in part:
        return _watched(part["watch"])
    return None


def _watched(watch: Mapping[str, Any]) -> str:
    paths = watch["paths"] if isinstance(watch["paths"], str) else ", ".join(watch["paths"])
    globs = f" ({', '.join(watch['globs'])})" if watch.get("globs") else ""
    how = {"exists": "while {} exists", "not_empty": "while {} is not empty"}
    return how.get(watch.get("when", "modified"), "when {} changes").format(paths + globs)


def asked(part: Mapping[str, Any]) -> str:
    """``event github/*`` or ``after backup succeeded``."""
    if "event" in part:
        return f"event {part['event']}" + (" (conditions)" if part.get("where") else "")
    wanted = part.get("status", "succeeded")
    names = [wanted] if isinstance(wanted, str) else wanted
    return f"after {part['job']} {' or '.join(name.replace('_', ' ') for name in names)}"


_STARTS = {"daemon": "at every start of Jarvis", "boot": "at every boot", "mount": "when a volume is mounted"}


def english(body: Mapping[str, Any], timed: Schedule | None) -> str:
    """The schedules of a definition in words; ``timed``: those of them that have moments."""
    words = [timed.explain()] if timed else []
    for part in (body, *body.get("schedules", ())):
        if "service" in part:
            words.append("all the time, started again when it ends")
        elif "start" in part:
            words.append(_STARTS[part["start"]])
        elif ("on" in part or "watch" in part) and (said := _when(part)):
            words.append(said)
    said = "; ".join(words) or "on request only"
    return said[:1].upper() + said[1:]


def timed(body: Mapping[str, Any]) -> bool:
    """Whether the definition has moments at all (starts and requests have none)."""
    return any(
        kind in part for part in (body, *body.get("schedules", ())) for kind in ("cron", "every", "at")
    )


def past(text: str, now: datetime) -> datetime:
    """``2h`` (that long ago), or a moment such as ``2026-11-20 09:00`` (local time). Raises Misfit."""
    try:
        return now - duration.parse(text)
    except ValueError:
        pass
    try:
        at = localtime.parse(text)
    except ValueError:
        raise Misfit(
            f"{text!r} is neither a duration such as 2h nor a moment such as '{localtime.EXAMPLE}'"
        ) from None
    return at.astimezone(UTC)


def coming(text: str, now: datetime) -> datetime:
    """A moment such as ``2026-12-24 18:00`` (local time) that is still to come. Raises Misfit."""
    try:
        at = localtime.parse(text).astimezone(UTC)
    except ValueError as error:
        raise Misfit(str(error)) from None
    if at <= now:
        raise Misfit(f"{text!r} is past")
    return at
