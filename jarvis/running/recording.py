"""How do a pass' decisions become rows? Run inside the pass' one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from jarvis.core import alert as alerts
from jarvis.core import schedule
from jarvis.core.clockfacts import CORRECTION
from jarvis.core.run import Run, Status, schedule_fire
from jarvis.core.schedule import Schedule
from jarvis.core.settle import PUNCTUAL, Fire, Pause
from jarvis.core.triggers import NOTHING, Triggers
from jarvis.running import following
from jarvis.running.telling import missing
from jarvis.running.timetable import Decisions, Line, Timetable
from jarvis.running.trouble import Trouble
from jarvis.store import alerts as told
from jarvis.store import book, journal, runs
from jarvis.store.journal import Note

SPREAD = timedelta(milliseconds=200)
SPREAD_AT_MOST = timedelta(seconds=60)


def record(
    connection: Connection,
    decisions: Decisions,
    now: datetime,
    triggers: Triggers = NOTHING,
    heard: Callable[[Sequence[Note]], None] = lambda notes: None,
) -> list[Run]:
    """Write fires, spans and next fires; returns the runs that may start once this is committed.

    ``heard`` is given the alerts that are written with them. Among the runs are those that follow a fire which was
    missed (``on: {job: backup, status: missed}``).
    """
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
    notes = [*(_unusable(line, why, now) for line, why in decisions.unusable), *missing.notes(decisions, now)]
    journal.add(connection, notes)
    heard(notes)
    over = [run for run in kept if run.status.ended]
    followers = following.follow(connection, over, triggers, now) if over else []
    return [*(run for run in kept if run.status is Status.QUEUED), *followers]


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
        key=alerts.UNUSABLE,
        job=line.name,
        title=f"{line.name}: its schedule cannot be used; the job is set aside until jobs.yaml is edited",
        text=why,
    )


@dataclass(frozen=True, slots=True)
class Renewal:
    """How a line goes on after the clock was set back; memory follows after the commit."""

    line: Line
    era: int
    since_at: datetime
    pauses: list[Pause]

    def apply(self) -> None:
        self.line.era, self.line.since_at = self.era, self.since_at
        self.line.pauses[:] = self.pauses


def begin_era(
    connection: Connection, timetable: Timetable, settled_at: datetime, now: datetime, back: timedelta
) -> list[Renewal]:
    """The clock was set back: jobs that keep a real-time cadence get a new era from ``now``.

    ``settled_at`` is what the clock would show had it not been set back: all moments up to it are settled first.
    Fixed-time jobs wait until the clock is there again, as in cron, unless it was set back by three hours or more.
    The caller applies the renewals after the commit.
    """
    # The step itself may have been noted long before, while the ledger could not be written.
    book.add_fact(connection, "era", settled_at, now, -back.total_seconds())
    told.set_back(connection, settled_at, now)
    found = []
    for line in list(timetable.lines.values()):
        pauses = _carry_over(connection, line, settled_at, now)
        era, since_at = line.era, line.since_at or now
        if timed := _settled(timetable, line, settled_at):
            since_at = line.boundary(settled_at)
            book.end_terms(connection, [(line.name, since_at)])
            if timed.wildcard or back >= CORRECTION:
                timetable.move(line, line.next_after(now))
                era, since_at = line.era + 1, now
                book.raise_eras(connection, [line.name])
            term = {"job": line.name, "definition_id": line.definition, "era": era, "from_at": since_at}
            book.begin_terms(connection, [term])
        found.append(Renewal(line, era, since_at, pauses))
    return found


def _settled(timetable: Timetable, line: Line, at: datetime) -> Schedule | None:
    """The schedule of a line that is due now and then, with everything up to ``at`` settled."""
    return timetable.close(line, at) if line.entry.state == "active" else None


def _carry_over(connection: Connection, line: Line, settled_at: datetime, now: datetime) -> list[Pause]:
    """A pause in force when the clock was set back goes on from the new, earlier time."""
    pause = line.pause_at(settled_at)
    if pause is None or pause.from_at <= now:
        return list(line.pauses)
    book.resume(connection, line.name, settled_at)
    book.pause(connection, line.name, now, pause.until_at, pause.reason)
    ended = [replace(each, until_at=settled_at) if each is pause else each for each in line.pauses]
    return [*ended, replace(pause, from_at=now)]


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
                kind="notice",
                title=f"the ledger could not be written for {round(amount.total_seconds())} s; it can again",
                text=over.why,
            )
        ],
    )
