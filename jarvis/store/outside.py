"""How are other people's databases asked? Read-only, for a limited time, for a limited number of rows.

Nothing is parsed: what the database itself can be made to refuse, it refuses. SQLite opens the file read-only
(``mode=ro``), with ``query_only`` and an authorizer that allows nothing but reading. PostgreSQL runs one statement
as a cursor in a read-only transaction with a ``statement_timeout``.
"""

from __future__ import annotations

import importlib.util
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, CursorResult, Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from jarvis.errors import JarvisError

WITHIN = timedelta(seconds=10)
LIMIT = 1_000
BATCH = 500
VALUE_BYTES = 16 * 1024 * 1024
"""One value of SQLite may not be bigger: a query cannot make the memory full."""
_TICK = 2_000
"""After so many steps of SQLite's machine the time is looked at."""

_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
_PRAGMAS = {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "user_version"}
_REFUSED = ("not authorized", "authorization denied", "read-only", "readonly", "prohibited")
REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}$]*)?\}")
"""A variable of the environment, in the place of a text."""
_FORMS = "sqlite:///PATH or postgresql://USER@HOST/DATABASE"


class Unanswered(JarvisError):
    """Another database gave no answer; says which one (without its password) and why."""


def ask(
    url: str,
    query: str,
    *,
    params: Mapping[str, Any] | None = None,
    within: timedelta = WITHIN,
    limit: int = LIMIT,
) -> list[dict[str, Any]]:
    """At most ``limit`` rows (``limit + 1`` asks whether there are more), each a dict by column.

    ``url``: an SQLite file or a PostgreSQL database. ``params``: values for ``:name`` in the query. Values come as
    their driver makes them (also Decimal and datetime). Raises Unanswered.
    """
    with rows(url, query, params=params, within=within) as found:
        return [row for row, _ in zip(found, range(limit), strict=False)]


@contextmanager
def rows(
    url: str, query: str, *, params: Mapping[str, Any] | None = None, within: timedelta = WITHIN
) -> Iterator[Iterator[dict[str, Any]]]:
    """The rows one after the other, however many there are, in bounded memory. Raises Unanswered."""
    place = _place(url)
    deadline = time.monotonic() + within.total_seconds()
    engine = _engine(place, within)
    try:
        with _said(place, within, deadline), engine.connect() as connection:
            _guard(connection, within, deadline)
            yield _rows(_execute(connection, query, params), place, within, deadline)
    finally:
        engine.dispose()


def shown(url: str) -> str:
    """The URL as people may see it: no password; a variable that stands for one is none."""
    if REFERENCE.fullmatch(url):
        return url
    try:
        place = make_url(url)
    except (ArgumentError, ValueError):
        return "a database URL that cannot be read"
    hidden = {name: "hidden" if _is_plain(name, value) else value for name, value in place.query.items()}
    said = place.set(query=hidden).render_as_string(hide_password=True)
    password = str(place.password or "")
    return said.replace(":***@", f":{password}@", 1) if REFERENCE.fullmatch(password) else said


def plain_password(url: str) -> bool:
    """Whether anybody who reads the URL knows a password."""
    try:
        place = make_url(url)
    except (ArgumentError, ValueError):
        return False
    written = bool(place.password) and not REFERENCE.fullmatch(str(place.password))
    return written or any(_is_plain(name, value) for name, value in place.query.items())


def _is_plain(name: str, value: object) -> bool:
    return "pass" in name.lower() and not REFERENCE.fullmatch(str(value))


def check(url: str) -> None:
    """Raises Unanswered when no database can be meant; asks nobody."""
    _place(url)


def _place(url: str) -> URL:
    try:
        place = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise Unanswered(f"this is no database URL; write {_FORMS}") from error
    kind = place.get_backend_name()
    if kind == "sqlite":
        if not place.database or place.database == ":memory:":
            raise Unanswered("the database URL sqlite:// names no file; write sqlite:///PATH")
        return place.set(drivername="sqlite")
    if kind in ("postgresql", "postgres"):
        if importlib.util.find_spec("psycopg") is None:
            raise Unanswered(
                "PostgreSQL is asked through psycopg, which is not installed: pip install 'jarvis[postgres]'"
            )
        return place.set(drivername="postgresql+psycopg")
    raise Unanswered(f"databases of the kind {kind!r} cannot be asked; write {_FORMS}")


