"""Which jobs are later than their rule allows? Asked every few seconds; told when it begins and when it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from jarvis.core import alert as alerts
from jarvis.core import lateness, wording
from jarvis.core.job import Job
from jarvis.core.telling import AlertRule, Alerts
from jarvis.running.floor import Floor
from jarvis.running.telling import alarms
from jarvis.running.timetable import Line
from jarvis.store import docket, queries
from jarvis.store.database import Database
from jarvis.store.journal import Note

FIELDS = ("no_success_for", "not_started_within", "longer_than_usual")
OURS = (alerts.LATE, alerts.LONG, alerts.SILENT)
ASLEEP = timedelta(minutes=1)
"""Nobody looked for this long: the machine slept, or Jarvis was not running."""

Mark = tuple[str, str]
"""A job and which of OURS it is about."""


@dataclass(frozen=True, slots=True)
class _Late:
    """One thing that is late now."""

    job: Job
    key: str
    title: str
    text: str
    run: int | None = None


class Lateness:
    """Looks at every job that has a rule about time; one thread's."""

    def __init__(
        self,
        *,
        database: Database,
        lines: Callable[[], Mapping[str, Line]],
        floor: Callable[[], Floor],
        rules: Callable[[], Alerts],
    ) -> None:
        self.busy = False
        """Whether some job has such a rule: it has to be looked at again and again."""
        self._database = database
        self._lines = lines
        self._floor = floor
        self._rules = rules
        self._open: dict[Mark, datetime] | None = None
        self._looked_at: datetime | None = None
        self._woke_at: datetime | None = None
        self._not_before: dict[str, tuple[int, datetime]] = {}
        self._usual: dict[int, list[timedelta]] = {}
        self._ahead: dict[str, tuple[datetime, datetime]] = {}

    def look(self, now: datetime) -> list[Note]:
        """What became late since the last look, what still is and is due to be said again, and what is over."""
        if self._open is None:
            self._open = self._remembered(now)
        if self._looked_at is None or (self.busy and abs(now - self._looked_at) > ASLEEP):
            self._woke_at = now
        if self._looked_at is not None and now < self._looked_at:
            self._not_before.clear()
            self._open = {mark: at - (self._looked_at - now) for mark, at in self._open.items()}
        self._looked_at = now
        late = {(one.job.name, one.key): one for one in self._late(now)}
        notes = [self._over(mark, now) for mark in [*self._open] if mark not in late]
        for mark, one in late.items():
            repeat = alarms.rule(one.job).repeat or self._rules().repeat
            if mark not in self._open or now - self._open[mark] >= repeat:
                self._open[mark] = now
                notes.append(self._note(one, now))
        return notes

    def _remembered(self, now: datetime) -> dict[Mark, datetime]:
        """What was open when the last daemon ended: said again after ``repeat``, ended when it is over."""
        with self._database.read() as connection:
            found = docket.troubled(connection)
        return {(job, key): now for job, key in found if key in OURS}

    def _late(self, now: datetime) -> Iterator[_Late]:
        watched = {name: line for name, line in self._lines().items() if _has_rule(line)}
        self.busy = bool(watched)
        if not watched:
            return
        for name, line in watched.items():
            rule = line.job.spec.alert
            if rule is not None and rule.no_success_for is not None and line.entry.state == "active":
                yield from self._silent(name, line, rule.no_success_for, now)
        floor = self._floor()
        for held in _copied(floor.waiting):
            if (asked := _rule(watched, held.run.job)) and asked.not_started_within is not None:
                due_at = max(held.run.scheduled_at, held.run.not_before or held.run.scheduled_at)
                if lateness.not_started(asked.not_started_within, due_at, now):
                    waited = wording.length(now - due_at)
                    yield _Late(
                        watched[held.run.job].job, alerts.LATE, f"not started {waited} after it was due", held.why,
                        held.run.id,
                    )  # fmt: skip
        active = _copied(floor.active)
        self._usual = {one.run.id: self._usual[one.run.id] for one in active if one.run.id in self._usual}
        for one in active:
            if (asked := _rule(watched, one.run.job)) and asked.longer_than_usual is not None:
                yield from self._long(one.run.id, watched[one.run.job].job, one.run.started_at, asked, now)

    def _silent(self, name: str, line: Line, limit: timedelta, now: datetime) -> Iterator[_Late]:
        if line.pause_at(now) is not None:
            return
        version, not_before = self._not_before.get(name, (0, now))
        if version == line.definition and now < not_before:
            return
        with self._database.read() as connection:
            last = queries.last_success(connection, name, now)
            begun = self._reached(name, queries.due_since(connection, name, now), now)
        ended = [
            pause.until_at for pause in line.pauses if pause.until_at is not None and pause.until_at <= now
        ]
        since = lateness.silent_since(last, begun, *ended)
        if since is None:
            return
        settled = (self._woke_at or now) + lateness.patience(limit)
        new = (name, alerts.SILENT) not in (self._open or {})
        if not lateness.silent(limit, since, now) or (new and now < settled):
            self._not_before[name] = (line.definition, max(since + limit, settled if new else since))
            return
        said = f"last success {wording.length(now - last)} ago" if last else "it never succeeded"
        yield _Late(line.job, alerts.SILENT, f"no success for {wording.length(now - since)}", said)

    def _reached(self, name: str, since: datetime | None, now: datetime) -> datetime | None:
        """From when on to count: from now on, when the clock was set back to before ``since``."""
        if since is None:
            return None
        seen, counted = self._ahead.get(name, (since, since))
        if seen != since or counted == since:
            seen, counted = since, min(since, now)
        self._ahead[name] = seen, counted
        return counted

    def _long(
        self, run: int, job: Job, started_at: datetime | None, rule: AlertRule, now: datetime
    ) -> Iterator[_Late]:
        if started_at is None or rule.longer_than_usual is None:
            return
        if run not in self._usual:
            with self._database.read() as connection:
                self._usual[run] = queries.lengths(connection, job.name, lateness.USUAL_OF)
        lasted = now - started_at
        if median := lateness.too_long(rule.longer_than_usual, self._usual[run], lasted):
            said = f"usually {wording.length(median)}; told from {rule.longer_than_usual:g} times that on"
            yield _Late(job, alerts.LONG, f"running for {wording.length(lasted)}", said, run)

    def _note(self, one: _Late, now: datetime) -> Note:
        asked = alarms.rule(one.job)
        return Note(
            at=now,
            severity=alerts.ALIASES.get(asked.severity, asked.severity),
            key=one.key,
            job=one.job.name,
            run_id=one.run,
            title=f"{one.job.name}: {one.title}",
            text=one.text,
            wanted=alarms.wanted(one.job),
        )

    def _over(self, mark: Mark, now: datetime) -> Note:
        job, key = mark
        assert self._open is not None
        del self._open[mark]
        self._not_before.pop(job, None)
        why = {
            alerts.LATE: "no run of it waits too long any more",
            alerts.LONG: "the run has ended",
            alerts.SILENT: "it succeeded, or it is not watched any more",
        }
        return Note(at=now, severity="info", key=key, job=job, title=why[key], kind="recovery")


def _has_rule(line: Line) -> bool:
    rule = line.entry.body.get("alert")
    return rule is not None and any(rule.get(name) is not None for name in FIELDS)


def _rule(watched: Mapping[str, Line], job: str) -> AlertRule | None:
    line = watched.get(job)
    return line.job.spec.alert if line else None


def _copied(living: Mapping[Any, Any]) -> list[Any]:
    """The values of a mapping that the conductor changes meanwhile."""
    while True:
        try:
            return list(living.values())
        except RuntimeError:
            continue
