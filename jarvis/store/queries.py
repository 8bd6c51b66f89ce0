"""What do people ask of the ledger? Pages of runs, each job's last one, counts: from indexes, never by a scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, func, null, select, text

from jarvis.core.run import Run
from jarvis.store import runs as rows
from jarvis.store.alert_tables import journal
from jarvis.store.tables import counters, runs, spans, terms

_LONG = ("error", "params")
"""Columns a page of runs does without."""

_NEWEST = (
    "SELECT r.job, r.id, r.status, r.scheduled_at, r.started_at, r.ended_at, r.reason FROM jobs j"
    " JOIN runs r ON r.id = (SELECT id FROM runs WHERE job = j.name AND status != 'queued'"
    " ORDER BY scheduled_at DESC, id DESC LIMIT 1) WHERE j.state != 'retired'"
)
_COLUMNS = tuple(
    runs.c[name] for name in ("job", "id", "status", "scheduled_at", "started_at", "ended_at", "reason")
)
_LAST = text(_NEWEST).columns(*_COLUMNS)
_LAST_OF = (
    text(f"{_NEWEST} AND j.name IN :names").bindparams(bindparam("names", expanding=True)).columns(*_COLUMNS)
)


class Last(NamedTuple):
    """A job's newest run that is more than queued."""

    id: int
    status: str
    scheduled_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Counted:
    """A span: ``count`` moments that share one fate."""

    from_at: datetime
    until_at: datetime
    count: int
    status: str
    reason: str


def last_runs(connection: Connection, names: Sequence[str] | None = None) -> dict[str, Last]:
    """Of each job on the timetable, or of these; one look into the index a job, however long the history."""
    query, values = (_LAST, {}) if names is None else (_LAST_OF, {"names": list(names)})
    return {row[0]: Last(*row[1:]) for row in connection.execute(query, values)}


def page(
    connection: Connection,
    *,
    job: str | None = None,
    statuses: Sequence[str] = (),
    since: datetime | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Run]:
    """Runs, the newest moment first; ``before``: those that follow this run in that order. Without error and params."""
    columns = [null().label(column.name) if column.name in _LONG else column for column in runs.c]
    query: Select[Any] = select(*columns).order_by(runs.c.scheduled_at.desc(), runs.c.id.desc()).limit(limit)
    if job is not None:
        query = query.where(runs.c.job == job)
    if statuses:
        # Nearly all runs succeed: for them the index on status would have to sort nearly all runs.
        column = func.coalesce(runs.c.status, "") if "succeeded" in statuses else runs.c.status
        query = query.where(column.in_(list(statuses)))
    if since is not None:
        query = query.where(runs.c.scheduled_at >= since)
    if before is not None:
        query = query.where(
            text(
                "(runs.scheduled_at, runs.id) <"
                " (SELECT r.scheduled_at, r.id FROM runs r WHERE r.id = :before)"
            ).bindparams(before=before)
        )
    return [rows.read(row) for row in connection.execute(query)]


def ended(connection: Connection, job: str, limit: int) -> list[Run]:
    """The newest ended runs of a job, newest first."""
    open_ones = ["queued", "running"]
    query = select(runs).where(runs.c.job == job, runs.c.status.not_in(open_ones))
    query = query.order_by(runs.c.scheduled_at.desc(), runs.c.id.desc()).limit(limit)
    return [rows.read(row) for row in connection.execute(query)]


def attempts(connection: Connection, run: Run) -> list[Run]:
    """All attempts at this run's fire, in order."""
    query = select(runs).where(runs.c.job == run.job, runs.c.fire == run.fire).order_by(runs.c.attempt)
    return [rows.read(row) for row in connection.execute(query)]


def counted(connection: Connection, job: str, limit: int) -> list[Counted]:
    """The job's newest spans first."""
    columns = (spans.c.from_at, spans.c.until_at, spans.c.count, spans.c.status, spans.c.reason)
    query = select(*columns).where(spans.c.job == job).order_by(spans.c.from_at.desc()).limit(limit)
    return [Counted(*row) for row in connection.execute(query)]


def runs_ever(connection: Connection) -> int:
    """How many run ids were given out, whatever has been pruned since."""
    return int(connection.execute(select(counters.c.value).where(counters.c.name == "run")).scalar() or 0)


def alerts_ever(connection: Connection) -> int:
    """How many alerts were raised, whatever has been pruned since."""
    query = select(journal.c.id).order_by(journal.c.id.desc()).limit(1)
    return int(connection.execute(query).scalar() or 0)


def newest_run(connection: Connection) -> Last | None:
    """The run of the newest moment that has started."""
    query = select(
        runs.c.id, runs.c.status, runs.c.scheduled_at, runs.c.started_at, runs.c.ended_at, runs.c.reason
    )
    query = query.where(runs.c.started_at.is_not(None)).order_by(runs.c.scheduled_at.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else Last(*row)


def last_success(connection: Connection, job: str, now: datetime) -> datetime | None:
    """When the job's newest success ended; those that a clock set back has put into the future do not count."""
    succeeded = (runs.c.job == job) & (runs.c.status == "succeeded") & (runs.c.ended_at <= now)
    query = select(runs.c.ended_at).where(succeeded)
    return connection.execute(query.order_by(runs.c.scheduled_at.desc(), runs.c.id.desc()).limit(1)).scalar()


def lengths(connection: Connection, job: str, most: int) -> list[timedelta]:
    """How long the newest successes took."""
    query = (
        select(runs.c.started_at, runs.c.ended_at)
        .where(runs.c.job == job, runs.c.status == "succeeded", runs.c.started_at.is_not(None))
        .order_by(runs.c.scheduled_at.desc(), runs.c.id.desc())
        .limit(most)
    )
    return [ended_at - started_at for started_at, ended_at in connection.execute(query)]


def due_since(connection: Connection, job: str, now: datetime) -> datetime | None:
    """Since when the job is on the timetable without a break; an edit of it is no break.

    Later than ``now`` only when all that is known of it is, because the clock was set back.
    """
    query = (
        select(terms.c.from_at, terms.c.until_at).where(terms.c.job == job).order_by(terms.c.from_at.desc())
    )
    since: datetime | None = None
    for from_at, until_at in connection.execute(query.limit(1_000)):
        if since is not None and since > now >= from_at:
            since = None
        if since is not None and (until_at is None or until_at < since - timedelta(seconds=1)):
            break
        since = from_at
    return since