def _engine(place: URL, within: timedelta) -> Engine:
    if place.drivername == "sqlite":
        return create_engine("sqlite://", creator=lambda: _open(place, within), poolclass=NullPool)
    # Without it a database in SQL_ASCII answers in bytes, which its driver cannot read.
    said: dict[str, Any] = {"client_encoding": "utf8"}
    if "connect_timeout" not in place.query:
        said["connect_timeout"] = max(2, round(within.total_seconds()))
    return create_engine(place, poolclass=NullPool, connect_args=said)


def _open(place: URL, within: timedelta) -> sqlite3.Connection:
    path = Path(place.database or "").expanduser()
    if not path.is_file():
        raise Unanswered(f"there is no database file {path}")
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=min(within.total_seconds(), 5.0),
        isolation_level=None,
        check_same_thread=False,
    )


def _guard(connection: Connection, within: timedelta, deadline: float) -> None:
    """From here on nothing can be written, and nothing takes longer than it may."""
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        driver.execute("PRAGMA query_only=ON")
        driver.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_BYTES)
        driver.set_progress_handler(lambda: int(time.monotonic() > deadline), _TICK)
        driver.set_authorizer(_allowed)
        return
    milliseconds = max(1, round(within.total_seconds() * 1000))
    connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {min(milliseconds, 5_000)}")


def _allowed(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """SQLite asks this for every part of a statement before it does anything."""
    if action in _READING:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() != "load_extension":
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA and (first or "").lower() in _PRAGMAS:
        # PRAGMA user_version = 5 would write.
        reads = second is None or (first or "").lower() != "user_version"
        return sqlite3.SQLITE_OK if reads else sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_DENY


def _execute(connection: Connection, query: str, params: Mapping[str, Any] | None) -> CursorResult[Any]:
    """As a cursor of the server: one statement only, and one that reads; its rows come batch by batch."""
    asked = connection.execution_options(stream_results=True, max_row_buffer=BATCH, no_parameters=not params)
    if params:
        return asked.execute(text(query), dict(params))
    return asked.exec_driver_sql(query.rstrip().rstrip(";"))


def _rows(
    result: CursorResult[Any], place: URL, within: timedelta, deadline: float
) -> Iterator[dict[str, Any]]:
    if not result.returns_rows:
        raise Unanswered(f"{_name(place)}: the query returns no rows; only queries that read are asked")
    names = list(result.keys())
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Unanswered(f"{_name(place)}: two columns are named {twice!r}; give each a name with AS")
    with _said(place, within, deadline):
        for batch in result.partitions(BATCH):
            if time.monotonic() > deadline:
                raise Unanswered(_late(place, within))
            for row in batch:
                yield dict(zip(names, row, strict=True))


@contextmanager
def _said(place: URL, within: timedelta, deadline: float) -> Iterator[None]:
    """Errors of drivers as one sentence each."""
    try:
        yield
    except DBAPIError as error:
        raise Unanswered(_sentence(place, within, deadline, error.orig)) from None
    except sqlite3.Error as error:
        raise Unanswered(_sentence(place, within, deadline, error)) from None
    except SQLAlchemyError as error:
        raise Unanswered(_sentence(place, within, deadline, error)) from None


def _sentence(place: URL, within: timedelta, deadline: float, cause: BaseException | None) -> str:
    said = " ".join(str(cause).split())
    if place.password:
        said = said.replace(str(place.password), "***")
    if "statement timeout" in said or (said == "interrupted" and time.monotonic() > deadline):
        return _late(place, within)
    if any(word in said for word in _REFUSED):
        return f"{_name(place)}: refused, the query does more than read ({said})"
    return f"{_name(place)} answered: {said[:1_000]}"


def _late(place: URL, within: timedelta) -> str:
    return f"{_name(place)} did not answer within {within.total_seconds():g} s"


def _name(place: URL) -> str:
    if place.drivername == "sqlite":
        return f"the database {place.database}"
    port = f":{place.port}" if place.port else ""
    return f"the database {place.database or ''} at {place.host or 'the local socket'}{port}"
