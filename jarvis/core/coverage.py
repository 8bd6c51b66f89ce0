"""Is every due moment in exactly one row or one span, and is nothing there that was not due?

Each era of a job is a track of stretches (its terms), walked once from the oldest row to the newest. Moments inside
spans are counted, never listed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from jarvis.core.complaints import Complaints, numbered, stretch
from jarvis.core.due import Due, Stretch
from jarvis.core.evidence import TICK, Counted, Evidence, Frame, Row
from jarvis.core.run import Status, instant
from jarvis.core.schedule import Moment

_FIRE = re.compile(r"schedule:([^#@]+)(?:#([1-9]\d*))?(?:@([1-9]\d*))?")


class Coverage:
    """One job's moments. Feed ``rows`` in order of scheduled_at, then ``finish``."""

    def __init__(self, evidence: Evidence, frame: Frame, due: Due, complaints: Complaints) -> None:
        self._pauses = evidence.pauses
        self._frame = frame
        self._say = complaints.say
        eras = due.eras()
        self.moments = sum(
            each.schedule.count(each.low, each.high) for era in eras.values() for each in era if each.schedule
        )
        self._tracks = {era: _Track(stretches, self) for era, stretches in eras.items()}

    def rows(self, at: datetime, found: Sequence[Row]) -> None:
        """All first attempts of schedule fires with this scheduled_at."""
        eras: dict[int, dict[int, list[Row]]] = {}
        for row in found:
            key = _FIRE.fullmatch(row.fire)
            if key is None or key[1] != instant(at):
                self.say(
                    "row-not-due",
                    f"run {row.id} has the fire {row.fire!r} but is scheduled at {instant(at)}",
                    at,
                    [row],
                )
                continue
            repeat, era = int(key[2] or 1), int(key[3] or 0)
            eras.setdefault(era, {}).setdefault(repeat, []).append(row)
        for era, repeats in eras.items():
            track = self._tracks.get(era)
            if track is None:
                rows = [row for same in repeats.values() for row in same]
                self.say(
                    "row-not-due", f"{_are(rows)} in era {era}, in which the job was never due", at, rows
                )
            else:
                track.rows(at, repeats)
        if self._pauses:
            self._paused(at, found)

    def finish(self) -> None:
        """No more rows: what is left has to be in spans."""
        for track in self._tracks.values():
            track.finish()

    def say(self, rule: str, text: str, at: datetime, rows: Sequence[Row] = ()) -> None:
        """A restored ledger does not know all that happened between its copy and the loss: rows are believed there."""
        if rule == "twice" or not (rows and self._frame.restored(at)):
            self._say(rule, text, at=at, runs=[row.id for row in rows])

    def _paused(self, at: datetime, rows: Sequence[Row]) -> None:
        if self._frame.doubtful(at):
            return
        if any(
            pause.from_at < at and (pause.until_at is None or at < pause.until_at) for pause in self._pauses
        ):
            ran = [row for row in rows if row.status != Status.SKIPPED]
            if ran:
                text = f"{_are(ran)} for {instant(at)}, when the job was paused; it should have been skipped"
                self.say("pause", text, at, ran)


