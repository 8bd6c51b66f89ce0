"""Does this ledger account for everything that was due? Gathers the evidence, job by job, and has it judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from jarvis.core import audit as audits
from jarvis.core.audit import Report, Violation
from jarvis.core.evidence import Evidence, Frame
from jarvis.store import testimony
from jarvis.store.database import Database


def audit(database: Database, since: datetime | None, now: datetime) -> Report:
    """Judge the whole ledger from ``since`` on, in one consistent view that no writer has to wait for.

    Memory is bounded by one job's terms and spans; runs are read a few thousand at a time. Raises StoreError.
    """
    with database.read() as connection:
        facts, starts, damaged = testimony.facts(connection)
        frame = Frame(now=now, since=since, horizon=testimony.horizon(connection), facts=facts, starts=starts)
        report = audits.audit(_jobs(connection, frame), frame)
    unreadable = [Violation(rule="unreadable", job="Jarvis", text=each.what) for each in damaged]
    return replace(report, violations=(*unreadable, *report.violations))


def _jobs(connection: Connection, frame: Frame) -> Iterator[Evidence]:
    for name in testimony.names(connection):
        said = testimony.of(connection, name, frame.begin)
        yield Evidence(
            job=name,
            state=said.state,
            next_fire_at=said.next_fire_at,
            definitions=said.definitions,
            terms=said.terms,
            spans=said.spans,
            pauses=said.pauses,
            damaged=said.damaged,
            rows=testimony.rows(connection, name, frame.begin),
            begun=testimony.begun(connection, name, frame.begin),
        )
