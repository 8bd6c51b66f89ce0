"""Does cron run as Debian's cron does, and ``dst: skip`` as systemd's timers do, where the clock jumps?"""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cronsim import CronSim

from jarvis.core import schedule
from jarvis.core.schedule import Moment, Schedule

MINUTE = timedelta(minutes=1)
YEAR = timedelta(days=365)
NEW_YORK = "America/New_York"


@cache
def golden() -> dict[str, Any]:
    with gzip.open(Path(__file__).with_name("golden_cron_dst.json.gz"), "rt") as file:
        table: dict[str, Any] = json.load(file)
        return table


def cases() -> Iterator[tuple[str, dict[str, Any], list[int]]]:
    for window in golden()["windows"]:
        for text, fires in zip(golden()["exprs"], window["fires"], strict=True):
            yield text, window, fires


def listed(plan: Schedule, after: datetime, until: datetime) -> list[Moment]:
    found = []
    while (moment := plan.next(after)) and moment.at <= until:
        found.append(moment)
        after = moment.at
    return found


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local_times(text: str, zone: str, after: str, until: str, dst: schedule.Dst = "once") -> list[str]:
    """``31 09:00`` for each start, repeated where one moment is several starts."""
    found = listed(schedule.parse_cron(text, zone, dst), utc(after), utc(until))
    spoken = [(one.at.astimezone(schedule.find_zone(zone)), one.times) for one in found]
    return [f"{at:%d %H:%M}" for at, times in spoken for _ in range(times)]


