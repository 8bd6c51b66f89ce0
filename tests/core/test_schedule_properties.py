"""Which laws hold for every schedule, zone and instant, and for every minute of a simulated cron?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jarvis.core import schedule
from jarvis.core.job import JobSpec
from jarvis.core.schedule import Moment, Schedule, ScheduleError

MINUTE = timedelta(minutes=1)
ODD = [
    *("Australia/Lord_Howe", "Pacific/Apia", "America/Caracas", "Europe/Dublin", "America/Sao_Paulo"),
    *("Antarctica/Troll", "Antarctica/Casey", "Africa/Casablanca", "Africa/Cairo", "Pacific/Kwajalein"),
    *("America/New_York", "Asia/Gaza"),
]

zones = st.sampled_from(ODD) | st.sampled_from(sorted(available_timezones() - {"Factory", "localtime"}))
dsts: st.SearchStrategy[schedule.Dst] = st.sampled_from(["once", "exact", "skip"])
times = st.datetimes(datetime(1973, 1, 1), datetime(2045, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def field(draw: st.DrawFn, low: int, high: int) -> str:
    value = st.integers(low, high)
    span = st.tuples(value, value).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.integers(1, high + 2).map(lambda number: f"/{number}")
    stepped = st.tuples(span | st.just("*"), step | st.just("")).map("".join)
    terms = draw(st.lists(value.map(str) | stepped, min_size=1, max_size=3))
    return draw(st.sampled_from(["*", *([",".join(terms)] * 3)]))


@st.composite
def crons(draw: st.DrawFn, seconds: bool = True) -> str:
    five = [draw(field(*bounds)) for bounds in ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))]
    # Most schedules people write are daily: without this nearly none would be due near a clock change.
    if draw(st.booleans()):
        five[2:] = ["*", "*", "*"]
    if draw(st.booleans()):
        five[1] = draw(st.sampled_from(["*", "0-5", "0", "1", "2", "3", "0-23", "1,2,3"]))
    text = " ".join([draw(field(0, 59)), *five] if seconds and draw(st.integers(0, 4)) == 0 else five)
    try:
        schedule.check(text)
    except ScheduleError:
        assume(False)
    return text


@st.composite
def near_a_change(draw: st.DrawFn, zone: str) -> datetime:
    """An instant, as a rule within hours of one at which the zone's offset changes."""
    at = draw(times)
    tz = ZoneInfo(zone)
    for _ in range(60):
        later = at + timedelta(days=7)
        if later.astimezone(tz).utcoffset() != at.astimezone(tz).utcoffset():
            while later - at > MINUTE:
                middle = at + (later - at) / 2
                same = middle.astimezone(tz).utcoffset() == at.astimezone(tz).utcoffset()
                at, later = (middle, later) if same else (at, middle)
            return at + timedelta(minutes=draw(st.integers(-300, 200)), seconds=draw(st.integers(0, 59)))
        at = later
    return at


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Schedule, str]:
    zone = draw(zones)
    fields: dict[str, Any] = {"timezone": zone, "dst": draw(dsts)}
    parts = st.fixed_dictionaries({"cron": crons()}) | st.fixed_dictionaries(
        {"every": st.sampled_from(["90s", "17m", "1h", "2500ms", "1d", "7s"])}
    )
    fields["schedules"] = draw(st.lists(parts, min_size=1, max_size=3))
    if draw(st.integers(0, 5)) == 0:
        fields["from"] = draw(times)
    found = schedule.for_job(JobSpec.model_validate(fields).resolve("x", timezone=zone, python=False))
    assert found
    return found, zone


def listed(plan: Schedule, after: datetime, until: datetime, most: int = 400) -> list[Moment]:
    found: list[Moment] = []
    while len(found) < most and (moment := plan.next(after)) and moment.at <= until:
        found.append(moment)
        after = moment.at
    return found


@settings(max_examples=60)
@given(st.data(), schedules(), st.integers(1, 60 * 30))
def test_counting_and_the_newest_agree_with_stepping(
    data: st.DataObject, drawn: tuple[Schedule, str], minutes: int
) -> None:
    plan, zone = drawn
    after = data.draw(near_a_change(zone))
    steps = listed(plan, after, after + minutes * MINUTE)
    until = steps[-1].at if len(steps) == 400 else after + minutes * MINUTE
    assert all(earlier.at < later.at for earlier, later in pairwise(steps))
    assert all(after < one.at <= until for one in steps)
    assert plan.count(after, until) == sum(one.times for one in steps)
    assert plan.latest(after, until, 1000) == steps
    assert plan.latest(after, until, 3) == steps[-3:]


