"""Do rows leave one database and come into another as they were, whatever kind the databases are?"""

import json
import sqlite3
from contextlib import closing

import pytest

from jarvis.store import exchange
from tests import postgres as servers

ROW = {"id": 1, "text": "grüße", "amount": "12.50", "at": "2026-11-20T09:00:00+00:00", "day": "2026-11-20",
       "raw": {"$bytes": "AP8="}, "flag": True, "data": {"a": [1, None]}, "nothing": None}  # fmt: skip
TABLE = (
    "CREATE TABLE things (id integer PRIMARY KEY, text text NOT NULL, amount numeric(10,2), at timestamptz, day date,"
    " raw bytea, flag boolean, data jsonb, nothing text)"
)


def test_rows_of_postgresql_come_back_as_they_were():
    url = servers.server().database()
    servers.execute(url, TABLE, "SET timezone TO 'UTC'")
    with exchange.opened(url, write=True) as tables:
        key = tables.key("things")
        tables.put("things", key, ROW)
        with pytest.raises(exchange.Rejected, match="null value"):
            tables.put("things", key, {"id": 2, "text": None})
        tables.put("things", key, {"id": 3, "text": "stays although the one before was refused"})
    with exchange.opened(url) as tables:
        first, second = tables.rows("things", key)
    assert first | {"at": ROW["at"]} == ROW and first["at"].startswith("2026-11-20T")
    assert json.loads(json.dumps(first)) == first and second["id"] == 3
    with exchange.opened(url, write=True) as tables:
        tables.put("things", key, ROW | {"text": "new"})
        tables.remove("things", {"id": 3})
    with exchange.opened(url) as tables:
        assert [row["text"] for row in tables.rows("things", key)] == ["new"]


def test_a_block_that_fails_changes_nothing(tmp_path):
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, at TIMESTAMP)")
    url = f"sqlite:///{path}"
    with pytest.raises(RuntimeError), exchange.opened(url, write=True) as tables:
        tables.put("things", ("id",), {"id": 1})
        raise RuntimeError("killed")
    with exchange.opened(url, write=True) as tables:
        assert list(tables.rows("things", ("id",))) == []
        with pytest.raises(exchange.Rejected, match="no column 'name'"):
            tables.put("things", ("id",), {"id": 1, "name": "x"})
        with pytest.raises(exchange.Rejected, match="Invalid isoformat"):
            tables.put("things", ("id",), {"id": 1, "at": "yesterday"})
        tables.put("things", ("id",), {"id": 2, "at": "2026-11-20T09:00:00"})
    with exchange.opened(url) as tables:
        assert list(tables.rows("things", ("id",))) == [{"id": 2, "at": "2026-11-20T09:00:00"}]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("nonsense", "no database URL"),
        ("mysql://u@h/d", "'mysql' are not known"),
        ("sqlite:////no/such/file", "no database file"),
        ("postgresql://u:hidden@127.0.0.1:1/d", "refused"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_without_its_password(url, why):
    with pytest.raises(exchange.Unusable, match=why) as told, exchange.opened(url):
        raise AssertionError("nobody comes here")
    assert "hidden" not in str(told.value)
