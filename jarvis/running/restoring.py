"""The ledger is damaged, gone or replaced: how does history go on without a hole that nobody explains?

1. What is left is moved aside, never deleted; the newest good copy in ``backups/`` takes its place (or a new ledger).
2. Runs whose directories tell their end get their rows back.
3. Every other moment between what the copy knows and now lies in a span "ledger restored"; nothing is run again.
4. A person is told, loudly.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from jarvis.core import schedule
from jarvis.core.run import Run, Status
from jarvis.core.settle import Span
from jarvis.errors import StoreBusy, StoreError
from jarvis.handling import rundir
from jarvis.running import closing, judging
from jarvis.store import book, events, journal, runs
from jarvis.store import database as databases
from jarvis.store.book import Entry
from jarvis.store.database import Database
from jarvis.store.journal import Note

log = logging.getLogger("jarvis.restoring")

REASON = "ledger restored"
_TICK = timedelta(microseconds=1)
PARTS = ("", "-wal", "-shm")


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """What took the ledger's place: ``copy`` (None: a new, empty ledger), and why."""

    why: str
    copy: Path | None
    aside: Path | None

    def __str__(self) -> str:
        base = f"the copy {self.copy.name}" if self.copy else "nothing: there was no good copy"
        kept = f"; what was left is in {self.aside.name}" if self.aside else ""
        return f"{self.why}; restored from {base}{kept}"


def replace_ledger(database: Database, why: str, now: datetime) -> Restored:
    """Put the newest good copy (or nothing) in the ledger's place. The database is closed and opened again."""
    database.close()
    aside = _set_aside(database.path, now)
    copy = _newest_good(database.path.parent / "backups")
    if copy is not None:
        part = database.path.with_suffix(".part")
        shutil.copyfile(copy, part)
        part.chmod(0o600)
        part.replace(database.path)
    database.open()
    return Restored(why=why, copy=copy, aside=aside)


def open_ledger(database: Database, folder: Path, now: datetime) -> tuple[bool, Restored | None]:
    """Open the ledger at start: is it new, and what took its place when it was damaged or gone.

    Raises StoreError for what only a person can mend (a newer version, a folder that cannot be written).
    """
    damage = _missing(database.path) if any(_numbers(folder)) else None
    new = False
    if damage is None:
        try:
            new = database.open()
            damage = database.damaged()
        except StoreError as error:
            if "damaged" not in str(error):
                raise
            damage = str(error)
    if damage is None:
        return new, None
    return False, replace_ledger(database, damage, now)


def open_patiently(
    database: Database, folder: Path, now: datetime, tries: int, stopping: Callable[[], bool]
) -> tuple[bool, Restored | None]:
    """The same; somebody may hold the ledger for a while (a backup tool at login): that is waited for, and said.

    Raises StoreBusy after ``tries``, or as soon as ``stopping``.
    """
    for left in reversed(range(tries)):
        try:
            opened = open_ledger(database, folder, now)
            with database.write():
                return opened
        except StoreBusy as error:
            if not left or stopping():
                raise
            log.warning("%s", error)
    raise ValueError("a ledger is tried at least once")


def reopen(database: Database, now: datetime) -> Restored:
    """The file was deleted or exchanged while Jarvis ran. One that somebody put there is used if it is good.

    An empty file is none: whoever opens a ledger that was just deleted makes one.
    """
    why = "the ledger's file was deleted or exchanged while Jarvis ran"
    with database.exclusive():
        if _missing(database.path) is None:
            database.close()
            try:
                database.open()
                if database.damaged() is None:
                    return Restored(why=why, copy=database.path, aside=None)
            except StoreError as error:
                why = f"{why}; what lies there cannot be used ({error})"
        return replace_ledger(database, why, now)


def _missing(path: Path) -> str | None:
    """Why there is no ledger to open here, or None."""
    if not path.exists():
        return "the ledger's file is gone"
    return None if path.stat().st_size else "the ledger's file is empty"


def _set_aside(path: Path, now: datetime) -> Path | None:
    kept = None
    for ending in PARTS:
        old = path.with_name(path.name + ending)
        if old.exists():
            to = path.with_name(f"{path.stem}.damaged-{now:%Y%m%dT%H%M%S}{path.suffix}{ending}")
            old.replace(to)
            kept = kept or to
    return kept


def _newest_good(folder: Path) -> Path | None:
    if not folder.is_dir():
        return None
    for copy in sorted(folder.glob("*.sqlite*"), key=lambda path: path.stat().st_mtime, reverse=True):
        candidate = Database(copy)
        try:
            if candidate.damaged() is None and candidate.version() is not None:
                return copy
        finally:
            candidate.close()
    return None


