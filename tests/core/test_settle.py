"""What becomes of the due moments between two passes, in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jarvis.core import schedule as schedules
from jarvis.core.job import Job, JobSpec
from jarvis.core.run import Status
from jarvis.core.settle import ALL_AT_MOST, Fire, Lateness, Pause, Settlement, Span, settle

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
ASLEEP = Lateness(reason="asleep 08:00-12:00", slept=True)
DOWN = Lateness(reason="Jarvis was not running 08:00-12:00")


def at(text: str) -> datetime:
    """An instant of the tenth of March."""
    return datetime.fromisoformat(f"2026-03-10T{text}+00:00")


def job(**body: Any) -> Job:
    return JobSpec.model_validate({"command": "true", **body}).resolve("j", timezone="UTC", python=False)


def said(settled: Settlement) -> list[str]:
    """``run 12:00``, ``missed 12:00 (why)``, ``5 missed 08:00-09:00 (why)``."""
    words = []
    for one in settled:
        if isinstance(one, Span):
            words.append(f"{one.count} {one.status} {one.from_at:%H:%M}-{one.until_at:%H:%M} ({one.reason})")
        elif one.status is Status.QUEUED:
            words.append(f"run {one.at:%H:%M}" + (f" #{one.repeat}" if one.repeat > 1 else ""))
        else:
            words.append(f"{one.status} {one.at:%H:%M} ({one.reason})")
    return words


def settled(
    body: dict[str, Any], first: str, now: str, lateness: Lateness = DOWN, pauses: tuple[Pause, ...] = ()
) -> list[str]:
    due = job(**body)
    schedule = schedules.for_job(due)
    assert schedule is not None
    return said(settle(due, schedule, at(first), at(now), pauses=pauses, lateness=lateness))


HOURLY = {"every": "1h"}
LATE = "Jarvis was not running 08:00-12:00"


@pytest.mark.parametrize(
    ("body", "first", "now", "expected"),
    [
        pytest.param(HOURLY, "12:00", "12:00:00.001", ["run 12:00"], id="one moment on time runs"),
        pytest.param(HOURLY, "12:00", "12:00", ["run 12:00"], id="one noticed at its very instant runs"),
        pytest.param(
            HOURLY, "12:00", "12:59:59", ["run 12:00"], id="one that is late runs as long as it is the newest"
        ),
        pytest.param(
            HOURLY,
            "09:00",
            "12:30",
            [f"3 missed 09:00-12:00 ({LATE})", "run 12:00"],
            id="after a gap the newest runs and the others are one span",
        ),
        pytest.param(
            {**HOURLY, "catch_up": "all"},
            "10:00",
            "12:30",
            ["run 10:00", "run 11:00", "run 12:00"],
            id="catch_up: all runs every one",
        ),
        pytest.param(
            {**HOURLY, "catch_up": "all", "misfire_grace": "90m"},
            "09:00",
            "12:30",
            [f"2 missed 09:00-11:00 ({LATE})", "run 11:00", "run 12:00"],
            id="catch_up: all runs those within misfire_grace",
        ),
        pytest.param(
            {**HOURLY, "catch_up": "none"},
            "12:00",
            "12:00:09",
            ["run 12:00"],
            id="catch_up: none runs what is punctual to some seconds",
        ),
        pytest.param(
            {**HOURLY, "catch_up": "none"},
            "12:00",
            "12:00:30",
            [f"missed 12:00 ({LATE}; 30s late and catch_up does not cover it)"],
            id="catch_up: none misses a single late one, as a row",
        ),
        pytest.param(
            {**HOURLY, "catch_up": "none"},
            "10:00",
            "12:30",
            [f"3 missed 10:00-12:30 ({LATE}; 30m late and catch_up does not cover it)"],
            id="catch_up: none misses several as one span",
        ),
        pytest.param(
            {**HOURLY, "catch_up": "none"},
            "10:00",
            "12:00:01",
            [f"2 missed 10:00-12:00 ({LATE})", "run 12:00"],
            id="catch_up: none still runs the one that is due just now",
        ),
        pytest.param(
            {**HOURLY, "misfire_grace": "10m"},
            "12:00",
            "12:10",
            ["run 12:00"],
            id="exactly misfire_grace late still runs",
        ),
        pytest.param(
            {**HOURLY, "misfire_grace": "10m"},
            "12:00",
            "12:10:01",
            [f"missed 12:00 ({LATE}; 10m1s late, misfire_grace is 10m)"],
            id="later than misfire_grace is missed",
        ),
        pytest.param(
            {**HOURLY, "misfire_grace": "10m", "catch_up": "none"},
            "12:00",
            "12:05",
            ["run 12:00"],
            id="within an explicit misfire_grace a fire is not late, whatever catch_up says",
        ),
        pytest.param(
            {"at": "2026-03-10 09:00"},
            "09:00",
            "12:00",
            ["run 09:00"],
            id="a single instant runs however late",
        ),
        pytest.param(
            {"at": "2026-03-10 09:00", "misfire_grace": "1h"},
            "09:00",
            "12:00",
            [f"missed 09:00 ({LATE}; 3h late, misfire_grace is 1h)"],
            id="a single instant with a misfire_grace is missed after it",
        ),
        pytest.param(
            {"cron": "0 * * * *", "every": "30m"},
            "11:00",
            "12:10",
            [f"2 missed 11:00-12:00 ({LATE})", "run 12:00"],
            id="instants that two schedules share count once",
        ),
    ],
)
def test_each_moment_gets_one_fate(body: dict[str, Any], first: str, now: str, expected: list[str]) -> None:
    assert settled(body, first, now) == expected


@pytest.mark.parametrize(
    ("lateness", "expected"),
    [
        pytest.param(ASLEEP, ["3 missed 09:00-12:00 (asleep 08:00-12:00)", "run 12:00"], id="after sleep"),
        pytest.param(
            DOWN,
            [f"4 missed 09:00-12:30 ({LATE}; 30m late and catch_up does not cover it)"],
            id="after downtime",
        ),
    ],
)
def test_catching_up_after_sleep_only_looks_at_why_it_is_late(
    lateness: Lateness, expected: list[str]
) -> None:
    body = {**HOURLY, "catch_up": {"run": "once", "after": "sleep"}}
    assert settled(body, "09:00", "12:30", lateness) == expected


def pause(begin: str, end: str | None) -> Pause:
    return Pause(from_at=at(begin), until_at=at(end) if end else None, reason="holidays")


@pytest.mark.parametrize(
    ("pauses", "first", "now", "expected"),
    [
        pytest.param(
            (pause("08:30", None),),
            "09:00",
            "12:30",
            ["4 skipped 09:00-12:30 (holidays)"],
            id="an open pause",
        ),
        pytest.param(
            (pause("08:30", None),),
            "12:00",
            "12:00",
            ["1 skipped 12:00-12:00 (holidays)"],
            id="one moment, just now",
        ),
        pytest.param(
            (pause("08:30", "11:30"),),
            "09:00",
            "12:30",
            ["3 skipped 09:00-11:30 (holidays)", "run 12:00"],
            id="a pause that ended meanwhile",
        ),
        pytest.param(
            (pause("08:30", "11:00"),),
            "09:00",
            "11:00",
            ["2 skipped 09:00-11:00 (holidays)", "run 11:00"],
            id="the moment at which a pause ends by itself is due again",
        ),
        pytest.param(
            (pause("08:30", "11:30"),),
            "09:00",
            "11:45",
            ["3 skipped 09:00-11:30 (holidays)"],
            id="nothing was due since the pause ended",
        ),
        pytest.param(
            (pause("07:00", "08:30"),),
            "09:00",
            "12:30",
            [f"3 missed 09:00-12:00 ({LATE})", "run 12:00"],
            id="a pause long over",
        ),
        pytest.param(
            (pause("07:00", "08:30"),),
            "12:00",
            "12:30",
            ["run 12:00"],
            id="a pause long over does not change how one moment is told",
        ),
        pytest.param(
            (pause("10:30", "11:30"),),
            "09:00",
            "12:30",
            [f"2 missed 09:00-10:30 ({LATE})", "1 skipped 10:30-11:30 (holidays)", "run 12:00"],
            id="moments before a pause that nobody noticed in time are missed",
        ),
        pytest.param(
            (pause("11:15", None), pause("09:30", "10:30")),
            "09:00",
            "12:30",
            [
                f"1 missed 09:00-09:30 ({LATE})",
                "1 skipped 09:30-10:30 (holidays)",
                f"1 missed 10:30-11:15 ({LATE})",
                "1 skipped 11:15-12:30 (holidays)",
            ],
            id="two pauses, in whatever order they are known",
        ),
        pytest.param(
            (pause("08:30", "12:10"), pause("09:30", "10:30")),
            "09:00",
            "12:30",
            ["4 skipped 09:00-12:10 (holidays)"],
            id="a pause inside another changes nothing",
        ),
        pytest.param((pause("12:30", None),), "12:00", "12:30", ["run 12:00"], id="a pause that begins now"),
    ],
)
def test_what_is_due_in_a_pause_is_skipped(
    pauses: tuple[Pause, ...], first: str, now: str, expected: list[str]
) -> None:
    assert settled(HOURLY, first, now, pauses=pauses) == expected


def test_catch_up_all_is_capped_and_the_rest_is_counted() -> None:
    due = job(every="1s", catch_up="all")
    schedule = schedules.for_job(due)
    assert schedule is not None
    found = settle(due, schedule, NOON, NOON + timedelta(days=1), lateness=DOWN)
    span, *fires = found
    assert isinstance(span, Span)
    assert (len(fires), span.count) == (ALL_AT_MOST, 86_401 - ALL_AT_MOST)
    assert isinstance(fires[0], Fire)
    assert fires[0].at == span.until_at
    assert isinstance(fires[-1], Fire)
    assert fires[-1].at == NOON + timedelta(days=1)


def test_a_year_of_seconds_is_counted_not_listed() -> None:
    due = job(every="1s")
    schedule = schedules.for_job(due)
    assert schedule is not None
    span, fire = settle(due, schedule, NOON, NOON + timedelta(days=365), lateness=DOWN)
    assert isinstance(span, Span) and isinstance(fire, Fire)
    assert span.count == 365 * 86_400


GAP = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
"""London's clocks go from 01:00 to 02:00."""
LONDON = {"cron": "0,15,30,45 1 * * *", "timezone": "Europe/London"}


