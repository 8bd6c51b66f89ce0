"""Does this ledger account for everything that was due? Gathers the evidence, job by job, and has it judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from jarvis.core import audit as audits
from jarvis.core.audit import Report, Violation
from jarvis.core.evidence import Frame
from jarvis.store import provenance, testimony
from jarvis.store.database import Database


def audit(database: Database, since: datetime | None, now: datetime) -> Report:
    """Judge the whole ledger from ``since`` on, in one consistent view that no writer has to wait for.

    Memory is bounded by one job's terms and spans; runs are read a few thousand at a time. Raises StoreError.
    """
    with database.read() as connection:
        facts, starts, damaged = testimony.facts(connection)
        frame = Frame(
            now=now,
            since=since,
            horizon=testimony.horizon(connection),
            facts=facts,
            starts=starts,
            events_pruned=provenance.events_pruned(connection),
        )
        report = audits.audit(testimony.evidence(connection, frame), frame)
    unreadable = [Violation(rule="unreadable", job="Jarvis", text=each.what) for each in damaged]
    return replace(report, violations=(*unreadable, *report.violations))
