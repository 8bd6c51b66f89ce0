"""Are other people's databases only read, in time, and is every trouble one sentence without a password?"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
import tracemalloc
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from jarvis.store import outside
from jarvis.store.outside import Unanswered
from tests import postgres as servers


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "other's tasks.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY, title TEXT, due TEXT)")
        connection.executemany(
            "INSERT INTO tasks (title, due) VALUES (?, ?)",
            [("pay", "2026-11-19"), ("call: me", "2026-11-21")],
        )
    return path


@pytest.fixture(scope="module")
def postgres() -> str:
    url = servers.server().database()
    servers.execute(
        url, "CREATE TABLE tasks (id serial PRIMARY KEY, title text, due date)",
        "INSERT INTO tasks (title, due) VALUES ('pay', '2026-11-19'), ('100%', '2026-11-21')",
    )  # fmt: skip
    return url


def test_rows_of_an_sqlite_file_come_as_dicts(file: Path) -> None:
    url = f"sqlite:///{file}"
    assert outside.ask(url, "SELECT id, title FROM tasks ORDER BY id") == [
        {"id": 1, "title": "pay"}, {"id": 2, "title": "call: me"},
    ]  # fmt: skip
    found = outside.ask(url, "SELECT title FROM tasks WHERE due < :today", params={"today": "2026-11-20"})
    assert found == [{"title": "pay"}]
    assert outside.ask(url, "SELECT title FROM tasks WHERE title = 'call: me';") == [{"title": "call: me"}]
    assert outside.ask(url, "PRAGMA table_info(tasks)")[1]["name"] == "title"


def test_the_home_of_a_person_can_be_written_as_a_tilde(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(file.parent))
    assert len(outside.ask(f"sqlite:///~/{file.name}", "SELECT 1 FROM tasks")) == 2


def test_no_more_rows_than_the_limit(file: Path) -> None:
    url = f"sqlite:///{file}"
    for limit, count in ((1, 1), (2, 2), (3, 2)):
        assert len(outside.ask(url, "SELECT * FROM tasks", limit=limit)) == count


WRITING = [
    "INSERT INTO tasks (title) VALUES ('x')",
    "UPDATE tasks SET title = 'x' RETURNING title",
    "DELETE FROM tasks",
    "DROP TABLE tasks",
    "CREATE TABLE more (x)",
    "CREATE TEMP TABLE more AS SELECT * FROM tasks",
    "ATTACH 'more.db' AS more",
    "VACUUM INTO 'copy.db'",
    "PRAGMA user_version = 5",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA query_only = OFF",
    "SELECT load_extension('evil')",
    "BEGIN IMMEDIATE",
    "WITH x AS (SELECT 1) INSERT INTO tasks (title) SELECT * FROM x",
]


@pytest.mark.parametrize("query", WRITING)
def test_whatever_does_more_than_read_is_refused_by_sqlite_itself(
    file: Path, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    before = hashlib.sha256(file.read_bytes()).digest()
    with pytest.raises(Unanswered, match="refused, the query does more than read|answered: no such function"):
        outside.ask(f"sqlite:///{file}", query)
    assert hashlib.sha256(file.read_bytes()).digest() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_two_statements_are_one_too_many(file: Path) -> None:
    with pytest.raises(Unanswered, match="one statement at a time"):
        outside.ask(f"sqlite:///{file}", "SELECT 1; DROP TABLE tasks")


def test_a_query_without_an_end_is_ended(file: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    began = time.monotonic()
    with pytest.raises(Unanswered, match=r"did not answer within 0\.2 s"):
        outside.ask(f"sqlite:///{file}", endless, within=timedelta(milliseconds=200))
    assert time.monotonic() - began < 25


def test_rows_without_an_end_are_ended_and_take_no_memory(file: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    tracemalloc.start()
    try:
        with (
            pytest.raises(Unanswered, match="did not answer within"),
            outside.rows(f"sqlite:///{file}", endless, within=timedelta(milliseconds=300)) as found,
        ):
            for _ in found:
                pass
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_one_value_cannot_make_the_memory_full(file: Path) -> None:
    with pytest.raises(Unanswered, match="too big"):
        outside.ask(f"sqlite:///{file}", "SELECT zeroblob(1000000000) AS big")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("tasks.db", "no database URL; write sqlite:///PATH", id="a path"),
        pytest.param("sqlite://", "names no file", id="no file"),
        pytest.param("sqlite:////no/such/file.db", "there is no database file /no/such/file.db", id="gone"),
        pytest.param(
            "mysql://u:hidden@h/d", "databases of the kind 'mysql' cannot be asked", id="another kind"
        ),
        pytest.param(
            "postgresql://u:hidden@127.0.0.1:1/d", "d at 127.0.0.1:1 answered: .*refused", id="nobody there"
        ),
    ],
)
def test_a_database_that_cannot_be_asked_is_named_without_its_password(url: str, said: str) -> None:
    with pytest.raises(Unanswered, match=said) as caught:
        outside.ask(url, "SELECT 1")
    assert "hidden" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("buy milk " * 500)
    with pytest.raises(Unanswered, match=r"notes\.txt answered: file is not a database"):
        outside.ask(f"sqlite:///{path}", "SELECT * FROM tasks")


def test_a_mistake_in_the_query_is_told_in_the_databases_words(file: Path) -> None:
    with pytest.raises(Unanswered, match="no such column: titel"):
        outside.ask(f"sqlite:///{file}", "SELECT titel FROM tasks")
    with pytest.raises(Unanswered, match="two columns are named 'id'; give each a name with AS"):
        outside.ask(f"sqlite:///{file}", "SELECT a.id, b.id FROM tasks a, tasks b")


def test_a_database_in_use_is_read_while_others_write(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM tasks")
        assert len(outside.ask(f"sqlite:///{file}", "SELECT * FROM tasks")) == 2
        writer.execute("ROLLBACK")


def test_a_password_is_never_shown() -> None:
    assert outside.shown("postgresql://me:s3cr3t@host:5433/d?password=s3cr3t") == (
        "postgresql://me:***@host:5433/d?password=hidden"
    )
    assert outside.shown("hidden") == "a database URL that cannot be read"


def test_no_file_stays_open(file: Path) -> None:
    folder = Path("/proc/self/fd") if Path("/proc/self/fd").exists() else Path("/dev/fd")
    before = len(os.listdir(folder))
    for _ in range(5):
        outside.ask(f"sqlite:///{file}", "SELECT * FROM tasks", limit=1)
    assert len(os.listdir(folder)) == before


def test_rows_of_a_postgresql_table_come_as_dicts(postgres: str) -> None:
    assert outside.ask(postgres, "SELECT id, title FROM tasks WHERE title LIKE '1%' OR id = 1::int ORDER BY id") == [
        {"id": 1, "title": "pay"}, {"id": 2, "title": "100%"},
    ]  # fmt: skip
    found = outside.ask(
        postgres.replace("postgresql:", "postgres:"),
        "SELECT title FROM tasks WHERE due < CAST(:today AS date)",
        params={"today": "2026-11-20"},
    )
    assert found == [{"title": "pay"}]
    assert len(outside.ask(postgres, "SELECT generate_series(1, 100000) AS n", limit=3)) == 3


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO tasks (title) VALUES ('x') RETURNING id",
        "WITH gone AS (DELETE FROM tasks RETURNING id) SELECT * FROM gone",
        "SELECT 1; DROP TABLE tasks",
        "SELECT 1; COMMIT; DROP TABLE tasks",
        "COMMIT",
        "SET TRANSACTION READ WRITE",
        "SELECT nextval('tasks_id_seq')",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "DROP TABLE tasks",
        "COPY tasks TO '/tmp/jarvis-should-not-be-here'",
        "DO $$ BEGIN DELETE FROM tasks; END $$",
    ],
)
def test_whatever_does_more_than_read_is_refused_by_postgresql_itself(postgres: str, query: str) -> None:
    with pytest.raises(Unanswered):
        outside.ask(postgres, query)
    assert outside.ask(postgres, "SELECT count(*) AS n, max(id) AS newest FROM tasks") == [
        {"n": 2, "newest": 2}
    ]


def test_postgresql_is_not_waited_for_longer_than_allowed(postgres: str) -> None:
    began = time.monotonic()
    with pytest.raises(Unanswered, match=r"did not answer within 0\.3 s"):
        outside.ask(postgres, "SELECT pg_sleep(30)", within=timedelta(milliseconds=300))
    assert time.monotonic() - began < 25


def test_a_wrong_password_is_told_and_not_repeated(postgres: str) -> None:
    with pytest.raises(Unanswered, match="password authentication failed") as caught:
        outside.ask(postgres.replace(servers.PASSWORD, "wr0ng-word"), "SELECT 1")
    assert "wr0ng-word" not in str(caught.value)