def account(
    database: Database,
    restored: Restored,
    folder: Path,
    now: datetime,
    *,
    known: Mapping[str, datetime | None] | None = None,
    active: Iterable[Run] = (),
) -> None:
    """Rows for runs that left a trace, spans for the rest, one fact and one alert, in one transaction.

    ``known``: the next fire of each job where memory still has it (the ledger went away while Jarvis ran); without
    it everything up to now is accounted for. ``active``: runs that are queued or running right now.
    """
    with database.write() as connection:
        entries = book.entries(connection)
        runs.raise_counter(connection, max([*(run.id for run in active), _highest(folder)], default=0))
        found = _traces(connection, folder, {run.id for run in active}, entries, now)
        runs.insert(connection, [*found, *active])
        runs.mark_started(connection, [run for run in (*found, *active) if run.status is Status.RUNNING])
        runs.close(connection, [run for run in found if run.status.ended])
        for number in events.numbers(found):
            events.hold_place(connection, number, now)
        for entry in entries.values():
            until = now + _TICK if known is None else known.get(entry.name)
            _explain(connection, entry, found, until or now + _TICK, now)
        amount = _age(restored.copy, now)
        book.add_fact(connection, "restored", now - amount, now, amount.total_seconds(), str(restored))
        if restored.copy is None:
            databases.remember(connection, "horizon", now.isoformat())
        title = f"ledger restored: {restored.why}"
        note = Note(
            at=now, severity="critical", key="restored", kind="notice", title=title, text=str(restored)
        )
        journal.add(connection, [note])
    log.critical("ledger restored: %s", restored)


def _explain(
    connection: Connection, entry: Entry, found: Sequence[Run], until: datetime, now: datetime
) -> None:
    """Spans for the moments of a job that left no trace, and its next fire."""
    if entry.next_fire_at is None or entry.state != "active":
        return
    job = entry.job()
    timed = schedule.for_job(job)
    if timed is None:
        return
    rows = sorted(
        run.scheduled_at
        for run in found
        if run.job == entry.name
        and run.scheduled
        and run.attempt == 1
        and entry.next_fire_at <= run.scheduled_at < until
    )
    begin = entry.next_fire_at
    for at in [*rows, until]:
        if count := timed.count(begin - _TICK, at - _TICK):
            span = Span(from_at=begin, until_at=at, count=count, status=Status.MISSED, reason=REASON)
            book.add_spans(connection, [(entry.name, entry.definition, entry.era, span)], now)
        begin = at + _TICK
    following = timed.next(until - _TICK)
    book.advance(connection, [(entry.name, following.at if following else None)])


def _traces(
    connection: Connection, folder: Path, active: set[int], entries: Mapping[str, Entry], now: datetime
) -> list[Run]:
    """Runs that have a directory but no row, as their claims and results tell them."""
    found = []
    for number in _numbers(folder):
        if number in active or runs.get(connection, number) is not None:
            continue
        claim = rundir.read_claim(folder, number)
        if claim is None or not claim.job:
            continue
        found.append(_from_trace(folder, claim, entries.get(claim.job), now))
    return found


def _from_trace(folder: Path, claim: rundir.Claim, entry: Entry | None, now: datetime) -> Run:
    run = Run(
        id=claim.run,
        job=claim.job,
        fire=claim.fire,
        attempt=claim.attempt,
        status=Status.RUNNING,
        scheduled_at=_scheduled_at(claim),
        queued_at=claim.at,
        started_at=claim.at,
        definition=entry.definition if entry else None,
    )
    match rundir.find(folder, claim.run):
        case rundir.Finished(result=result) if entry is not None:
            left = closing.outcome(rundir.read_outcome(folder, claim.run))
            return judging.supervised(run, entry.job(), result, left, now).run
        case rundir.Alive():
            return run
        case _:
            why = f"{REASON}: how it ended is not known"
            return judging.closed(run, Status.LOST, why, now)


def _scheduled_at(claim: rundir.Claim) -> datetime:
    kind, _, key = claim.fire.partition(":")
    if kind != "schedule":
        return claim.at
    return datetime.fromisoformat(key.partition("#")[0].partition("@")[0].replace("Z", "+00:00")).astimezone(
        UTC
    )


def _numbers(folder: Path) -> Iterable[int]:
    for block in sorted(folder.glob("[0-9]*")):
        for run in sorted(block.glob("[0-9]*")):
            if run.name.isdigit():
                yield int(run.name)


def _highest(folder: Path) -> int:
    return max(_numbers(folder), default=0)


def _age(copy: Path | None, now: datetime) -> timedelta:
    if copy is None:
        return timedelta(0)
    return max(now - datetime.fromtimestamp(copy.stat().st_mtime, UTC), timedelta(0))
