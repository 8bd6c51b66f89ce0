"""Are these quiet hours, and until when? Over midnight, to the minute, and when the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from jarvis.core import quiet
from jarvis.core.telling import Quiet

LONDON = "Europe/London"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        pytest.param(("22:00", "07:00"), "2026-11-20 21:59:59", None, id="just before"),
        pytest.param(("22:00", "07:00"), "2026-11-20 22:00", "2026-11-21 07:00", id="exactly at the begin"),
        pytest.param(("22:00", "07:00"), "2026-11-21 03:00", "2026-11-21 07:00", id="after midnight"),
        pytest.param(("22:00", "07:00"), "2026-11-21 06:59:59", "2026-11-21 07:00", id="just before the end"),
        pytest.param(("22:00", "07:00"), "2026-11-21 07:00", None, id="exactly at the end"),
        pytest.param(("12:30", "13:15"), "2026-11-20 12:29:59", None, id="minutes, before"),
        pytest.param(
            ("12:30", "13:15"), "2026-11-20 12:30", "2026-11-20 13:15", id="minutes, within one day"
        ),
        pytest.param(("12:30", "13:15"), "2026-11-20 13:15", None, id="minutes, after"),
        pytest.param(("07:00", "07:00"), "2026-11-20 07:00", None, id="the same begin and end"),
        pytest.param(("22:00", "07:00"), "2026-07-20 21:00", "2026-07-21 06:00", id="summer time"),
    ],
)
def test_quiet_hours_to_the_minute(hours: tuple[str, str], now: str, end: str | None) -> None:
    rule = Quiet(from_=hours[0], to=hours[1])
    assert quiet.until(rule, LONDON, at(now)) == (at(end) if end else None)


def test_they_are_from_ten_to_seven_unless_they_say_otherwise_and_only_what_is_critical_is_said() -> None:
    rule = Quiet()
    assert quiet.until(rule, "UTC", at("2026-11-20 21:59:59")) is None
    assert quiet.until(rule, "UTC", at("2026-11-20 22:00")) == at("2026-11-21 07:00")
    assert quiet.until(rule, "UTC", at("2026-11-21 07:00")) is None
    assert rule.except_ == "critical"


def test_a_night_in_which_the_clocks_change_is_longer_or_shorter_and_nothing_else() -> None:
    rule = Quiet(from_="22:00", to="07:00")
    autumn, spring = at("2026-10-24 21:00"), at("2026-03-28 22:00")
    for begin, hours in ((autumn, 10), (spring, 8)):
        end = begin + timedelta(hours=hours)
        minutes = [begin + timedelta(minutes=number) for number in range(hours * 60)]
        assert {quiet.until(rule, LONDON, minute) for minute in minutes} == {end}
        assert quiet.until(rule, LONDON, end) is None


def test_an_end_in_the_hour_that_comes_twice_ends_once() -> None:
    rule = Quiet(from_="23:00", to="01:30")
    first = at("2026-10-25 00:30")
    assert quiet.until(rule, LONDON, first - timedelta(seconds=1)) == first
    for later in range(121):
        assert quiet.until(rule, LONDON, first + timedelta(minutes=later)) is None


def test_an_end_in_the_hour_that_does_not_exist_comes_after_the_gap() -> None:
    rule = Quiet(from_="23:00", to="01:30")
    assert quiet.until(rule, LONDON, at("2026-03-29 00:59")) == at("2026-03-29 01:30")


def test_the_zone_of_the_quiet_hours_is_their_own_if_they_name_one() -> None:
    rule = Quiet(from_="22:00", to="07:00", timezone="Asia/Tokyo")
    assert quiet.until(rule, LONDON, at("2026-11-20 13:00")) == at("2026-11-20 22:00")


def test_no_quiet_hours() -> None:
    assert quiet.until(None, LONDON, at("2026-11-20 23:00")) is None


def test_a_zone_that_does_not_exist_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="there is no time zone 'Europe/Londn'"):
        Quiet(timezone="Europe/Londn")