@pytest.mark.parametrize(
    ("body", "now", "expected"),
    [
        pytest.param({**LONDON, "dst": "once"}, GAP, ["run 01:00"], id="once for the whole gap"),
        pytest.param(
            {**LONDON, "dst": "exact"},
            GAP,
            ["run 01:00", "run 01:00 #2", "run 01:00 #3", "run 01:00 #4"],
            id="exact: once for each skipped moment",
        ),
        pytest.param(
            {**LONDON, "dst": "exact", "catch_up": "none"},
            GAP + timedelta(minutes=1),
            ["missed 01:00 (late; 1m late and catch_up does not cover it)"] * 4,
            id="exact: each skipped moment is missed",
        ),
        pytest.param(
            {**LONDON, "dst": "exact"},
            GAP + timedelta(hours=23, minutes=1),
            ["4 missed 01:00-00:00 (late)", "run 00:00"],
            id="exact: skipped moments are counted, each of them",
        ),
    ],
)
def test_a_gap_of_local_time(body: dict[str, Any], now: datetime, expected: list[str]) -> None:
    due = job(**body)
    schedule = schedules.for_job(due)
    assert schedule is not None
    assert said(settle(due, schedule, GAP, now, lateness=Lateness(reason="late"))) == expected


BODIES = (
    {"every": "7m"},
    {"every": "7m", "catch_up": "all", "misfire_grace": "1h"},
    {"cron": "*/10 * * * *", "every": "4m", "catch_up": "none"},
    {"cron": "0,20,40 0-6 * * *", "timezone": "Europe/London", "dst": "exact"},
    {"cron": "0,20,40 0-6 * * *", "timezone": "Europe/London", "dst": "exact", "catch_up": "all"},
)
minutes = st.integers(0, 3000).map(lambda count: timedelta(seconds=count * 31))
several_pauses = st.lists(st.tuples(minutes, minutes | st.none()), max_size=3)


