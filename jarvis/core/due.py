"""What was due, by a job's own row and its terms?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter

from jarvis.core.complaints import Complaints
from jarvis.core.evidence import TICK, Counted, Definition, Evidence, Frame, Term
from jarvis.core.run import instant
from jarvis.core.schedule import Schedule

_FIRST = datetime(1970, 1, 2, tzinfo=UTC)
_LAST = datetime(9998, 12, 31, tzinfo=UTC)


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


class Due:
    """A job's moments, by era. Says what is wrong with the terms themselves."""

    def __init__(self, evidence: Evidence, frame: Frame, complaints: Complaints) -> None:
        self.evidence = evidence
        self._frame = frame
        self._say = complaints.say
        self._spans: dict[tuple[int, int], list[Counted]] = defaultdict(list)
        for span in sorted(evidence.spans, key=attrgetter("from_at", "until_at")):
            self._spans[span.definition, span.era].append(span)
        self._judge_terms()
        self._ends = {id(term): self._end(term) for term in evidence.terms}
        self._by_era: dict[int, list[Term]] = defaultdict(list)
        for term in sorted(evidence.terms, key=lambda term: (term.from_at, self._ends[id(term)])):
            self._by_era[term.era].append(term)

    def eras(self) -> dict[int, list[Stretch]]:
        """The stretches of each era, oldest first."""
        found: dict[int, list[Stretch]] = {}
        for era, terms in self._by_era.items():
            reached, found[era] = self._frame.begin or _FIRST, []
            for term in terms:
                if found[era] and term.from_at < reached - TICK:
                    text = f"two of its terms (era {era}) overlap at {instant(term.from_at)}"
                    self._say("terms", text, at=term.from_at)
                if stretch := self._stretch(term, max(reached - TICK, term.from_at)):
                    found[era].append(stretch)
                    reached = stretch.high + TICK
        return found

    def count(self, era: int, definition: int, from_at: datetime, until_at: datetime) -> int:
        """How many moments m with from_at <= m < until_at the definition gives in its terms of this era."""
        known = self.evidence.definitions.get(definition)
        if known is None or known.schedule is None:
            return 0
        total = 0
        for term in self._by_era.get(era, ()):
            if term.definition == definition:
                low, high = max(from_at - TICK, term.from_at), min(until_at - TICK, self._ends[id(term)])
                total += known.schedule.count(low, high) if low < high else 0
        return total

    def _judge_terms(self) -> None:
        state = self.evidence.state
        opened = sum(1 for term in self.evidence.terms if term.until_at is None)
        if state == "active" and opened != 1:
            self._say("terms", f"the job is active, but {opened} of its terms are open; one should be")
        if state != "active" and opened:
            self._say("terms", f"the job is {state or 'unknown'}, but {opened} of its terms are still open")
        for number in sorted({term.definition for term in self.evidence.terms}):
            definition = self.evidence.definitions.get(number)
            why = "is not in the ledger" if definition is None else definition.why
            if why:
                self._say("definition", f"definition {number} {why}: its moments cannot be checked")

    def _end(self, term: Term) -> datetime:
        """The last instant up to which everything of the term has to be accounted for."""
        if term.until_at is not None:
            return term.until_at
        definition = self.evidence.definitions.get(term.definition)
        schedule, next_at = definition.schedule if definition else None, self.evidence.next_fire_at
        if self.evidence.state != "active":
            return term.from_at
        if schedule is None:
            return _LAST
        if next_at is not None:
            planned = schedule.next(next_at - TICK)
            if planned is None or planned.at != next_at:
                self._say(
                    "plan", f"its next fire {instant(next_at)} is not a moment of its schedule", at=next_at
                )
            return next_at - TICK
        reached = max(self._frame.now, term.from_at)
        if following := schedule.next(reached):
            self._say("plan", f"it has no next fire, but is due at {instant(following.at)}", at=following.at)
            return reached
        last = schedule.latest(term.from_at, _LAST, 1)
        return last[0].at if last else term.from_at

    def _stretch(self, term: Term, low: datetime) -> Stretch | None:
        high = self._ends[id(term)]
        if high <= low:
            return None
        spans = [
            span
            for span in self._spans[term.definition, term.era]
            if span.from_at <= high and span.until_at > low
        ]
        return Stretch(
            low=low,
            high=high,
            definition=self.evidence.definitions.get(term.definition)
            or Definition(number=term.definition, job=None),
            spans=spans,
        )
