"""Rules, memory and the cache: what verbs answer, what a person reads, and what the shell hears."""

from __future__ import annotations

import json
import sqlite3
import textwrap
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jarvis.cli import main as cli
from jarvis.control.plain import Misfit
from jarvis.errors import JarvisError, NotFound, Refused
from jarvis.store.database import Database
from jarvis.store.known import Known
from jarvis.store.ledger import Ledger
from tests.rooms.control_house import House

JOBS = """
    jobs:
      backup: {every: 28d, command: "true"}
      evening:
        run: alert_eval
        with: {rules: [{name: ours, kind: job, job: backup, not_succeeded_for: 26h, severity: high}]}
"""
Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    made = House(tmp_path, JOBS)
    monkeypatch.setenv("JARVIS_CONFIG", str(made.instance.config))
    monkeypatch.setenv("JARVIS_STATE", str(made.instance.state))
    with made.open():
        yield made


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    def say(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main(list(words))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return say


# Rules.


def test_rules_of_the_ledger_and_of_jobs_yaml_are_in_one_list(house: House) -> None:
    house.ask(
        "rules.add", name="late", kind="overdue_delegation", condition={"days_overdue": "2"}, cooldown="1h"
    )
    found = {one["name"]: one for one in house.ask("rules.list")}
    assert [found[name]["job"] for name in ("late", "ours")] == [None, "evening"]
    assert (found["late"]["condition"], found["late"]["cooldown"], found["late"]["told_at"]) == (
        {"days_overdue": 2}, "1h", None,
    )  # fmt: skip
    assert (found["ours"]["severity"], found["ours"]["cooldown"]) == ("high", "4h")


def test_a_rule_that_was_told_says_when(house: House) -> None:
    house.ask("rules.add", name="b", kind="stale_backup")
    assert house.run("evening")["result"].startswith("2 evaluated, 1 triggered, 0 suppressed")
    assert house.ask("rules.show", name="b")["told_at"] is not None
    assert house.run("evening")["result"].startswith("2 evaluated, 0 triggered, 1 suppressed")


@pytest.mark.parametrize(
    ("url", "said", "warned"),
    [
        ("postgresql://me:sesame@db/life", "postgresql://me:***@db/life", True),
        ("postgresql://me@db/life?password=sesame", "postgresql://me@db/life?password=hidden", True),
        ("postgresql://me:${LIFE_PASSWORD}@db/life", "postgresql://me:${LIFE_PASSWORD}@db/life", False),
        ("${LIFE_URL}", "${LIFE_URL}", False),
        ("postgresql://me@db/life", "postgresql://me@db/life", False),
    ],
)
def test_a_password_of_a_rule_is_shown_nowhere_and_one_that_is_stored_is_warned_of(
    house: House, url: str, said: str, warned: bool
) -> None:
    kept = house.ask("rules.add", name="a", kind="sql", condition={"query": "SELECT 1", "url": url})
    assert bool(kept["warning"]) is warned and (not warned or "${NAME}" in kept["warning"])
    assert house.ask("rules.show", name="a")["condition"]["url"] == said
    answers = str([kept, house.ask("rules.list"), house.ask("rules.show", name="a")])
    assert "sesame" not in answers


def test_a_password_in_the_definition_of_a_job_is_not_shown(house: House) -> None:
    house.instance.config.write_text(
        textwrap.dedent(JOBS)
        + "  life: {run: alert_eval, with: {database: 'postgresql://me:sesame@db/life'}}\n"
    )
    house.app.reload(confirm=True)
    shown = house.ask("jobs.show", name="life")
    assert "postgresql://me:***@db/life" in str(shown["definition"]) and "sesame" not in str(shown)


def test_of_two_rules_of_one_name_the_hidden_one_is_marked(house: House) -> None:
    house.ask("rules.add", name="ours", kind="stale_backup")
    assert [(one["job"], one["hidden"]) for one in house.ask("rules.list")] == [
        (None, True),
        ("evening", False),
    ]
    assert house.ask("rules.show", name="ours")["kind"] == "job"


def test_a_rule_is_switched_replaced_and_removed(house: House) -> None:
    house.ask("rules.add", name="b", kind="stale_backup")
    assert house.ask("rules.disable", name="b") == {"name": "b", "enabled": False}
    assert house.ask("rules.show", name="b")["enabled"] is False
    house.ask("rules.enable", name="b")
    with pytest.raises(Refused, match="--replace"):
        house.ask("rules.add", name="b", kind="stale_backup")
    house.ask("rules.add", name="b", kind="upcoming_deadline", replace=True)
    assert house.ask("rules.show", name="b")["kind"] == "upcoming_deadline"
    house.ask("rules.remove", name="b")
    with pytest.raises(NotFound, match="there is no rule 'b'"):
        house.ask("rules.show", name="b")


@pytest.mark.parametrize(
    ("verb", "values", "kind", "said"),
    [
        ("rules.add", {"name": "x", "kind": "foo"}, Misfit, "'foo' is no kind of rule; there are overdue"),
        ("rules.add", {"name": "x", "kind": "job"}, Misfit, "rule x: job needs job"),
        ("rules.add", {"name": "x", "kind": "stale_backup", "condition": {"name": "y"}}, Misfit, "no condition"),
        ("rules.add", {"name": "x", "kind": "stale_backup", "cooldown": "soon"}, Misfit, "not a duration"),
        (
            "rules.add", {"name": "x", "kind": "sql", "condition": {"query": "q", "url": "a.db"}}, JarvisError,
            "no database URL",
        ),
        ("rules.remove", {"name": "ours"}, Refused, "stands in jobs.yaml, under evening"),
        ("rules.disable", {"name": "our"}, NotFound, "there is no rule 'our'"),
        ("memory.delegations.add", {"task": "a", "to": "b", "due": "2026-02-30"}, Misfit, "no day; write it like"),
        ("memory.delegations.add", {"task": "", "to": "b"}, Misfit, "task"),
        ("memory.delegations.complete", {"id": 7}, NotFound, "there is no delegation 7"),
        ("memory.decisions.execute", {"id": 7}, NotFound, "there is no decision 7"),
        ("memory.facts.get", {"category": "a", "key": "b"}, NotFound, "nothing is known under a/b"),
        ("memory.facts.delete", {"category": "a", "key": "b"}, NotFound, "nothing is known under a/b"),
        ("memory.facts.set", {"category": "a/b", "key": "b", "value": "c"}, Misfit, "category"),
        ("memory.facts.set", {"category": "a", "key": "b", "value": "c", "confidence": 1.1}, Misfit, "at most 1"),
        ("cache.get", {"key": "k"}, NotFound, "nothing under 'k'"),
        ("cache.delete", {"key": "k"}, NotFound, "nothing under 'k'"),
        ("cache.set", {"key": "k", "value": 1, "ttl": "soon"}, Misfit, "or a number of seconds"),
        ("cache.set", {"key": "k", "value": 1, "ttl": -1}, Refused, "more than nothing"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_said_in_words(
    house: House, verb: str, values: dict[str, Any], kind: type[JarvisError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        house.ask(verb, **values)


def test_the_password_of_a_rule_is_not_shown(house: House, say: Say) -> None:
    url = "postgresql://me:hidden-word@host/d"
    house.ask("rules.add", name="x", kind="sql", condition={"query": "SELECT 1", "url": url})
    for words in (("rules", "list"), ("rules", "show", "x"), ("rules", "list", "--json")):
        assert "hidden-word" not in say(*words)[1]


def test_a_rule_of_the_ledger_that_cannot_be_read_is_shown_as_broken(house: House, say: Say) -> None:
    house.ask("rules.add", name="x", kind="stale_backup")
    with house.app.database.write() as connection:
        connection.exec_driver_sql("UPDATE rules SET condition = '{\"max\": 1}'")
    assert "broken: stale_backup has no parameter 'max'" in say("rules", "list")[1]


def test_a_person_adds_looks_at_and_removes_a_rule(house: House, say: Say) -> None:
    code, out, _ = say("rules", "add", "late", "overdue_delegation", "--with", "days_overdue=2")
    assert (code, out) == (0, "Rule late is kept (days_overdue 2).\n")
    assert say("rules", "disable", "late")[1] == "Rule late is disabled.\n"
    out = say("rules", "list")[1]
    assert "late (disabled)  overdue_delegation  medium    4h        never  ledger" in out
    assert "enabled       no" in say("rules", "show", "late")[1]
    assert say("rules", "enable", "late")[1] == "Rule late is enabled.\n"
    assert say("rules", "remove", "late")[1] == "Rule late is removed.\n"
    code, out, err = say("rules", "show", "late")
    assert (code, out, err) == (1, "", "jarvis: there is no rule 'late'; there are ours\n")


# Memory.


def test_a_delegation_is_noted_listed_and_ended(house: House) -> None:
    first = house.ask("memory.delegations.add", task="Pay", to="Ann", due="2026-12-01", priority="high")
    second = house.ask("memory.delegations.add", task="Call", to="Bob", due="2026-11-25")
    third = house.ask("memory.delegations.add", task="Some day", to="Bob")
    listed = house.ask("memory.delegations.list")
    assert [one["id"] for one in listed] == [second["id"], first["id"], third["id"]]
    assert (listed[1]["due_date"], listed[1]["priority"], listed[1]["status"]) == (
        "2026-12-01",
        "high",
        "active",
    )
    assert house.ask("memory.delegations.complete", id=first["id"])["status"] == "completed"
    assert house.ask("memory.delegations.cancel", id=second["id"])["status"] == "cancelled"
    with pytest.raises(Refused, match="delegation 1 is completed; it cannot become cancelled"):
        house.ask("memory.delegations.cancel", id=first["id"])
    assert [one["id"] for one in house.ask("memory.delegations.list", status="active")] == [third["id"]]


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        (["execute"], "executed"),
        (["defer", "execute"], "executed"),
        (["defer"], "deferred"),
        (["execute", "reverse"], "reversed"),
        (["reverse"], "reversed"),
    ],
)
def test_a_decision_goes_its_way(house: House, steps: list[str], status: str) -> None:
    number = house.ask("memory.decisions.add", decision="Move")["id"]
    for step in steps:
        house.ask(f"memory.decisions.{step}", id=number)
    assert house.ask("memory.decisions.list", status=status)[0]["id"] == number
    with pytest.raises(Refused):
        house.ask("memory.decisions.defer", id=number)


def test_what_is_over_for_long_is_pruned_and_what_goes_on_is_not(tmp_path: Path) -> None:
    ledger = Database(tmp_path / "ledger.sqlite")
    ledger.open()
    known, before = Known(ledger), datetime(2026, 11, 20, tzinfo=UTC)
    old = before - timedelta(microseconds=1)
    for at in (old, before, old):
        known.end_delegation(known.delegate("a", "b", at=old), "completed", at)
    known.delegate("goes on", "b", at=old)
    known.settle(known.decide("a", at=old), "reversed", old)
    known.settle(known.decide("put off", at=old), "deferred", old)
    known.settle(known.decide("the newest keeps its number", at=old), "executed", old)
    known.know("c", "k", "v", at=old)
    assert Ledger(ledger).prune(before={"memory": before}) == {"memory": 3}
    assert [one.id for one in known.delegations()] == [2, 4] and [one.id for one in known.decisions()] == [
        2,
        3,
    ]
    assert known.value("c", "k") == "v"
    ledger.close()


def test_a_fact_has_one_value_for_a_category_and_key(house: House) -> None:
    house.ask("memory.facts.set", category="work", key="a", value="1", confidence=0.5)
    house.ask("memory.facts.set", category="work", key="a", value="2")
    house.ask("memory.facts.set", category="home", key="a", value="3")
    assert [(one["category"], one["value"], one["confidence"]) for one in house.ask("memory.facts.list")] == [
        ("home", "3", 1.0), ("work", "2", 1.0),
    ]  # fmt: skip
    assert len(house.ask("memory.facts.list", category="home")) == 1
    house.ask("memory.facts.delete", category="home", key="a")
    assert len(house.ask("memory.facts.list")) == 1


def test_a_person_keeps_things_in_mind(house: House, say: Say) -> None:
    assert say("memory", "delegations", "add", "Send it", "--to", "Ann", "--due", "2026-12-01")[1] == (
        "Delegation 1 is noted.\n"
    )
    assert "1  2026-12-01  active  medium    Ann  Send it" in say("memory", "delegations", "list")[1]
    assert say("memory", "delegations", "complete", "1")[1] == "Delegation 1 is completed.\n"
    assert say("memory", "decisions", "add", "Move")[1] == "Decision 1 is noted.\n"
    assert "pending execution  Move" in say("memory", "decisions", "list")[1]
    assert say("memory", "decisions", "defer", "1")[1] == "Decision 1 is deferred.\n"
    assert say("memory", "facts", "set", "work", "k", "v")[1] == "work/k is set.\n"
    assert say("memory", "facts", "get", "work", "k")[1] == "v\n"
    assert say("memory", "facts", "delete", "work", "k")[1] == "work/k is deleted.\n"
    for words in (
        ("delegations", "complete", "9"),
        ("decisions", "reverse", "9"),
        ("facts", "get", "a", "b"),
    ):
        code, out, err = say("memory", *words)
        assert (code, out, err.count("\n")) == (1, "", 1)


def test_what_a_terminal_would_obey_is_not_printed(house: House, say: Say) -> None:
    house.ask("memory.delegations.add", task="\x1b[2Jgone", to="\x07Bob")
    house.ask("memory.facts.set", category="\x1bc", key="k", value="v\x1b[0m")
    assert "\x1b" not in say("memory", "delegations", "list")[1] + say("memory", "facts", "list")[1]


def test_every_answer_can_be_json(house: House, say: Say) -> None:
    house.ask("memory.decisions.add", decision="Move")
    house.ask("cache.set", key="k", value={"a": None})
    for words in (
        ("rules", "list"), ("memory", "delegations", "list"), ("memory", "decisions", "list"),
        ("memory", "facts", "list"), ("cache", "get", "k"), ("cache", "stats"),
    ):  # fmt: skip
        json.loads(say(*words, "--json")[1])


# The cache.


def test_a_person_uses_the_cache(house: House, say: Say) -> None:
    assert say("cache", "set", "a", "hello", "--ttl", "90")[1] == "a is kept for 90 s.\n"
    assert say("cache", "get", "a")[1] == "hello\n"
    assert say("cache", "set", "n", "null", "--as-json", "--ttl", "15m")[1] == "n is kept for 15 min.\n"
    assert json.loads(say("cache", "get", "n", "--json")[1])["value"] is None
    assert say("cache", "get", "m")[0] == 1
    assert "hits     2 (67% found)" in say("cache", "stats")[1]
    assert say("cache", "delete", "a")[1] == "a is deleted.\n"
    assert say("cache", "clear")[1] == "1 value forgotten.\n"
    code, _, err = say("cache", "set", "n", "{", "--as-json")
    assert (code, "is not JSON" in err) == (2, True)


def test_without_a_daemon_the_ledger_is_written_all_the_same(
    tmp_path: Path, say: Say, monkeypatch: Any
) -> None:
    made = House(tmp_path, JOBS)
    monkeypatch.setenv("JARVIS_CONFIG", str(made.instance.config))
    monkeypatch.setenv("JARVIS_STATE", str(made.instance.state))
    code, _, err = say("memory", "facts", "list")
    assert (code, "there is no ledger" in err) == (5, True)
    assert say("cache", "set", "k", "v")[0] == 0
    assert say("cache", "get", "k")[1] == "v\n"
    with made.open():
        assert made.ask("jobs.list")
    assert say("rules", "add", "b", "stale_backup") == (
        0,
        "Rule b is kept (fact work/backup_last_success, max_age_hours 48).\n",
        "",
    )
    assert say("memory", "decisions", "add", "Move")[0] == say("cache", "set", "k", "v")[0] == 0
    with closing(sqlite3.connect(made.instance.ledger)) as connection:
        assert connection.execute("SELECT name FROM rules").fetchall() == [("b",)]
        assert connection.execute("SELECT value FROM cache").fetchall() == [('"v"',)]
