"""What can be asked about alerts? What is wrong, who was told of it and why (not); acknowledge it, or be silent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from jarvis.control import plain
from jarvis.control.desk import Desk
from jarvis.control.plain import Misfit
from jarvis.core import alert as alerts
from jarvis.core import duration, quiet, stages
from jarvis.core.alert import Problem, Silence
from jarvis.core.stages import World
from jarvis.core.telling import Alerts
from jarvis.errors import NotFound, Refused
from jarvis.store import bulletin, docket
from jarvis.store.bulletin import Entry

Number = Annotated[int, Field(ge=1, le=2**63 - 1)]
Limit = Annotated[int, Field(ge=1, le=10_000)]
Least = Literal["info", "low", "medium", "warning", "high", "critical"]
Glob = Annotated[str, Field(min_length=1, max_length=400)]
SHOWN = 20
LONGEST_SILENCE = timedelta(days=366)


def listing(
    desk: Desk,
    *,
    which: Literal["open", "held", "silenced", "all"] = "open",
    severity: Least | None = None,
    job: str | None = None,
    limit: Limit = 50,
) -> list[dict[str, Any]]:
    """What is wrong now; or what is held for the next digest, what a silence kept unsaid, or everything ever raised.

    Parameters:
        which: open problems, alerts held for the next digest, those that a silence kept unsaid, or the whole journal
        severity: only this bad or worse
        job: only this job's
    """
    severities = alerts.SEVERITIES[alerts.rank(severity) :] if severity else ()
    if not desk.began:
        return []
    with desk.database.read() as connection:
        if which == "open":
            found = bulletin.open_problems(connection, severities=severities, job=job, limit=limit)
            world = World(now=desk.now(), silences=docket.current_silences(connection, desk.now()))
            return [_problem(one) | {"silenced": stages.silenced(one, world)} for one in found]
        verdict = "held" if which == "held" else None
        rows = bulletin.entries(
            connection,
            verdict=verdict,
            silenced=which == "silenced",
            severities=severities,
            job=job,
            limit=limit,
        )
        return [_entry(one) for one in rows]


def show(desk: Desk, *, id: Number) -> dict[str, Any]:
    """One alert: its text, its problem, and the messages that went out about it.

    Parameters:
        id: the number of an alert
    """
    with desk.database.read() as connection:
        entry = _found(connection, id)
        problem = bulletin.problem(connection, entry.problem_id) if entry.problem_id is not None else None
        note = bulletin.note_of(connection, problem.id) if problem else None
        rows = bulletin.of_problem(connection, problem.id, SHOWN) if problem else []
        sent = bulletin.messages(connection, id, entry.problem_id, SHOWN)
    return _entry(entry) | {
        "text": entry.text,
        "problem": _problem(problem) | {"ack_note": note} if problem else None,
        "alerts": [_entry(one) for one in rows if one.id != id],
        "messages": [
            one | {"created_at": plain.instant(one["created_at"]), "sent_at": plain.instant(one["sent_at"])}
            for one in sent
        ],
    }


def why(desk: Desk, *, id: Number) -> dict[str, Any]:
    """Why an alert was said, held or dropped: what each stage answered, in order.

    Parameters:
        id: the number of an alert
    """
    with desk.database.read() as connection:
        entry = _found(connection, id)
    steps = [line.split(": ", 2) for line in entry.why.splitlines()]
    return _entry(entry) | {
        "stages": [
            {"stage": step[0], "answer": step[1], "reason": step[2]}
            if len(step) == 3
            else {"stage": "", "answer": "", "reason": ": ".join(step)}
            for step in steps
        ]
    }


def ack(desk: Desk, *, id: Number, note: str = "") -> dict[str, Any]:
    """Somebody takes care of this problem: it is not repeated and not escalated until it is over.

    Parameters:
        id: the number of an alert about it
        note: kept with the problem
    """
    with desk.database.write() as connection:
        entry = _found(connection, id)
        problem = bulletin.problem(connection, entry.problem_id) if entry.problem_id is not None else None
        if problem is None:
            raise Refused(f"alert {id} is about nothing that lasts: there is nothing to acknowledge")
        if problem.ended_at is not None:
            raise Refused(f"the problem of alert {id} is over already ({problem.ended_why})")
        bulletin.acknowledge(connection, problem.id, note, desk.now())
        acked = bulletin.problem(connection, problem.id)
    assert acked is not None
    return _problem(acked) | {"ack_note": note}


def silence(desk: Desk, *, for_: str, match: Glob = "*", reason: str = "") -> dict[str, Any]:
    """Maintenance: what matches is journalled and not said, from now on for this long.

    Parameters:
        for: how long, such as 2h
        match: a pattern on the job, the key or the title of alerts; without it, everything
        reason: kept with it
    """
    try:
        length = duration.parse(for_)
    except ValueError as error:
        raise Misfit(str(error)) from None
    if not timedelta(seconds=1) <= length <= LONGEST_SILENCE:
        raise Misfit(f"a silence lasts between 1s and {LONGEST_SILENCE.days}d, not {for_}")
    now = desk.now()
    with desk.database.write() as connection:
        return _silence(bulletin.silence(connection, match, now + length, reason, now))


def silences(desk: Desk) -> list[dict[str, Any]]:
    """The silences in force."""
    if not desk.began:
        return []
    with desk.database.read() as connection:
        return [_silence(one) for one in docket.current_silences(connection, desk.now())]


def unsilence(desk: Desk, *, id: Number) -> dict[str, Any]:
    """End a silence now.

    Parameters:
        id: its number
    """
    now = desk.now()
    with desk.database.write() as connection:
        if not bulletin.end_silence(connection, id, now):
            known = ", ".join(str(one.id) for one in docket.current_silences(connection, now)) or "none"
            raise NotFound(f"no silence {id} is in force (in force: {known})")
    return {"id": id, "until_at": plain.instant(now)}


def counts(desk: Desk, rules: Alerts, zone: str, now: datetime) -> dict[str, Any]:
    """For ``status``: how many of everything, and whether these are quiet hours."""
    until = quiet.until(rules.quiet, zone, now)
    said: dict[str, Any] = {"is_quiet_hours": until is not None, "quiet_until": plain.instant(until)}
    if not desk.began:
        return said | {"alerting": None, "dedup_cache_size": 0}
    with desk.database.read() as connection:
        found = bulletin.counts(connection, now, now - rules.repeat)
    return said | {
        "alerting": {
            "open": found.open, "acknowledged": found.acknowledged, "held": found.held, "queued": found.queued,
            "dead": found.dead, "silences": found.silences,
        },
        "dedup_cache_size": found.known,
    }  # fmt: skip


def _found(connection: docket.Transaction, number: int) -> Entry:
    entry = bulletin.entry(connection, number)
    if entry is None:
        newest = bulletin.newest(connection)
        gone = "it was pruned, or counted with a later one" if number <= newest else f"the newest is {newest}"
        raise NotFound(f"no alert {number} ({gone if newest else 'there are none yet'})")
    return entry


def _problem(one: Problem) -> dict[str, Any]:
    return {
        "id": one.alert_id,
        "severity": one.severity,
        "title": one.title,
        "job": one.job,
        "key": one.key,
        "since_at": plain.instant(one.first_at),
        "last_at": plain.instant(one.last_at),
        "count": one.count,
        "after": one.wanted.after,
        "told": {name: plain.instant(at) for name, at in one.told.items()},
        "told_at": plain.instant(one.told_at),
        "acked_at": plain.instant(one.acked_at),
        "escalated_at": plain.instant(one.escalated_at),
        "ended_at": plain.instant(one.ended_at),
        "ended_why": one.ended_why,
    }


def _entry(one: Entry) -> dict[str, Any]:
    return {
        "id": one.id,
        "at": plain.instant(one.at),
        "kind": one.kind,
        "severity": one.severity,
        "title": one.title,
        "job": one.job,
        "key": one.key,
        "run": one.run_id,
        "verdict": one.verdict,
        "why": one.why.rpartition("\n")[2],
        "judged_at": plain.instant(one.judged_at),
        "until_at": plain.instant(one.until_at),
    }


def _silence(one: Silence) -> dict[str, Any]:
    return {
        "id": one.id,
        "match": one.match,
        "from_at": plain.instant(one.from_at),
        "until_at": plain.instant(one.until_at),
        "reason": one.reason,
    }
