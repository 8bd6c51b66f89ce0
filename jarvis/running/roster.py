"""Who is on the timetable, under which definition since when, paused or switched off? Every change is settled first.

The roster is the only writer of jobs, definitions, terms and pauses. Each change settles the job's moments up to
now under its old rules and begins the new ones, in one transaction (Clock.changing).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from jarvis.config import secrets
from jarvis.core import plan as plans
from jarvis.core import schedule
from jarvis.core.job import Job
from jarvis.core.plan import Plan
from jarvis.core.run import Run, Status
from jarvis.core.settle import Pause
from jarvis.errors import NotFound, Refused
from jarvis.running.clock import Change, Clock
from jarvis.running.timetable import Line
from jarvis.store import book, runs
from jarvis.store.book import Entry
from jarvis.store.database import Database

GONE = "removed from jobs.yaml"
SECRET_FIELDS = ("env", "with", "stdin")
"""Where a definition may refer to secrets."""


class Roster:
    """All jobs of this instance. Reads are safe from any thread."""

    def __init__(self, *, clock: Clock, database: Database, is_python: Callable[[str], bool]) -> None:
        self._clock = clock
        self._database = database
        self._is_python = is_python
        self._broken: Mapping[str, str] = {}
        self._secret_variables: frozenset[str] | None = None

    # What the conductor and the verbs ask.

    @property
    def lines(self) -> dict[str, Line]:
        return self._clock.timetable.lines

    @property
    def changes(self) -> int:
        """Rises whenever a job was added, changed, paused or switched."""
        return self._clock.changes

    def line(self, name: str) -> Line:
        """One job. Raises NotFound with the nearest name."""
        line = self.lines.get(name)
        if line is None:
            raise NotFound(unknown("job", name, self.lines))
        return line

    def job(self, name: str) -> Job | None:
        line = self.lines.get(name)
        return line.job if line else None

    def paused(self, name: str, now: datetime) -> str | None:
        line = self.lines.get(name)
        pause = line.pause_at(now) if line else None
        return pause.reason if pause else None

    def broken(self, name: str) -> str | None:
        return self._broken.get(name)

    def secret_variables(self) -> frozenset[str]:
        """Variables of the environment that are a secret of some job (``!secret env:NAME``)."""
        if self._secret_variables is None:
            found = (
                reference.removeprefix("env:")
                for line in self.lines.copy().values()
                for field in SECRET_FIELDS
                for reference in secrets.references(line.entry.body.get(field))
                if reference.startswith("env:")
            )
            self._secret_variables = frozenset(found)
        return self._secret_variables

    def fingerprints(self) -> dict[str, str]:
        """Of the jobs that came from jobs.yaml."""
        return {
            name: line.entry.fingerprint for name, line in self.lines.items() if line.entry.origin == "file"
        }

    # At start.

    def open(self) -> None:
        """The timetable as the ledger remembers it."""
        with self._database.read() as connection:
            known = book.entries(connection)
            pauses = book.all_pauses(connection)
            since = book.boundaries(connection)
        self._clock.timetable.fill(
            Line(entry, pauses=pauses.get(name, ()), since_at=since.get(name))
            for name, entry in known.items()
        )

    def begin(self, daemon: str, boot: str) -> None:
        """This daemon starts: the fact, and with it the fires of ``start: daemon`` and ``start: boot``.

        Each fires once per daemon or once per boot; a daemon killed before this has not started.
        """
        keys = {"daemon": f"start:{daemon}", "boot": f"start:{boot}"}
        with self._clock.changing() as change:
            now = change.now
            book.add_fact(change.connection, "start", now, now, 0.0, f"daemon {daemon} boot {boot}")
            asked = [
                (line, keys[kind])
                for line in self.lines.values()
                if line.entry.state == "active"
                for kind in _starts(line)
            ]
            first = runs.reserve(change.connection, len(asked))
            rows = [
                Run(
                    id=number, job=line.name, fire=fire, attempt=1, status=Status.QUEUED,
                    scheduled_at=change.now, queued_at=change.now, definition=line.definition,
                )
                for number, (line, fire) in enumerate(asked, first)
            ]  # fmt: skip
            change.released += runs.insert(change.connection, rows)

    # Edits of jobs.yaml.

    def mark_broken(self, broken: Mapping[str, str]) -> None:
        """Jobs whose handler cannot be used right now, with the reason."""
        self._broken = dict(broken)

    def compare(self, fingerprints: Mapping[str, str]) -> Plan:
        """What these definitions would change."""
        return plans.plan(self.fingerprints(), fingerprints)

    def apply(self, change_plan: Plan, jobs: Mapping[str, Job]) -> None:
        """Make the jobs of the file the jobs of the timetable."""
        if change_plan.empty:
            return
        with self._clock.changing() as change:
            for name in change_plan.removed:
                self._retire(change, self.lines[name])
            arriving = [jobs[name] for name in (*change_plan.added, *change_plan.changed)]
            self._define(change, arriving)
        self._secret_variables = None

    def _retire(self, change: Change, line: Line) -> None:
        change.timetable.close(line, change.now)
        change.timetable.move(line, None)
        _withdraw(change, line)
        book.end_terms(change.connection, [(line.name, line.boundary(change.now))])
        row = _row(line.entry, state="retired", era=line.era, next_fire_at=None)
        book.put(change.connection, [row])
        change.after(lambda: change.timetable.drop(line.name))

    def _define(self, change: Change, arriving: Sequence[Job]) -> None:
        python = {job.name: self._python(job) for job in arriving}
        numbers = book.define(change.connection, [(job, python[job.name]) for job in arriving], change.now)
        eras = book.eras(change.connection, [job.name for job in arriving])
        old = [line for job in arriving if (line := self.lines.get(job.name))]
        for line in old:
            change.timetable.close(line, change.now)
        book.end_terms(change.connection, [(line.name, line.boundary(change.now)) for line in old])
        ended = book.boundaries(change.connection, [job.name for job in arriving])
        since = {job.name: max(change.now, ended.get(job.name, change.now)) for job in arriving}
        entries = [
            self._entry(job, python[job.name], numbers[job.name], eras.get(job.name, 0), since[job.name])
            for job in arriving
        ]
        # The rows replace the next fires of the lines just settled, which are written before.
        change.put_after_moves([_row(entry) for entry in entries])
        opened = [entry for entry in entries if entry.state == "active"]
        book.begin_terms(change.connection, [_term(entry, since[entry.name]) for entry in opened])
        for entry, job in zip(entries, arriving, strict=True):
            known = self.lines.get(job.name)
            pauses = known.pauses if known else book.pauses_of(change.connection, job.name)
            line = Line(entry, job=job, pauses=pauses, since_at=since[job.name]).resting(change.now)
            change.after(lambda line=line: change.timetable.put(line))  # type: ignore[misc]

    def _python(self, job: Job) -> bool:
        try:
            return self._is_python(job.run)
        except KeyError:
            known = self.lines.get(job.name)
            return known.entry.python if known else True

    def _entry(self, job: Job, python: bool, definition: int, era: int, since: datetime) -> Entry:
        known = self.lines.get(job.name)
        same = known is not None and known.entry.body.get("enabled", True) is job.spec.enabled
        switch = known.entry.switch if known and same else None
        enabled = job.spec.enabled if switch is None else switch
        timed = schedule.for_job(job)
        moment = timed.next(since) if timed and enabled else None
        return Entry(
            name=job.name, definition=definition, fingerprint=job.fingerprint(), python=python, body=job.dump(),
            origin=job.origin, state="active" if enabled else "disabled", switch=switch, era=era,
            next_fire_at=moment.at if moment else None,
        )  # fmt: skip

    # Pausing and switching.

    def pause(self, name: str, until_at: datetime | None, reason: str) -> None:
        """Its moments are skipped from now on (until then, or until it is resumed)."""
        with self._clock.changing() as change:
            line = self.line(name)
            if line.pause_at(change.now):
                raise Refused(f"{name} is paused already; 'jarvis jobs resume {name}' ends that")
            change.timetable.close(line, change.now)
            book.pause(change.connection, name, change.now, until_at, reason)
            pause = Pause(from_at=change.now, until_at=until_at, reason=reason)
            change.after(lambda: line.pauses.append(pause))

    def resume(self, name: str) -> None:
        """Ends a pause now."""
        with self._clock.changing() as change:
            line = self.line(name)
            if not line.pause_at(change.now):
                raise Refused(f"{name} is not paused")
            change.timetable.close(line, change.now)
            book.resume(change.connection, name, change.now)
            now = change.now
            ended = [
                replace(pause, until_at=now) if pause.until_at is None or pause.until_at > now else pause
                for pause in line.pauses
            ]
            change.after(lambda: line.pauses.__setitem__(slice(None), ended))

    def switch(self, name: str, on: bool) -> None:
        """Switch a job on or off, over what its ``enabled:`` says. Off: nothing of it is due."""
        with self._clock.changing() as change:
            line = self.line(name)
            if (line.entry.state == "active") is on:
                raise Refused(f"{name} is {'enabled' if on else 'disabled'} already")
            since = line.boundary(change.now)
            next_at = line.next_after(since) if on else None
            if on:
                book.begin_terms(change.connection, [_term(line.entry, since, era=line.era)])
            else:
                change.timetable.close(line, change.now)
                book.end_terms(change.connection, [(name, since)])
            change.timetable.move(line, next_at)
            entry = replace(line.entry, state="active" if on else "disabled", switch=on, era=line.era)
            change.put_after_moves([_row(entry, next_fire_at=next_at)])
            change.after(lambda: _switched(line, entry, since))


def _withdraw(change: Change, line: Line) -> None:
    """Fires of a job that is going: they were due, they will not run."""
    decisions = change.timetable.decisions
    decisions.fires = [
        (owner, replace(fire, status=Status.MISSED, reason=GONE) if owner is line else fire)
        for owner, fire in decisions.fires
    ]


def _switched(line: Line, entry: Entry, since: datetime) -> None:
    line.entry, line.since_at, line.aside = entry, since, False


def _starts(line: Line) -> set[str]:
    """Which of ``daemon`` and ``boot`` the job is started with; none when its definition cannot be read."""
    body = line.entry.body
    if "start" not in body and not any("start" in when for when in body.get("schedules", ())):
        return set()
    try:
        return {str(when.start) for when in line.job.when if when.start} - {"mount"}
    except ValueError:
        return set()


def _term(entry: Entry, now: datetime, era: int | None = None) -> dict[str, object]:
    return {
        "job": entry.name,
        "definition_id": entry.definition,
        "era": entry.era if era is None else era,
        "from_at": now,
    }


def _row(entry: Entry, **changed: object) -> dict[str, object]:
    return {
        "name": entry.name,
        "definition_id": entry.definition,
        "origin": entry.origin,
        "state": entry.state,
        "switch": entry.switch,
        "era": entry.era,
        "next_fire_at": entry.next_fire_at,
        **changed,
    }


def unknown(what: str, name: str, known: Mapping[str, object]) -> str:
    """``no job 'bakcup' (did you mean 'backup'?)``."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"no {what} {name!r}" + (f" (did you mean {near[0]!r}?)" if near else "")
