"""Habits of the last days, every number at its edge."""

from datetime import UTC, datetime, timedelta

import pytest

from jarvis.core.patterns import Flow, Habits, Limits, Measured, Noted, flows, judge

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOW.date()


def ago(days):
    return TODAY - timedelta(days=days)


def noted(text, *days, count=1):
    return tuple(Noted(text=text, day=ago(one), count=count) for one in days)


def measured(values):
    return tuple(Measured(day=ago(days), value=value) for days, value in values.items())


def told(limits=None, **habits):
    return {one.key: one.severity for one in judge(Habits(**habits), NOW, limits or Limits()).findings}


def test_an_item_postponed_three_times_in_seven_days_is_told():
    assert told(postponed=noted("Tax", 0, 3)) == {}
    assert told(postponed=noted("Tax", 0, 3, 6)) == {"postponed:tax:2026-11-20": "medium"}
    assert told(postponed=noted("Tax", 0, 3, 7)) == {}, "the seventh day back is the eighth day"
    assert told(postponed=noted("Tax", 0, 3) + noted("Dentist", 1, 2)) == {}
    assert told(postponed=noted("Tax", 0) + noted("tax", 1, 2)) == {"postponed:tax:2026-11-20": "medium"}
    assert told(postponed=noted("Tax", 0, count=3)) == {"postponed:tax:2026-11-20": "medium"}
    assert told(postponed=noted("Tax", -1, 0, 1)) == {}, "tomorrow has not been"


def test_each_item_has_a_key_of_its_own():
    found = told(postponed=noted("Tax", 0, 1, 2) + noted("Dentist", 0, 1, 2))
    assert set(found) == {"postponed:tax:2026-11-20", "postponed:dentist:2026-11-20"}


def test_a_worry_mentioned_three_times_is_told():
    assert told(worries=noted("money", 0, 1)) == {}
    assert told(worries=noted("money", 0, 1, 1)) == {"worry:money:2026-11-20": "medium"}
    assert told(worries=noted("money", 0, count=3)) == {"worry:money:2026-11-20": "medium"}


def test_five_worries_in_seven_days_are_told():
    four = tuple(one for text in "abcd" for one in noted(text, 1))
    assert told(worries=four) == {}
    assert told(worries=four + noted("e", 6)) == {"worries:2026-11-20": "medium"}
    assert told(worries=four + noted("e", 7)) == {}
    assert told(worries=noted("money", 0, 1, 2, 3, 4)) == {"worry:money:2026-11-20": "medium"}


@pytest.mark.parametrize(
    ("values", "known"),
    [
        ({7: 10, 0: 8}, True),
        ({7: 10, 0: 8.01}, False),
        ({8: 10, 0: 8}, False),
        ({6: 10, 3: 2, 0: 8}, True),
        ({7: 10, 1: 8}, True),
        ({7: 8, 0: 10}, False),
        ({0: 8}, False),
    ],
    ids=["20 per cent", "a little less", "more than a week ago", "only first and last count", "last is yesterday's",
         "rising", "one day"],
)  # fmt: skip
def test_energy_that_falls_by_twenty_per_cent_in_seven_days_is_told_high(values, known):
    assert told(energy=measured(values)) == ({"energy:2026-11-20": "high"} if known else {})


def test_a_day_s_energy_is_the_mean_of_its_readings():
    values = (*measured({7: 10}), *measured({0: 9}), *measured({0: 7}))
    assert told(energy=values) == {"energy:2026-11-20": "high"}


def test_energy_of_too_few_days_or_from_zero_is_not_judged_and_this_is_said():
    assert judge(Habits(energy=measured({0: 8})), NOW, Limits()).unknown == (
        "energy of 1 of the last 7 days (2 needed)",
    )
    assert "is not above zero" in judge(Habits(energy=measured({6: 0, 0: 8})), NOW, Limits()).unknown[0]


@pytest.mark.parametrize(
    ("created", "completed", "known"),
    [(6, 4, False), (7, 4, True), (1, 0, False), (2, 0, True), (0, 0, False)],
)
def test_more_than_one_and_a_half_tasks_created_for_each_completed_are_told(created, completed, known):
    flow = (
        Flow(day=TODAY, created=created),
        Flow(day=ago(6), completed=completed),
        Flow(day=ago(7), created=99),
    )
    assert told(flow=flow) == ({"flow:2026-11-20": "medium"} if known else {})


def test_tasks_become_a_flow():
    assert list(flows([TODAY, None], [None, ago(1)])) == [
        Flow(day=TODAY, created=1),
        Flow(day=ago(1), completed=1),
    ]


@pytest.mark.parametrize(
    ("nights", "known"),
    [
        ({0: 6.9, 1: 6.9, 2: 6.9}, True),
        ({0: 6.9, 1: 7.0, 2: 6.9}, False),
        ({1: 6.9, 2: 5, 3: 6}, True),
        ({0: 7.5, 1: 6, 2: 6, 3: 6}, False),
        ({0: 6, 2: 6, 3: 6}, False),
        ({2: 6, 3: 6, 4: 6}, False),
        ({0: 6, 1: 6}, False),
    ],
    ids=["three below 7 h", "one of exactly 7 h", "last night not known yet", "paid back", "a gap", "too old",
         "two nights"],
)  # fmt: skip
def test_three_nights_below_seven_hours_are_a_debt(nights, known):
    assert told(nights=measured(nights)) == ({"sleep_debt:2026-11-20": "medium"} if known else {})


def test_nights_that_are_missing_are_said():
    assert judge(Habits(nights=()), NOW, Limits()).unknown == ("sleep of the last 3 nights is not complete",)


def test_a_focus_file_untouched_for_seven_days_is_told():
    assert told(focus_at=NOW - timedelta(days=7) + timedelta(seconds=1)) == {}
    assert told(focus_at=NOW - timedelta(days=7)) == {"focus:2026-11-20": "medium"}
    assert told(focus_at=NOW + timedelta(days=1)) == {}
    assert judge(Habits(focus_at=NOW + timedelta(days=1)), NOW, Limits()).numbers == {"focus_days": 0}


def test_what_is_not_known_is_not_judged():
    assert judge(Habits(), NOW, Limits()) == judge(Habits(), NOW, Limits(days=1))
    assert told() == {} and judge(Habits(), NOW, Limits()).numbers == {}


def test_every_number_is_a_parameter_and_null_is_not_watched():
    habits = {
        "postponed": noted("Tax", 0, 1, 2),
        "worries": noted("money", 0, 1, 2),
        "energy": measured({7: 10, 0: 1}),
        "nights": measured({0: 1, 1: 1, 2: 1}),
        "flow": (Flow(day=TODAY, created=99),),
        "focus_at": NOW - timedelta(days=99),
    }
    assert len(told(**habits)) == 6
    off = Limits(postponed=None, focus_days=None, mentions=None, worries=None, energy_percent=None,
                 created_per_completed=None, sleep_hours=None)  # fmt: skip
    assert told(off, **habits) == {}
    narrow = Limits(days=1, postponed=1, mentions=9, worries=1, energy_percent=95, created_per_completed=200,
                    sleep_hours=0.5, focus_days=100)  # fmt: skip
    assert told(narrow, **habits) == {"postponed:tax:2026-11-20": "medium", "worries:2026-11-20": "medium"}
