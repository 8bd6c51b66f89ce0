"""How do whole tables leave somebody's database, and how do rows come back into it?

Rows are JSON objects: dates and decimals are texts, bytes are ``{"$bytes": "…"}`` in base64. A row that comes back is
put in its table by its key. Nothing else of the database is touched.
"""

from __future__ import annotations

import base64
import importlib.util
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    Connection,
    LargeBinary,
    MetaData,
    NullPool,
    Table,
    and_,
    create_engine,
    delete,
    insert,
    inspect,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchTableError, SQLAlchemyError

from jarvis.errors import JarvisError

BUSY = 10.0
"""Seconds to wait for whoever holds the database."""

FORMS = "sqlite:///PATH or postgresql://USER@HOST/DATABASE"


class Unusable(JarvisError):
    """A database or table that cannot be read or written; says which and why (never its password)."""


class Rejected(JarvisError):
    """The database refused a row; the message says why."""


class Tables:
    """Some tables of one database, in one transaction. Made by ``opened``."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._known: dict[str, Table] = {}

    def table(self, name: str) -> Table:
        """Raises Unusable with what there is."""
        if name not in self._known:
            try:
                self._known[name] = Table(name, MetaData(), autoload_with=self._connection)
            except NoSuchTableError:
                there = ", ".join(sorted(inspect(self._connection).get_table_names())) or "none"
                raise Unusable(f"{self._name} has no table {name!r} (it has: {there})") from None
        return self._known[name]

    def key(self, name: str, given: Sequence[str] | None = None) -> tuple[str, ...]:
        """The columns that tell rows apart: those given, or the primary key. Raises Unusable."""
        table = self.table(name)
        found = tuple(given or (column.name for column in table.primary_key.columns))
        if not found:
            raise Unusable(
                f"table {name!r} of {self._name} has no primary key: name its key columns under keys:"
            )
        if missing := [column for column in found if column not in table.columns]:
            raise Unusable(f"table {name!r} of {self._name} has no column {missing[0]!r}")
        return found

    def rows(self, name: str, key: Sequence[str]) -> Iterator[dict[str, Any]]:
        """All rows, in the order of their keys, as JSON objects."""
        table = self.table(name)
        query = select(table).order_by(*(table.c[column] for column in key))
        with self._connection.execution_options(stream_results=True).execute(query) as result:
            for row in result:
                yield {str(column): plain(value) for column, value in row._mapping.items()}

    def put(self, name: str, key: Sequence[str], row: Mapping[str, Any]) -> None:
        """Insert a row or replace the one with its key. Raises Rejected; then nothing of it is there."""
        table = self.table(name)
        if unknown := [column for column in row if column not in table.columns]:
            raise Rejected(f"the table has no column {unknown[0]!r}")
        try:
            values = {column: native(value, table.c[column]) for column, value in row.items()}
            where = and_(*(table.c[column] == values[column] for column in key))
            with self._connection.begin_nested():
                rest = {column: value for column, value in values.items() if column not in key}
                known = self._connection.execute(select(1).select_from(table).where(where)).first()
                if known is None:
                    self._connection.execute(insert(table).values(**values))
                elif rest:
                    self._connection.execute(update(table).where(where).values(**rest))
        except KeyError as error:
            raise Rejected(f"it has no value for its key {error.args[0]!r}") from None
        except (DBAPIError, ValueError, TypeError) as error:
            raise Rejected(" ".join(str(getattr(error, "orig", error)).split())[:300]) from None

    def remove(self, name: str, values: Mapping[str, Any]) -> None:
        """Delete the row with this key. Raises Rejected."""
        table = self.table(name)
        where = and_(*(table.c[column] == native(value, table.c[column]) for column, value in values.items()))
        try:
            with self._connection.begin_nested():
                self._connection.execute(delete(table).where(where))
        except DBAPIError as error:
            raise Rejected(" ".join(str(error.orig).split())[:300]) from None


@contextmanager
def opened(url: str, *, write: bool = False) -> Iterator[Tables]:
    """One transaction over a database, committed when the block ends. Raises Unusable."""
    try:
        place = make_url(url)
    except (ArgumentError, ValueError):
        raise Unusable(f"this is no database URL; write {FORMS}") from None
    arguments: dict[str, Any] = {"timeout": BUSY}
    name = f"the database {place.database}"
    if place.get_backend_name() == "sqlite":
        path = Path(place.database or "").expanduser()
        if not path.is_file():
            raise Unusable(f"there is no database file {path}")
        place = place.set(drivername="sqlite", database=str(path))
    elif place.get_backend_name() in ("postgresql", "postgres"):
        if importlib.util.find_spec("psycopg") is None:
            raise Unusable(
                "PostgreSQL needs psycopg, which is not installed: pip install 'jarvis-jobs[postgres]'"
            )
        place = place.set(drivername="postgresql+psycopg")
        arguments = {"connect_timeout": round(BUSY), "options": f"-c statement_timeout={round(BUSY * 3000)}"}
    else:
        raise Unusable(f"databases of the kind {place.get_backend_name()!r} are not known; write {FORMS}")
    engine = create_engine(place, poolclass=NullPool, connect_args=arguments)
    try:
        with engine.connect() as connection:
            if place.drivername == "sqlite":
                driver = connection.connection.driver_connection
                assert driver is not None
                driver.isolation_level = None
                connection.exec_driver_sql("PRAGMA foreign_keys=ON")
                connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
            yield Tables(connection, name)
            connection.commit()
    except SQLAlchemyError as error:
        said = " ".join(str(getattr(error, "orig", error)).split())
        if place.password:
            said = said.replace(str(place.password), "***")
        raise Unusable(f"{name} answered: {said[:500]}") from None
    finally:
        engine.dispose()


def plain(value: Any) -> Any:
    """A value of a database as JSON data."""
    match value:
        case bool() | int() | str() | None:
            return value
        case float():
            return value if math.isfinite(value) else {"$float": str(value)}
        case bytes() | memoryview():
            return {"$bytes": base64.b64encode(bytes(value)).decode()}
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal() | UUID():
            return str(value)
        case list() | tuple():
            return [plain(each) for each in value]
        case dict():
            return {str(name): plain(each) for name, each in value.items()}
    return str(value)


def native(value: Any, column: Column[Any]) -> Any:
    """JSON data as a value for this column. Raises ValueError."""
    if isinstance(value, dict) and len(value) == 1:
        if "$bytes" in value:
            return base64.b64decode(value["$bytes"], validate=True)
        if "$float" in value:
            return float(value["$float"])
    if value is None or isinstance(column.type, LargeBinary):
        return value
    try:
        wanted = column.type.python_type
    except NotImplementedError:
        return value
    if isinstance(value, str) and wanted in (datetime, date, time):
        return wanted.fromisoformat(value)
    if isinstance(value, str) and wanted in (Decimal, UUID):
        return wanted(value)
    return value