def relative(moments: list[Moment], window: dict[str, Any]) -> list[int]:
    """Minutes after the clock change, a moment as often as it starts: the form of the recorded table."""
    start = datetime.fromtimestamp(window["transition_utc"], UTC)
    return [(one.at - start) // MINUTE for one in moments for _ in range(one.times)]


def bounds(window: dict[str, Any]) -> tuple[datetime, datetime]:
    """The recorder switched cron on in the first minute; cron begins to run jobs with the next."""
    start = datetime.fromtimestamp(window["transition_utc"], UTC)
    return start + window["from_min"] * MINUTE, start + window["to_min"] * MINUTE


def test_the_recorded_table_holds_three_thousand_cases_with_starts_in_most_windows() -> None:
    table = list(cases())
    assert len(table) == 3000
    assert sum(len(fires) for _, _, fires in table) > 30_000


@pytest.mark.parametrize("dst", ["exact", "once"])
def test_every_start_recorded_from_debian_cron_is_found_and_no_other(dst: schedule.Dst) -> None:
    wrong = []
    for text, window, fires in cases():
        expected = fires if dst == "exact" else sorted(set(fires))
        found = listed(schedule.parse_cron(text, window["zone"], dst), *bounds(window))
        if relative(found, window) != expected:
            wrong.append((window["zone"], window["transition_utc"], text))
    assert wrong == []


@pytest.mark.parametrize("dst", ["exact", "once"])
def test_counting_and_listing_backwards_agree_with_the_recorded_table(dst: schedule.Dst) -> None:
    wrong = []
    for text, window, fires in cases():
        expected = fires if dst == "exact" else sorted(set(fires))
        plan, (after, until) = schedule.parse_cron(text, window["zone"], dst), bounds(window)
        newest = plan.latest(after, until, 3)
        if plan.count(after, until) != len(expected) or newest != listed(plan, after, until)[-3:]:
            wrong.append((window["zone"], window["transition_utc"], text))
    assert wrong == []


def test_once_makes_up_for_a_gap_with_at_most_one_moment() -> None:
    """What cron starts at a jump beyond what was due on time becomes a single start under ``once``."""
    several = 0
    for text, window, fires in cases():
        plan = schedule.parse_cron(text, window["zone"], "once")
        jump = datetime.fromtimestamp(window["transition_utc"], UTC)
        at_jump = listed(plan, jump - timedelta(seconds=1), jump)
        assert [one.times for one in at_jump] == [1] * (0 in fires)
        several += fires.count(0) > 1
    assert several == 25


SPRING = ("2026-03-08T04:00", "2026-03-08T09:30")
AUTUMN = ("2026-11-01T03:59", "2026-11-01T08:00")


JUMPS = {
    "a skipped time runs right after the gap": ("30 2 * * *", "once", SPRING, ["03:00"]),
    "cron makes up for each skipped time": ("0,15,30,45 2 * * *", "exact", SPRING, ["03:00"] * 4),
    "once makes up for all with one run": ("0,15,30,45 2 * * *", "once", SPRING, ["03:00"]),
    "late and on time are two runs": ("0 1-4 * * *", "exact", SPRING, ["01:00", "03:00", "03:00", "04:00"]),
    "once makes them one": ("0 1-4 * * *", "once", SPRING, ["01:00", "03:00", "04:00"]),
    "skip leaves out what does not exist": ("30 2 * * *", "skip", SPRING, []),
    "skip keeps what does": ("0 1-4 * * *", "skip", SPRING, ["01:00", "03:00", "04:00"]),
    "a repeated time runs in its first pass": ("30 1 * * *", "once", AUTUMN, ["01:30"]),
    "exact does not repeat it either": ("30 1 * * *", "exact", AUTUMN, ["01:30"]),
    "nor does skip": ("30 1 * * *", "skip", AUTUMN, ["01:30"]),
    "a wildcard runs in both passes": ("*/30 1 * * *", "once", AUTUMN, ["01:00", "01:30", "01:00", "01:30"]),
    "under skip in the first only": ("*/30 1 * * *", "skip", AUTUMN, ["01:00", "01:30"]),
    "an hourly job runs every hour": ("30 * * * *", "once", AUTUMN, ["00:30", "01:30", "01:30", "02:30"]),
    "@hourly is a wildcard": ("@hourly", "exact", SPRING, ["00:00", "01:00", "03:00", "04:00", "05:00"]),
    "six fields catch up too": ("0 30 2 * * *", "once", SPRING, ["03:00"]),
    "not with a wildcard second": ("*/20 30 2 * * *", "once", SPRING, []),
}


@pytest.mark.parametrize(("text", "dst", "window", "expected"), JUMPS.values(), ids=JUMPS)
def test_new_york_where_the_clock_jumps(
    text: str, dst: schedule.Dst, window: tuple[str, str], expected: list[str]
) -> None:
    assert [at.split()[1] for at in local_times(text, NEW_YORK, *window, dst)] == expected


@pytest.mark.parametrize(
    ("text", "zone", "after", "until", "expected"),
    [
        pytest.param("15 0 * * *", "America/Sao_Paulo", "2018-11-03T00:00", "2018-11-05T12:00",
                     ["03 00:15", "04 01:00", "05 00:15"], id="a gap at midnight keeps the day"),
        pytest.param("0 9 * * *", "Pacific/Apia", "2011-12-29T00:00", "2011-12-31T10:00",
                     ["29 09:00", "31 09:00"], id="a day that does not exist is not made up for"),
        pytest.param("10 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00", "2026-10-04T20:00",
                     ["04 02:30", "05 02:10"], id="a gap of thirty minutes"),
        pytest.param("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00", "2026-04-05T00:00",
                     ["05 01:45"], id="an overlap of thirty minutes"),
        pytest.param("*/15 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00", "2026-04-05T00:00",
                     ["05 01:00", "05 01:15", "05 01:30", "05 01:45", "05 01:30", "05 01:45"],
                     id="a wildcard through thirty minutes twice"),
        pytest.param("45 2 * * *", "America/Caracas", "2016-04-30T12:00", "2016-05-02T12:00",
                     ["01 03:00", "02 02:45"], id="the base offset changes"),
        pytest.param("30 1 * * *", "Europe/Dublin", "2026-03-28T12:00", "2026-03-30T12:00",
                     ["29 02:00", "30 01:30"], id="winter time as the exception"),
        pytest.param("30 1 * * *", "Europe/Dublin", "2026-10-24T12:00", "2026-10-26T12:00",
                     ["25 01:30", "26 01:30"], id="back from it"),
        pytest.param("30 2 * * *", "Antarctica/Troll", "2026-03-28T12:00", "2026-03-29T23:00",
                     ["29 03:00"], id="a gap of two hours"),
        pytest.param("0 3 * * *", "Antarctica/Casey", "2011-10-26T12:00", "2011-10-28T12:00",
                     ["27 03:00"], id="a gap of three hours is a correction"),
        pytest.param("30 0 * * *", "Antarctica/Casey", "2010-03-04T12:00", "2010-03-05T12:00",
                     ["05 00:30"], id="three hours back are waited for"),
    ],
)  # fmt: skip
def test_zones_that_are_odd(text: str, zone: str, after: str, until: str, expected: list[str]) -> None:
    assert local_times(text, zone, after, until) == expected


@pytest.mark.parametrize("start", ["05:10", "05:45", "06:00", "06:15", "06:31", "07:00"])
def test_starting_inside_the_repeated_hour_changes_nothing(start: str) -> None:
    for text in ("30 1 * * *", "*/20 * * * *", "0,40 0-5 * * *"):
        for dst in ("once", "exact", "skip"):
            plan = schedule.parse_cron(text, NEW_YORK, dst)
            whole = listed(plan, utc("2026-11-01T03:00"), utc("2026-11-01T12:00"))
            at = utc(f"2026-11-01T{start}")
            assert listed(plan, at, utc("2026-11-01T12:00")) == [one for one in whole if one.at > at]


SYSTEMD = [
    pytest.param("30 2 * * *", "*-*-* 02:30:00", NEW_YORK, "2026-03-06 12:00:00", id="a time in the gap"),
    pytest.param("*/30 * * * *", "*:00/30:00", NEW_YORK, "2026-03-08 04:10:00", id="half hours over the gap"),
    pytest.param("30 1 * * *", "*-*-* 01:30:00", NEW_YORK, "2026-10-30 12:00:00", id="a time in the overlap"),
    pytest.param(
        "*/30 * * * *", "*:00/30:00", NEW_YORK, "2026-11-01 03:10:00", id="half hours over the overlap"
    ),
    pytest.param(
        "*/10 * * * *", "*:00/10:00", "Australia/Lord_Howe", "2026-04-04 14:05:00", id="half an hour twice"
    ),
    pytest.param("15 * * * *", "*:15:00", "America/Sao_Paulo", "2018-02-17 23:00:00", id="midnight twice"),
    pytest.param(
        "15 0 * * *", "*-*-* 00:15:00", "America/Sao_Paulo", "2018-11-02 12:00:00", id="no midnight"
    ),
    pytest.param("0 9 * * *", "*-*-* 09:00:00", "Pacific/Apia", "2011-12-27 12:00:00", id="no 30 December"),
    pytest.param("15 * * * *", "*:15:00", "America/Caracas", "2016-05-01 04:00:00", id="a new base offset"),
    pytest.param(
        "*/10 * * * *", "*:00/10:00", "Europe/Dublin", "2026-10-24 23:40:00", id="winter as exception"
    ),
    pytest.param(
        "30 8 * * 1-5", "Mon..Fri *-*-* 08:30:00", "Europe/Berlin", "2026-03-20 12:00:00", id="workdays"
    ),
    pytest.param("0 0 29 2 *", "*-02-29 00:00:00", "Europe/London", "2026-01-01 00:00:00", id="leap days"),
    pytest.param(
        "*/15 30 2 * * *", "*-*-* 02:30:00/15", "Europe/Berlin", "2026-03-28 12:00:00", id="seconds"
    ),
]


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize(("text", "calendar", "zone", "base"), SYSTEMD)
def test_skip_elapses_when_systemd_says_it_would(text: str, calendar: str, zone: str, base: str) -> None:
    said = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations=12", f"--base-time={base} UTC", f"{calendar} {zone}"],
        env={"PATH": os.environ["PATH"], "TZ": "UTC", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    expected = re.findall(r"(?:Next elapse|Iter\. #\d+): \w{3} (\S+ \S+) UTC", said)
    plan, after, found = schedule.parse_cron(text, zone, "skip"), utc(base), []
    for _ in expected:
        moment = plan.next(after)
        assert moment
        after = moment.at
        found.append(f"{after:%Y-%m-%d %H:%M:%S}")
    assert len(expected) == 12
    assert found == expected


def test_a_moment_is_strictly_later_and_of_a_whole_second() -> None:
    plan = schedule.parse_cron("0 12 * * *", "UTC")
    noon = utc("2026-05-01T12:00")
    assert plan.next(noon - timedelta(microseconds=1)) == Moment(at=noon)
    assert plan.next(noon) == Moment(at=noon + timedelta(days=1))
    assert plan.next(noon + timedelta(microseconds=1)) == Moment(at=noon + timedelta(days=1))
    assert plan.count(noon - timedelta(microseconds=1), noon) == 1
    assert plan.count(noon, noon) == 0
    assert plan.count(noon, noon - YEAR) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("0 0 29 2 *", "2028-02-29T00:00", id="leap day"),
        pytest.param("0 0 29 2 */7", "2032-02-29T00:00", id="leap day on a Sunday"),
        pytest.param("0 0 1 1 *", "2027-01-01T00:00", id="new year"),
        pytest.param("59 23 31 12 *", "2026-12-31T23:59", id="the last minute of the year"),
        pytest.param("30 15 14 13 * *", "2026-03-13T14:15:30", id="seconds first"),
        pytest.param("5-5/15 * * * *", "2026-03-02T06:05", id="a range of one value has no further steps"),
        pytest.param("0 0 * * 0-0/1", "2026-03-08T00:00", id="nor has it among the weekdays"),
        pytest.param("0 0 * * 7", "2026-03-08T00:00", id="7 is Sunday"),
        pytest.param("0 0 * * 0", "2026-03-08T00:00", id="0 is Sunday"),
        pytest.param("0 0 13 * fri", "2026-03-06T00:00", id="either day field is enough"),
        pytest.param("0 9 */2 * 2", "2026-03-03T09:00", id="both must match when one begins with a star"),
        pytest.param("*/70 * * * *", "2026-03-02T06:00", id="a step beyond the range leaves its first value"),
        pytest.param("0 0 * Jun-AUG *", "2026-06-01T00:00", id="names in any case, in ranges"),
    ],
)
def test_the_next_moment_in_a_zone_without_jumps(text: str, expected: str) -> None:
    moment = schedule.parse_cron(text, "UTC").next(utc("2026-03-02T05:30"))
    assert moment
    assert moment.at == utc(expected)


