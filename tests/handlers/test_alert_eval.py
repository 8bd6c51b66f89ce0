"""`alert_eval`: every rule is asked by itself, told once, and then not before its cooldown is over."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert

from jarvis import testing
from jarvis.core import rules as forms
from jarvis.core.run import Run, Status
from jarvis.handling import catalogue, mount
from jarvis.handling.contract import Outcome
from jarvis.handling.stores import LazyStores
from jarvis.store import runs, tables
from jarvis.store.database import Database
from jarvis.store.known import Known
from jarvis.store.rules import Rules
from jarvis.store.sample_tables import samples
from tests import postgres as servers

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
Evaluate = Callable[..., Outcome]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "ledger.sqlite")
    database.open()
    yield database
    database.close()


@pytest.fixture
def evaluate(ledger: Database) -> Evaluate:
    """Evaluate; what it remembers is there the next time, as after a run whose end was stored."""
    kept: dict[str, Any] = {}

    def evaluate(*, now: datetime = NOW, keep: bool = True, **values: Any) -> Outcome:
        stores = LazyStores(ledger.url)
        try:
            outcome = testing.run_handler(
                "alert_eval", testing.context(stores=stores, now=now, memory=kept), **values
            )
        finally:
            stores.close()
        if keep:
            kept.update(outcome.memory)
            for key in outcome.forgotten:
                del kept[key]
        return outcome

    return evaluate


def late(**more: Any) -> dict[str, Any]:
    return {"name": "late", "kind": "overdue_delegation"} | more


def first(outcome: Outcome) -> str:
    return (outcome.result or "").splitlines()[0]


def test_a_rule_is_told_once_and_again_after_its_cooldown(evaluate: Evaluate, ledger: Database) -> None:
    Known(ledger).delegate("Pay", "Ann", due=(NOW - timedelta(days=2)).date(), at=NOW)
    outcome = evaluate(rules=[late(severity="high")])
    assert outcome.result == (
        "1 evaluated, 1 triggered, 0 suppressed\nlate: 1 match\n  Pay (Ann): 2 days late, due 2026-11-18"
    )
    (alert,) = outcome.alerts
    assert (alert.key, alert.severity, alert.title) == (
        None, "high", "late: Pay (Ann): 2 days late, due 2026-11-18",
    )  # fmt: skip
    for ago in (timedelta(seconds=1), 4 * HOUR - timedelta(seconds=1)):
        outcome = evaluate(now=NOW + ago, rules=[late()])
        assert first(outcome) == "1 evaluated, 0 triggered, 1 suppressed" and outcome.alerts == ()
        assert dict(outcome.numbers)["matches.late"] == 1
    assert len(evaluate(now=NOW + 4 * HOUR, rules=[late()]).alerts) == 1
    assert first(evaluate(now=NOW + 5 * HOUR, rules=[late()])) == "1 evaluated, 0 triggered, 1 suppressed"


def test_a_run_whose_end_was_never_stored_has_not_used_up_the_cooldown(evaluate: Evaluate) -> None:
    backup = {"name": "b", "kind": "stale_backup"}
    assert (
        len(evaluate(rules=[backup], keep=False).alerts) == 1
    )  # killed: neither its alert nor its memory is kept
    assert len(evaluate(now=NOW + timedelta(seconds=1), rules=[backup]).alerts) == 1


def test_alert_and_cooldown_are_in_one_outcome(evaluate: Evaluate) -> None:
    outcome = evaluate(rules=[{"name": "b", "kind": "stale_backup"}])
    assert outcome.memory == {"alert_eval:b": {"": NOW.isoformat()}} and len(outcome.alerts) == 1


def test_nothing_that_matches_is_told_by_nobody(evaluate: Evaluate) -> None:
    outcome = evaluate(rules=[late()])
    assert outcome.result == "1 evaluated, 0 triggered, 0 suppressed"
    assert outcome.alerts == () and outcome.memory == {}


def test_one_rule_that_cannot_be_asked_is_told_and_does_not_stop_the_others(evaluate: Evaluate) -> None:
    bad: list[dict[str, Any]] = [
        {"name": "no-job", "kind": "job", "job": "bakup", "failing_for": "1h", "severity": "critical"},
        {"name": "no-table", "kind": "sql", "query": "SELECT * FROM missing"},
        {"name": "no-file", "kind": "sql", "query": "SELECT 1", "url": "sqlite:////no/such.db"},
        {"name": "no-column", "kind": "sql", "query": "SELECT 1 AS x", "message": "$y"},
        {"name": "no-metric", "kind": "metric", "metric": "warp", "above": 1},
        {"name": "writes", "kind": "sql", "query": "DELETE FROM runs"},
    ]
    outcome = evaluate(rules=[*bad, {"name": "b", "kind": "stale_backup"}])
    assert (outcome.status, first(outcome)) == ("ok", "7 evaluated, 1 triggered, 0 suppressed, 6 failed")
    keys = {alert.key: alert for alert in outcome.alerts}
    assert set(keys) == {None, *(f"rule:{one['name']}" for one in bad)}
    assert keys["rule:no-job"].severity == "critical" and "there is no job 'bakup'" in (
        keys["rule:no-job"].title or ""
    )
    assert "no such table: missing" in keys["rule:no-table"].text
    assert "there is no database file /no/such.db" in keys["rule:no-file"].text
    assert "its message names $y" in keys["rule:no-column"].text
    assert "there is no job 'warp', and samples have no 'warp'" in keys["rule:no-metric"].text
    assert "refused, the query does more than read" in keys["rule:writes"].text
    assert "matches.no-job" not in outcome.numbers and outcome.numbers["failed"] == 6


def test_rules_of_the_ledger_are_asked_too(evaluate: Evaluate, ledger: Database) -> None:
    store = Rules(ledger)
    store.add(forms.read({"name": "b", "kind": "stale_backup"}), at=NOW)
    store.add(forms.read({"name": "off", "kind": "stale_backup", "enabled": False}), at=NOW)
    assert (
        first(evaluate(rules=[late(), late(name="idle", enabled=False)]))
        == "2 evaluated, 1 triggered, 0 suppressed"
    )
    assert first(evaluate(rules=[late()], stored=False)) == "1 evaluated, 0 triggered, 0 suppressed"


def test_of_two_rules_of_one_name_that_of_jobs_yaml_counts_and_that_is_said(
    evaluate: Evaluate, ledger: Database, caplog: pytest.LogCaptureFixture
) -> None:
    Rules(ledger).add(forms.read({"name": "late", "kind": "stale_backup"}), at=NOW)
    assert first(evaluate(rules=[late()])) == "1 evaluated, 0 triggered, 0 suppressed"
    assert "the rule of jobs.yaml counts" in caplog.text


def test_a_rule_of_the_ledger_that_cannot_be_read_is_a_failed_one(
    evaluate: Evaluate, ledger: Database
) -> None:
    Rules(ledger).add(forms.read({"name": "b", "kind": "stale_backup"}), at=NOW)
    Rules(ledger).add(forms.read({"name": "later", "kind": "stale_backup"}), at=NOW)
    with ledger.write() as connection:
        connection.exec_driver_sql("UPDATE rules SET kind = 'telepathy' WHERE name = 'later'")
    outcome = evaluate()
    assert first(outcome) == "2 evaluated, 1 triggered, 0 suppressed, 1 failed"
    assert "'telepathy' is no kind of rule" in (outcome.result or "")


def test_a_rule_that_is_gone_is_forgotten(evaluate: Evaluate, ledger: Database) -> None:
    store = Rules(ledger)
    store.add(forms.read({"name": "b", "kind": "stale_backup"}), at=NOW)
    assert len(evaluate().alerts) == 1
    store.remove("b")
    assert evaluate(now=NOW + HOUR).forgotten == ("alert_eval:b",)


def test_today_is_the_day_in_the_jobs_zone(evaluate: Evaluate, ledger: Database) -> None:
    Known(ledger).delegate("Pay", "Ann", due=NOW.date(), at=NOW)
    night = datetime(2026, 11, 20, 23, tzinfo=UTC)
    assert first(evaluate(now=night, rules=[late()])).startswith("1 evaluated, 0 triggered")
    tokyo = night.astimezone(ZoneInfo("Asia/Tokyo"))  # the 21st
    assert first(evaluate(now=tokyo, rules=[late()])).startswith("1 evaluated, 1 triggered")


def run_of(number: int, status: str, at: datetime, *, took: float = 1.0, **more: Any) -> Run:
    return Run(
        id=number, job=more.pop("job", "backup"), fire=f"schedule:{at.isoformat()}", attempt=more.pop("attempt", 1),
        status=Status(status), scheduled_at=at, queued_at=at, started_at=at,
        ended_at=None if status == "running" else at + timedelta(seconds=took), **more,
    )  # fmt: skip


def know(ledger: Database, job: str, found: list[Run], *, since: datetime = NOW - timedelta(days=40)) -> None:
    with ledger.write() as connection:
        definition = connection.execute(
            insert(tables.definitions).values(
                job=job, fingerprint="f", body={}, python=False, created_at=since
            )
        ).inserted_primary_key
        assert definition is not None
        connection.execute(
            insert(tables.jobs).values(
                name=job, definition_id=definition[0], origin="file", state="active", era=0
            )
        )
        runs.insert(connection, found)
        runs.mark_started(connection, found)
        runs.close(connection, [run for run in found if run.ended_at])


def test_a_dead_mans_switch_reads_the_ledger(evaluate: Evaluate, ledger: Database) -> None:
    know(ledger, "backup", [
        run_of(1, "succeeded", NOW - 30 * HOUR), run_of(2, "failed", NOW - 20 * HOUR),
        run_of(3, "failed", NOW - 10 * HOUR), run_of(4, "failed", NOW - 10 * HOUR, attempt=2),
        run_of(5, "skipped", NOW - 5 * HOUR), run_of(6, "timed_out", NOW - 2 * HOUR, took=600),
    ])  # fmt: skip
    know(ledger, "new", [], since=NOW - HOUR)
    asked = [
        {"name": "a", "kind": "job", "job": "backup", "not_succeeded_for": "29h"},
        {"name": "b", "kind": "job", "job": "backup", "consecutive_failures": 3},
        {"name": "c", "kind": "job", "job": "backup", "consecutive_failures": 4},
        {"name": "d", "kind": "job", "job": "backup", "failing_for": "19h"},
        {"name": "e", "kind": "job", "job": "backup", "duration_above": "9m"},
        {"name": "f", "kind": "job", "job": "new", "not_succeeded_for": "2h"},
        {"name": "g", "kind": "job", "job": "new", "not_succeeded_for": "1h"},
    ]
    outcome = evaluate(rules=asked)
    assert sorted(alert.title or "" for alert in outcome.alerts) == [
        "a: backup has not succeeded for 1d5h59m59s", "b: backup failed 3 times in a row",
        "d: backup has been failing for 19h59m59s", "e: backup took 10m",
        "g: new has not succeeded for 1h, and never before",
    ]  # fmt: skip


def test_a_fire_that_will_be_tried_again_has_not_failed_yet(evaluate: Evaluate, ledger: Database) -> None:
    failed = run_of(1, "failed", NOW - HOUR)
    know(ledger, "backup", [failed, run_of(2, "running", NOW - HOUR, attempt=2)])
    asked = {"name": "b", "kind": "job", "job": "backup", "consecutive_failures": 1}
    assert evaluate(rules=[asked]).alerts == ()


def test_a_job_that_is_gone_from_jobs_yaml_is_told_and_not_taken_for_well(
    evaluate: Evaluate, ledger: Database
) -> None:
    know(ledger, "backup", [])
    with ledger.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET state = 'retired'")
    outcome = evaluate(rules=[{"name": "b", "kind": "job", "job": "backup", "not_succeeded_for": "1h"}])
    assert "there is no job 'backup' any more" in (outcome.alerts[0].title or "")


def test_a_metric_is_a_number_of_a_jobs_runs(evaluate: Evaluate, ledger: Database) -> None:
    know(ledger, "a.b", [
        run_of(1, "succeeded", NOW - 2 * HOUR, job="a.b", numbers={"c.d": 100}),
        run_of(2, "succeeded", NOW - timedelta(minutes=30), job="a.b", numbers={"c.d": 7}, took=3),
        run_of(3, "succeeded", NOW - timedelta(minutes=10), job="a.b", took=5),
    ])  # fmt: skip
    asked = [
        {"name": "max", "kind": "metric", "metric": "a.b.c.d", "aggregate": "max", "above": 6},
        {"name": "not", "kind": "metric", "metric": "a.b.c.d", "aggregate": "max", "above": 7},
        {
            "name": "long",
            "kind": "metric",
            "metric": "a.b.c.d",
            "aggregate": "max",
            "above": 99,
            "window": "3h",
        },
        {"name": "took", "kind": "metric", "metric": "a.b.seconds", "above": 4},
        {"name": "none", "kind": "metric", "metric": "a.b.other", "above": 4},
    ]
    outcome = evaluate(rules=asked)
    assert sorted(alert.title or "" for alert in outcome.alerts) == [
        "long: a.b.c.d: max of 3h is 100, above 99", "max: a.b.c.d: max of 1h is 7, above 6",
        "rule none could not be asked: there is no reading of a.b.other in the last 1h",
        "took: a.b.seconds: last of 1h is 5, above 4",
    ]  # fmt: skip


def test_a_metric_is_a_field_of_the_samples(evaluate: Evaluate, ledger: Database) -> None:
    with ledger.write() as connection:
        for minutes, cpu in ((70, 99.0), (30, 50.0), (20, None), (10, 60.0)):
            connection.execute(
                insert(samples).values(at=NOW - timedelta(minutes=minutes), cpu=cpu, state="normal")
            )
    asked = [
        {"name": "hot", "kind": "metric", "metric": "cpu", "aggregate": "mean", "above": 54.9},
        {"name": "max", "kind": "metric", "metric": "cpu", "aggregate": "max", "above": 60},
    ]
    outcome = evaluate(rules=asked)
    assert [alert.title for alert in outcome.alerts] == ["hot: cpu: mean of 1h is 55, above 54.9"]


def test_matches_of_one_key_cool_down_without_the_others(evaluate: Evaluate, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE hosts (name)")
        connection.execute("INSERT INTO hosts VALUES ('a')")
    asked = {
        "name": "down", "kind": "sql", "url": f"sqlite:///{path}", "query": "SELECT name FROM hosts ORDER BY name",
        "message": "$name is down", "key": "$name",
    }  # fmt: skip
    assert [alert.title for alert in evaluate(rules=[asked]).alerts] == ["down: a is down"]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO hosts VALUES ('b')")
    outcome = evaluate(now=NOW + HOUR, rules=[asked])
    assert [alert.title for alert in outcome.alerts] == ["down: b is down"]
    assert outcome.numbers["matches.down"] == 2
    assert evaluate(now=NOW + 2 * HOUR, rules=[asked]).alerts == ()


def test_more_rows_than_the_limit_are_said(evaluate: Evaluate, caplog: pytest.LogCaptureFixture) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 50) SELECT i FROM n"
    outcome = evaluate(rules=[{"name": "n", "kind": "sql", "query": endless, "limit": 49}])
    assert outcome.numbers["matches.n"] == 49 and "more rows than are looked at" in caplog.text
    assert outcome.alerts[0].title == "n: 49 matches"
    assert outcome.alerts[0].text.splitlines()[-2:] == ["i=20", "and 29 more"]


def test_a_thousand_long_keys_fit_into_the_memory(evaluate: Evaluate) -> None:
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT i FROM n"
    asked = [
        {"name": f"n{number}", "kind": "sql", "query": many, "key": "x" * 180 + "$i"} for number in range(5)
    ]
    assert evaluate(rules=asked).status == "ok"
    assert evaluate(now=NOW + HOUR, rules=asked).alerts == ()


# An existing database instead of Jarvis' own tables.

EXISTING = (
    "CREATE TABLE delegations (id INTEGER PRIMARY KEY, task TEXT, delegated_to TEXT, due_date DATE, priority TEXT,"
    " status TEXT)",
    "CREATE TABLE decisions (id INTEGER PRIMARY KEY, title TEXT, status TEXT, created TIMESTAMP)",
    "CREATE TABLE facts (category TEXT, key TEXT, value TEXT, confidence REAL)",
    "INSERT INTO delegations VALUES (1, 'Pay', 'Ann', '2026-11-18', 'high', 'active'),"
    " (2, 'Call', 'Bob', '2026-11-22', 'low', 'active'), (3, 'Old', 'Bob', '2026-11-01', 'low', 'completed'),"
    " (4, 'Some day', 'Bob', NULL, 'low', 'active')",
    "INSERT INTO decisions VALUES (1, 'Move', 'pending_execution', '2026-11-01 09:00:00'),"
    " (2, 'Stay', 'executed', '2026-11-01 09:00:00')",
    "INSERT INTO facts VALUES ('work', 'backup_last_success', '2026-11-17T09:00:00Z', 1.0)",
)
ALL = [
    late(), {"name": "soon", "kind": "upcoming_deadline"}, {"name": "open", "kind": "pending_decision"},
    {"name": "backup", "kind": "stale_backup"},
]  # fmt: skip
TOLD = [
    "backup: the last backup is 3d3h old (2026-11-17T09:00:00Z), 48 h are allowed",
    "late: Pay (Ann): 2 days late, due 2026-11-18",
    "open: Move: not executed since 2026-11-01 (19 days)",
    "soon: Call (Bob): due in 2 days, 2026-11-22",
]


def test_variables_in_the_url_of_a_rule_are_read_when_it_is_asked(
    evaluate: Evaluate, ledger: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hosts.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript("CREATE TABLE hosts (name TEXT); INSERT INTO hosts VALUES ('one')")
    for name, url in (("whole", "${HOSTS_URL}"), ("part", "sqlite:///${HOSTS_DIR:-/nowhere}/hosts.db")):
        rule = {
            "name": name,
            "kind": "sql",
            "url": url,
            "query": "SELECT name FROM hosts",
            "message": "$name",
        }
        Rules(ledger).add(forms.read(rule), at=NOW)
    monkeypatch.delenv("HOSTS_URL", raising=False)
    failed = {alert.key: alert.text for alert in evaluate(keep=False).alerts}
    assert "the environment variable HOSTS_URL is not set" in failed["rule:whole"]
    assert failed.keys() == {"rule:whole", "rule:part"}, "and the default of the other is no folder"
    monkeypatch.setenv("HOSTS_URL", f"sqlite:///{path}")
    monkeypatch.setenv("HOSTS_DIR", str(tmp_path))
    assert sorted(alert.title or "" for alert in evaluate().alerts) == ["part: one", "whole: one"]


def test_the_memory_tables_of_an_existing_sqlite_file_are_asked(evaluate: Evaluate, tmp_path: Path) -> None:
    path = tmp_path / "life.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in EXISTING:
            connection.execute(statement)
    outcome = evaluate(rules=ALL, database=f"sqlite:///{path}")
    assert sorted(alert.title or "" for alert in outcome.alerts) == TOLD


def test_the_memory_tables_of_an_existing_postgresql_are_asked(evaluate: Evaluate) -> None:
    url = servers.server().database()
    servers.execute(url, *EXISTING)
    outcome = evaluate(rules=ALL, database=url)
    assert sorted(alert.title or "" for alert in outcome.alerts) == TOLD
    servers.execute(url, "ALTER TABLE delegations DROP COLUMN due_date", "DROP TABLE facts")
    outcome = evaluate(now=NOW + HOUR, rules=ALL, database=url)
    said = {alert.key: alert.text for alert in outcome.alerts}
    assert "due_date" in said["rule:late"] and "facts" in said["rule:backup"]
    assert all(servers.PASSWORD not in text for text in [*said.values(), outcome.result or ""])


def test_a_table_or_column_that_is_missing_is_told(evaluate: Evaluate, tmp_path: Path) -> None:
    path = tmp_path / "life.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE delegations (task, status, due_date)")
        connection.execute("INSERT INTO delegations VALUES ('Pay', 'active', '2026-11-01')")
        connection.execute("CREATE TABLE decisions (title, status)")
        connection.execute("INSERT INTO decisions VALUES ('Move', 'pending_execution')")
    said = {alert.key: alert.text for alert in evaluate(rules=ALL, database=f"sqlite:///{path}").alerts}
    assert "its table delegations has no column delegated_to" in said["rule:late"]
    assert "its table decisions has no column created" in said["rule:open"]
    assert "no such table: facts" in said["rule:backup"]


def test_a_date_that_is_none_is_told(evaluate: Evaluate, tmp_path: Path) -> None:
    path = tmp_path / "life.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE delegations (task, delegated_to, status, due_date)")
        connection.execute("INSERT INTO delegations VALUES ('Pay', 'Ann', 'active', 'soon')")
    outcome = evaluate(rules=[late()], database=f"sqlite:///{path}")
    assert "delegations.due_date holds 'soon', which is no date" in outcome.alerts[0].text


def test_a_url_that_cannot_be_meant_gives_up(evaluate: Evaluate) -> None:
    outcome = evaluate(rules=[late()], database="life.db")
    assert outcome.status == "gave_up" and "database: this is no database URL" in (outcome.error or "")


# As jobs.yaml writes it.


def test_a_mistake_in_a_rule_of_jobs_yaml_has_its_place(evaluate: Evaluate) -> None:
    form = mount.load(catalogue.shipped() / "alert_eval.py").form
    assert form is not None
    found = form.check(
        {"rules": [late(), {"name": "x", "kind": "overdue_delegation", "days_overdue": "many"}]}
    )
    assert found == [
        (("rules", 1, "days_overdue"), "'rules.1.days_overdue': expected a whole number, not 'many'", None)
    ]
    named = form.check({"rules": [{**late(), "name": "a b"}, {"name": "y", "kind": "sql", "query": ""}]})
    assert [said for _, said, _ in named] == [
        "'rules.0.name': expected a name of letters, digits, '.', '_' and '-', at most 64, not 'a b'",
        "'rules.1.query': expected 1 or more characters, not ''",
    ]
    (at, said, _), = form.check({"rules": [{"name": "x", "kind": "foo"}]})  # fmt: skip
    assert at == ("rules", 0) and "'foo' is no kind of rule; there are overdue_delegation" in said
    hollow = {"name": "x", "kind": "metric", "metric": "a.seconds", "above": "high"}
    assert form.check({"rules": [hollow]}) == [
        (("rules", 0, "above"), "'rules.0.above': expected a number, not 'high'", None)
    ]
    assert form.check({"rules": [{"name": "x", "kind": "overdue_delegation", "days": 1}]}) == [
        (("rules", 0, "days"), "'rules.0': no parameter 'days'", "did you mean 'days_overdue'?")
    ]
    assert form.check({"rules": [{"kind": "job", "job": "a"}]}) == [
        (("rules", 0), "'rules.0': 'name' is missing", None)
    ]
    (at, said, _), = form.check({"rules": [late(), late()]})  # fmt: skip
    assert "two rules are named 'late'" in said


# Much.

FEED = """
import json, resource, sys
from datetime import UTC, datetime
from jarvis import testing
from jarvis.handling.stores import LazyStores
stores = LazyStores(sys.argv[1])
small = testing.run_handler("alert_eval", testing.context(stores=stores), rules=[{"name": "b", "kind": "stale_backup"}])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
context = testing.context(stores=stores, now=datetime(2026, 11, 20, 12, tzinfo=UTC))
outcome = testing.run_handler("alert_eval", context, **json.loads(sys.argv[2]))
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps({"grown": grown, "result": outcome.result, "matches": outcome.numbers["matches.late"],
                  "text": len(outcome.alerts[0].text)}))
