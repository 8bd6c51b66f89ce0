"""How is the ledger opened, and what is one transaction?

SQLite in WAL mode with synchronous=FULL: a committed fire survives a power cut. One writer connection whose
transactions begin IMMEDIATE, so that two writers wait for each other at the start and never half-way; readers
have their own pool and never block it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, insert, select, text
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    SQLAlchemyError,
    StatementError,
)

from jarvis.errors import StoreBusy, StoreError
from jarvis.store import schema, tables

HEAD = "0007"
"""The newest migration; a new ledger is created at it without loading alembic."""

ALERTED = "alerted"
"""Set in a transaction's ``connection.info`` when it has something to tell: ``alerted`` is called after the commit."""
POSTED = "posted"
"""The same when a message was put into the outbox: ``posted`` is called."""
PUBLISHED = "published"
"""The same when an event was stored: ``published`` is called."""
TOLD = (ALERTED, POSTED, PUBLISHED)


class Database:
    """One ledger. ``path`` is the SQLite file; ``busy`` how long a call waits for another process' lock.

    ``alerted`` is called, in the writer's thread, after each commit that put something into the journal,
    ``posted`` after each that put a message into the outbox, ``published`` after each that stored an event.
    """

    def __init__(self, path: Path, *, busy: timedelta = timedelta(seconds=5)) -> None:
        self.path = path
        self._busy = busy
        self._hurry = False
        self._lock = threading.RLock()
        self._writer = self._engine("BEGIN IMMEDIATE", pool_size=1, cache=1024)
        self._reader = self._engine("BEGIN", pool_size=4, cache=512)
        self._inode: int | None = None
        self.alerted: Callable[[], None] = lambda: None
        self.posted: Callable[[], None] = lambda: None
        self.published: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def _engine(self, begin: str, *, pool_size: int, cache: int) -> Engine:
        """``cache``: kilobytes of pages each connection keeps; the system keeps them, too, and SQLite's own 2 MB for
        each of them is what a daemon would grow by in its first hours."""
        engine = create_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=0 if begin != "BEGIN" else 8,
            connect_args={"timeout": self._busy.total_seconds(), "check_same_thread": False},
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: sqlite3.Connection, _record: object) -> None:
            connection.isolation_level = None
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA wal_autocheckpoint=1000")
            connection.execute(f"PRAGMA cache_size=-{cache}")
            connection.execute("PRAGMA journal_size_limit=67108864")

        @event.listens_for(engine, "begin")
        def immediate(connection: Connection) -> None:
            if self._hurry:
                connection.exec_driver_sql("PRAGMA busy_timeout=50")
            connection.exec_driver_sql(begin)

        return engine

    def open(self, *, create: bool = True) -> bool:
        """Make sure the schema is there and current; True when the ledger was made new.

        Raises StoreError when the file is no ledger, is damaged or comes from a newer Jarvis.
        """
        new = not self.path.exists() or self.path.stat().st_size == 0
        if new and not create:
            raise StoreError(f"there is no ledger at {self.path} yet: start Jarvis with 'jarvis up' first")
        if new:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch(mode=0o600)
            with self.write() as connection:
                schema.metadata.create_all(connection)
                self._stamp(connection)
                connection.execute(insert(tables.counters).values(name="run", value=0))
        elif (version := self.version()) != HEAD:
            self._migrate(version)
        self._inode = self.path.stat().st_ino
        return new

    @staticmethod
    def _stamp(connection: Connection) -> None:
        connection.execute(
            text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        )
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})

    def version(self) -> str | None:
        """The ledger's schema version; None when it has none."""
        with self.read() as connection:
            found = connection.execute(
                text("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'")
            ).scalar()
            return found and connection.execute(text("SELECT version_num FROM alembic_version")).scalar()

    def _migrate(self, version: str | None) -> None:
        if version is not None and version > HEAD:
            raise StoreError(
                f"{self.path} was written by a newer Jarvis (schema {version}, this one knows {HEAD}): upgrade Jarvis"
            )
        from jarvis.store import migrate

        with self.write() as connection:
            migrate.upgrade(connection)

    def damaged(self) -> str | None:
        """What SQLite's quick_check finds wrong, or None."""
        try:
            with self.read() as connection:
                answer = connection.execute(text("PRAGMA quick_check(1)")).scalar()
        except StoreBusy:
            return None
        except StoreError as error:
            return str(error)
        return None if answer == "ok" else str(answer)

    def replaced(self) -> bool:
        """The file was deleted or exchanged since it was opened."""
        try:
            return self.path.stat().st_ino != self._inode
        except FileNotFoundError:
            return True

    def written(self) -> tuple[int, int] | None:
        """Changes whenever anybody commits to the ledger: costs one system call, not a query."""
        try:
            about = os.stat(f"{self.path}-wal")
        except FileNotFoundError:
            return None
        return about.st_mtime_ns, about.st_size

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises StoreBusy when another process holds the ledger, StoreError for anything else it cannot do.
        """
        with self._lock, self._said(), self._writer.begin() as connection:
            info = connection.info
            for word in TOLD:
                info.pop(word, None)
            yield connection
            told = [word for word in TOLD if info.pop(word, False)]
        for word in told:
            getattr(self, word)()

    def tell(self, other: Database) -> None:
        """Whoever is told of commits of the other one is told of ours, too: both are open in one process."""
        self.alerted = lambda: other.alerted()
        self.posted = lambda: other.posted()
        self.published = lambda: other.published()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Nobody else in this process writes meanwhile."""
        with self._lock:
            yield

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view; nothing written in it is kept."""
        with self._said(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._sentence(error.orig) from error
        except SQLAlchemyError as error:
            raise StoreError(f"the ledger at {self.path} cannot be used: {error}") from error

    def _sentence(self, cause: BaseException | None) -> StoreError:
        said = str(cause)
        if "locked" in said or "busy" in said:
            return StoreBusy(f"another process holds the ledger {self.path} ({said}); it is tried again")
        if "full" in said:
            return StoreError(f"no space left for the ledger {self.path}: free some disk space")
        if "malformed" in said or "not a database" in said:
            return StoreError(
                f"the ledger {self.path} is damaged ({said}): restore a copy from its backups folder"
            )
        if "readonly" in said or "unable to open" in said:
            return StoreError(
                f"the ledger {self.path} cannot be written ({said}): check its owner and folder"
            )
        return StoreError(f"the ledger {self.path} answered: {said}")

    def backup(self, to: Path) -> int:
        """An online copy (SQLite's backup API) that other writers need not wait for; returns its bytes."""
        to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = to.with_name(to.name + ".part")
        part.unlink(missing_ok=True)
        with self._said(), self._reader.connect() as connection:
            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            try:
                target = sqlite3.connect(part)
                with target:
                    source.backup(target, pages=2000)
                target.close()
            except sqlite3.Error as error:
                part.unlink(missing_ok=True)
                raise self._sentence(error) from error
        with part.open("rb") as copy:
            os.fsync(copy.fileno())
        part.chmod(0o600)
        part.replace(to)
        return to.stat().st_size

    def hurry(self) -> None:
        """Wait for nobody any more: a daemon that was told to end has less than two seconds."""
        self._hurry = True

    def close(self) -> None:
        """Give every connection back to the system."""
        with self._lock:
            self._writer.dispose()
            self._reader.dispose()


def unstorable(error: StoreError) -> bool:
    """It is about a value, not about the ledger: trying again cannot help."""
    cause = error.__cause__
    if isinstance(cause, DBAPIError):
        return isinstance(cause, IntegrityError | DataError | InterfaceError)
    return isinstance(cause, StatementError)


def remembered(connection: Connection, key: str) -> object:
    """A value of ``meta``; None when there is none."""
    return connection.execute(select(tables.meta.c.value).where(tables.meta.c.key == key)).scalar()


def remember(connection: Connection, key: str, value: object) -> None:
    """Set a value of ``meta``."""
    connection.execute(
        text(
            "INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = :value"
        )
        .bindparams(key=key)
        .columns(),
        {"key": key, "value": tables.Json().process_bind_param(value, connection.dialect)},
    )
