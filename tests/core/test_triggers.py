"""Which jobs does an event ask for, which the end of a run, and what of it can be told when jobs.yaml is read?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core import triggers
from jarvis.core.job import JobSpec
from jarvis.core.run import Status
from jarvis.core.when import On

PUSH = {
    "ref": "refs/heads/main",
    "size": 3,
    "forced": False,
    "note": None,
    "repository": {"name": "site", "owner": {"login": "me"}},
    "labels": ["bug", "ui"],
    "commits": [{"id": "a1", "files": 2}, {"id": "b2", "files": 7}],
    "a.b": "dotted",
}


def on(event: str = "github/*", **where: Any) -> On:
    return On.model_validate({"event": event, "where": where})


def hears(rule: On, source: str = "github", event_type: str = "push", payload: Any = PUSH) -> bool:
    return triggers.matches(rule, source, event_type, lambda: payload)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("github/push", ("github", "push"), True),
        ("github/push", ("github", "pushed"), False),
        ("github/*", ("github", "push"), True),
        ("github/*", ("gitlab", "push"), False),
        ("*/push", ("gitlab", "push"), True),
        ("*", ("anything", "at all"), True),
        ("git*/p?sh", ("gitlab", "push"), True),
        ("github/[pi]*", ("github", "issue"), True),
        ("github/[pi]*", ("github", "star"), False),
        ("GitHub/*", ("github", "push"), False),
        ("mail/*", ("mail", "work/urgent"), True),
    ],
)
def test_a_pattern_is_a_glob_on_source_and_type(pattern: str, name: tuple[str, str], expected: bool) -> None:
    assert hears(on(pattern), *name) is expected


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"ref": "refs/heads/main"}, True),
        ({"ref": "refs/heads/*"}, True),
        ({"ref": "refs/tags/*"}, False),
        ({"repository.name": "site"}, True),
        ({"repository.owner.login": "m?"}, True),
        ({"repository.owner": "me"}, False),
        ({"repository.none.login": "me"}, False),
        ({"a.b": "dotted"}, True),
        ({"commits.0.id": "a1"}, True),
        ({"commits.2.id": "*"}, False),
        ({"size": 3}, True),
        ({"size": 3.0}, True),
        ({"size": "3"}, False),
        ({"size": True}, False),
        ({"forced": False}, True),
        ({"forced": 0}, False),
        ({"note": None}, True),
        ({"missing": None}, False),
        ({"labels": "bug"}, True),
        ({"labels": "b*"}, True),
        ({"labels": "none"}, False),
        ({"ref": ["refs/tags/*", "refs/heads/main"]}, True),
        ({"ref": ["x", "y"]}, False),
        ({"ref": {"not": "refs/tags/*"}}, True),
        ({"labels": {"not": "bug"}}, False),
        ({"missing": {"not": "x"}}, True),
        ({"missing": {"exists": False}}, True),
        ({"missing": {"exists": True}}, False),
        ({"note": {"exists": True}}, True),
        ({"size": {"above": 2}}, True),
        ({"size": {"above": 3}}, False),
        ({"size": {"below": 4}}, True),
        ({"size": {"below": 3}}, False),
        ({"size": {"above": 2, "below": 4}}, True),
        ({"missing": {"above": 2}}, False),
        ({"ref": {"above": 2}}, False),
        ({"ref": "refs/*", "size": 3}, True),
        ({"ref": "refs/*", "size": 4}, False),
    ],
    ids=str,
)
def test_conditions_are_about_fields_of_the_payload(where: dict[str, Any], expected: bool) -> None:
    assert hears(on(**where)) is expected


@pytest.mark.parametrize("payload", [None, "text", 5, [], [1], {}], ids=str)
def test_a_payload_without_the_field_does_not_match(payload: Any) -> None:
    assert hears(on(ref="*"), payload=payload) is False
    assert hears(on(), payload=payload) is True


def test_the_payload_is_read_only_where_a_condition_needs_it() -> None:
    def never() -> Any:
        raise AssertionError("read")

    assert triggers.matches(on(), "github", "push", never)
    assert not triggers.matches(on("mail/*", ref="x"), "github", "push", never)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(payload=JSON, path=st.text(alphabet="ab.0", max_size=6), wanted=JSON)
def test_no_payload_and_no_condition_makes_matching_fail(payload: Any, path: str, wanted: Any) -> None:
    rule = On.model_validate({"event": "*", "where": {path: wanted}})
    if not list(triggers.mistakes(rule)):
        assert triggers.matches(rule, "s", "t", lambda: payload) in (True, False)


def job(name: str, **body: Any) -> Any:
    return JobSpec.model_validate({"command": "true", **body}).resolve(name, timezone="UTC", python=False)


def test_an_event_asks_for_each_job_once_however_many_of_its_schedules_match() -> None:
    twice = job("twice", schedules=[{"on": {"event": "a/*"}}, {"on": {"event": "*/b"}}])
    other = job("other", on={"event": "c/*"})
    found = triggers.gather([(twice, 4), (other, 5)])
    assert [(one.job, one.definition) for one in found.for_event("a", "b", lambda: None)] == [("twice", 4)]


@pytest.mark.parametrize(
    ("status", "ends"),
    [
        ("succeeded", {"succeeded"}),
        ("bad", {"failed", "timed_out", "lost"}),
        (["failed", "skipped"], {"failed", "skipped"}),
        ("ended", {"succeeded", "failed", "timed_out", "cancelled", "lost", "skipped", "missed"}),
        (["bad", "missed"], {"failed", "timed_out", "lost", "missed"}),
    ],
    ids=lambda one: "-".join(sorted(one)) if isinstance(one, set) else str(one),
)
def test_a_job_follows_the_ends_it_names(status: Any, ends: set[str]) -> None:
    found = triggers.gather([(job("report", on={"job": "backup", "status": status}), 1)])
    followed = {one.value for one in Status if found.for_end("backup", one)}
    assert followed == ends
    assert not found.for_end("other", Status.SUCCEEDED)


def test_without_a_status_a_job_follows_success() -> None:
    found = triggers.gather([(job("report", on={"job": "backup"}), 1)])
    assert [one.value for one in Status if found.for_end("backup", one)] == ["succeeded"]


def test_several_jobs_may_follow_one_and_one_may_follow_several() -> None:
    both = job("both", schedules=[{"on": {"job": "a"}}, {"on": {"job": "b", "status": "failed"}}])
    found = triggers.gather([(both, 1), (job("other", on={"job": "a"}), 2)])
    assert [one.job for one in found.for_end("a", Status.SUCCEEDED)] == ["both", "other"]
    assert found.for_end("b", Status.SUCCEEDED) == []
    assert [one.job for one in found.for_end("b", Status.FAILED)] == ["both"]


def test_chains_without_a_cycle_are_fine() -> None:
    assert triggers.cycles({"b": ["a"], "c": ["b", "a"], "d": ["c"]}) == []


def test_every_cycle_is_named_from_its_first_job_in_the_order_of_its_runs() -> None:
    follows = {"b": ["a"], "c": ["b"], "a": ["c"], "y": ["x"], "x": ["y"], "z": ["a"]}
    assert sorted(triggers.cycles(follows)) == [("a", "b", "c"), ("x", "y")]


def test_a_web_of_cycles_ends() -> None:
    names = [f"j{number}" for number in range(12)]
    found = triggers.cycles(dict.fromkeys(names, names))
    assert len(found) == triggers.CYCLES_AT_MOST


def test_a_very_long_chain_is_looked_at_without_recursion() -> None:
    follows = {f"j{number + 1}": [f"j{number}"] for number in range(20_000)}
    assert triggers.cycles(follows) == []
    assert len(triggers.cycles(follows | {"j0": ["j20000"]})[0]) == 20_001


@pytest.mark.parametrize(
    ("event", "where", "said"),
    [
        ("github", {}, "fits no event"),
        ("github/*", {"a": {"foo": 1}}, "no operator 'foo'"),
        ("github/*", {"a": {}}, "asks nothing"),
        ("github/*", {"a": []}, "never holds"),
        ("github/*", {"a": {"exists": "yes"}}, "true or false"),
        ("github/*", {"a": {"above": "2"}}, "needs a number"),
        ("github/*", {"a": [1, {"not": {"bar": 1}}]}, "no operator 'bar'"),
        ("github/*", {"": 1}, "name of a field"),
    ],
    ids=str,
)
def test_what_can_never_match_is_a_mistake(event: str, where: dict[str, Any], said: str) -> None:
    found = list(triggers.mistakes(on(event, **where)))
    assert len(found) == 1 and said in found[0][1]


@pytest.mark.parametrize(("event", "example"), [("github", "github/*"), ("[", "github/push")], ids=str)
def test_what_fits_no_event_is_told_with_one_that_does(event: str, example: str) -> None:
    [(_, _, hint)] = triggers.mistakes(on(event))
    assert hint == f"write source/type, such as '{example}'"


def test_what_can_match_is_none() -> None:
    assert list(triggers.mistakes(on("*", a=1, b=["x", None], c={"not": [1, "y*"], "exists": True}))) == []