def test_all_expressions_of_the_table_match_cronsim_for_two_years_of_utc() -> None:
    for text in golden()["exprs"][:60]:
        after = utc("2026-12-30T07:07:30")
        theirs, ours = CronSim(text, after), schedule.parse_cron(text, "UTC")
        for _ in range(150):
            moment = ours.next(after)
            assert moment
            assert moment.at == next(theirs), text
            after = moment.at


@pytest.mark.parametrize(
    ("text", "wildcard"),
    [
        ("* * * * *", True),
        ("*/5 3 * * *", True),
        ("0 */2 * * *", True),
        ("*,30 1 * * *", True),
        ("@hourly", True),
        ("@daily", False),
        ("0 0-23 * * *", False),
        ("30 2 * * *", False),
        ("*/10 30 2 * * *", True),
        ("0 30 2 * * *", False),
    ],
)
def test_wildcards_are_told_by_the_first_character(text: str, wildcard: bool) -> None:
    assert schedule.parse_cron(text, "UTC").wildcard is wildcard


def test_counting_a_century_of_seconds_is_arithmetic() -> None:
    plan = schedule.parse_cron("* * * * * *", "Europe/Berlin")
    start, end = utc("1990-01-01T00:00"), utc("2090-01-01T00:00")
    assert plan.count(start, end) == (end - start) // timedelta(seconds=1)