class _Track:
    """One era, walked forward. Everything up to ``_cursor`` is accounted for."""

    def __init__(self, stretches: Sequence[Stretch], coverage: Coverage) -> None:
        self._stretches = stretches
        self._coverage = coverage
        self._number = -1
        self._turn()

    def rows(self, at: datetime, repeats: Mapping[int, Sequence[Row]]) -> None:
        while self._stretch is not None and self._stretch.high < at:
            self._advance(self._stretch.high)
            self._turn()
        found = self._stretch
        rows = [row for same in repeats.values() for row in same]
        if found is None or at <= found.low:
            self._coverage.say(
                "row-not-due", f"{_are(rows)} for {instant(at)}, when the job was not due", at, rows
            )
            return
        if found.definition.job is None:
            return
        self._advance(at - TICK)
        self._judge(found, at, repeats, rows)
        self._cursor = at

    def finish(self) -> None:
        while self._stretch is not None:
            self._advance(self._stretch.high)
            self._turn()

    def _turn(self) -> None:
        """Go to the next stretch."""
        self._number += 1
        self._stretch = self._stretches[self._number] if self._number < len(self._stretches) else None
        self._span = 0
        self._next: Moment | None = None
        self._asked = False
        if self._stretch is not None:
            self._cursor = self._stretch.low

    def _due(self) -> Moment | None:
        """The first moment after the cursor."""
        assert self._stretch is not None and self._stretch.schedule is not None
        if not self._asked or (self._next is not None and self._next.at <= self._cursor):
            self._next, self._asked = self._stretch.schedule.next(self._cursor), True
        return self._next

    def _holding(self) -> Counted | None:
        """The first span that ends after the cursor."""
        assert self._stretch is not None
        spans = self._stretch.spans
        while self._span < len(spans) and spans[self._span].until_at - TICK <= self._cursor:
            self._span += 1
        return spans[self._span] if self._span < len(spans) else None

    def _advance(self, to: datetime) -> None:
        """Whatever is due up to ``to`` has to be in spans."""
        if self._stretch is None or self._stretch.schedule is None:
            return
        while self._cursor < to:
            span = self._holding()
            if span is None or span.from_at > to:
                self._bare(to)
            else:
                self._bare(span.from_at - TICK)
                self._cursor = max(self._cursor, min(span.until_at - TICK, to))

    def _bare(self, to: datetime) -> None:
        """No row and no span up to ``to``: nothing may be due there."""
        if to <= self._cursor:
            return
        due = self._due()
        if due is not None and due.at <= to:
            assert self._stretch is not None and self._stretch.schedule is not None
            count = self._stretch.schedule.count(self._cursor, to)
            last = self._stretch.schedule.latest(self._cursor, to, 1)[-1].at
            what = "moment has" if count == 1 else "moments have"
            text = f"{count} due {what} neither a row nor a span: {stretch(due.at, last)}"
            self._coverage.say("no-row", text, due.at)
        self._cursor = to

    def _judge(
        self, found: Stretch, at: datetime, repeats: Mapping[int, Sequence[Row]], rows: Sequence[Row]
    ) -> None:
        span, due = self._holding(), self._due() if found.schedule else None
        if span is not None and span.from_at <= at:
            text = f"{instant(at)} is accounted for twice: by {numbered(row.id for row in rows)} and by span {span.id}"
            self._coverage.say("twice", text, at, rows)
        if due is None or due.at != at:
            self._coverage.say("row-not-due", f"{_are(rows)} for {instant(at)}, which is not due", at, rows)
            return
        times = due.times if found.definition.exact else 1
        for repeat, same in repeats.items():
            if repeat > times:
                text = f"{_are(same)} for start {repeat} of {instant(at)}, which is due {_times(times)}"
                self._coverage.say("row-not-due", text, at, same)
            elif len(same) > 1:
                text = f"{instant(at)} is accounted for twice: by {numbered(row.id for row in same)}"
                self._coverage.say("twice", text, at, same)
        if missing := sum(1 for repeat in range(1, times + 1) if repeat not in repeats):
            text = f"{instant(at)} is due {_times(times)}, but {missing} of these starts have no row"
            self._coverage.say("no-row", text, at, rows)
        other = [row for row in rows if row.definition != found.definition.number]
        if other:
            text = (
                f"{_are(other)} under definition {other[0].definition}, "
                f"but {found.definition.number} was in force at {instant(at)}"
            )
            self._coverage.say("definition", text, at, other)


def _are(rows: Sequence[Row]) -> str:
    return numbered(row.id for row in rows) + (" is" if len(rows) == 1 else " are")


def _times(times: int) -> str:
    return "once" if times == 1 else f"{times} times"
