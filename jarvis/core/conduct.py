"""Did every run behave? Statuses, reasons, attempts, the order of its times, and how many ran at once."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter

from jarvis.core.clockfacts import STEPPED
from jarvis.core.complaints import Complaints, numbered
from jarvis.core.duration import spell
from jarvis.core.evidence import Begun, Definition, Evidence, Frame, Row
from jarvis.core.run import Status, instant

KINDS = frozenset({"schedule", "manual", "event", "run", "watch", "start", "service"})
LAUNCH = timedelta(seconds=10)
"""A run that was admitted in time may begin so much later: its process has to be made."""

_STATUSES = frozenset(Status)
_EXPLAINED = frozenset({Status.CANCELLED, Status.LOST, Status.SKIPPED, Status.MISSED})
_RAN = frozenset({Status.RUNNING, Status.SUCCEEDED, Status.TIMED_OUT})
_OPEN = frozenset({Status.QUEUED, Status.RUNNING})
_FOR_EVER = datetime.max.replace(tzinfo=UTC)


class Conduct:
    """The rules a row is judged by alone, or beside the other attempts at its fire."""

    def __init__(self, evidence: Evidence, frame: Frame, complaints: Complaints) -> None:
        self._evidence = evidence
        self._frame = frame
        self._say = complaints.say

    def fires(self, rows: Sequence[Row]) -> None:
        """All rows with one scheduled_at."""
        for row in rows:
            self._judge(row)
        if (len(rows) > 1 or rows[0].attempt != 1) and not self._frame.restored(rows[0].scheduled_at):
            for _fire, attempts in groupby(
                sorted(rows, key=attrgetter("fire", "attempt")), key=attrgetter("fire")
            ):
                self._judge_attempts(list(attempts))

    def _judge(self, row: Row) -> None:
        if row.damage is not None:
            self._tell("unreadable", row, row.damage)
        if row.status not in _STATUSES:
            self._tell("unreadable", row, f"has the unknown status {row.status!r}")
            return
        if row.kind not in KINDS:
            self._tell("unreadable", row, f"has the fire {row.fire!r}, which nothing asks for")
        if row.status in _EXPLAINED and not (row.reason and row.reason.strip()):
            self._tell("reason", row, f"is {row.status} without a reason")
        if row.definition is None:
            if row.of_schedule and not self._frame.restored(row.scheduled_at):
                self._tell("definition", row, "has no definition")
        elif row.definition not in self._evidence.definitions:
            self._tell("definition", row, f"is under definition {row.definition}, which is not known")
        self._judge_times(row)

    def _judge_times(self, row: Row) -> None:
        begun, ended = row.started_at, row.ended_at
        if begun is None and row.status in _RAN:
            self._tell("times", row, f"is {row.status} but was never started")
        if (ended is None) != (row.status in _OPEN):
            self._tell("times", row, f"is {row.status} {'without' if ended is None else 'but has'} an end")
        if begun is None:
            return
        if ended is not None and begun - ended > STEPPED and not self._frame.doubtful(ended, begun):
            self._tell("times", row, f"ended at {instant(ended)}, before it started at {instant(begun)}")
        if begun < row.scheduled_at:
            early = row.scheduled_at - begun > STEPPED and row.of_schedule
            if early and not self._frame.doubtful(begun, row.scheduled_at):
                self._tell("times", row, f"started at {instant(begun)}, before it was due")
        elif row.of_schedule and row.attempt == 1:
            self._judge_lateness(row, begun)

    def _judge_lateness(self, row: Row, begun: datetime) -> None:
        due = max(row.scheduled_at, row.not_before or row.scheduled_at)
        grace = self._grace(self._evidence.definitions.get(row.definition or 0))
        if grace is None or begun - due <= grace + LAUNCH:
            return
        # It is asked for permission under the definition that is in force when it starts.
        others = [self._grace(definition) for definition in self._evidence.in_force(begun)]
        if any(other is None or begun - due <= other + LAUNCH for other in others):
            return
        if not self._frame.disturbed(due, begun):
            text = f"started {spell(begun - due)} late; misfire_grace is {spell(grace)}"
            self._tell("late", row, text)

    @staticmethod
    def _grace(definition: Definition | None) -> timedelta | None:
        return definition.job.spec.misfire_grace if definition and definition.job else None

    def _judge_attempts(self, attempts: Sequence[Row]) -> None:
        before: Row | None = None
        for row in attempts:
            if before is not None and row.attempt == before.attempt:
                text = f"attempt {row.attempt} at {row.fire} is there twice: {numbered((before.id, row.id))}"
                self._say("twice", text, at=row.scheduled_at, runs=(before.id, row.id))
            elif before is None or row.attempt != before.attempt + 1:
                if row.attempt != 1:
                    self._tell(
                        "attempts",
                        row,
                        f"is attempt {row.attempt}, but there is no attempt {row.attempt - 1}",
                    )
            elif why := self._unfounded(row, before):
                self._tell("attempts", row, why)
            before = row

    def _unfounded(self, row: Row, before: Row) -> str | None:
        """Why there should be no further attempt after that one."""
        name = f"is attempt {row.attempt}, but run {before.id} before it"
        if not (row.reason and row.reason.strip()):
            return f"is attempt {row.attempt} without a reason"
        if before.status == Status.LOST:
            return None if self._reruns(before) else f"{name} was lost and on_lost is not rerun"
        if before.status in _STATUSES and Status(before.status).retryable:
            return None
        return f"{name} is {before.status}"

    def _reruns(self, row: Row) -> bool:
        known = [
            self._evidence.definitions.get(row.definition or 0),
            *self._evidence.in_force(row.ended_at or row.scheduled_at),
        ]
        return any(each is None or each.job is None or each.job.spec.on_lost == "rerun" for each in known)

    def _tell(self, rule: str, row: Row, text: str) -> None:
        self._say(rule, f"run {row.id} {text}", at=row.scheduled_at, runs=(row.id,))


class Together:
    """How many runs of the job were running at once. Feed them by started_at."""

    def __init__(self, evidence: Evidence, frame: Frame, complaints: Complaints) -> None:
        self._evidence = evidence
        self._frame = frame
        self._say = complaints.say
        self._running: list[tuple[datetime, int, int | None]] = []

    def began(self, row: Begun) -> None:
        until = row.ended_at or _FOR_EVER
        unsure = self._frame.doubtful(row.started_at, row.ended_at) or self._frame.restored(row.started_at)
        if until < row.started_at or unsure:
            return
        while self._running and self._running[0][0] <= row.started_at:
            heapq.heappop(self._running)
        heapq.heappush(self._running, (until, row.id, row.definition))
        known = self._evidence.definitions.get(row.definition or 0)
        if len(self._running) > 1 and (known is None or len(self._running) > known.limit):
            self._judge(row)

    def _judge(self, row: Begun) -> None:
        """More than the run's own definition allows; the one in force at the start may allow more."""
        numbers = {definition for _until, _run, definition in self._running}
        known = [each for number in numbers if (each := self._evidence.definitions.get(number or 0))]
        most = max((each.limit for each in [*known, *self._evidence.in_force(row.started_at)]), default=1)
        if len(self._running) > most:
            runs = sorted(run for _until, run, _definition in self._running)
            text = f"{numbered(runs)} were running at once at {instant(row.started_at)}; {most} may"
            self._say("together", text, at=row.started_at, runs=runs)
