"""Which seconds of local time does a zone live through, and which does it skip or repeat?

A year of a zone is cut into spans of constant offset. Where two spans meet the clock jumped; how a schedule
takes the jump is decided here once, so that stepping elsewhere is plain arithmetic. The rule for ``wild``
and ``fixed`` is that of Debian's cron (cron.c, the four cases of its wake-up): a jump of up to 4 minutes is
caught up whole, one below 3 hours for fixed times only, a longer one is a correction and nothing is made up;
after a step back of up to 3 hours fixed times wait until the local clock is where it was. ``skip`` is the
rule of systemd's timers: a local time that does not exist is skipped, one that repeats counts once.
"""

from __future__ import annotations

import difflib
import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from jarvis.core.schedule.moment import DAY, EPOCH, ScheduleError

Mode = Literal["wild", "fixed", "skip"]

UNIX_DAY = date(1970, 1, 1).toordinal()
FIRST = (date(2, 1, 1).toordinal() - UNIX_DAY) * DAY
LAST = (date(9999, 1, 1).toordinal() - UNIX_DAY) * DAY
_LATE = 4 * 60
_CORRECTION = 180 * 60
_LOOK_BACK = 2 * DAY


class Span(NamedTuple):
    """UTC seconds ``start <= t < end`` with one ``offset``.

    Local seconds from ``resume`` on are answered on time; those of ``[gap, start + offset)`` did not exist
    and are made up for at ``start`` (``gap == start + offset``: nothing to make up).
    """

    start: int
    end: int
    offset: int
    resume: int
    gap: int


def find(name: str) -> ZoneInfo:
    """The zone of that name. Raises ScheduleError with the nearest names."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        shown = repr(name if len(name) <= 40 else name[:40] + "…")
        raise ScheduleError(f"there is no time zone {shown}", hint=_nearest(name)) from None


def span(name: str, at: int, mode: Mode) -> Span:
    """The span that holds the UTC second ``at`` (``FIRST <= at < LAST``)."""
    year = date.fromordinal(at // DAY + UNIX_DAY).year
    for found in _spans(name, year, mode):
        if at < found.end:
            return found
    raise AssertionError("the spans of a year cover it")


def instant(at: datetime, name: str) -> datetime:
    """The UTC instant; a naive one is local: the first of two, or the first after a gap it falls into."""
    try:
        return at.astimezone(UTC) if at.tzinfo else _from_local(at, find(name))
    except OverflowError:
        raise ScheduleError(f"{at} is beyond the calendar", hint="write a date such as 2030-01-31") from None


def _from_local(at: datetime, zone: ZoneInfo) -> datetime:
    local = at.replace(tzinfo=zone, fold=0)
    first, second = _seconds(local), _seconds(local.replace(fold=1))
    if first <= second:
        return local.astimezone(UTC)
    # In a gap PEP 495 reads fold=0 with the offset before it, fold=1 with the one after: they cross over.
    return EPOCH + timedelta(seconds=_turn(zone, second, first))


@lru_cache(maxsize=4096)
def _spans(name: str, year: int, mode: Mode) -> tuple[Span, ...]:
    """Follow cron's virtual clock (``reached``: the next local second to answer) through the year."""
    opening, closing = _new_year(year), _new_year(year + 1)
    pieces = _pieces(name, year)
    reached = sum(pieces[0])
    spans = []
    for (start, offset), (end, _) in pairwise([*pieces, (closing, 0)]):
        local = start + offset
        resume, gap = _meet(local, reached, mode)
        behind = reached - local
        if mode != "skip" and behind > _CORRECTION:
            reached = local
        reached = max(reached, end + offset)
        if start < opening:
            start, gap = opening, opening + offset
        if start < end:
            spans.append(Span(start, end, offset, resume, gap))
    return tuple(spans)


def _meet(local: int, reached: int, mode: Mode) -> tuple[int, int]:
    """``resume`` and ``gap`` of a span that begins at ``local`` when the clock had got to ``reached``."""
    ahead = local - reached
    if mode == "skip":
        return max(local, reached), local
    made_up = 0 < ahead <= _LATE or (mode == "fixed" and 0 < ahead < _CORRECTION)
    waits = mode == "fixed" and -_CORRECTION <= ahead < 0
    return (reached if waits else local), (reached if made_up else local)


@lru_cache(maxsize=2048)
def _pieces(name: str, year: int) -> tuple[tuple[int, int], ...]:
    """(start, offset) for each stretch of constant offset, from two days before the year to its end."""
    zone = find(name)
    at = _new_year(year) - _LOOK_BACK
    offset = _offset(zone, at)
    pieces = [(at, offset)]
    for day in range(at + DAY, _new_year(year + 1) + 1, DAY):
        while _offset(zone, day) != offset:
            at = _turn(zone, at, day)
            offset = _offset(zone, at)
            pieces.append((at, offset))
        at = day
    return tuple(piece for piece in pieces if piece[0] < day)


def _turn(zone: ZoneInfo, low: int, high: int) -> int:
    """The first second in ``(low, high]`` whose offset is no longer that of ``low``."""
    offset = _offset(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(zone, middle) == offset else (low, middle)
    return high


def _offset(zone: ZoneInfo, at: int) -> int:
    local = zone.fromutc((EPOCH + timedelta(seconds=at)).replace(tzinfo=zone))
    offset = local.utcoffset()
    assert offset is not None
    return offset.days * DAY + offset.seconds


def _seconds(local: datetime) -> int:
    return (local.astimezone(UTC) - EPOCH) // timedelta(seconds=1)


def _new_year(year: int) -> int:
    return (date(year, 1, 1).toordinal() - UNIX_DAY) * DAY


def _nearest(name: str) -> str:
    if found := re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?00)?", name.strip(), re.IGNORECASE | re.ASCII):
        # The signs of the Etc zones are reversed: Etc/GMT-2 is two hours ahead of Greenwich.
        sign, hours = ("-" if found[1] == "+" else "+"), int(found[2])
        return f"write Etc/GMT{sign}{hours}" if 0 < hours <= 12 else "write a name such as Europe/London"
    plain = name.strip().replace(" ", "_").casefold()
    known = {zone.casefold(): zone for zone in sorted(available_timezones())}
    cities = {zone.rpartition("/")[2]: zone for zone in known if "/" in zone}
    exact = [known[zone] for zone in (plain, cities.get(plain, "")) if zone in known]
    near = [known[zone] for zone in difflib.get_close_matches(plain, known, n=3, cutoff=0.7)]
    near += [known[cities[city]] for city in difflib.get_close_matches(plain, cities, n=2, cutoff=0.75)]
    names = list(dict.fromkeys(exact or near))[:3]
    return f"did you mean {' or '.join(names)}?" if names else "write a name such as Europe/London or UTC"
