"""Which files of an inbox folder are events, and where does each file go?

1. A file is read whole; one that is no event goes to ``failed/``.
2. A batch of events is stored in one transaction. If that fails, its files stay.
3. Then the files go to ``processed/``. Killed in between, they are read again, and known by what makes each file itself
   (name, inode, time and content): no event is stored twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from jarvis.errors import JarvisError, StoreError

if TYPE_CHECKING:
    from jarvis.store.events import Events, Measured

LOCK = ".webhook_poll.lock"
BATCH = 1000
BATCH_BYTES = 16_000_000
DONE = ("processed", "failed")


class NoEvent(Exception):
    """The file is not an event; says why."""


class Taken(Exception):
    """Another poll is at work in this folder."""


class _Changing(Exception):
    """The file is being written."""


@dataclass
class Tally:
    """What became of what was found. ``failures``: (name, why); ``troubles``: why events could not be stored."""

    ingested: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def line(self) -> str:
        return f"{self.ingested} ingested, {self.failed} failed, {self.skipped} skipped"

    def numbers(self) -> dict[str, float]:
        return {"ingested": self.ingested, "failed": self.failed, "skipped": self.skipped}


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the inbox. Raises Taken when somebody else does: nobody waits."""
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise JarvisError(f"{folder} cannot be polled, its lock {LOCK}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Taken(f"another poll is at work in {folder}") from None
        yield
    finally:
        os.close(handle)


def names(folder: Path) -> list[str]:
    """``*.json`` as the shell has it, in order of their names. A file that arrives later is the next poll's."""
    try:
        found = os.listdir(folder)
    except OSError as error:
        raise JarvisError(f"{folder} cannot be read: {error.strerror}") from error
    return sorted(name for name in found if name.endswith(".json") and not name.startswith("."))


def make_room(folder: Path) -> None:
    """The two folders, before anything is stored: an event whose file cannot be moved would come again."""
    for name in DONE:
        try:
            (folder / name).mkdir(exist_ok=True)
        except OSError as error:
            raise JarvisError(
                f"{folder / name} cannot be made ({error.strerror}); nothing was taken"
            ) from error
        if not os.access(folder / name, os.W_OK | os.X_OK):
            raise JarvisError(
                f"{folder / name} cannot be written; nothing was taken, run: chmod u+wx {folder / name}"
            )


class Inbox:
    """One poll of a folder that is held and has room."""

    def __init__(
        self, folder: Path, *, settle: timedelta, max_bytes: int, events: Callable[[], Events]
    ) -> None:
        self.tally = Tally()
        self._folder = folder
        self._root = os.fspath(folder)
        self._settle = settle.total_seconds()
        self._max_bytes = max_bytes
        self._events = events
        self._held: list[tuple[str, Measured]] = []
        self._taken: dict[str, set[str]] = {}
        self._bytes = 0

    def poll(self, found: Sequence[str]) -> Tally:
        """Take these files, in this order."""
        for name in found:
            self.take(name)
        self.keep()
        return self.tally

    def take(self, name: str) -> None:
        """One file. Not a regular one, or one that vanished: not ours. A young one waits."""
        path = f"{self._root}/{name}"
        try:
            about = os.lstat(path)
        except FileNotFoundError:
            return
        if not stat.S_ISREG(about.st_mode):
            return
        now = datetime.now(UTC)
        # A time far in the future is a wrong clock, not a file that is being written.
        if abs(now.timestamp() - about.st_mtime) < self._settle:
            self.tally.skipped += 1
            return
        try:
            self._hold(name, *_read(path, self._max_bytes))
        except FileNotFoundError:
            return
        except _Changing:
            self.tally.skipped += 1
        except (NoEvent, OSError) as error:
            self.tally.failed += 1
            self.tally.failures.append((name, getattr(error, "strerror", None) or str(error)))
            self.move(name, "failed", now)

    def _hold(self, name: str, data: bytes, about: os.stat_result) -> None:
        from jarvis.store.events import Arrival, Unfit, measure

        found = parse(data)
        mark = f"{self._root}\0{name}\0{about.st_ino}\0{about.st_mtime_ns}\0".encode(
            "utf-8", "surrogateescape"
        )
        arrival = Arrival(
            source=found["source"],
            event_type=found["event_type"],
            payload=found.get("payload"),
            file=name.encode("utf-8", "replace").decode(),
            key="file:" + hashlib.sha256(mark + data).hexdigest(),
        )
        try:
            self._held.append((name, measure(arrival)))
        except Unfit as error:
            raise NoEvent(str(error)) from error
        self._bytes += len(data)
        if len(self._held) >= BATCH or self._bytes >= BATCH_BYTES:
            self.keep()

    def keep(self) -> None:
        """Store what is held, then put its files away; if it cannot be stored they stay."""
        held, self._held, self._bytes = self._held, [], 0
        if not held:
            return
        now = datetime.now(UTC)
        try:
            self._events().add_all([one for _name, one in held], now)
        except StoreError as error:
            self.tally.skipped += len(held)
            self.tally.troubles.append(str(error))
            return
        for name, _one in held:
            self.move(name, "processed", now)
            self.tally.ingested += 1

    def move(self, name: str, where: str, now: datetime) -> None:
        """Into the folder beside it; a name that is taken gets the microsecond added."""
        path, free = f"{self._root}/{name}", name
        try:
            if where not in self._taken:
                self._taken[where] = set(os.listdir(f"{self._root}/{where}"))
            while free in self._taken[where]:
                free = f"{name.removesuffix('.json')}-{now.strftime('%Y%m%dT%H%M%S.%f')}.json"
                now += timedelta(microseconds=1)
            os.rename(path, f"{self._root}/{where}/{free}")
            self._taken[where].add(free)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not os.path.lexists(path):
                return  # somebody took it meanwhile, which is all that was wanted
            to = self._folder / where
            raise JarvisError(f"{path} cannot be moved to {to}: {error.strerror}; mend the folder") from error


def _read(path: str, most: int) -> tuple[bytes, os.stat_result]:
    """All of a file that nobody is writing. Raises NoEvent, _Changing, or OSError when it cannot be read."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        about = os.fstat(handle)
        if about.st_size > most:
            raise NoEvent(f"it is bigger than {most} bytes")
        data = os.read(handle, about.st_size + 1)
        while len(data) < about.st_size and (more := os.read(handle, about.st_size + 1 - len(data))):
            data += more
        if len(data) != about.st_size or os.fstat(handle).st_mtime_ns != about.st_mtime_ns:
            raise _Changing
        return data, about
    finally:
        os.close(handle)


def parse(data: bytes) -> dict[str, Any]:
    """The event in a file's bytes. Raises NoEvent."""
    try:
        event = _decoder.decode(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise NoEvent(f"it is not UTF-8: byte {error.start} is {data[error.start]:#04x}") from error
    except (ValueError, RecursionError) as error:
        raise NoEvent(f"it is not JSON: {error}") from error
    if not isinstance(event, dict):
        raise NoEvent(f"it holds a {type(event).__name__}, not an object")
    for name in ("source", "event_type"):
        value = event.get(name)
        if not isinstance(value, str) or not value.strip():
            raise NoEvent(f"it has no {name}" if name not in event else f"its {name} is not a text")
    return event


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are different; with two of one name nobody knows which was meant."""
    made = dict(pairs)
    if len(made) < len(pairs):
        given = [name for name, _ in pairs]
        twice = next(name for name in given if given.count(name) > 1)
        raise NoEvent(f"the key {twice!r} is there twice")
    return made


def _no_constant(word: str) -> NoReturn:
    raise NoEvent(f"{word} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_once_each, parse_constant=_no_constant)


def tidy(folder: Path, before: datetime) -> int:
    """Remove files that were put away before this; how many went. When they were is their time of change."""
    gone = 0
    for where in DONE:
        try:
            entries = list(os.scandir(folder / where))
        except FileNotFoundError:
            continue
        for entry in entries:
            if entry.is_file(follow_symlinks=False) and entry.stat().st_ctime < before.timestamp():
                os.unlink(entry.path)
                gone += 1
    return gone
