"""Tasks and wearable days out of real databases: SQLite files and a PostgreSQL server."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from jarvis.core.tasks import Task
from jarvis.core.wellbeing import Day
from jarvis.sources import tables, tasklist, wearable
from jarvis.sources.fallback import NeedsMending, Unavailable
from jarvis.sources.tasklist import Tasklist
from jarvis.sources.wearable import Wearable
from tests.postgres import Server, postgres

__all__ = ["postgres"]

NOW = datetime(2026, 11, 20, 10, tzinfo=ZoneInfo("Europe/London"))
TODAY = date(2026, 11, 20)
SCHEMA = """
CREATE TABLE tasks (id INTEGER PRIMARY KEY, title TEXT NOT NULL, status TEXT NOT NULL, due {date}, milestone {bool},
                    points {number}, created_at {moment}, completed_at {moment})
"""
SQLITE = SCHEMA.format(date="TEXT", bool="INTEGER", number="REAL", moment="TEXT")
POSTGRES = SCHEMA.format(date="date", bool="boolean", number="numeric", moment="timestamptz")
ROWS = [
    ("Tax return", "active", "2026-11-18", False, 3, "2026-10-01T08:00:00+00:00", None),
    ("Launch", "in_progress", "2026-11-20", True, 8, "2026-11-19T23:30:00+00:00", None),
    ("Read", "todo", None, False, None, None, None),
    ("Yesterday's", "done", "2026-11-19", False, 2, "2026-11-01T08:00:00+00:00", "2026-11-19T12:00:00+00:00"),
    ("Today's", "done", None, False, 2.5, "2026-11-01T08:00:00+00:00", "2026-11-20T08:00:00+00:00"),
    ("Long ago", "done", None, False, 9, "2026-01-01T08:00:00+00:00", "2026-01-02T08:00:00+00:00"),
]
EXPECTED = (
    Task(title="Tax return", active=True, due=date(2026, 11, 18), points=3, created=date(2026, 10, 1)),
    Task(title="Launch", active=True, due=TODAY, milestone=True, points=8, created=date(2026, 11, 19)),
    Task(title="Read", active=True),
    Task(
        title="Yesterday's", active=False, due=date(2026, 11, 19), points=2, created=date(2026, 11, 1),
        completed=date(2026, 11, 19),
    ),
    Task(title="Today's", active=False, points=2.5, created=date(2026, 11, 1), completed=TODAY),
)  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.db"
    with sqlite3.connect(path) as connection:
        connection.execute(SQLITE)
        connection.executemany(f"INSERT INTO tasks VALUES (NULL{', ?' * 7})", ROWS)
    connection.close()
    return path


def change(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def fetch(place: Path | str, *, copy: bool = False, **more: Any) -> Any:
    return tasklist.fetch(Tasklist(**more), str(place), NOW, copy=copy)


def test_the_default_schema_in_sqlite(file: Path) -> None:
    got = fetch(file)
    assert got.value == EXPECTED and got.odd == () and got.copy is False and got.as_of is None


def test_the_default_schema_in_postgresql(postgres: Server) -> None:
    url = postgres.database()
    with psycopg.connect(url) as connection:
        connection.execute(POSTGRES)
        insert = f"INSERT INTO tasks OVERRIDING SYSTEM VALUE VALUES (%s{', %s' * 7})"
        connection.cursor().executemany(insert, [(number, *row) for number, row in enumerate(ROWS)])
    assert fetch(url).value == EXPECTED


def test_a_table_with_other_names_and_a_status_that_is_an_enum(postgres: Server) -> None:
    url = postgres.database()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TYPE state AS ENUM ('Doing', 'Finished')")
        connection.execute("CREATE SCHEMA work")
        connection.execute("CREATE TABLE work.items (name text, state state, deadline timestamp)")
        connection.execute(
            "INSERT INTO work.items VALUES ('A', 'Doing', '2026-11-20 23:00'), ('B', 'Finished', NULL)"
        )
    names = {"title": "name", "status": "state", "due": "deadline"}
    none = dict.fromkeys(("milestone", "points", "created_at", "completed_at"))
    got = fetch(url, table="work.items", columns=names | none, active=("Doing",))
    assert got.value == (Task(title="A", active=True, due=TODAY),)


def test_a_query_of_one_s_own_with_what_it_wants_of_the_parameters(file: Path) -> None:
    query = "SELECT title, 'open' AS status, due FROM tasks WHERE due < :today AND completed_at IS NULL"
    assert fetch(file, query=query).value == (Task(title="Tax return", active=True, due=date(2026, 11, 18)),)
    plain = "SELECT title, 'open' AS status FROM tasks WHERE title LIKE '%turn' AND '12:30' = '12:30'"
    assert [one.title for one in fetch(file, query=plain).value] == ["Tax return"]


def test_a_row_that_cannot_be_read_is_said_and_the_others_count(file: Path) -> None:
    change(
        file, "UPDATE tasks SET due = 'soon' WHERE title = 'Read'", "UPDATE tasks SET title = '' WHERE id = 2"
    )
    got = fetch(file)
    assert [one.title for one in got.value] == ["Tax return", "Yesterday's", "Today's"]
    assert got.odd == (
        "task '': it has no title",
        "task 'Read': 'soon' is no moment such as 2026-11-20T09:00:00Z",
    )
    change(file, "UPDATE tasks SET due = 'soon'")
    with pytest.raises(
        NeedsMending, match="none of 5 rows can be read as a task; task 'Tax return': 'soon' is no"
    ):
        fetch(file)


def test_no_tasks_at_all_are_an_answer(file: Path) -> None:
    change(file, "DELETE FROM tasks")
    assert fetch(file).value == ()


MENDED = [
    ("a table that is not there", {"table": "todo"}, "no such table"),
    ("a column that is not there", {"columns": {"due": "deadline"}}, "no such column"),
    ("a name that is none", {"table": "tasks; DROP TABLE tasks"}, "is no plain name of a table or column"),
    (
        "a column that is an expression",
        {"columns": {"due": "due) --"}},
        "is no plain name of a table or column",
    ),
    (
        "a column of ours that is none",
        {"columns": {"deadline": "due"}},
        "there is no 'deadline'; known are title",
    ),
    ("no title", {"columns": {"title": None}}, "a task needs its title"),
    ("a query that writes", {"query": "DELETE FROM tasks"}, "does more than read"),
    ("a query that is none", {"query": "SELEKT"}, "syntax error"),
]


@pytest.mark.parametrize(("more", "why"), [row[1:] for row in MENDED], ids=[row[0] for row in MENDED])
def test_what_only_a_person_can_mend_is_said_so(file: Path, more: dict[str, Any], why: str) -> None:
    with pytest.raises(NeedsMending, match=why):
        fetch(file, **more)
    assert fetch(file).value == EXPECTED


def test_a_missing_file_and_a_server_that_is_not_there_are_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="there is no database file") as missing:
        fetch(tmp_path / "no.db")
    assert not isinstance(missing.value, NeedsMending) and not (tmp_path / "no.db").exists()
    with pytest.raises(Unavailable, match=r"the database x at 127.0.0.1:9 answered") as refused:
        fetch("postgresql://me:hush@127.0.0.1:9/x", timeout=timedelta(seconds=2))
    assert "hush" not in str(refused.value)
    (tmp_path / "bad.db").write_bytes(b"not a database at all, but long enough" * 100)
    with pytest.raises(Unavailable, match="not a database"):
        fetch(tmp_path / "bad.db")


def test_more_rows_than_anybody_has_are_refused(file: Path) -> None:
    many = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {}) SELECT x AS title FROM n"
    assert len(fetch(file, query=many.format(10_000)).value) == 10_000
    with pytest.raises(NeedsMending, match="more than 10000 rows: narrow it"):
        fetch(file, query=many.format(10_001))


def test_the_age_of_a_copy_is_that_of_its_rows_or_else_of_its_file(file: Path) -> None:
    at = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    os.utime(file, (at.timestamp(), at.timestamp()))
    got = fetch(file, copy=True)
    assert got.as_of == at and got.copy is True
    change(
        file, "ALTER TABLE tasks ADD COLUMN synced TEXT", "UPDATE tasks SET synced = '2026-11-20T08:00:00Z'"
    )
    change(file, "UPDATE tasks SET synced = '2026-11-20T08:15:00Z' WHERE id = 3",
           "UPDATE tasks SET synced = 'x' WHERE id = 4")  # fmt: skip
    assert fetch(file, copy=True, columns={"synced_at": "synced"}).as_of == at - timedelta(minutes=75)


def test_a_copy_that_is_being_written_has_the_age_of_its_log(file: Path) -> None:
    old = NOW - timedelta(days=3)
    os.utime(file, (old.timestamp(), old.timestamp()))
    log = file.with_name("tasks.db-wal")
    log.write_bytes(b"")
    os.utime(log, (NOW.timestamp(), NOW.timestamp()))
    assert tables.as_of(str(file), [], UTC) == NOW


@pytest.fixture
def days(tmp_path: Path) -> Callable[..., Path]:
    def made(*rows: tuple[Any, ...]) -> Path:
        path = tmp_path / "wearable.db"
        with sqlite3.connect(path) as connection:
            connection.execute(
                "CREATE TABLE wearable (day TEXT PRIMARY KEY, readiness REAL, sleep_hours REAL, hrv REAL, "
                "stress REAL, synced_at TEXT)"
            )
            connection.executemany(f"INSERT INTO wearable VALUES (?{', ?' * 5})", rows)
        connection.close()
        return path

    return made


def test_the_days_of_a_wearable_s_cache(days: Callable[..., Path]) -> None:
    path = days(
        ("2026-11-20", 70, 6.5, 40, None, "2026-11-20T07:00:00Z"),
        ("2026-11-19", None, None, 41, 50, None),
        ("2026-10-20", 1, 1, 1, 1, None),
        ("2026-11-21", 99, 99, 99, 99, None),
    )
    got = wearable.fetch(Wearable(), str(path), NOW, 30)
    assert got is not None and set(got.value) == {
        Day(day=TODAY, readiness=70, sleep=6.5, hrv=40),
        Day(day=date(2026, 11, 19), hrv=41, stress=50),
    }
    assert got.as_of == datetime(2026, 11, 20, 7, tzinfo=UTC)


def test_a_cache_without_today_has_nothing(days: Callable[..., Path]) -> None:
    assert wearable.fetch(Wearable(), str(days(("2026-11-19", 70, 7, 40, 10, None))), NOW, 30) is None


def test_a_day_of_nothing_but_nulls_is_nothing(days: Callable[..., Path]) -> None:
    path = days(
        ("2026-11-20", None, None, None, None, "2026-11-20T07:00:00Z"), ("2026-11-19", 70, 7, 40, 10, None)
    )
    assert wearable.fetch(Wearable(), str(path), NOW, 30) is None


def test_a_cache_of_other_names_and_bad_days(days: Callable[..., Path]) -> None:
    path = days(("2026-11-20", "good", 6.5, 40, None, None))
    with pytest.raises(NeedsMending, match="none of 1 rows can be read as a day; day .*: 'good' is no"):
        wearable.fetch(Wearable(), str(path), NOW, 30)
    only = dict.fromkeys(("readiness", "stress", "synced_at")) | {"sleep_hours": "sleep_hours"}
    got = wearable.fetch(Wearable(columns=only), str(path), NOW, 30)
    assert got is not None and got.value == (Day(day=TODAY, sleep=6.5, hrv=40),)
    with pytest.raises(NeedsMending, match="the cache needs a day"):
        wearable.fetch(Wearable(columns={"day": None}), str(path), NOW, 30)
    with pytest.raises(NeedsMending, match="there is no 'date'"):
        wearable.fetch(Wearable(columns={"date": "day"}), str(path), NOW, 30)


def test_a_wearable_s_cache_in_postgresql(postgres: Server) -> None:
    url = postgres.database()
    with psycopg.connect(url) as connection:
        connection.execute(
            "CREATE TABLE wearable (day date, readiness int, sleep_hours numeric, hrv real, stress int, "
            "synced_at timestamptz)"
        )
        connection.execute(
            "INSERT INTO wearable VALUES ('2026-11-20', 70, 6.25, 40, 80, '2026-11-20T09:00:00Z')"
        )
    got = wearable.fetch(Wearable(), url, NOW, 30)
    assert got is not None and got.value == (Day(day=TODAY, readiness=70, sleep=6.25, hrv=40, stress=80),)
    assert got.as_of == datetime(2026, 11, 20, 9, tzinfo=UTC)


def test_a_path_is_an_sqlite_file_and_passwords_are_not_shown() -> None:
    assert tables.label("/data/tasks.db") == tables.label("sqlite:////data/tasks.db") == "/data/tasks.db"
    assert tables.url_of("~/x.db") == f"sqlite:///{Path.home()}/x.db"
    assert "hush" not in tables.label("postgresql://me:hush@db/x") and "@db/x" in tables.label(
        "postgresql://me:hush@db/x"
    )
