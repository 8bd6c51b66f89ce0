"""Is every due moment in exactly one row or one span, and is nothing there that was not due?

Each era of a job is a track of stretches (its terms), walked once from the oldest row to the newest. Moments inside
spans are counted, never listed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from operator import attrgetter

from jarvis.core.complaints import Complaints, numbered, stretch
from jarvis.core.evidence import TICK, Counted, Definition, Evidence, Frame, Row, Term
from jarvis.core.run import Status, instant
from jarvis.core.schedule import Moment, Schedule

_FIRE = re.compile(r"schedule:([^#@]+)(?:#([1-9]\d*))?(?:@([1-9]\d*))?")
_LAST = datetime(9998, 12, 31, tzinfo=UTC)
_FATES = (Status.MISSED, Status.SKIPPED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """The part of a term that is audited: moments m with low < m <= high, all settled."""

    low: datetime
    high: datetime
    definition: Definition
    spans: Sequence[Counted]

    @property
    def schedule(self) -> Schedule | None:
        return self.definition.schedule


class Coverage:
    """One job's moments. Feed ``rows`` in order of scheduled_at, then ``finish``."""

    def __init__(self, evidence: Evidence, frame: Frame, complaints: Complaints) -> None:
        self.moments = 0
        self._evidence = evidence
        self._frame = frame
        self._say = complaints.say
        by_era: dict[int, list[Term]] = defaultdict(list)
        for term in evidence.terms:
            by_era[term.era].append(term)
        self._plan()
        self._ends = {id(term): self._end(term) for term in evidence.terms}
        self._tracks = {era: _Track(self._stretches(terms), self) for era, terms in by_era.items()}
        self._pauses = sorted(evidence.pauses, key=attrgetter("from_at"))
        self._judge_spans(by_era)

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
        self._say(rule, text, at=at, runs=[row.id for row in rows])

    # What should be there.

    def _plan(self) -> None:
        """The job's own row against its terms."""
        evidence, opened = self._evidence, [term for term in self._evidence.terms if term.until_at is None]
        if evidence.state == "active" and len(opened) != 1:
            self._say("terms", f"the job is active, but {len(opened)} of its terms are open; one should be")
        if evidence.state != "active" and opened:
            self._say(
                "terms",
                f"the job is {evidence.state or 'unknown'}, but {len(opened)} of its terms are still open",
            )
        for term in evidence.terms:
            definition = evidence.definitions.get(term.definition)
            why = "is not in the ledger" if definition is None else definition.why
            if why:
                self._say("definition", f"definition {term.definition} {why}: its moments cannot be checked")

    def _end(self, term: Term) -> datetime:
        """The last instant up to which everything of the term has to be accounted for."""
        if term.until_at is not None:
            return term.until_at
        definition = self._evidence.definitions.get(term.definition)
        schedule = definition.schedule if definition else None
        next_at = self._evidence.next_fire_at
        if self._evidence.state != "active" or schedule is None:
            return term.from_at
        if next_at is not None:
            planned = schedule.next(next_at - TICK)
            if planned is None or planned.at != next_at:
                self._say(
                    "plan", f"its next fire {instant(next_at)} is not a moment of its schedule", at=next_at
                )
            return next_at - TICK
        following = schedule.next(max(self._frame.now, term.from_at))
        if following is not None:
            self._say("plan", f"it has no next fire, but is due at {instant(following.at)}", at=following.at)
            return max(self._frame.now, term.from_at)
        last = schedule.latest(term.from_at, _LAST, 1)
        return last[0].at if last else term.from_at

    def _stretches(self, terms: Sequence[Term]) -> list[Stretch]:
        ordered = sorted(terms, key=lambda term: (term.from_at, self._ends[id(term)]))
        for earlier, later in pairwise(ordered):
            if later.from_at < self._ends[id(earlier)]:
                text = f"two of its terms (era {later.era}) overlap at {instant(later.from_at)}"
                self._say("terms", text, at=later.from_at)
        found = []
        for term in ordered:
            definition = self._evidence.definitions.get(term.definition) or Definition(
                number=term.definition, job=None
            )
            low, high = self._clipped(term.from_at), self._ends[id(term)]
            if low < high:
                spans = [
                    span
                    for span in self._evidence.spans
                    if span.definition == term.definition
                    and span.era == term.era
                    and span.from_at <= high
                    and span.until_at > low
                ]
                spans.sort(key=attrgetter("from_at", "until_at"))
                found.append(Stretch(low=low, high=high, definition=definition, spans=spans))
                self.moments += definition.schedule.count(low, high) if definition.schedule else 0
        return found

    def _clipped(self, at: datetime) -> datetime:
        begin = self._frame.begin
        return at if begin is None else max(at, begin - TICK)

    # Spans by themselves.

    def _judge_spans(self, by_era: Mapping[int, Sequence[Term]]) -> None:
        ordered = sorted(self._evidence.spans, key=attrgetter("era", "definition", "from_at", "until_at"))
        for span in ordered:
            self._judge_span(span, by_era.get(span.era, ()))
        for earlier, later in pairwise(ordered):
            same = (earlier.era, earlier.definition) == (later.era, later.definition)
            if same and later.from_at < earlier.until_at and (twice := self._between(earlier, later)):
                text = f"spans {earlier.id} and {later.id} both account for {twice} moments from {instant(later.from_at)}"
                self._say("twice", text, at=later.from_at)

    def _between(self, earlier: Counted, later: Counted) -> int:
        """How many moments two overlapping spans share."""
        terms = [term for term in self._evidence.terms if term.era == later.era]
        return self._due(terms, later.definition, later.from_at, min(earlier.until_at, later.until_at))

    def _judge_span(self, span: Counted, terms: Sequence[Term]) -> None:
        name = f"span {span.id} ({stretch(span.from_at, span.until_at)})"
        if span.status not in _FATES:
            self._say(
                "span", f"{name} has the status {span.status!r}; a span is missed or skipped", at=span.from_at
            )
        if not span.reason.strip():
            self._say("reason", f"{name} is {span.status} without a reason", at=span.from_at)
        definition = self._evidence.definitions.get(span.definition)
        if definition is None:
            self._say(
                "definition",
                f"{name} is under definition {span.definition}, which is not known",
                at=span.from_at,
            )
            return
        horizon = self._frame.horizon
        if definition.job is None or (horizon is not None and span.from_at < horizon):
            return
        due = self._due(terms, span.definition, span.from_at, span.until_at)
        if due != span.count:
            text = f"{name} counts {span.count} moments, but definition {span.definition} gives {due} there"
            self._say("span", text, at=span.from_at)
        self._judge_fate(span, terms, name)

    def _judge_fate(self, span: Counted, terms: Sequence[Term], name: str) -> None:
        """Moments of a pause are skipped, and no span is skipped but for a pause."""
        if self._frame.doubtful(span.from_at, span.until_at):
            return
        surely = possibly = 0
        for pause in self._pauses:
            begin, end = pause.from_at + TICK, span.until_at if pause.until_at is None else pause.until_at
            low = max(begin, span.from_at)
            surely += self._due(terms, span.definition, low, min(end, span.until_at))
            possibly += self._due(terms, span.definition, low, min(end + TICK, span.until_at))
        if span.status == Status.SKIPPED and possibly < span.count:
            self._say(
                "pause", f"{name} is skipped, but the job was not paused all that time", at=span.from_at
            )
        if span.status == Status.MISSED and surely:
            self._say(
                "pause", f"{name} is missed, but {surely} of its moments were in a pause", at=span.from_at
            )

    def _due(self, terms: Sequence[Term], definition: int, from_at: datetime, until_at: datetime) -> int:
        """How many moments m with from_at <= m < until_at the definition gives."""
        known = self._evidence.definitions[definition].schedule
        if known is None:
            return 0
        total = 0
        for term in terms:
            if term.definition == definition:
                low, high = max(from_at - TICK, term.from_at), min(until_at - TICK, self._ends[id(term)])
                total += known.count(low, high) if low < high else 0
        return total

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
