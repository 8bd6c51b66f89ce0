"""Tasks at moments of a day, every number at its edge."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from jarvis.core.tasks import Limits, Task, judge

LONDON = ZoneInfo("Europe/London")
TODAY = date(2026, 11, 20)


def at(hour, minute=0, day=TODAY, zone=LONDON):
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)


def due(title, days, **more):
    return Task(title=title, active=True, due=TODAY + timedelta(days=days), **more)


def done(points, day=TODAY):
    return Task(title="done", active=False, points=points, completed=day)


def told(tasks, now=None, **limits):
    return {one.key: one.severity for one in judge(tasks, now or at(10), Limits(**limits)).findings}


def test_overdue_tasks_are_one_alert_with_the_first_three_titles_oldest_first():
    tasks = [due("d", -1), due("a", -9), due("c", -2), due("b", -3), due("today", 0), due("later", 5)]
    (found,) = judge(tasks, at(10), Limits()).findings
    assert (found.key, found.severity) == ("overdue:2026-11-20", "high")
    assert found.text == "4 tasks overdue: a, b, c and 1 more" and found.title == "4 tasks overdue"
    assert judge([due("a", -1)], at(10), Limits()).findings[0].text == "1 task overdue: a"
    assert judge(tasks, at(10), Limits(titles=1)).findings[0].text == "4 tasks overdue: a and 3 more"


def test_what_is_due_today_is_not_overdue_until_midnight():
    tasks = [due("report", 0)]
    assert told(tasks, at(23, 59)) == {}
    assert told(tasks, at(0, 0, TODAY + timedelta(days=1))) == {"overdue:2026-11-21": "high"}


def test_a_task_that_is_not_active_is_never_overdue():
    assert told([Task(title="a", active=False, due=TODAY - timedelta(days=9))]) == {}
    assert told([Task(title="a", active=True)]) == {}


def test_each_overdue_milestone_is_critical_and_told_alone():
    tasks = [due("Beta", -1, milestone=True), due("Launch", -5, milestone=True), due("x", -1)]
    assert told(tasks) == {
        "overdue:2026-11-20": "high",
        "milestone:beta:2026-11-20": "critical",
        "milestone:launch:2026-11-20": "critical",
    }
    texts = [one.text for one in judge(tasks, at(10), Limits()).findings]
    assert texts[0] == "1 task overdue: x"
    assert texts[1] == "the milestone 'Launch' was due on 2026-11-15, 5 days ago" and "1 day ago" in texts[2]
    assert told([due("Beta", 0, milestone=True)]) == {}


@pytest.mark.parametrize("hour", range(24))
def test_due_today_is_told_only_in_the_hours_nine_and_fourteen(hour):
    expected = {f"due_today:2026-11-20:{hour:02}": "medium"} if hour in (9, 14) else {}
    assert told([due("report", 0)], at(hour)) == told([due("report", 0)], at(hour, 59)) == expected


@pytest.mark.parametrize("hour", range(24))
def test_due_tomorrow_is_told_only_in_the_hour_eighteen(hour):
    expected = {"due_tomorrow:2026-11-20:18": "low"} if hour == 18 else {}
    assert told([due("report", 1), due("far", 2)], at(hour)) == expected


def test_the_hours_are_parameters():
    assert told([due("a", 0)], at(7), today_hours=[7]) == {"due_today:2026-11-20:07": "medium"}
    assert told([due("a", 0)], at(9), today_hours=[]) == {}
    assert told([due("a", 1)], at(20), tomorrow_hours=[20]) == {"due_tomorrow:2026-11-20:20": "low"}


@pytest.mark.parametrize(("count", "known"), [(9, False), (10, True), (11, True)])
def test_ten_active_tasks_are_many(count, known):
    tasks = [due(str(number), 5) for number in range(count)]
    assert told(tasks) == ({"active:2026-11-20": "medium"} if known else {})


def test_how_many_are_many_is_a_parameter():
    assert told([due("a", 5)], many=1) == {"active:2026-11-20": "medium"}
    assert told([due(str(number), 5) for number in range(99)], many=None) == {}


PROGRESS = [
    ("nothing at 11:59", 0, (11, 59), None),
    ("nothing at 12:00", 0, (12, 0), ("12", "medium")),
    ("a little at 12:00", 0.1, (12, 0), None),
    ("just below half at 14:59", 9.99, (14, 59), None),
    ("just below half at 15:00", 9.99, (15, 0), ("15", "medium")),
    ("half at 15:00", 10, (15, 0), None),
    ("nothing at 15:00 is told once", 0, (15, 0), ("15", "medium")),
    ("just below three quarters at 16:59", 14.99, (16, 59), None),
    ("just below three quarters at 17:00", 14.99, (17, 0), ("17", "high")),
    ("three quarters at 17:00", 15, (17, 0), None),
    ("nothing at 17:00 is told once, high", 0, (17, 0), ("17", "high")),
    ("nothing at 18:59", 0, (18, 59), ("17", "high")),
    ("nothing at 19:00", 0, (19, 0), None),
    ("nothing at 08:59", 0, (8, 59), None),
]


@pytest.mark.parametrize(
    ("earned", "when", "found"), [row[1:] for row in PROGRESS], ids=[row[0] for row in PROGRESS]
)
def test_the_progress_of_a_day_at_its_edges(earned, when, found):
    expected = {f"progress:2026-11-20:{found[0]}": found[1]} if found else {}
    assert told([done(earned)], at(*when), target=20) == expected


def test_progress_is_judged_from_nine_to_eighteen_whatever_the_stages_say():
    early = {"target": 20, "nothing_from": 0}
    assert told([], at(8, 59), **early) == {} and told([], at(9), **early) == {
        "progress:2026-11-20:00": "medium"
    }
    assert told([], at(18, 59), **early) and told([], at(19), **early) == {}
    assert told([], at(19), progress_until=19, target=20) == {"progress:2026-11-20:17": "high"}


def test_without_a_target_progress_is_not_judged():
    verdict = judge([], at(17), Limits())
    assert verdict.findings == () and "progress_percent" not in verdict.numbers


def test_only_what_was_completed_today_is_earned():
    tasks = [done(4), done(3, TODAY - timedelta(days=1)), done(2, TODAY + timedelta(days=1))]
    verdict = judge(tasks, at(10), Limits(target=16))
    assert verdict.numbers["earned"] == 4 and verdict.numbers["progress_percent"] == 25


def test_an_hour_that_comes_twice_is_told_under_one_key():
    """In London the clocks went back on 2026-10-25 at 02:00."""
    day = date(2026, 10, 25)
    first, second = (at(1, 30, day).replace(fold=fold) for fold in (0, 1))
    tasks = [Task(title="a", active=True, due=day)]
    assert first.utcoffset() != second.utcoffset()
    assert told(tasks, first, today_hours=[1]) == told(tasks, second, today_hours=[1]) != {}


def test_tomorrow_is_the_next_date_across_a_change_of_clocks():
    """The day of 2026-03-29 has 23 hours in London."""
    eve = at(18, 0, date(2026, 3, 28))
    tasks = [Task(title="a", active=True, due=date(2026, 3, 29))]
    assert told(tasks, eve) == {"due_tomorrow:2026-03-28:18": "low"}


def test_the_numbers_count_everything():
    tasks = [due("a", -1), due("b", 0), due("c", 1), due("d", 1), done(2)]
    assert judge(tasks, at(10), Limits()).numbers == {
        "active": 4, "overdue": 1, "due_today": 1, "due_tomorrow": 2, "earned": 2,
    }  # fmt: skip
