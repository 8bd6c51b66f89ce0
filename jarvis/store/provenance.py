"""What does the ledger say about causes? Rows whose fire names a run or an event, and ends and events without a row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, text

from jarvis.core import provenance
from jarvis.core.evidence import Caused, Definition, Evidence, Term, Unanswered
from jarvis.store import events
from jarvis.store.tables import from_micros, to_micros

SETTLED = timedelta(seconds=5)
"""What ends so near to the beginning or the end of a definition may have been judged by the one beside it."""

_BEGINNING, _END = -(1 << 62), 1 << 62

_AFTER_RUNS = text(
    "SELECT r.id, r.fire, r.scheduled_at, r.definition_id, c.job, c.status, EXISTS (SELECT 1 FROM runs n"
    " WHERE n.job = c.job AND n.fire = c.fire AND n.attempt > c.attempt) AS again"
    " FROM runs r LEFT JOIN runs c ON c.id = CAST(substr(r.fire, 5) AS INTEGER)"
    " WHERE r.job = :job AND r.fire >= 'run:' AND r.fire < 'run;' AND r.attempt = 1 AND r.scheduled_at >= :begin"
    " ORDER BY r.id"
)
_FOR_EVENTS = text(
    "SELECT r.id, r.fire, r.scheduled_at, r.definition_id, e.id AS event, e.jobs, e.source, e.event_type"
    " FROM runs r LEFT JOIN events e ON e.id = CAST(substr(r.fire, 7) AS INTEGER)"
    " WHERE r.job = :job AND r.fire >= 'event:' AND r.fire < 'event;' AND r.attempt = 1"
    " AND r.scheduled_at >= :begin ORDER BY r.id"
)
_UNFOLLOWED = text(
    "SELECT p.id, p.status, p.ended_at FROM runs p WHERE p.job = :followed AND p.status IN :statuses"
    " AND p.ended_at > :low AND p.ended_at < :high"
    " AND NOT EXISTS (SELECT 1 FROM runs n WHERE n.job = p.job AND n.fire = p.fire AND n.attempt > p.attempt)"
    " AND NOT EXISTS (SELECT 1 FROM runs f WHERE f.job = :job AND f.fire = 'run:' || p.id) ORDER BY p.id"
).bindparams(bindparam("statuses", expanding=True))
_UNHEARD = text(
    "SELECT e.id, e.source, e.event_type, e.matched_at FROM events e WHERE e.matched_at >= :begin"
    " AND instr(e.jobs, :quoted) > 0 AND NOT EXISTS"
    " (SELECT 1 FROM runs r WHERE r.job = :job AND r.fire = 'event:' || e.id) ORDER BY e.id"
)
_UNMATCHED = text(
    "SELECT e.id AS event, e.source, e.event_type, e.matched_at FROM events e WHERE e.matched_at > :low"
    " AND e.matched_at < :high"
    " AND e.jobs IS NOT NULL AND instr(e.jobs, :quoted) = 0 AND NOT (e.status = 'failed' AND e.jobs = '[]')"
    " ORDER BY e.id"
)
"""Events that did not become this job's; those whose payload could not be read became nobody's, and say so."""
_PRUNED = text("SELECT value FROM meta WHERE key = 'events_pruned'")


def events_pruned(connection: Connection) -> int:
    """The highest number of an event that was pruned; a value that cannot be read counts as none."""
    try:
        return int(json.loads(connection.execute(_PRUNED).scalar() or "0"))
    except (TypeError, ValueError):
        return 0


def caused(connection: Connection, evidence: Evidence, begin: datetime | None) -> Iterator[Caused]:
    """The job's rows that say what asked for them. What cannot be read is told of where all rows are judged."""
    asked = {"job": evidence.job, "begin": _micros(begin, _BEGINNING)}
    for row in connection.execute(_AFTER_RUNS, asked):
        if isinstance(row.scheduled_at, int) and isinstance(row.fire, str):
            yield Caused(
                row.id, row.fire, from_micros(row.scheduled_at), row.definition_id,
                there=row.job is not None, job=row.job, status=row.status, again=bool(row.again),
            )  # fmt: skip
    for row in connection.execute(_FOR_EVENTS, asked):
        if isinstance(row.scheduled_at, int) and isinstance(row.fire, str):
            yield Caused(
                row.id, row.fire, from_micros(row.scheduled_at), row.definition_id,
                there=row.event is not None, jobs=None if row.jobs is None else str(row.jobs),
                fits=_fits(connection, evidence.definitions.get(row.definition_id or 0), row),
            )  # fmt: skip


def _fits(connection: Connection, definition: Definition | None, event: Any) -> bool | None:
    """Whether the definition asks for this event, as far as the ledger tells: its payload is read where it counts."""
    if event.event is None or not (isinstance(event.source, str) and isinstance(event.event_type, str)):
        return None

    def payload() -> object:
        return events.payload_of(connection, event.event)

    try:
        return provenance.fits(definition, event.source, event.event_type, payload)
    except ValueError:  # somebody changed it since
        return None


def unanswered(connection: Connection, evidence: Evidence, begin: datetime | None) -> Iterator[Unanswered]:
    """Ends and events that asked for the job while its definition was in force, and have no row."""
    for term in evidence.terms:
        if (definition := evidence.definitions.get(term.definition)) is not None:
            yield from _unfollowed(connection, evidence.job, term, definition, begin)
            if provenance.listens(definition):
                yield from _unmatched(connection, evidence.job, term, definition, begin)
    if any(provenance.listens(definition) for definition in evidence.definitions.values()):
        asked = {
            "job": evidence.job,
            "quoted": json.dumps(evidence.job),
            "begin": _micros(begin, _BEGINNING),
        }
        for row in connection.execute(_UNHEARD, asked):
            what = f"event {row.id} {row.source}/{row.event_type} was matched"
            yield Unanswered(what, from_micros(row.matched_at))


def _unmatched(
    connection: Connection, job: str, term: Term, definition: Definition, begin: datetime | None
) -> Iterator[Unanswered]:
    """Events that were dealt with while this definition was in force, which asks for them, and did not become its."""
    low = max(to_micros(term.from_at + SETTLED), _micros(begin, _BEGINNING))
    high = _END if term.until_at is None else to_micros(term.until_at - SETTLED)
    for row in connection.execute(_UNMATCHED, {"low": low, "high": high, "quoted": json.dumps(job)}):
        if _fits(connection, definition, row):
            what = f"event {row.event} {row.source}/{row.event_type} was matched without it"
            yield Unanswered(what, from_micros(row.matched_at))


def _unfollowed(
    connection: Connection, job: str, term: Term, definition: Definition, begin: datetime | None
) -> Iterator[Unanswered]:
    low = max(to_micros(term.from_at + SETTLED), _micros(begin, _BEGINNING))
    high = _END if term.until_at is None else to_micros(term.until_at - SETTLED)
    for followed, statuses in provenance.follows(definition):
        asked = {"job": job, "followed": followed, "low": low, "high": high, "statuses": sorted(statuses)}
        for row in connection.execute(_UNFOLLOWED, asked):
            yield Unanswered(f"run {row.id} of {followed} {row.status}", from_micros(row.ended_at))


def _micros(at: datetime | None, otherwise: int) -> int:
    return otherwise if at is None else to_micros(at)
