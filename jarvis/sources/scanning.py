"""Which files of a tree were added, changed or removed since the last time? By content.

A file is read only when its time or size is another one than before. Who asks says when what was found was dealt with.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jarvis.core.changes import Filter

VERSION = 1
YOUNG = 2.0
"""Seconds: a file changed so shortly before the scan may change again without its time saying so."""

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class File:
    """What was seen of a file: time (ns), size, SHA-256 of its content; ``sure``: the time tells of a change."""

    modified_ns: int
    size: int
    sha256: str
    sure: bool = True


Files = Mapping[str, File]
"""By their paths below the tree's folder, with ``/``."""


@dataclass(kw_only=True)
class Found:
    """What a scan found. ``unreadable``: path and reason; these are taken to be as they were."""

    files: dict[str, File] = field(default_factory=dict)
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    hashed: int = 0

    @property
    def empty(self) -> bool:
        return not (self.added or self.changed or self.removed)


class NoTree(OSError):
    """The folder itself cannot be read: nothing is known, nothing is removed."""


def scan(
    folder: Path, counts: Filter, known: Files, *, progress: Callable[[int], None] = lambda _: None
) -> Found:
    """Compare the tree with what was known. Links are not followed. Raises NoTree."""
    found = Found()
    begun = time.time()
    for number, (path, about) in enumerate(_files(folder, counts, found), 1):
        progress(number)
        before = known.get(path)
        same = before is not None and (before.modified_ns, before.size) == (about.st_mtime_ns, about.st_size)
        if before is not None and same and before.sure:
            found.files[path] = before
            continue
        try:
            digest = _sha256(folder / path)
        except FileNotFoundError:
            continue
        except OSError as error:
            found.unreadable[path] = error.strerror or str(error)
            continue
        found.hashed += 1
        sure = abs(begun - about.st_mtime) > YOUNG
        found.files[path] = File(about.st_mtime_ns, about.st_size, digest, sure)
        if before is None:
            found.added.append(path)
        elif before.sha256 != digest:
            found.changed.append(path)
    for path in known.keys() - found.files.keys():
        if _unseen(path, found.unreadable):
            found.files[path] = known[path]
        else:
            found.removed.append(path)
    for names in (found.added, found.changed, found.removed):
        names.sort()
    return found


def _unseen(path: str, unreadable: Mapping[str, str]) -> bool:
    parts = path.split("/")
    return any("/".join(parts[:end]) in unreadable for end in range(1, len(parts) + 1))


def _files(folder: Path, counts: Filter, found: Found) -> Iterator[tuple[str, os.stat_result]]:
    waiting = [""]
    while waiting:
        inner = waiting.pop()
        try:
            with os.scandir(folder / inner) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if not inner:
                raise NoTree(f"{folder} cannot be read: {error.strerror}") from error
            found.unreadable[inner] = error.strerror or str(error)
            continue
        for entry in listed:
            path = f"{inner}/{entry.name}" if inner else entry.name
            if entry.is_dir(follow_symlinks=False):
                if not counts.ignored(path):
                    waiting.append(path)
            elif counts.counts_here(path):
                try:
                    about = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(about.st_mode):
                    yield path, about


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(handle, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def load(cache: Path, folder: Path) -> Files:
    """What the cache knows of this folder; nothing when there is none, or when it is broken or of another folder."""
    try:
        said = json.loads(cache.read_text(encoding="utf-8", errors="surrogateescape"))
        if said["version"] != VERSION or said["folder"] != os.fspath(folder):
            return {}
        return {path: File(*about) for path, about in said["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def dump(folder: Path, files: Files) -> bytes:
    """What ``load`` reads back."""
    plain = {path: [one.modified_ns, one.size, one.sha256, one.sure] for path, one in sorted(files.items())}
    said = {"version": VERSION, "folder": os.fspath(folder), "files": plain}
    return json.dumps(said, separators=(",", ":")).encode()
