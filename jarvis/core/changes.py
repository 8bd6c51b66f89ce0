"""Which changes of files count, when do they make a job due, and what is remembered of a folder?

Moments here are time awake (``Reading.awake``): a clock that is set, and a sleep, change nothing about waiting.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

THROTTLE = timedelta(seconds=10)
"""While a path exists or is not empty its job is started again after this at the earliest (as launchd does)."""

PATHS_KEPT = 100
"""So many changed paths are named in a run's cause; ``count`` says how many there were."""

BYTES_NAMED = 16_000
"""And not more than so many bytes of them: a cause has to fit into a variable of the environment."""

_MODULUS = 1 << 128
_CLASS = re.compile(r"\[!?.[^\]]*\]")
_BRACES = re.compile(r"\{[^{}]*,[^{}]*\}")


@dataclass(frozen=True, slots=True)
class Pending:
    """Changes that made nothing due yet: when the first and the last of them were made."""

    first_at: timedelta
    last_at: timedelta

    def due_at(self, debounce: timedelta, max_wait: timedelta) -> timedelta:
        """When nothing has changed for ``debounce``, but ``max_wait`` after the first change at the latest."""
        return min(self.last_at + debounce, self.first_at + max(debounce, max_wait))


def more(pending: Pending | None, at: timedelta) -> Pending:
    """One more change."""
    if pending is None:
        return Pending(at, at)
    return Pending(min(pending.first_at, at), max(pending.last_at, at))


def not_before(due_at: timedelta, fired_at: timedelta | None) -> timedelta:
    """When a job that was started for the same state before may be started again."""
    return due_at if fired_at is None else max(due_at, fired_at + THROTTLE)


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which files below a folder count.

    A pattern without ``/`` is about the name of a file, at any depth (in ``ignore``: of a folder too, with all that
    is in it); one with ``/`` is about the whole path below the folder, where ``**`` is any number of folders.
    """

    globs: Sequence[str] = ()
    ignore: Sequence[str] = ()

    def counts(self, path: str) -> bool:
        """Whether a file (its path below the folder, with ``/``) counts."""
        parts = path.split("/")
        if any(self.ignored("/".join(parts[:end])) for end in range(1, len(parts) + 1)):
            return False
        return not self.globs or any(_matches(parts, pattern) for pattern in self._globs)

    def counts_here(self, path: str) -> bool:
        """The same, for a path none of whose folders is ignored."""
        if self.ignore and self.ignored(path):
            return False
        return not self.globs or any(_matches(path.split("/"), pattern) for pattern in self._globs)

    def ignored(self, path: str) -> bool:
        """Whether this file or folder is ignored, by its own name or path."""
        parts = path.split("/")
        return any(_matches(parts, pattern) for pattern in self._ignore)

    @cached_property
    def _globs(self) -> list[list[re.Pattern[str] | None]]:
        return [_compiled(pattern) for pattern in self.globs]

    @cached_property
    def _ignore(self) -> list[list[re.Pattern[str] | None]]:
        return [_compiled(pattern) for pattern in self.ignore]


def readable(pattern: str) -> str:
    """The same pattern. Raises ValueError when it can match nothing, or means something that is not known here."""
    if ".." in pattern.split("/"):
        raise ValueError(
            f"{pattern!r} matches nothing: a pattern is about what is below the folder, without .."
        )
    for part in pattern.split("/"):
        bare = _CLASS.sub("", part)
        if "[" in bare:
            raise ValueError(f"{pattern!r}: the [ has no ]; a bracket itself is written [[]")
        if _BRACES.search(bare):
            raise ValueError(f"{pattern!r}: braces are not known here; write a pattern for each")
    try:
        _compiled(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no pattern: {error.msg}") from None
    return pattern


def _compiled(pattern: str) -> list[re.Pattern[str] | None]:
    """One expression for each part of the path; None stands for any number of folders."""
    parts = pattern.strip("/").removeprefix("./").split("/")
    if len(parts) == 1 and not pattern.startswith("/"):
        parts = ["**", *parts]
    return [None if part == "**" else re.compile(_expression(part), re.DOTALL) for part in parts]


def _expression(part: str) -> str:
    """``*``, ``?`` and ``[...]`` as the shell knows them; everything else means itself."""
    made, at = "", 0
    while at < len(part):
        letter = part[at]
        end = part.find("]", at + 2 + (part[at + 1 : at + 2] == "!")) if letter == "[" else -1
        if end > 0:
            inside = re.sub(r"[\\\[&|~]", r"\\\g<0>", part[at + 1 : end])
            made += f"[{'^' + inside[1:] if inside[0] == '!' else inside}]"
            at = end
        else:
            made += {"*": ".*", "?": "."}.get(letter) or re.escape(letter)
        at += 1
    return made


def _matches(parts: Sequence[str], pattern: Sequence[re.Pattern[str] | None]) -> bool:
    if not pattern:
        return not parts
    first, rest = pattern[0], pattern[1:]
    if first is None:
        if not rest:
            return bool(parts)
        return any(_matches(parts[skip:], rest) for skip in range(len(parts)))
    return bool(parts) and first.fullmatch(parts[0]) is not None and _matches(parts[1:], rest)


def mark(path: str, modified_ns: int, size: int, inode: int) -> int:
    """What a file adds to the sum of its folder: other for another name, time, size or inode (128 bits)."""
    text = f"{path}\0{modified_ns}\0{size}\0{inode}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest())


def total(marks: Iterable[int]) -> int:
    """One number for any number of files, in whatever order they are looked at."""
    return sum(marks) % _MODULUS


def named(paths: Iterable[str]) -> list[str]:
    """The paths a cause names, as text every store can hold."""
    found: list[str] = []
    room = BYTES_NAMED
    for path in sorted(paths)[:PATHS_KEPT]:
        text = path.encode("utf-8", "backslashreplace").decode()
        room -= len(text.encode())
        if room < 0:
            break
        found.append(text)
    return found