@given(st.sampled_from(BODIES), minutes, minutes, several_pauses)
@example({"every": "7m"}, timedelta(0), timedelta(seconds=868), [(timedelta(seconds=310), timedelta(0))])
def test_the_fates_of_any_gap_add_up_and_do_not_overlap(
    body: dict[str, Any],
    begin: timedelta,
    length: timedelta,
    several: list[tuple[timedelta, timedelta | None]],
) -> None:
    due = job(**body)
    schedule = schedules.for_job(due)
    assert schedule is not None
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)
    first = schedule.next(start + begin)
    assert first is not None
    now = first.at + length
    pauses = [
        Pause(from_at=start + after, until_at=None if lasts is None else start + after + lasts, reason="p")
        for after, lasts in several
    ]
    found = settle(due, schedule, first.at, now, pauses=pauses)
    covered = sum(one.count if isinstance(one, Span) else 1 for one in found)
    assert covered == schedule.count(first.at - timedelta(microseconds=1), now)
    reached = first.at
    for one in found:
        low = one.from_at if isinstance(one, Span) else one.at
        assert low >= reached
        reached = one.until_at if isinstance(one, Span) else one.at
        if isinstance(one, Span):
            assert one.count == schedule.count(
                one.from_at - timedelta(microseconds=1), one.until_at - timedelta(microseconds=1)
            )
        else:
            assert not any(
                pause.from_at < one.at and (pause.until_at is None or one.at < pause.until_at)
                for pause in pauses
            )
    keys = [(one.at, one.repeat) for one in found if isinstance(one, Fire)]
    assert len(keys) == len(set(keys))
