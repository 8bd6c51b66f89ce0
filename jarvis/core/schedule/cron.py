"""When is a cron schedule due in a zone whose clock jumps?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from jarvis.core.schedule import advice, fields, pattern, zone
from jarvis.core.schedule.moment import DAY, EPOCH, Moment, following
from jarvis.core.schedule.zone import Mode, Span

Dst = Literal["once", "exact", "skip"]
Found = tuple[int, int]
"""UTC second and times."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cron:
    """A checked cron text in a zone. Compiled on first use, shared by all jobs with the same text."""

    text: str
    zone: str
    dst: Dst

    @property
    def wildcard(self) -> bool:
        return fields.read(self.text).wildcard

    def next(self, after: datetime) -> Moment | None:
        # A pass asks the jobs that are due together about the same moments, and most of them have few texts.
        return _next(self.text, self.zone, self.dst, max(following(after), zone.FIRST))

    def from_second(self, at: int) -> Moment | None:
        """The first moment that is not before this UTC second."""
        match, mode = _compiled(self.text, self.dst)
        while at < zone.LAST:
            span = zone.span(self.zone, at, mode)
            if found := self._first(match, span, at):
                return _moment(found)
            # Local clocks never go back a day: nothing is due before the first match from there on.
            quiet = match.first(span.end - DAY)
            if quiet is None:
                return None
            at = max(span.end, quiet - DAY)
        return None

    def count(self, after: datetime, until: datetime) -> int:
        match, mode = _compiled(self.text, self.dst)
        total = 0
        for span, low, high in _spans(self.zone, mode, after, until):
            start = span.start + span.offset
            total += match.count(max(low + span.offset, span.resume), high + span.offset)
            if low == span.start and (made_up := self._made_up(match, span)):
                on_time = match.count(start, start + 1) if span.resume <= start else 0
                total += made_up if self.dst == "exact" else 1 - on_time
        return total

    def latest(self, after: datetime, until: datetime, limit: int) -> list[Moment]:
        match, mode = _compiled(self.text, self.dst)
        low, end = max(following(after), zone.FIRST), min(following(until), zone.LAST)
        found: list[Moment] = []
        while low < end and len(found) < limit:
            span = zone.span(self.zone, end - 1, mode)
            if last := self._last(match, span, low, end):
                found.append(_moment(last))
                end = last[0]
                continue
            quiet = match.last(span.start + DAY)
            if quiet is None:
                break
            end = min(span.start, quiet + DAY + 1)
        return found[::-1]

    def explain(self) -> str:
        return advice.english(self.text)

    def bits(self, low: int, high: int) -> int:
        """The UTC seconds of ``[low, high)`` that are due, as a number whose bit i stands for ``low + i``."""
        match, mode = _compiled(self.text, self.dst)
        bits, at = 0, low
        while at < high:
            span = zone.span(self.zone, at, mode)
            end = min(high, span.end)
            first = max(at + span.offset, span.resume)
            if first < end + span.offset:
                bits |= match.bits(first, end + span.offset) << (first - span.offset - low)
            if at == span.start and self._made_up(match, span):
                bits |= 1 << (at - low)
            at = end
        return bits

    def repeats(self, after: datetime, until: datetime) -> dict[int, int]:
        """UTC second and times of the moments with ``times > 1``."""
        if self.dst != "exact":
            return {}
        match, mode = _compiled(self.text, self.dst)
        spans = _spans(self.zone, mode, after, until)
        jumps = [span for span, low, _ in spans if low == span.start and span.gap < low + span.offset]
        found = [self._first(match, span, span.start) for span in jumps]
        return {at: times for at, times in filter(None, found) if times > 1}

    def _made_up(self, match: pattern.Pattern, span: Span) -> int:
        """How many skipped moments are run when the span begins."""
        return match.count(span.gap, span.start + span.offset)

    def _first(self, match: pattern.Pattern, span: Span, at: int) -> Found | None:
        """The first moment of the span that is not before ``at``."""
        local = match.first(max(at + span.offset, span.resume))
        due = local - span.offset if local is not None else span.end
        if at == span.start and (made_up := self._made_up(match, span)):
            return at, (made_up + (due == at) if self.dst == "exact" else 1)
        return (due, 1) if due < span.end else None

    def _last(self, match: pattern.Pattern, span: Span, low: int, end: int) -> Found | None:
        """The last moment of the span in ``[low, end)``."""
        local = match.last(end + span.offset)
        floor = max(low + span.offset, span.resume)
        if local is not None and local >= floor and local - span.offset > span.start:
            return local - span.offset, 1
        if low <= span.start:
            found = self._first(match, span, span.start)
            if found and found[0] == span.start:
                return found
        return None


@lru_cache(maxsize=32_768)
def parse(text: str, zone_name: str, dst: Dst = "once") -> Cron:
    """A cron schedule, checked. The same arguments give the same object. Raises ScheduleError."""
    fields.read(text)
    zone.find(zone_name)
    return Cron(text=text, zone=zone_name, dst=dst)


@lru_cache(maxsize=32_768)
def _compiled(text: str, dst: Dst) -> tuple[pattern.Pattern, Mode]:
    wild = fields.read(text).wildcard
    return pattern.compiled(text), "skip" if dst == "skip" else "wild" if wild else "fixed"


@lru_cache(maxsize=4_096)
def _next(text: str, zone_name: str, dst: Dst, at: int) -> Moment | None:
    return Cron(text=text, zone=zone_name, dst=dst).from_second(at)


def _spans(name: str, mode: Mode, after: datetime, until: datetime) -> Iterator[tuple[Span, int, int]]:
    """The spans of ``(after, until]``, each with the part ``[low, high)`` of it that is asked for."""
    at, end = max(following(after), zone.FIRST), min(following(until), zone.LAST)
    while at < end:
        span = zone.span(name, at, mode)
        yield span, at, min(end, span.end)
        at = span.end


def _moment(found: Found) -> Moment:
    return Moment(at=EPOCH + timedelta(seconds=found[0]), times=found[1])
