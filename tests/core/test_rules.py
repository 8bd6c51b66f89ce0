"""What does each kind of rule match, at, just below and just above its number? And who hears of it when?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core import matching, rules
from jarvis.core.matching import Decision, Delegation, Found, History, Match

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOW.date()


def rule(kind: str, **condition: Any) -> Any:
    return rules.read({"name": "r", "kind": kind} | condition)


def delegation(days: int | None, status: str = "active") -> Delegation:
    due = None if days is None else TODAY + timedelta(days=days)
    return Delegation(task="Pay", delegated_to="Ann", due_date=due, status=status)


@pytest.mark.parametrize(
    ("days", "late", "matches"),
    [
        pytest.param(1, 0, False, id="due today is not late"),
        pytest.param(1, 1, True, id="due yesterday is one day late"),
        pytest.param(3, 2, False, id="a day less than asked for"),
        pytest.param(3, 3, True, id="exactly as many days as asked for"),
        pytest.param(3, 4, True, id="a day more"),
        pytest.param(1, -1, False, id="due tomorrow"),
    ],
)
def test_a_delegation_is_overdue_by_whole_days(days: int, late: int, matches: bool) -> None:
    found = list(matching.overdue([delegation(-late)], rule("overdue_delegation", days_overdue=days), TODAY))
    assert bool(found) is matches


def test_only_active_delegations_with_a_date_are_late() -> None:
    rows = [delegation(-9, "completed"), delegation(-9, "cancelled"), delegation(None), delegation(-9)]
    found = list(matching.overdue(rows, rule("overdue_delegation"), TODAY))
    assert found == [Match(text="Pay (Ann): 9 days late, due 2026-11-11")]


@pytest.mark.parametrize(
    ("due", "matches"),
    [
        pytest.param(-1, False, id="yesterday"),
        pytest.param(0, True, id="today, the first end"),
        pytest.param(3, True, id="today and three days, the other end"),
        pytest.param(4, False, id="a day later"),
    ],
)
def test_a_deadline_is_near_from_today_to_the_last_day_both_included(due: int, matches: bool) -> None:
    found = list(matching.upcoming([delegation(due)], rule("upcoming_deadline"), TODAY))
    assert bool(found) is matches


@pytest.mark.parametrize("kind", ["pending_decision", "stale_decision"])
@pytest.mark.parametrize(
    ("days", "matches"),
    [(6, False), (7, False), (8, True)],
    ids=["a day younger", "exactly seven days", "a day older"],
)
def test_a_decision_is_stale_when_it_is_strictly_older(kind: str, days: int, matches: bool) -> None:
    made = Decision(decision="Move", created_at=NOW - timedelta(days=days))
    assert bool(list(matching.stale([made], rule(kind), TODAY, UTC))) is matches
    for status in ("executed", "deferred", "reversed"):
        done = Decision(decision="Move", created_at=NOW - timedelta(days=days), status=status)
        assert list(matching.stale([done], rule(kind), TODAY, UTC)) == []


def test_the_day_a_decision_was_made_is_the_day_in_the_jobs_zone() -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    made = Decision(decision="Move", created_at=datetime(2026, 11, 12, 16, tzinfo=UTC))  # the 13th in Tokyo
    today = date(2026, 11, 20)
    assert list(matching.stale([made], rule("stale_decision"), today, tokyo)) == []
    assert len(list(matching.stale([made], rule("stale_decision"), today, UTC))) == 1


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param(None, "nobody noted a backup", id="missing"),
        pytest.param("yesterday", "is no moment", id="unparsable"),
        pytest.param("", "is no moment", id="empty"),
        pytest.param((NOW - timedelta(hours=48)).isoformat(), None, id="exactly 48 hours old"),
        pytest.param((NOW - timedelta(hours=48, seconds=1)).isoformat(), "is 2d1s old", id="older"),
        pytest.param((NOW - timedelta(hours=47)).isoformat(), None, id="younger"),
        pytest.param("2026-11-18T13:00:00", None, id="without a zone, that of the job"),
        pytest.param("2026-11-18T11:00:00", "is 2d1h old", id="without a zone, older"),
        pytest.param((NOW + timedelta(hours=24)).isoformat(), None, id="a day ahead"),
        pytest.param("2206-11-20T00:00:00Z", "lies in the future", id="a century ahead"),
    ],
)
def test_a_backup_is_stale_when_nobody_can_show_a_young_one(value: str | None, said: str | None) -> None:
    found = [match.text for match in matching.backup(value, rule("stale_backup"), NOW)]
    assert found == [] if said is None else said in found[0]


def history(**known: Any) -> History:
    return History(job="backup", known_since=NOW - timedelta(days=30), **known)


HOUR = timedelta(hours=1)
JOBS = [
    ("succeeded just now", {"not_succeeded_for": "26h"}, {"succeeded_at": NOW}, None),
    ("a moment less", {"not_succeeded_for": "26h"}, {"succeeded_at": NOW - 26 * HOUR + timedelta(seconds=1)}, None),
    ("exactly so long", {"not_succeeded_for": "26h"}, {"succeeded_at": NOW - 26 * HOUR}, "has not succeeded for 1d2h"),
    ("never", {"not_succeeded_for": "26h"}, {}, "has not succeeded for 30d, and never before"),
    ("never, but young", {"not_succeeded_for": "31d"}, {}, None),
    ("fails a moment less", {"failing_for": "1h"}, {"failing_since": NOW - HOUR + timedelta(seconds=1)}, None),
    ("fails so long", {"failing_for": "1h"}, {"failing_since": NOW - HOUR}, "has been failing for 1h"),
    ("does not fail", {"failing_for": "1h"}, {"succeeded_at": NOW - 50 * HOUR}, None),
    ("one failure less", {"consecutive_failures": 3}, {"failures": 2}, None),
    ("as many failures", {"consecutive_failures": 3}, {"failures": 3}, "failed 3 times in a row"),
    ("one failure", {"consecutive_failures": 1}, {"failures": 1}, "failed once"),
    ("took as long", {"duration_above": "1h"}, {"took": HOUR}, None),
    ("took longer", {"duration_above": "1h"}, {"took": HOUR + timedelta(seconds=1)}, "took 1h1s"),
    ("still runs", {"duration_above": "1h"}, {"running_since": NOW - 2 * HOUR}, "has been running for 2h"),
    ("runs as long", {"duration_above": "1h"}, {"running_since": NOW - HOUR}, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "known", "said"), [row[1:] for row in JOBS], ids=[row[0] for row in JOBS]
)
def test_a_dead_mans_switch_on_a_job(
    condition: dict[str, Any], known: dict[str, Any], said: str | None
) -> None:
    found = [
        match.text for match in matching.job(history(**known), rule("job", job="backup", **condition), NOW)
    ]
    assert found == ([] if said is None else [f"backup {said}"])


def test_any_of_the_conditions_of_a_job_is_enough() -> None:
    asked = rule("job", job="backup", not_succeeded_for="1h", consecutive_failures=2)
    found = list(matching.job(history(failures=2, succeeded_at=NOW - 2 * HOUR), asked, NOW))
    assert len(found) == 2


def test_every_row_of_a_query_is_a_match_in_the_words_of_its_message() -> None:
    rows = [{"id": 1, "name": "a", "n": None}, {"id": 2, "name": "b $id", "n": 1.5}]
    asked = rule("sql", query="select", message="$name is $n, costs $$1", key="${id}x")
    assert list(matching.sql(rows, asked)) == [
        Match(text="a is , costs $1", key="1x"), Match(text="b $id is 1.5, costs $1", key="2x"),
    ]  # fmt: skip
    assert [match.text for match in matching.sql(rows, rule("sql", query="q"))] == [
        "id=1, name=a, n=",
        "id=2, name=b $id, n=1.5",
    ]
    with pytest.raises(ValueError, match=r"its message names \$nobody, the query returns id, name, n"):
        list(matching.sql(rows, rule("sql", query="q", message="$nobody")))


@pytest.mark.parametrize(
    ("condition", "values", "matches"),
    [
        pytest.param({"above": 5}, [9, 5], False, id="exactly the limit"),
        pytest.param({"above": 5}, [1, 5.1], True, id="above it"),
        pytest.param({"below": 5}, [5], False, id="exactly the lower limit"),
        pytest.param({"below": 5}, [4.9], True, id="below it"),
        pytest.param({"above": 5, "aggregate": "max"}, [9, 1], True, id="the highest"),
        pytest.param({"below": 5, "aggregate": "min"}, [9, 1, 9], True, id="the lowest"),
        pytest.param({"above": 5, "aggregate": "mean"}, [4, 6], False, id="the mean at the limit"),
        pytest.param({"above": 5, "aggregate": "sum"}, [4, 2], True, id="the sum"),
        pytest.param({"below": 1, "aggregate": "count"}, [], True, id="nothing can be counted"),
        pytest.param(
            {"above": 98, "aggregate": "p99"}, list(range(1, 101)), True, id="p99 of 1 to 100 is 99"
        ),
        pytest.param({"above": 99, "aggregate": "p99"}, list(range(1, 101)), False, id="and not more"),
        pytest.param({"above": 2, "aggregate": "p50"}, [1, 2, 3], False, id="the median"),
    ],
)
def test_a_metric_is_compared_strictly(condition: dict[str, Any], values: list[float], matches: bool) -> None:
    assert bool(list(matching.metric(values, rule("metric", metric="x.y", **condition)))) is matches


def test_a_metric_without_a_reading_is_not_well() -> None:
    with pytest.raises(ValueError, match="there is no reading of x.y in the last 1h"):
        list(matching.metric([], rule("metric", metric="x.y", above=1)))


# Cooldown.


def found(*keys: str) -> Found:
    return matching.gather(Match(text=f"about {key}", key=key) for key in keys)


@pytest.mark.parametrize(
    ("ago", "told_again"),
    [
        pytest.param(timedelta(hours=4), True, id="exactly four hours ago"),
        pytest.param(timedelta(hours=4) - timedelta(microseconds=1), False, id="a moment less"),
        pytest.param(timedelta(0), False, id="just now"),
        pytest.param(-timedelta(seconds=1), True, id="in the future, by a clock that was set back"),
    ],
)
def test_a_rule_is_told_again_after_its_cooldown(ago: timedelta, told_again: bool) -> None:
    asked = rule("stale_backup")
    assert asked.cooldown == timedelta(hours=4)
    assert bool(matching.telling(found(""), {"": NOW - ago}, asked.cooldown, NOW).fresh) is told_again


def test_each_key_cools_down_by_itself() -> None:
    told = matching.telling(found("a", "b"), {"a": NOW - HOUR, "gone": NOW - 9 * HOUR}, 4 * HOUR, NOW)
    assert told.fresh == ("b",)
    assert told.told == {"a": NOW - HOUR, "b": NOW}


@given(st.lists(st.sampled_from("abc")), st.dictionaries(st.sampled_from("abcd"), st.integers(-9, 9)))
def test_whatever_matched_is_told_or_was_told_within_the_cooldown(
    keys: list[str], hours: dict[str, int]
) -> None:
    told = {key: NOW - hour * HOUR for key, hour in hours.items()}
    made = matching.telling(found(*keys), told, 4 * HOUR, NOW)
    for key in set(keys):
        assert key in made.fresh or timedelta(0) <= NOW - told[key] < 4 * HOUR
        assert NOW - made.told[key] < 4 * HOUR
    assert len(set(made.fresh)) == len(made.fresh)


def test_of_many_matches_the_first_are_spelled_out_and_all_are_counted() -> None:
    made = matching.gather(Match(text=str(number)) for number in range(100_000))
    assert made.count == 100_000 and len(made.texts[""]) == 20
    assert made.words([""])[-2:] == ["19", "and 99980 more"]
    assert found("a", "b").words(["b"]) == ["about b"]


# As they are written.


def test_the_defaults_of_every_kind() -> None:
    least: dict[str, dict[str, Any]] = {
        "job": {"job": "j", "failing_for": "1h"},
        "sql": {"query": "q"},
        "metric": {"metric": "m", "above": 1},
    }
    conditions = {kind: rule(kind, **least.get(kind, {})).condition() for kind in rules.KINDS}
    assert conditions["overdue_delegation"] == {"days_overdue": 1}
    assert conditions["pending_decision"] == conditions["stale_decision"] == {"days_stale": 7}
    assert conditions["upcoming_deadline"] == {"within_days": 3}
    assert conditions["stale_backup"] == {"max_age_hours": 48, "fact": "work/backup_last_success"}
    assert conditions["sql"] == {
        "query": "q", "url": None, "message": None, "key": None, "limit": 1000, "timeout": "10s",
    }  # fmt: skip
    assert conditions["metric"] == {
        "metric": "m",
        "aggregate": "last",
        "window": "1h",
        "above": 1,
        "below": None,
    }
    made = rule("stale_backup")
    assert (made.severity, made.cooldown, made.enabled) == ("medium", timedelta(hours=4), True)


@pytest.mark.parametrize("kind", sorted(rules.KINDS))
def test_what_is_stored_of_a_rule_reads_back(kind: str) -> None:
    least: dict[str, dict[str, Any]] = {
        "job": {"job": "j", "failing_for": "1h"},
        "sql": {"query": "q"},
        "metric": {"metric": "m", "above": 1},
    }
    made = rule(kind, **least.get(kind, {}))
    assert rules.read({"name": "r", "kind": kind} | made.condition()) == made


MISTAKES = [
    (
        "a kind misspelt",
        {"kind": "overdue_delegaton"},
        "'overdue_delegaton' is no kind of rule (did you mean 'overdue_delegation'?); there are overdue_delegation",
    ),
    ("no kind", {"kind": "foo"}, "'foo' is no kind of rule; there are overdue_delegation, pending_decision"),
    (
        "a number too small",
        {"kind": "overdue_delegation", "days_overdue": 0},
        "days_overdue: should be greater than",
    ),
    (
        "true is no number",
        {"kind": "overdue_delegation", "days_overdue": True},
        "expected a number, not true",
    ),
    (
        "half a day",
        {"kind": "upcoming_deadline", "within_days": 1.5},
        "within_days: should be a valid integer",
    ),
    (
        "unknown",
        {"kind": "stale_backup", "max_age": 1},
        "has no parameter 'max_age' (it has max_age_hours, fact)",
    ),
    ("no hours", {"kind": "stale_backup", "max_age_hours": 0}, "max_age_hours: should be greater than 0"),
    ("no category", {"kind": "stale_backup", "fact": "x"}, "fact: "),
    ("no condition", {"kind": "job", "job": "b"}, "a job rule asks for failing_for, not_succeeded_for"),
    ("no job", {"kind": "job", "failing_for": "1h"}, "job needs job"),
    ("no length", {"kind": "job", "job": "b", "failing_for": "0s"}, "longer than nothing"),
    ("no query", {"kind": "sql"}, "sql needs query"),
    ("no limits", {"kind": "metric", "metric": "m"}, "asks for above or below"),
    (
        "no aggregate",
        {"kind": "metric", "metric": "m", "above": 1, "aggregate": "average"},
        "aggregate: should be",
    ),
    ("not a number", {"kind": "metric", "metric": "m", "above": "nan"}, "above: "),
    ("no severity", {"kind": "stale_backup", "severity": "awful"}, "severity: should be 'info'"),
    ("no cooldown", {"kind": "stale_backup", "cooldown": "4"}, "'4' is not a duration"),
    ("no name", {"kind": "stale_backup", "name": "a b"}, "name: "),
]


@pytest.mark.parametrize(("data", "said"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_an_unknown_kind_or_a_bad_condition_is_told_in_words(data: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as caught:
        rules.read({"name": "r"} | data)
    assert said in str(caught.value) and "\n" not in str(caught.value)
