"""What do people ask about alerts? Open problems, the journal, one alert with everything about it; ack and silences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, update

from jarvis.core.alert import Problem, Silence
from jarvis.store import database, docket
from jarvis.store.alert_tables import deliveries, journal, problems, silences

_COLUMNS = [column for column in journal.c if column.name != "wanted"]
LOOKED_THROUGH = 5_000
"""The newest messages among which those about one alert are looked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A row of the journal as people see it. ``why``: each stage's answer, a line each."""

    id: int
    at: datetime
    kind: str
    severity: str
    job: str | None
    key: str | None
    run_id: int | None
    title: str
    text: str
    verdict: str
    why: str
    judged_at: datetime | None
    until_at: datetime | None
    problem_id: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """``open``: problems; ``held``: alerts for the next digest; ``queued``, ``dead``: messages; ``known``: problems
    that are not said again for now."""

    open: int
    acknowledged: int
    held: int
    queued: int
    dead: int
    silences: int
    known: int


def open_problems(
    connection: Connection, *, severities: Sequence[str] = (), job: str | None = None, limit: int = 50
) -> list[Problem]:
    """What is wrong now, the newest first."""
    query = (
        select(problems).where(problems.c.ended_at.is_(None)).order_by(problems.c.last_at.desc()).limit(limit)
    )
    if severities:
        query = query.where(problems.c.severity.in_(severities))
    if job is not None:
        query = query.where(problems.c.job == job)
    return [docket.problem(row) for row in connection.execute(query)]


def entries(
    connection: Connection,
    *,
    verdict: str | None = None,
    silenced: bool = False,
    severities: Sequence[str] = (),
    job: str | None = None,
    limit: int = 50,
) -> list[Entry]:
    """Rows of the journal, the newest first. ``silenced``: those that a silence kept from being said."""
    query = select(*_COLUMNS).order_by(journal.c.id.desc()).limit(limit)
    if silenced:
        query = query.where(journal.c.verdict == "silenced")
    if verdict is not None:
        query = query.where(journal.c.verdict == verdict)
    if severities:
        query = query.where(journal.c.severity.in_(severities))
    if job is not None:
        query = query.where(journal.c.job == job)
    return _entries(connection, query)


def entry(connection: Connection, number: int) -> Entry | None:
    """One row with its whole text."""
    return next(iter(_entries(connection, select(*_COLUMNS).where(journal.c.id == number))), None)


def newest(connection: Connection) -> int:
    """The highest number of an alert; 0 when there are none."""
    return int(connection.execute(select(func.coalesce(func.max(journal.c.id), 0))).scalar_one())


def _entries(connection: Connection, query: Select[Any]) -> list[Entry]:
    return [
        Entry(**dict(row._mapping) | {"why": row._mapping["why"] or ""}) for row in connection.execute(query)
    ]


def problem(connection: Connection, number: int) -> Problem | None:
    """One problem, also if it is over."""
    row = connection.execute(select(problems).where(problems.c.id == number)).first()
    return None if row is None else docket.problem(row)


def note_of(connection: Connection, number: int) -> str | None:
    """What was said when the problem was acknowledged."""
    return connection.execute(select(problems.c.ack_note).where(problems.c.id == number)).scalar()


def of_problem(connection: Connection, number: int, limit: int) -> list[Entry]:
    """The newest rows about a problem."""
    query = select(*_COLUMNS).where(journal.c.problem_id == number).order_by(journal.c.id.desc()).limit(limit)
    return _entries(connection, query)


def messages(connection: Connection, alert: int, problem_id: int | None, limit: int) -> list[dict[str, Any]]:
    """The newest messages about an alert or its problem: channel, kind, status, attempts, when, error."""
    columns = deliveries.c
    query = select(
        columns.id, columns.channel, columns.kind, columns.status, columns.attempts, columns.created_at,
        columns.sent_at, columns.error, columns.about, columns.problem_id,
    ).order_by(columns.id.desc())  # fmt: skip
    found = []
    for row in connection.execute(query.limit(LOOKED_THROUGH)):
        shown = dict(row._mapping)
        about, of = shown.pop("about") or (), shown.pop("problem_id")
        if alert in about or (of is not None and of == problem_id):
            found.append(shown)
    return found[:limit]


def results(connection: Connection, run: int) -> list[dict[str, Any]]:
    """The messages with the result of a run, if they are among the newest: channel, status, attempts, when, error."""
    columns = deliveries.c
    newest = select(func.max(columns.id)).scalar_subquery()
    query = select(
        columns.id, columns.channel, columns.status, columns.attempts, columns.created_at, columns.sent_at,
        columns.error,
    ).where(columns.id > newest - LOOKED_THROUGH, columns.kind == "result", columns.run_id == run)  # fmt: skip
    return [dict(row._mapping) for row in connection.execute(query.order_by(columns.id))]


def acknowledge(connection: Connection, number: int, note: str, now: datetime) -> None:
    """Somebody takes care of this problem."""
    change = update(problems).where(problems.c.id == number)
    connection.execute(change.values(acked_at=now, ack_note=note or None))


def silence(connection: Connection, match: str, until_at: datetime, reason: str, now: datetime) -> Silence:
    """A maintenance window from now on."""
    values = {"match": match, "from_at": now, "until_at": until_at, "reason": reason}
    result = connection.execute(insert(silences).values(**values))
    number = int(result.inserted_primary_key[0])  # type: ignore[index]
    return Silence(id=number, match=match, from_at=now, until_at=until_at, reason=reason)


def end_silence(connection: Connection, number: int, now: datetime) -> bool:
    """End a window now; False when there is none of that number in force. Whoever judges is woken after the commit."""
    change = update(silences).where(silences.c.id == number, silences.c.until_at > now)
    connection.info[database.ALERTED] = True
    return connection.execute(change.values(until_at=now)).rowcount == 1


def counts(connection: Connection, now: datetime, since: datetime) -> Counts:
    """How much there is of everything; ``since``: what was told after it is not said again for now."""

    def count(query: Select[Any]) -> int:
        return int(connection.execute(query).scalar_one())

    still = select(func.count()).select_from(problems).where(problems.c.ended_at.is_(None))
    rows = select(func.count()).select_from(journal)
    outbox = select(func.count()).select_from(deliveries)
    return Counts(
        open=count(still),
        acknowledged=count(still.where(problems.c.acked_at.is_not(None))),
        held=count(rows.where(journal.c.verdict == "held")),
        queued=count(outbox.where(deliveries.c.status == "queued")),
        dead=count(outbox.where(deliveries.c.status == "dead")),
        silences=len(docket.current_silences(connection, now)),
        known=count(still.where(problems.c.told_at > since)),
    )
