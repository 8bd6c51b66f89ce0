"""What values of other people's databases and files mean."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from jarvis.core import cells

TOKYO = ZoneInfo("Asia/Tokyo")
NIGHT = datetime(2026, 11, 19, 22, 30, tzinfo=UTC)  # 07:30 of the 20th in Tokyo


@pytest.mark.parametrize(
    ("value", "number"),
    [(None, None), ("", None), (0, 0.0), (65, 65.0), ("6.5", 6.5), (Decimal("7.25"), 7.25), (-1, -1.0)],
)
def test_numbers(value, number):
    assert cells.number(value) == number


@pytest.mark.parametrize("value", ["low", True, float("nan"), float("inf"), "NaN", [1], {}, 10**400])
def test_what_is_no_number_is_said(value):
    with pytest.raises(ValueError, match="is no number"):
        cells.number(value)


@pytest.mark.parametrize(
    ("value", "day"),
    [
        (None, None),
        ("", None),
        (date(2026, 11, 20), date(2026, 11, 20)),
        ("2026-11-20", date(2026, 11, 20)),
        (NIGHT, date(2026, 11, 20)),
        (NIGHT.isoformat(), date(2026, 11, 20)),
        ("2026-11-19T22:30:00Z", date(2026, 11, 20)),
        ("2026-11-19 22:30:00", date(2026, 11, 19)),
        (datetime(2026, 11, 19, 22, 30), date(2026, 11, 19)),  # noqa: DTZ001 (as databases give them)
        (NIGHT.timestamp(), date(2026, 11, 20)),
        (int(NIGHT.timestamp() * 1000), date(2026, 11, 20)),
        (Decimal(int(NIGHT.timestamp())), date(2026, 11, 20)),
    ],
    ids=repr,
)
def test_the_day_of_a_value_is_that_of_the_zone(value, day):
    assert cells.day(value, TOKYO) == day


@pytest.mark.parametrize("value", ["2026-13-01", "soon", "20.11.2026", [], True, 1e300, "2026-11-31"])
def test_what_is_no_day_is_said(value):
    with pytest.raises(ValueError, match="is no (day|moment)"):
        cells.day(value, UTC)


def test_a_moment_without_a_zone_is_meant_in_the_zone():
    assert cells.moment("2026-11-20T09:00", TOKYO) == datetime(2026, 11, 20, tzinfo=UTC)
    west = timezone(timedelta(hours=-5))
    assert cells.moment(date(2026, 11, 20), west) == datetime(2026, 11, 20, 5, tzinfo=UTC)


def test_the_first_and_last_moments_of_the_calendar_are_refused_in_words():
    with pytest.raises(ValueError, match="no moment anybody means"):
        cells.moment(datetime(9999, 12, 31, 23, 59), timezone(timedelta(hours=-5)))  # noqa: DTZ001


@pytest.mark.parametrize(("value", "yes"), [(None, False), (1, True), (0, False), ("true", True), (True, True),
                                            ("No", False), ("", False), ("t", True)])  # fmt: skip
def test_yes_and_no(value, yes):
    assert cells.yes(value) is yes


def test_what_is_neither_yes_nor_no_is_said():
    with pytest.raises(ValueError, match="'perhaps' is neither yes nor no"):
        cells.yes("perhaps")


def test_texts_are_one_line():
    assert cells.text("  Tax\n return ") == "Tax return" and cells.text(7) == "7"
    assert cells.text(" ") is None and cells.text(None) is None
    with pytest.raises(ValueError, match="is no text"):
        cells.text(["a"])
