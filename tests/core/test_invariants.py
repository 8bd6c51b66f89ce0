"""What may an invariant be, and when does it hold? Every threshold at its edge."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from jarvis.core import invariants, observation
from jarvis.core.invariants import Invariant
from jarvis.core.observation import Seen, Unseen

WEB = {"up": {"http": "http://localhost"}}


def made(**kinds: Any) -> Invariant:
    return Invariant.model_validate(kinds)


def only(body: dict[str, Any], **others: dict[str, Any]) -> invariants.Target:
    """The target of one invariant (``it``) among others."""
    known = {name: made(**one) for name, one in {**others, "it": body}.items()}
    return next(one for one in invariants.targets(known) if one.name == "it")


@pytest.mark.parametrize(
    ("body", "severity", "grace"),
    [
        pytest.param(WEB, "critical", 0, id="up"),
        pytest.param({"latency": {"of": "web"}}, "medium", 60, id="latency"),
        pytest.param({"disk": {}}, "medium", 0, id="disk"),
        pytest.param({"sql": {"url": "sqlite:///x", "query": "select 1", "above": 0}}, "medium", 0, id="sql"),
        pytest.param({"command": {"run": "echo 1", "below": 1}}, "medium", 0, id="command"),
        pytest.param({"metric": {"sample": "cpu", "above": 1}}, "medium", 0, id="metric"),
        pytest.param({**WEB, "severity": "warning", "grace": "90s"}, "medium", 90, id="said otherwise"),
        pytest.param({"latency": {"of": "web"}, "grace": "0s"}, "medium", 0, id="no grace wanted"),
    ],
)
def test_each_kind_has_its_severity_and_its_grace(body: dict[str, Any], severity: str, grace: float) -> None:
    invariant = made(**body)
    assert (invariant.how_bad, invariant.patience) == (severity, timedelta(seconds=grace))


def test_the_defaults_are_those_of_the_loop_it_replaces() -> None:
    latency, disk = made(latency={"of": "web"}).latency, made(disk={}).disk
    assert latency is not None and disk is not None
    assert (latency.above, disk.above, disk.path) == (timedelta(milliseconds=100), 70, "/")


DISK = {"disk": {"path": "/"}}
LATENCY = {"latency": {"of": "web"}}
FIVE = {"sql": {"url": "sqlite:///x", "query": "select 1", "above": 5, "below": 2}}


@pytest.mark.parametrize(
    ("body", "reading", "state"),
    [
        pytest.param(WEB, Seen(said="", up=True), "holds", id="it is up"),
        pytest.param(WEB, Seen(said="", up=False), "violated", id="it is down"),
        pytest.param(WEB, Seen(said=""), "violated", id="anything but up is a violation"),
        pytest.param(WEB, Unseen(why="no network"), "not_observed", id="nobody could look"),
        pytest.param(DISK, Seen(said="", value=69.999), "holds", id="disk just below 70"),
        pytest.param(DISK, Seen(said="", value=70.0), "holds", id="disk at exactly 70"),
        pytest.param(DISK, Seen(said="", value=70.001), "violated", id="disk just above 70"),
        pytest.param(DISK, Seen(said=""), "not_observed", id="disk of no size"),
        pytest.param(DISK, Seen(said="", value=float("nan")), "not_observed", id="not a number"),
        pytest.param(LATENCY, Seen(said="", up=True, seconds=(0.09999,)), "holds", id="99.99 ms"),
        pytest.param(LATENCY, Seen(said="", up=True, seconds=(0.1,)), "holds", id="100 ms exactly"),
        pytest.param(LATENCY, Seen(said="", up=True, seconds=(0.10001,)), "violated", id="100.01 ms"),
        pytest.param(LATENCY, Seen(said="", up=False), "skipped", id="the latency of what is down"),
        pytest.param(
            LATENCY, Seen(said="", up=True, seconds=(0.01, 0.2, 0.01)), "violated", id="one of three is slow"
        ),
        pytest.param(FIVE, Seen(said="", value=5), "holds", id="at the upper limit"),
        pytest.param(FIVE, Seen(said="", value=5.001), "violated", id="above it"),
        pytest.param(FIVE, Seen(said="", value=2), "holds", id="at the lower limit"),
        pytest.param(FIVE, Seen(said="", value=1.999), "violated", id="below it"),
    ],
)
def test_exactly_at_the_threshold_is_healthy(
    body: dict[str, Any], reading: observation.Reading, state: str
) -> None:
    assert observation.judge(only(body, web=WEB), reading).state == state


def test_a_verdict_says_by_which_numbers_it_was_reached() -> None:
    seen = Seen(said="/ is 71.0 % full", value=71.0)
    verdict = observation.judge(only(DISK), seen)
    assert verdict.message == "/ is 71.0 % full, more than 70"
    assert dict(verdict.snapshot) == {"value": 71.0, "above": 70.0}
    slow = observation.judge(only(LATENCY, web=WEB), Seen(said="", up=True, seconds=(0.05, 0.25)))
    assert slow.message == "p99 of 2 samples is 250 ms, more than 100 ms"
    assert dict(slow.snapshot) == {"p99_ms": 250.0, "above": 100.0, "samples": 2, "fastest_ms": 50.0}


@pytest.mark.parametrize(
    ("count", "p99"),
    [(1, 1), (5, 5), (99, 99), (100, 99), (101, 100), (200, 198), (1000, 990)],
)
def test_the_99th_percentile_is_the_nearest_rank(count: int, p99: int) -> None:
    values = [float(number) for number in range(count, 0, -1)]
    assert observation.percentile(values, 99) == p99


@pytest.mark.parametrize(
    ("how", "value"),
    [
        ("last", 3),
        ("mean", 2),
        ("min", 1),
        ("max", 3),
        ("sum", 6),
        ("count", 3),
        ("p50", 2),
        ("p95", 3),
        ("p99", 3),
    ],
)
def test_recorded_values_become_one_number(how: str, value: float) -> None:
    assert observation.aggregated([2.0, 1.0, 3.0], how) == value


def test_of_nothing_only_the_count_is_known() -> None:
    assert observation.aggregated([], "count") == 0
    assert observation.aggregated([], "max") is None


@pytest.mark.parametrize(
    ("blocks", "free", "available", "per_cent"),
    [
        pytest.param(100, 30, 30, 70, id="all for everybody"),
        pytest.param(1000, 300, 250, 100 * 700 / 950, id="some kept for root, as df says it"),
        pytest.param(0, 0, 0, None, id="no size"),
        pytest.param(-1, 0, 0, None, id="a negative size"),
        pytest.param(10, 10, 0, None, id="nobody may use any of it"),
    ],
)
def test_how_full_a_disk_is_can_only_be_told_of_one_that_has_a_size(
    blocks: int, free: int, available: int, per_cent: float | None
) -> None:
    assert observation.used(blocks, free, available) == (
        None if per_cent is None else pytest.approx(per_cent)
    )


def test_every_entity_has_a_key_of_its_own() -> None:
    known = {
        "web": made(up={"http": {"shop": "http://a", "blog": "http://b"}}),
        "ports": made(up={"tcp": ["db:5432", "[::1]:80"]}),
        "pages": made(up={"http": ["https://me:secret@host/a/?token=x", "http://host/b"]}),
        "disks": made(disk={"path": ["/", "/home"]}),
        "job": made(up={"command": ["pgrep", "x"]}),
        "slow": made(latency={"of": "web"}),
    }
    found = [one.key for one in invariants.targets(known)]
    assert found == [
        "web:shop", "web:blog", "ports:db:5432", "ports:[::1]:80", "pages:host/a", "pages:host/b", "disks:/",
        "disks:/home", "job", "slow:shop", "slow:blog",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("known", "said"),
    [
        pytest.param(
            {"slow": {"latency": {"of": "web"}}}, "no such 'up' invariant (there is none)", id="of nothing"
        ),
        pytest.param(
            {"web": WEB, "slow": {"latency": {"of": "wbe"}}},
            "no such 'up' invariant (there is web)",
            id="a typo",
        ),
        pytest.param(
            {"p": {"up": {"process": "x"}}, "slow": {"latency": {"of": "p"}}},
            "there is none",
            id="of a process",
        ),
        pytest.param(
            {"web": {"up": {"http": ["http://a/?1", "http://a/?2"]}}}, "would be two things", id="one key"
        ),
        pytest.param({}, "there is nothing to check", id="nothing at all"),
    ],
)
def test_invariants_have_to_make_sense_together(known: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as error:
        invariants.promised({name: made(**one) for name, one in known.items()})
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(
            {}, "say exactly one of up, latency, disk, sql, command, metric; there is none", id="no kind"
        ),
        pytest.param({**WEB, **DISK}, "not up and disk", id="two kinds"),
        pytest.param(
            {"up": {}}, "say exactly one of http, tcp, process, command; there is none", id="no way"
        ),
        pytest.param({"up": {"tcp": "localhost"}}, "is no address", id="no port"),
        pytest.param({"up": {"tcp": "localhost:65536"}}, "is no address", id="a port too many"),
        pytest.param({"up": {"http": "localhost"}}, "is no URL", id="no scheme"),
        pytest.param(
            {"up": {"process": "x", "expect": 200}}, "expect is about http", id="expect of a process"
        ),
        pytest.param({"up": {"process": "x", "contains": "y"}}, "a process answers nothing", id="contains"),
        pytest.param({"disk": {"above": 101}}, "less than or equal to 100", id="more than full"),
        pytest.param({"command": {"run": "x"}}, "say above: or below:", id="no limit"),
        pytest.param(
            {"command": {"run": "x", "above": 1, "below": 2}}, "no number is both", id="no number at all"
        ),
        pytest.param(
            {"sql": {"url": "sqlite:///x", "query": "delete from t", "above": 0}},
            "only a query that reads",
            id="writes",
        ),
        pytest.param({"metric": {"above": 1}}, "say job: and number:", id="of nothing recorded"),
        pytest.param({"metric": {"job": "x", "above": 1}}, "number is missing", id="which number"),
        pytest.param({"metric": {"job": "x", "sample": "cpu", "above": 1}}, "or sample:", id="of both"),
        pytest.param({"latency": {"of": "web", "samples": 0}}, "greater than or equal to 1", id="no sample"),
        pytest.param({**WEB, "grace": 5}, "5 has no unit", id="a length without a unit"),
    ],
)
def test_an_invariant_that_cannot_be_meant_is_refused(body: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as error:
        made(**body)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "query",
    ["select 1", "\n  WITH x AS (SELECT 1) SELECT * FROM x", "-- why\nselect 1", "/* a */ (select 1)"],
)
def test_a_query_that_reads_may_begin_with_a_comment(query: str) -> None:
    assert made(sql={"url": "sqlite:///x", "query": query, "above": 0}).kind == "sql"


def test_the_heartbeat_counts_an_invariant_as_its_worst_entity() -> None:
    known = {f"i{number}": made(disk={"path": "/"}) for number in range(10)}
    known |= {
        "web": made(up={"http": {"a": "http://a", "b": "http://b"}}),
        "slow": made(latency={"of": "web"}),
    }
    readings = {"web:b": Seen(said="down", up=False), "slow:b": Seen(said="down", up=False)}
    fine = Seen(said="fine", up=True, value=1, seconds=(0.01,))
    verdicts = [observation.judge(one, readings.get(one.key, fine)) for one in invariants.targets(known)]
    assert observation.heartbeat(observation.summary(verdicts)) == (
        "12 invariants: 10 hold, 1 violated, 1 not observed"
    )
    assert observation.heartbeat(observation.summary(verdicts[:10])) == (
        "10 invariants: 10 hold, 0 violated, 0 not observed"
    )
