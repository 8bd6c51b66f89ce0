"""Which numbers were recorded lately? Those that runs left, and those of pause sampling."""

from __future__ import annotations

import difflib
from datetime import datetime

from sqlalchemy import Boolean, String, select

from jarvis.errors import NotFound
from jarvis.store.database import Database
from jarvis.store.sample_tables import samples
from jarvis.store.tables import jobs, runs

MOST = 100_000
"""So many values are looked at, the newest."""
_UNMEASURED = {"id", "at"}


class Metrics:
    """The recorded numbers of one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_runs(self, job: str, number: str, since: datetime) -> list[float]:
        """What the runs of a job that ended since then said for a number, the oldest first."""
        query = (
            select(runs.c.numbers)
            .where(runs.c.job == job, runs.c.ended_at >= since, runs.c.numbers.is_not(None))
            .order_by(runs.c.ended_at.desc())
            .limit(MOST)
        )
        with self._database.read() as connection:
            found = connection.execute(query).scalars().all()
        return [float(one[number]) for one in reversed(found) if isinstance(one, dict) and number in one]

    def of_samples(self, name: str, since: datetime) -> list[float]:
        """What pause sampling measured since then, the oldest first; unknown values are left out.

        Raises NotFound when nothing of that name is sampled.
        """
        known = [one.name for one in samples.c if one.name not in _UNMEASURED and _numeric(one.type)]
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise NotFound(f"no sample {name!r} ({hint})")
        column = samples.c[name]
        query = select(column).where(samples.c.at >= since, column.is_not(None))
        with self._database.read() as connection:
            found = connection.execute(query.order_by(samples.c.at.desc()).limit(MOST)).scalars().all()
        return [float(value) for value in reversed(found)]

    def begun(self, job: str) -> bool:
        """Whether a run of the job has ended, ever; true of a job that is not on the timetable: none will."""
        known = select(jobs.c.name).where(jobs.c.name == job, jobs.c.state == "active")
        ended = select(runs.c.id).where(
            runs.c.job == job, runs.c.ended_at.is_not(None), runs.c.started_at.is_not(None)
        )
        with self._database.read() as connection:
            return (
                connection.execute(known).first() is None
                or connection.execute(ended.limit(1)).first() is not None
            )

    def sampled(self) -> bool:
        """Whether pause sampling has written anything."""
        with self._database.read() as connection:
            return connection.execute(select(samples.c.id).limit(1)).first() is not None


def _numeric(kind: object) -> bool:
    return not isinstance(kind, String | Boolean)
