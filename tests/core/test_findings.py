"""What was found is told once."""

from datetime import date

import pytest

from jarvis.core.findings import Finding, entity, untold

TODAY = date(2026, 11, 20)


def finding(key):
    return Finding(key=key, severity="medium", title="t", text="x")


def test_what_is_new_is_told_and_remembered_under_its_day():
    new, told = untold([finding("a"), finding("b"), finding("a")], None, TODAY)
    assert [one.key for one in new] == ["a", "b"] and told == {"2026-11-20": ["a", "b"]}


def test_what_was_told_today_is_not_told_again():
    new, told = untold([finding("a"), finding("b")], {"2026-11-20": ["a"]}, TODAY)
    assert [one.key for one in new] == ["b"] and told == {"2026-11-20": ["a", "b"]}


def test_a_key_of_yesterday_is_still_known_and_one_of_two_days_ago_forgotten():
    before = {"2026-11-18": ["old"], "2026-11-19": ["a"], "2026-11-21": ["b"], "2026-11-22": ["far"]}
    new, told = untold([finding("a"), finding("b"), finding("old")], before, TODAY)
    assert [one.key for one in new] == ["old"]
    assert told == {"2026-11-19": ["a"], "2026-11-21": ["b"], "2026-11-20": ["old"]}


@pytest.mark.parametrize(
    "told", [None, [], "x", {"x": 1}, {"2026-11-20": 5}, {3: ["a"]}, {"2026-11-20": None}], ids=repr
)
def test_a_memory_that_makes_no_sense_is_empty(told):
    new, kept = untold([finding("a")], told, TODAY)
    assert [one.key for one in new] == ["a"] and kept == {"2026-11-20": ["a"]}


def test_a_long_text_is_a_short_key_and_still_its_own():
    assert entity("Tax Return") == "tax return" and entity("a" * 120) == "a" * 120
    keys = {entity("a" * 120 + end) for end in "xyz"}
    assert len(keys) == 3 and {len(key) for key in keys} == {120}
