"""Limits of a wearable's day, each at its edge."""

from datetime import date, timedelta

import pytest

from jarvis.core.wellbeing import Day, Limits, judge

TODAY = date(2026, 11, 20)


def told(limits=None, before=(), **values):
    days = [*before, Day(day=TODAY, **values)]
    return {one.key: one.severity for one in judge(days, TODAY, limits or Limits()).findings}


def nights(hrv, count=30, first=1):
    return [Day(day=TODAY - timedelta(days=number), hrv=hrv) for number in range(first, first + count)]


EDGES = [
    ("readiness 65 is well", "readiness", 65, None),
    ("readiness just below 65", "readiness", 64.9, "warning"),
    ("readiness 50 is a warning", "readiness", 50, "warning"),
    ("readiness just below 50", "readiness", 49.9, "critical"),
    ("readiness 0", "readiness", 0, "critical"),
    ("sleep of 6.0 h is well", "sleep", 6.0, None),
    ("sleep just below 6.0 h", "sleep", 5.99, "warning"),
    ("sleep of 5.0 h is a warning", "sleep", 5.0, "warning"),
    ("sleep just below 5.0 h", "sleep", 4.99, "critical"),
    ("stress just below 75", "stress", 74.9, None),
    ("stress 75", "stress", 75, "warning"),
    ("stress just below 85", "stress", 84.9, "warning"),
    ("stress 85", "stress", 85, "critical"),
]


@pytest.mark.parametrize(
    ("name", "value", "level"), [row[1:] for row in EDGES], ids=[row[0] for row in EDGES]
)
def test_readiness_sleep_and_stress_at_their_edges(name, value, level):
    severity = {"warning": "medium", "critical": "critical"}.get(level)
    assert told(**{name: value}) == ({f"{name}:{level}:2026-11-20": severity} if level else {})


HRV = [
    ("14.9 per cent below the mean is well", 85.1, None),
    ("15 per cent below", 85, "warning"),
    ("24.9 per cent below", 75.1, "warning"),
    ("25 per cent below", 75, "critical"),
    ("above the mean", 120, None),
]


@pytest.mark.parametrize(("value", "level"), [row[1:] for row in HRV], ids=[row[0] for row in HRV])
def test_hrv_against_the_mean_of_thirty_days_at_its_edges(value, level):
    severity = {"warning": "medium", "critical": "critical"}.get(level)
    assert told(before=nights(100), hrv=value) == ({f"hrv:{level}:2026-11-20": severity} if level else {})


def test_the_edge_of_hrv_is_exact_in_floating_point():
    assert told(before=nights(0.1), hrv=0.085) and told(before=nights(40.0), hrv=34.0)
    assert told(before=nights(1 / 3), hrv=0.85 / 3) == {"hrv:warning:2026-11-20": "medium"}


def test_the_mean_is_of_the_thirty_days_before_today_and_of_no_other():
    before = [*nights(100, 30), *nights(1000, 10, first=31)]
    verdict = judge([*before, Day(day=TODAY, hrv=85)], TODAY, Limits())
    assert verdict.numbers["hrv_change"] == -15
    assert (
        judge([*nights(100, 29), *nights(40, 1, first=30), Day(day=TODAY, hrv=98)], TODAY, Limits()).numbers[
            "hrv_change"
        ]
        == 0
    )


def test_with_fewer_than_seven_nights_hrv_is_not_judged_and_this_is_said():
    verdict = judge([*nights(100, 6), Day(day=TODAY, hrv=10)], TODAY, Limits())
    assert verdict.findings == () and "HRV of only 6 of the last 30 nights (7 needed)" in verdict.unknown
    assert told(before=nights(100, 7), hrv=10) == {"hrv:critical:2026-11-20": "critical"}


def test_no_data_of_today_is_unknown_and_neither_zero_nor_well():
    verdict = judge(nights(100), TODAY, Limits())
    assert verdict.findings == () and verdict.numbers == {}
    assert verdict.unknown == ("no readiness", "no sleep", "no hrv", "no stress")


def test_a_mean_of_nothing_but_zeros_is_no_mean():
    assert told(before=nights(0), hrv=10) == {}


def test_each_level_of_each_day_has_a_key_of_its_own():
    monday = {one.key for one in judge([Day(day=TODAY, sleep=5.5)], TODAY, Limits()).findings}
    later = TODAY + timedelta(days=1)
    tuesday = {one.key for one in judge([Day(day=later, sleep=5.5)], later, Limits()).findings}
    worse = {one.key for one in judge([Day(day=TODAY, sleep=4)], TODAY, Limits()).findings}
    assert len(monday | tuesday | worse) == 3


def test_thresholds_are_parameters_and_null_is_not_watched():
    strict = Limits(readiness_warning=90, readiness_critical=80, sleep_warning=None, sleep_critical=None)
    assert told(strict, readiness=85, sleep=1) == {"readiness:warning:2026-11-20": "medium"}
    assert told(Limits(hrv_warning=5, hrv_critical=10, hrv_nights=1), nights(100, 1), hrv=90) == {
        "hrv:critical:2026-11-20": "critical"
    }
    assert told(Limits(stress_warning=10, stress_critical=None), stress=99) == {
        "stress:warning:2026-11-20": "medium"
    }


def test_the_texts_say_the_value_and_the_day():
    days = [*nights(40), Day(day=TODAY, readiness=64, sleep=5.997, hrv=30, stress=80)]
    assert [one.text for one in judge(days, TODAY, Limits()).findings] == [
        "readiness is 64 of 100 (2026-11-20)",
        "5 h 59 min of sleep (2026-11-20)",
        "HRV is 30 ms, 25 % below the mean of 40 ms of the last 30 days (2026-11-20)",
        "stress is 80 of 100 (2026-11-20)",
    ]