"""


@pytest.mark.parametrize("where", ["own", "elsewhere"])
def test_a_hundred_thousand_rows_are_streamed(ledger: Database, tmp_path: Path, where: str) -> None:
    values: dict[str, Any] = {"rules": [late()]}
    if where == "own":
        path = ledger.path
        row = "(NULL, 'Pay ' || ?, 'Ann', '2026-11-01', 'low', 'active', 0, 0)"
    else:
        path = tmp_path / "life.db"
        row = "(NULL, 'Pay ' || ?, 'Ann', '2026-11-01', 'low', 'active')"
        values["database"] = f"sqlite:///{path}"
    with closing(sqlite3.connect(path)) as connection, connection:
        if where == "elsewhere":
            connection.execute(EXISTING[0])
        connection.executemany(f"INSERT INTO delegations VALUES {row}", ((n,) for n in range(100_000)))
    done = subprocess.run(
        [sys.executable, "-c", FEED, ledger.url, json.dumps(values)],
        capture_output=True, text=True, timeout=120, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["matches"] == 100_000 and said["text"] < 2_000 and len(said["result"]) < 1_000
    kilobytes = said["grown"] if sys.platform == "linux" else said["grown"] // 1024
    assert kilobytes < 20_000, resource.getrusage(resource.RUSAGE_CHILDREN)
