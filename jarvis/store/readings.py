"""What do rules read in the ledger? The history of a job, the numbers of its runs, the samples of this machine."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Boolean, Column, Connection, Float, Integer, and_, func, select

from jarvis.core import matching
from jarvis.errors import NotFound
from jarvis.store.sample_tables import samples
from jarvis.store.tables import definitions, jobs, runs

EARLIER = timedelta(days=2)
"""A run whose moment was so long before the window may still have ended in it."""
BAD = ("failed", "timed_out", "lost")
READ = 2_000
NEWEST = 100
SAMPLED = {
    column.name: column
    for column in samples.c
    if column.name != "id" and isinstance(column.type, Float | Integer | Boolean)
}
"""The numbers of a sample."""


def history(connection: Connection, job: str) -> matching.History:
    """What the ledger knows of a job. Raises NotFound when it knows none of that name."""
    _on_the_timetable(connection, job)
    known = select(func.min(definitions.c.created_at)).where(definitions.c.job == job)
    succeeded = _newest_end(connection, job)
    failing, failures = _failures(connection, job, succeeded)
    ended = select(runs.c.started_at, runs.c.ended_at).where(
        runs.c.job == job, runs.c.ended_at.is_not(None), runs.c.started_at.is_not(None)
    )
    took = connection.execute(ended.order_by(runs.c.scheduled_at.desc(), runs.c.id.desc()).limit(1)).first()
    at_work = select(func.min(runs.c.started_at)).where(runs.c.job == job, runs.c.status == "running")
    return matching.History(
        job=job,
        known_since=connection.execute(known).scalar_one(),
        succeeded_at=succeeded,
        failing_since=failing,
        failures=failures,
        took=took[1] - took[0] if took else None,
        running_since=connection.execute(at_work).scalar(),
    )


def values(connection: Connection, metric: str, since: datetime, until: datetime) -> list[float]:
    """What was read after ``since`` up to ``until``, oldest first: ``job.number`` or a field of samples.

    Raises NotFound when there is neither such a job nor such a field.
    """
    if found := _job_of(connection, metric):
        return _numbers(connection, *found, since, until)
    if metric not in SAMPLED:
        jobs_known = list(connection.execute(select(jobs.c.name).where(jobs.c.state != "retired")).scalars())
        what = nearest("job", metric.rpartition(".")[0] or metric, jobs_known)
        raise NotFound(f"{what}, and samples have no {metric!r} (they have {', '.join(SAMPLED)})")
    return _sampled(connection, SAMPLED[metric], since, until)


def nearest(what: str, name: str, known: Iterable[str]) -> str:
    """The sentence about a name that nobody has, with the one that was probably meant."""
    there = sorted(known)
    near = difflib.get_close_matches(name, there, 1)
    hint = (
        f" (did you mean {near[0]!r}?)" if near else f"; there are {', '.join(there[:20])}" if there else ""
    )
    return f"there is no {what} {name!r}{hint}"


def _on_the_timetable(connection: Connection, job: str) -> None:
    known = {row.name: row.state for row in connection.execute(select(jobs.c.name, jobs.c.state))}
    if job not in known:
        raise NotFound(nearest("job", job, [name for name, state in known.items() if state != "retired"]))
    if known[job] == "retired":
        raise NotFound(f"there is no job {job!r} any more: it is gone from jobs.yaml")


def _newest_end(connection: Connection, job: str) -> datetime | None:
    """When it last succeeded: a look at its newest moments, however long the history."""
    newest = select(runs.c.ended_at).where(runs.c.job == job, runs.c.status == "succeeded")
    newest = newest.order_by(runs.c.scheduled_at.desc(), runs.c.id.desc()).limit(NEWEST)
    return max(connection.execute(newest).scalars(), default=None)


def _failures(connection: Connection, job: str, after: datetime | None) -> tuple[datetime | None, int]:
    """Since when it fails, and how many fires in a row; one whose next attempt is to come has not failed yet."""
    open_ones = select(runs.c.fire).where(runs.c.job == job, runs.c.status.in_(("queued", "running")))
    bad = and_(runs.c.job == job, runs.c.status.in_(BAD), runs.c.fire.not_in(open_ones))
    if after is not None:
        bad = and_(bad, runs.c.ended_at > after)
    row = connection.execute(
        select(func.min(runs.c.ended_at), func.count(runs.c.fire.distinct())).where(bad)
    ).one()
    return row[0], row[1]


def _job_of(connection: Connection, metric: str) -> tuple[str, str] | None:
    """The job and its number that ``job.number`` names (both may hold dots); None when no job is meant."""
    parts = metric.split(".")
    names = [".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1)]
    known = set(connection.execute(select(jobs.c.name).where(jobs.c.name.in_(names))).scalars())
    job = next((name for name in names if name in known), None)
    return (job, metric[len(job) + 1 :]) if job else None


def _numbers(connection: Connection, job: str, name: str, since: datetime, until: datetime) -> list[float]:
    """A number of the job's runs that ended then; ``seconds`` is how long each took, unless it says so itself."""
    query = select(runs.c.numbers, runs.c.started_at, runs.c.ended_at).where(
        runs.c.job == job,
        runs.c.scheduled_at >= since - EARLIER,
        runs.c.ended_at > since,
        runs.c.ended_at <= until,
    )
    found = []
    rows = connection.execution_options(yield_per=READ).execute(query.order_by(runs.c.ended_at, runs.c.id))
    for numbers, started, ended in rows:
        if name in (numbers or {}):
            found.append(float(numbers[name]))
        elif name == "seconds" and started:
            found.append((ended - started).total_seconds())
    return found


def _sampled(connection: Connection, column: Column[float], since: datetime, until: datetime) -> list[float]:
    """A field of the samples of that time; what was not known then is left out."""
    query = select(column).where(samples.c.at > since, samples.c.at <= until, column.is_not(None))
    rows = connection.execution_options(yield_per=READ).execute(query.order_by(samples.c.at, samples.c.id))
    return [float(value) for value in rows.scalars()]
