"""Which jobs are there, under which definition since when, paused when, and up to where are they accounted for?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text, update

from jarvis.core import job as job_model
from jarvis.core.clockfacts import Fact
from jarvis.core.job import Job
from jarvis.core.settle import Pause, Span
from jarvis.store.tables import Instant, definitions, facts, jobs, pauses, spans, terms, to_micros


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A job's row: what the clock needs to know without building the job."""

    name: str
    definition: int
    fingerprint: str
    python: bool
    body: Mapping[str, Any]
    origin: str
    state: str
    switch: bool | None
    era: int
    next_fire_at: datetime | None

    def job(self) -> Job:
        """The job as it was last defined."""
        return job_model.load(self.name, dict(self.body), python=self.python)


def entries(connection: Connection, *, retired: bool = False) -> dict[str, Entry]:
    """Every job by name."""
    query = select(jobs, definitions.c.fingerprint, definitions.c.body, definitions.c.python).join_from(
        jobs, definitions, jobs.c.definition_id == definitions.c.id
    )
    if not retired:
        query = query.where(jobs.c.state != "retired")
    return {
        row.name: Entry(
            name=row.name, definition=row.definition_id, fingerprint=row.fingerprint, python=row.python,
            body=row.body, origin=row.origin, state=row.state, switch=row.switch, era=row.era,
            next_fire_at=row.next_fire_at,
        )
        for row in connection.execute(query)
    }  # fmt: skip


def job_of_definition(connection: Connection, number: int) -> Job | None:
    """The job as one stored definition has it."""
    row = connection.execute(select(definitions).where(definitions.c.id == number)).first()
    return None if row is None else job_model.load(row.job, row.body, python=row.python)


def define(connection: Connection, new: Sequence[tuple[Job, bool]], at: datetime) -> dict[str, int]:
    """Store these definitions (job, is it a Python handler) where they are new; job name -> definition id."""
    if not new:
        return {}
    rows = [
        {
            "job": job.name,
            "fingerprint": job.fingerprint(),
            "body": job.dump(),
            "python": python,
            "created_at": at,
        }
        for job, python in new
    ]
    known = _known(connection, rows)
    fresh = [row for row in rows if (row["job"], row["fingerprint"]) not in known]
    if fresh:
        connection.execute(insert(definitions), fresh)
        known = _known(connection, rows)
    return {job.name: known[job.name, job.fingerprint()] for job, _python in new}