@settings(max_examples=60)
@given(st.data(), schedules())
def test_stepping_from_any_instant_gives_the_rest_of_the_same_sequence(
    data: st.DataObject, drawn: tuple[Schedule, str]
) -> None:
    plan, zone = drawn
    start = data.draw(near_a_change(zone))
    whole = listed(plan, start, start + timedelta(hours=30), most=60)
    assume(whole)
    chosen = data.draw(st.integers(0, len(whole) - 1))
    again = start + (whole[chosen].at - start) * data.draw(st.floats(0, 1))
    rest = [one for one in whole if one.at > again]
    assert listed(plan, again, whole[-1].at) == rest
    assert plan.next(again) == plan.next(again)


@settings(max_examples=60)
@given(crons(), zones, dsts, times, st.integers(1, 4000), st.integers(1, 4000))
def test_counts_of_adjoining_spans_add_up(
    text: str, zone: str, dst: schedule.Dst, start: datetime, first: int, second: int
) -> None:
    plan = schedule.parse_cron(text, zone, dst)
    middle, end = start + timedelta(hours=first), start + timedelta(hours=first + second)
    assert plan.count(start, middle) + plan.count(middle, end) == plan.count(start, end)
    newest = plan.latest(start, end, 1)
    assert bool(newest) == (plan.count(start, end) > 0)
    if newest:
        assert plan.count(newest[0].at, end) == 0


@settings(max_examples=60)
@given(crons(), zones, times)
def test_exact_and_once_differ_in_multiplicity_only(text: str, zone: str, after: datetime) -> None:
    once, exact = (schedule.parse_cron(text, zone, dst) for dst in ("once", "exact"))
    for _ in range(20):
        first, second = once.next(after), exact.next(after)
        assert (first and first.at) == (second and second.at)
        if first is None or second is None:
            return
        assert first.times == 1 <= second.times
        after = first.at


def matches(text: str, local: datetime) -> bool:
    """Debian's static rule, written down a second time and minute by minute."""
    minute, hour, day, month, weekday = text.split()
    if not (allows(minute, 0, 59, local.minute) and allows(hour, 0, 23, local.hour)):
        return False
    on_day = allows(day, 1, 31, local.day)
    on_weekday = any(allows(weekday, 0, 7, value) for value in {local.isoweekday(), local.isoweekday() % 7})
    both = day.startswith("*") or weekday.startswith("*")
    return allows(month, 1, 12, local.month) and (on_day and on_weekday if both else on_day or on_weekday)


def allows(text: str, low: int, high: int, value: int) -> bool:
    for term in text.split(","):
        span, _, step = term.partition("/")
        first, _, last = (f"{low}-{high}" if span == "*" else span).partition("-")
        if value in range(int(first), int(last or first) + 1, int(step or 1)):
            return True
    return False


def simulated(
    text: str, zone: str, start: datetime, minutes: int, dst: Literal["exact", "skip"]
) -> list[Moment]:
    """Cron's loop, one minute after the other, from two days before so that its virtual clock has settled."""
    tz, wild = ZoneInfo(zone), any(word.startswith("*") for word in text.split()[:2])
    at, end = start - timedelta(days=2), start + minutes * MINUTE
    virtual = at.astimezone(tz).replace(tzinfo=None)
    found = []
    while at < end:
        at += MINUTE
        clock = at.astimezone(tz).replace(tzinfo=None)
        behind, runs = (clock - virtual) // MINUTE, 0
        passed = [virtual + index * MINUTE for index in range(1, behind + 1)] if 0 < behind <= 180 else []
        if dst == "skip":
            runs = matches(text, clock) if behind > 0 else 0
            virtual = max(virtual, clock)
        elif 0 < behind <= 5:
            runs = sum(matches(text, minute) for minute in passed)
        elif 5 < behind <= 180:
            runs = matches(text, clock) if wild else sum(matches(text, minute) for minute in passed)
        elif -180 < behind <= 0:
            runs = matches(text, clock) if wild else 0
        else:
            runs = matches(text, clock)
        if dst != "skip" and not -180 < behind <= 0:
            virtual = clock
        if runs and at > start:
            found.append(Moment(at=at, times=int(runs)))
    return found


@settings(max_examples=60)
@given(st.data(), crons(seconds=False), zones, st.sampled_from(["exact", "skip"]))
def test_every_minute_of_a_simulated_cron_is_met(
    data: st.DataObject, text: str, zone: str, dst: Literal["exact", "skip"]
) -> None:
    start = data.draw(near_a_change(zone)).replace(second=0, microsecond=0)
    minutes = 10 * 60
    plan = schedule.parse_cron(text, zone, dst)
    assert listed(plan, start, start + minutes * MINUTE, most=2000) == simulated(
        text, zone, start, minutes, dst
    )
