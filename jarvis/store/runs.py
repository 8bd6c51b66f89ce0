"""What became of each fire? The rows of ``runs``: inserted queued, closed once, read back as core.run.Run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, text

from jarvis.core.run import Run, Status
from jarvis.store.tables import runs, to_json, to_micros

# What is written for every run goes to the driver as it is: rows of plain values, many at a time. SQLAlchemy would
# spend more on each row's parameters than SQLite on the row.
_RESERVE = "UPDATE counters SET value = value + ? WHERE name = 'run' RETURNING value"
_INSERT = (
    "INSERT INTO runs (id, job, fire, attempt, status, scheduled_at, queued_at, not_before, ended_at, reason,"
    " definition_id, params, cause, output_bytes, output_dropped)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0) ON CONFLICT DO NOTHING"
)
_START = "UPDATE runs SET status = ?, started_at = ?, pid = ? WHERE id = ?"
_CLOSE = (
    "UPDATE runs SET status = ?, reason = ?, started_at = ?, ended_at = ?, pid = ?, exit_code = ?, result = ?,"
    " numbers = ?, error = ?, output_bytes = ?, output_dropped = ?, definition_id = ? WHERE id = ?"
)


def reserve(connection: Connection, count: int) -> int:
    """Give out ``count`` run ids in this transaction; returns the first of them."""
    last = connection.exec_driver_sql(_RESERVE, (count,)).scalar_one()
    return int(last) - count + 1


def raise_counter(connection: Connection, least: int) -> None:
    """No id up to ``least`` is given out (again)."""
    connection.execute(
        text("UPDATE counters SET value = :least WHERE name = 'run' AND value < :least"), {"least": least}
    )


def insert(connection: Connection, rows: Sequence[Run]) -> list[Run]:
    """Insert new rows; returns those that are in the ledger now (a fire that was there already is left out)."""
    if not rows:
        return []
    done = connection.exec_driver_sql(_INSERT, [_values(run) for run in rows])
    if done.rowcount == len(rows):
        return list(rows)
    there = set(
        connection.execute(select(runs.c.id).where(runs.c.id.in_([run.id for run in rows]))).scalars()
    )
    return [run for run in rows if run.id in there]


def _values(run: Run) -> tuple[object, ...]:
    return (
        run.id, run.job, run.fire, run.attempt, run.status.value, to_micros(run.scheduled_at),
        to_micros(run.queued_at), _micros(run.not_before), _micros(run.ended_at), run.reason, run.definition,
        to_json(dict(run.params) or None), to_json(dict(run.cause) or None),
    )  # fmt: skip


def _micros(at: datetime | None) -> int | None:
    return None if at is None else to_micros(at)


def mark_started(connection: Connection, started: Iterable[Run]) -> None:
    """These runs are running: status, start and pid."""
    rows = [(run.status.value, _micros(run.started_at), run.pid, run.id) for run in started]
    if rows:
        connection.exec_driver_sql(_START, rows)


def close(connection: Connection, ended: Iterable[Run]) -> None:
    """Write how these runs ended: everything but what they were inserted with."""
    closed = list(ended)
    if not closed:
        return
    done = connection.exec_driver_sql(_CLOSE, [_changes(run) for run in closed])
    if done.rowcount != len(closed):
        # A restored ledger may not know a run that was going on: its end is recorded all the same.
        missing = insert(connection, [run for run in closed if get(connection, run.id) is None])
        if missing:
            connection.exec_driver_sql(_CLOSE, [_changes(run) for run in missing])


def _changes(run: Run) -> tuple[object, ...]:
    return (
        run.status.value, run.reason, _micros(run.started_at), _micros(run.ended_at), run.pid, run.exit_code,
        run.result, to_json(dict(run.numbers) or None), run.error, run.output_bytes, run.output_dropped,
        run.definition, run.id,
    )  # fmt: skip


def read(row: Row[Any]) -> Run:
    """A Run from a row; an unknown status in a tampered ledger is a ValueError."""
    found = row._mapping
    return Run(
        id=found["id"],
        job=found["job"],
        fire=found["fire"],
        attempt=found["attempt"],
        status=Status(found["status"]),
        scheduled_at=found["scheduled_at"],
        queued_at=found["queued_at"],
        not_before=found["not_before"],
        started_at=found["started_at"],
        ended_at=found["ended_at"],
        reason=found["reason"],
        definition=found["definition_id"],
        params=_mapping(found["params"]),
        cause=_mapping(found["cause"]),
        pid=found["pid"],
        exit_code=found["exit_code"],
        result=found["result"],
        numbers=_mapping(found["numbers"]),
        error=found["error"],
        output_bytes=found["output_bytes"],
        output_dropped=found["output_dropped"],
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def unfinished(connection: Connection) -> list[Run]:
    """Queued and running rows, oldest first: what a start has to take up again."""
    query = select(runs).where(runs.c.status.in_(["queued", "running"])).order_by(runs.c.id)
    return [read(row) for row in connection.execute(query)]


def get(connection: Connection, run: int) -> Run | None:
    """One run by its id."""
    row = connection.execute(select(runs).where(runs.c.id == run)).first()
    return None if row is None else read(row)


def tally(connection: Connection, *, since: datetime) -> dict[str, int]:
    """How many runs ended in each status since then."""
    counted = select(runs.c.status, func.count().label("number")).where(runs.c.scheduled_at >= since)
    query = counted.group_by(runs.c.status)
    return {row.status: row.number for row in connection.execute(query)}
