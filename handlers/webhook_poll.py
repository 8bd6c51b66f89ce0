"""Take events from the files of an inbox folder.

Every ``*.json`` file, in the order of their names, is one event: an object with a non-empty ``source``
and ``event_type`` and, if it likes, a ``payload``. It is stored as a pending event and moved to
``processed/``; a file that is no event goes to ``failed/``. When the event cannot be stored, the file
stays for the next time. A file of the last two seconds may still be written and waits. Two polls of one
inbox at once: the second one skips.

Parameters:
    inbox: the folder; without it, inbox/ in the state directory. One that does not exist is empty
    settle: a file younger than this is left for the next time
    max_bytes: a bigger file is no event
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jarvis import Context, Skip
from jarvis.errors import JarvisError, StoreError

LOCK = ".webhook_poll.lock"


class NoEvent(Exception):
    """The file is not an event; says why."""


@dataclass
class Tally:
    """What became of the files."""

    ingested: int = 0
    failed: int = 0
    skipped: int = 0

    def line(self) -> str:
        return f"{self.ingested} ingested, {self.failed} failed, {self.skipped} skipped"

    def numbers(self) -> dict[str, float]:
        return {"ingested": self.ingested, "failed": self.failed, "skipped": self.skipped}


def run(
    ctx: Context,
    *,
    inbox: Path | None = None,
    settle: timedelta = timedelta(seconds=2),
    max_bytes: int = 1_000_000,
) -> tuple[str, dict[str, float]]:
    folder = inbox or ctx.state / "inbox"
    tally = Tally()
    if not folder.is_dir():
        return tally.line(), tally.numbers()
    with alone(folder):
        # Names are read once: a file that arrives meanwhile is the next poll's.
        if paths := sorted(folder.glob("*.json")):
            make_room(folder)
        for path in paths:
            take(ctx, path, settle, max_bytes, tally)
    return tally.line(), tally.numbers()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the inbox; whoever comes second skips instead of waiting."""
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise JarvisError(f"{folder} cannot be polled, its lock {LOCK}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Skip(f"another poll is at work in {folder}") from None
        yield
    finally:
        os.close(handle)


def make_room(folder: Path) -> None:
    """The two folders, before anything is stored: an event whose file cannot be moved would come again."""
    for name in ("processed", "failed"):
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


def take(ctx: Context, path: Path, settle: timedelta, max_bytes: int, tally: Tally) -> None:
    """One file:

    1. Not a regular file, or one that vanished: not ours. A young one waits.
    2. One that is no event is moved to failed/.
    3. The event is stored first and its file moved after: killed in between, it is stored twice, never lost.
    """
    try:
        about = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(about.st_mode):
        return
    now = datetime.now(UTC)
    # A time far in the future is a wrong clock, not a file that is being written.
    if abs(now - datetime.fromtimestamp(about.st_mtime, UTC)) < settle:
        tally.skipped += 1
        return
    try:
        event = read(path, max_bytes)
    except FileNotFoundError:
        return
    except (NoEvent, OSError) as error:
        ctx.log.warning("no event", file=path.name, why=str(error))
        move(path, "failed", now)
        tally.failed += 1
        return
    if keep(ctx, path, event, now):
        move(path, "processed", now)
        tally.ingested += 1
    else:
        tally.skipped += 1


def keep(ctx: Context, path: Path, event: Mapping[str, Any], now: datetime) -> bool:
    """Store it; False when that failed and its file must stay."""
    try:
        ctx.events.add(
            source=event["source"],
            event_type=event["event_type"],
            payload=event.get("payload"),
            file=path.name,
            received_at=now,
        )
    except StoreError as error:
        ctx.log.error("not stored, the file stays", file=path.name, why=str(error))
        ctx.alert(f"events of {path.parent} cannot be stored: {error}", key="store", severity="high")
        return False
    return True


def read(path: Path, max_bytes: int) -> dict[str, Any]:
    """The event in a file. Raises NoEvent, or OSError when it cannot be read."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(handle, "rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise NoEvent(f"it is bigger than {max_bytes} bytes")
    try:
        event = json.loads(data.decode("utf-8-sig"), object_pairs_hook=once_each, parse_constant=no_constant)
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


def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are different; with two of one name nobody knows which was meant."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NoEvent(f"the key {twice!r} is there twice")
    return made


def no_constant(word: str) -> None:
    raise NoEvent(f"{word} is not JSON")


def move(path: Path, where: str, now: datetime) -> None:
    """Into the folder beside it; a name that is taken gets the microsecond added."""
    folder = path.parent / where
    target = folder / path.name
    while os.path.lexists(target):
        target = folder / f"{path.stem}-{now.strftime('%Y%m%dT%H%M%S.%f')}{path.suffix}"
        now += timedelta(microseconds=1)
    try:
        path.rename(target)
    except FileNotFoundError:
        return  # somebody took it meanwhile, which is all that was wanted
    except OSError as error:
        raise JarvisError(f"{path} cannot be moved to {folder}: {error.strerror}; mend the folder") from error