def _known(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for start in range(0, len(rows), 500):
        names = [row["job"] for row in rows[start : start + 500]]
        query = select(definitions.c.job, definitions.c.fingerprint, definitions.c.id)
        for name, fingerprint, number in connection.execute(query.where(definitions.c.job.in_(names))):
            found[name, fingerprint] = number
    return found


_PUT = text(
    "INSERT INTO jobs (name, definition_id, origin, state, switch, era, next_fire_at)"
    " VALUES (:name, :definition_id, :origin, :state, :switch, :era, :next_fire_at)"
    " ON CONFLICT (name) DO UPDATE SET definition_id = :definition_id, origin = :origin, state = :state,"
    " switch = :switch, era = :era, next_fire_at = :next_fire_at"
).bindparams(bindparam("next_fire_at", type_=Instant))


def put(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert or replace job rows (keys: the columns of ``jobs``)."""
    if rows:
        connection.execute(_PUT, list(rows))


_ADVANCE = "UPDATE jobs SET next_fire_at = ? WHERE name = ?"


def advance(connection: Connection, moved: Sequence[tuple[str, datetime | None]]) -> None:
    """Set the next fire of each of these jobs."""
    if moved:
        # Plain values for the driver, as in runs.insert: this is done for every fire.
        rows = [(None if at is None else to_micros(at), name) for name, at in moved]
        connection.exec_driver_sql(_ADVANCE, rows)


def eras(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """The era each of these jobs (also retired ones) is in; jobs never seen are left out."""
    found: dict[str, int] = {}
    for start in range(0, len(names), 500):
        query = select(jobs.c.name, jobs.c.era).where(jobs.c.name.in_(names[start : start + 500]))
        found |= {row.name: row.era for row in connection.execute(query)}
    return found


def boundaries(connection: Connection, names: Sequence[str] | None = None) -> dict[str, datetime]:
    """Where each job's last term in its present era began or ended: no later term may begin before it."""
    last = func.max(func.coalesce(terms.c.until_at, terms.c.from_at, type_=Instant))
    present = (jobs.c.name == terms.c.job) & (jobs.c.era == terms.c.era)
    query = select(terms.c.job, last).join_from(terms, jobs, present).group_by(terms.c.job)
    if names is None:
        return {row.job: row[1] for row in connection.execute(query)}
    found: dict[str, datetime] = {}
    for start in range(0, len(names), 500):
        some = query.where(terms.c.job.in_(names[start : start + 500]))
        found |= {row.job: row[1] for row in connection.execute(some)}
    return found


def raise_eras(connection: Connection, names: Sequence[str]) -> None:
    """These jobs are in their next era."""
    if names:
        change = update(jobs).where(jobs.c.name == bindparam("job")).values(era=jobs.c.era + 1)
        connection.execute(change, [{"job": name} for name in names])


def begin_terms(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Open terms: job, definition_id, era, from_at."""
    if rows:
        connection.execute(insert(terms), [{"until_at": None, **row} for row in rows])


def end_terms(connection: Connection, ended: Sequence[tuple[str, datetime]]) -> None:
    """Close the open term of each job at this instant."""
    if ended:
        change = update(terms).where(terms.c.job == bindparam("name"), terms.c.until_at.is_(None))
        connection.execute(
            change.values(until_at=bindparam("at")), [{"name": name, "at": at} for name, at in ended]
        )


def add_spans(connection: Connection, rows: Sequence[tuple[str, int, int, Span]], at: datetime) -> None:
    """Insert counted spans (job, definition, era, span)."""
    if rows:
        connection.execute(
            insert(spans),
            [
                {
                    "job": job, "definition_id": definition, "era": era, "from_at": span.from_at,
                    "until_at": span.until_at, "count": span.count, "status": span.status.value,
                    "reason": span.reason, "recorded_at": at,
                }
                for job, definition, era, span in rows
            ],
        )  # fmt: skip


_GROW = text(
    "UPDATE spans SET until_at = :until_at, count = count + :count WHERE id = (SELECT max(id) FROM spans"
    " WHERE job = :job AND until_at <= :from_at AND definition_id = :definition_id AND era = :era"
    " AND status = :status AND reason = :reason)"
    " AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.job = :job AND runs.scheduled_at >= spans.until_at"
    " AND runs.scheduled_at < :until_at AND runs.fire LIKE 'schedule:%')"
    " AND NOT EXISTS (SELECT 1 FROM spans later WHERE later.job = :job AND later.id > spans.id)"
).bindparams(bindparam("until_at", type_=Instant), bindparam("from_at", type_=Instant))


def grow_span(connection: Connection, job: str, definition: int, era: int, span: Span, at: datetime) -> None:
    """Add to the job's last span when it tells the same story without a break; else insert a new one.

    Keeps the history of a long pause in one row.
    """
    grown = connection.execute(
        _GROW,
        {
            "job": job, "definition_id": definition, "era": era, "from_at": span.from_at,
            "until_at": span.until_at, "count": span.count, "status": span.status.value, "reason": span.reason,
        },
    )  # fmt: skip
    if not grown.rowcount:
        add_spans(connection, [(job, definition, era, span)], at)


def pauses_of(connection: Connection, job: str) -> list[Pause]:
    """One job's pauses, oldest first."""
    query = select(pauses).where(pauses.c.job == job).order_by(pauses.c.id)
    return _pauses(connection.execute(query)).get(job, [])


def all_pauses(connection: Connection, since: datetime | None = None) -> dict[str, list[Pause]]:
    """The whole history of pauses: job -> pauses, oldest first."""
    query = select(pauses).order_by(pauses.c.id)
    if since is not None:
        query = query.where(pauses.c.until_at.is_(None) | (pauses.c.until_at >= since))
    return _pauses(connection.execute(query))


def _pauses(rows: Any) -> dict[str, list[Pause]]:
    found: dict[str, list[Pause]] = {}
    for row in rows:
        found.setdefault(row.job, []).append(
            Pause(from_at=row.from_at, until_at=row.until_at, reason=row.reason)
        )
    return found


def pause(connection: Connection, job: str, at: datetime, until_at: datetime | None, reason: str) -> None:
    """Open a pause."""
    connection.execute(insert(pauses).values(job=job, from_at=at, until_at=until_at, reason=reason))


def resume(connection: Connection, job: str, at: datetime) -> None:
    """End every pause of the job that is still running at ``at``."""
    running = pauses.c.until_at.is_(None) | (pauses.c.until_at > at)
    connection.execute(update(pauses).where(pauses.c.job == job, running).values(until_at=at))


def add_fact(
    connection: Connection,
    kind: str,
    from_at: datetime,
    until_at: datetime,
    amount: float = 0.0,
    detail: str = "",
) -> None:
    """Note what happened to the clock or the process."""
    connection.execute(
        insert(facts).values(kind=kind, from_at=from_at, until_at=until_at, amount=amount, detail=detail)
    )


def note_fact(connection: Connection, fact: Fact) -> None:
    """The same, from a value."""
    add_fact(connection, fact.kind, fact.from_at, fact.until_at, fact.amount.total_seconds(), fact.detail)


def forget_terms(connection: Connection, before: datetime) -> int:
    """Drop terms, spans and pauses that ended before; how many rows went."""
    gone = 0
    for table in (terms, spans, pauses, facts):
        # A clock that was set back ends before it begins.
        old = (table.c.until_at < before) & (table.c.from_at < before)
        gone += connection.execute(delete(table).where(old)).rowcount
    return gone
