"""How do a pass' decisions become rows? Run inside the pass' one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from jarvis.core import schedule
from jarvis.core.clockfacts import CORRECTION
from jarvis.core.run import Run, Status, schedule_fire
from jarvis.core.settle import PUNCTUAL, Fire
from jarvis.running.timetable import Decisions, Line, Timetable
from jarvis.running.trouble import Trouble
from jarvis.store import book, journal, runs
from jarvis.store.journal import Note

SPREAD = timedelta(milliseconds=200)
SPREAD_AT_MOST = timedelta(seconds=60)


def record(connection: Connection, decisions: Decisions, now: datetime) -> list[Run]:
    """Write fires, spans and next fires; returns the runs that may start once this is committed."""
    if decisions.empty:
        return []
    first = runs.reserve(connection, len(decisions.fires)) if decisions.fires else 0
    late = 0
    rows = []
    for number, (line, fire) in enumerate(decisions.fires, first):
        delay = None
        if fire.status is Status.QUEUED and now - fire.at > PUNCTUAL:
            delay = now + min(SPREAD * late, SPREAD_AT_MOST)
            late += 1
        rows.append(_row(number, line, fire, now, delay))
    kept = runs.insert(connection, rows)
    for line, span in decisions.spans:
        book.grow_span(connection, line.name, line.definition, line.era, span, now)
    book.advance(connection, [(line.name, next_at) for line, _old, next_at in decisions.moved])
    journal.add(connection, [_unusable(line, why, now) for line, why in decisions.unusable])
    return [run for run in kept if run.status is Status.QUEUED]


def _row(number: int, line: Line, fire: Fire, now: datetime, delay: datetime | None) -> Run:
    jitter = line.job.jitter
    if jitter is not None:
        jittered = fire.at + schedule.jitter_delay(line.name, fire.at, jitter)
        delay = max(delay, jittered) if delay else jittered
    return Run(
        id=number,
        job=line.name,
        fire=schedule_fire(fire.at, repeat=fire.repeat, era=line.era),
        attempt=1,
        status=fire.status,
        scheduled_at=fire.at,
        queued_at=now,
        not_before=delay,
        ended_at=None if fire.status is Status.QUEUED else now,
        reason=fire.reason,
        definition=line.definition,
    )


def _unusable(line: Line, why: str, now: datetime) -> Note:
    return Note(
        at=now,
        severity="high",
        key=f"unusable:{line.name}",
        job=line.name,
        title=f"{line.name}: its schedule cannot be used; the job is set aside until jobs.yaml is edited",
        text=why,
    )


def begin_era(
    connection: Connection, timetable: Timetable, settled_at: datetime, now: datetime, back: timedelta
) -> Sequence[Line]:
    """The clock was set back: jobs that keep a real-time cadence get a new era from ``now``.

    Moments up to ``settled_at`` (the last pass before the step) were accounted for in the old one. Fixed-time jobs
    wait for their next fire, as in cron, unless the step is a correction of three hours or more. Returns the lines
    whose era the caller raises after the commit.
    """
    renewed = []
    for line in list(timetable.lines.values()):
        if line.schedule is None or not (line.schedule.wildcard or back >= CORRECTION):
            continue
        timetable.settle(line, settled_at, line.next_after(now))
        renewed.append(line)
    book.end_terms(connection, [(line.name, settled_at) for line in renewed])
    book.begin_terms(
        connection,
        [
            {"job": line.name, "definition_id": line.definition, "era": line.era + 1, "from_at": now}
            for line in renewed
        ],
    )
    book.raise_eras(connection, [line.name for line in renewed])
    return renewed


def recovered(connection: Connection, over: Trouble, now: datetime) -> None:
    """The ledger can be written again: the gap is a fact, and a person hears of it."""
    amount = max(now - over.since_at, timedelta(0))
    book.add_fact(connection, "degraded", over.since_at, now, amount.total_seconds(), over.why)
    journal.add(
        connection,
        [
            Note(
                at=now,
                severity="high",
                key="degraded:ledger",
                title=f"the ledger could not be written for {round(amount.total_seconds())} s; it can again",
                text=over.why,
            )
        ],
    )