def test_the_newest_of_a_century_come_from_its_end() -> None:
    plan = schedule.parse_cron("0 0 29 2 *", "Europe/Berlin")
    found = plan.latest(utc("1900-01-01T00:00"), utc("2027-01-01T00:00"), 2)
    assert [one.at for one in found] == [utc("2020-02-28T23:00"), utc("2024-02-28T23:00")]
    assert plan.latest(utc("2025-01-01T00:00"), utc("2027-01-01T00:00"), 2) == []
    assert plan.latest(utc("1900-01-01T00:00"), utc("2027-01-01T00:00"), 0) == []


def test_a_missed_night_in_spring_is_counted_with_its_multiplicity() -> None:
    after, until = utc("2026-03-08T06:30"), utc("2026-03-08T08:30")
    assert schedule.parse_cron("0,15,30,45 2 * * *", NEW_YORK, "exact").count(after, until) == 4
    assert schedule.parse_cron("0,15,30,45 2 * * *", NEW_YORK, "once").count(after, until) == 1
    assert schedule.parse_cron("0,15,30,45 2 * * *", NEW_YORK, "skip").count(after, until) == 0


def test_the_end_of_the_calendar_is_the_end_of_the_schedule() -> None:
    plan = schedule.parse_cron("@yearly", NEW_YORK)
    assert plan.next(datetime.max.replace(tzinfo=UTC)) is None
    assert plan.next(datetime.min.replace(tzinfo=UTC))


def test_the_same_text_zone_and_dst_are_the_same_object() -> None:
    first = schedule.parse_cron("5 4 * * *", NEW_YORK, "once")
    assert schedule.parse_cron("5 4 * * *", NEW_YORK, "once") is first
    assert schedule.parse_cron("5 4 * * *", NEW_YORK, "exact") != first
