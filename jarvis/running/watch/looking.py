"""What is in a watched path right now?

One number for each folder; folders in which nothing happened are not listed again.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from jarvis.core import changes
from jarvis.core.changes import Filter

Kind = Literal["folder", "file", "missing"]

AMBIGUOUS = 0.02
"""Seconds around a look in which a file may have changed twice without its time saying so."""

MOST_NAMES = 10_000


@dataclass(slots=True)
class Folder:
    """What one listing found. ``mark``: the sum over its files."""

    mark: int
    files: int
    below: tuple[str, ...]


@dataclass(slots=True)
class Sight:
    """What a look found. ``names``: files that are newer than asked, or in folders that are new; ``blind``: what
    could not be looked at, in words."""

    names: set[str] = field(default_factory=set)
    blind: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)


class Spot:
    """One path of a watch. What could not be read is taken to be as it was."""

    def __init__(self, path: Path, counts: Filter, *, recursive: bool, apart: Path | None = None) -> None:
        """``apart``: a folder below it that never counts (Jarvis' own: each run changes it)."""
        self.path = path
        self.kind: Kind = "missing"
        self.identity: tuple[int, int] | None = None
        self.looked_at = 0.0
        self.took = 0.0
        self._counts = counts
        self._recursive = recursive
        self._apart = os.path.realpath(apart) if apart else None
        self._real = os.path.realpath(path)
        self._folders: dict[str, Folder] = {}
        self._file = 0
        self._dirty: set[str] = set()

    def turn(self) -> bool:
        """What is at the path now? True when it is another thing than before (gone, there, replaced, mounted over).

        Raises OSError when that cannot be said.
        """
        try:
            found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            kind, identity = "missing", None
        else:
            folder = stat.S_ISDIR(found.st_mode)
            kind, identity = ("folder", (found.st_dev, found.st_ino)) if folder else ("file", None)
        if (kind, identity) == (self.kind, self.identity):
            return False
        self.kind, self.identity = kind, identity  # type: ignore[assignment]
        self._folders.clear()
        return True

    @property
    def count(self) -> int:
        return sum(folder.files for folder in self._folders.values()) + (self._file != 0)

    @property
    def folders(self) -> Iterable[str]:
        """The folders that are listened to, as paths."""
        return [os.path.join(self.path, inner) if inner else os.fspath(self.path) for inner in self._folders]

    @property
    def digest(self) -> int:
        return changes.total((self._file, *(folder.mark for folder in self._folders.values())))

    def heard(self, path: str) -> bool:
        """Something happened at this path: whether it counts. Its folder is listed again at the next look."""
        own = os.fspath(self.path)
        if path == own:
            return self.kind != "folder"  # what happens inside comes with its own path
        if self.kind != "folder" or not path.startswith(own.rstrip("/") + "/"):
            return False
        inner = path[len(own.rstrip("/")) + 1 :]
        if self._is_apart(inner):
            return False
        above, _, _name = inner.rpartition("/")
        if above and (not self._recursive or above not in self._folders):
            above = self._known(above)
        if self._hidden(inner) or self._counts.ignored(inner):
            return False
        self._dirty.add(above)
        return self._counts.counts(inner) or os.path.isdir(path) or inner in self._folders

    def _is_apart(self, inner: str) -> bool:
        if self._apart is None:
            return False
        return f"{self._real.rstrip('/')}/{inner}/".startswith(f"{self._apart}/")

    def _known(self, inner: str) -> str:
        while inner and inner not in self._folders:
            inner = inner.rpartition("/")[0]
        return inner

    def _hidden(self, inner: str) -> bool:
        parts = inner.split("/")
        if not self._recursive and len(parts) > 1:
            return True
        return any(self._counts.ignored("/".join(parts[:end])) for end in range(1, len(parts)))

    def stirred(self) -> bool:
        """A watched file is not what it was at the last look."""
        return self._one(Sight(), None) != self._file

    def ambiguous(self, path: str) -> bool:
        """The file was changed so near to the last look that its time cannot say whether before or after."""
        try:
            found = os.lstat(path)
        except OSError:
            return False
        return not stat.S_ISDIR(found.st_mode) and abs(found.st_mtime - self.looked_at) <= AMBIGUOUS

    def look(self, *, whole: bool = False, since: float | None = None) -> Sight:
        """Look again where something happened, or everywhere. ``since``: name files newer than that (epoch seconds)."""
        begun, sight = time.monotonic(), Sight()
        self.looked_at = time.time()
        dirty, self._dirty = self._dirty, set()
        if self.kind == "folder":
            self._file = 0
            deep = whole or not self._folders
            for inner in [""] if deep else sorted(dirty):
                if inner in self._folders or inner == "":
                    self._list(inner, sight, since, deep=deep)
        else:
            self._folders.clear()
            self._file = self._one(sight, since)
        self.took = time.monotonic() - begun
        return sight

    def again(self, folders: Iterable[str]) -> None:
        """List these folders at the next look: they were made a moment ago."""
        self._dirty.update(folders)

    def _one(self, sight: Sight, since: float | None) -> int:
        try:
            found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return 0
        except OSError as error:
            sight.blind.append(f"{self.path}: {error.strerror}")
            return self._file
        if since is not None and max(found.st_mtime, found.st_ctime) >= since:
            sight.names.add(os.fspath(self.path))
        return changes.mark("", found.st_mtime_ns, found.st_size, found.st_ino)

    def _list(self, inner: str, sight: Sight, since: float | None, *, deep: bool) -> None:
        """One folder and those below it that are new; ``deep``: all of them."""
        waiting = [(inner, False)]
        while waiting:
            inner, new = waiting.pop()
            before = self._folders.get(inner)
            found = self._listed(inner, sight, 0.0 if new else since)
            if found is None:
                continue
            self._folders[inner] = found
            for gone in set(before.below if before else ()) - set(found.below):
                self._forget(gone)
            for below in found.below:
                fresh = below not in self._folders
                if fresh and not deep:
                    sight.fresh.append(below)
                if fresh or deep:
                    waiting.append((below, fresh and not deep))

    def _forget(self, inner: str) -> None:
        known = self._folders.pop(inner, None)
        for below in known.below if known else ():
            self._forget(below)

    def _listed(self, inner: str, sight: Sight, since: float | None) -> Folder | None:
        """None: it cannot be read, or is gone (its own folder will say so)."""
        marks, below = 0, []
        files = 0
        prefix = f"{inner}/" if inner else ""
        try:
            with os.scandir(os.path.join(self.path, inner)) as entries:
                for entry in entries:
                    name = prefix + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if self._counts.ignored(name) or self._is_apart(name):
                            continue
                        if not self._counts.globs:
                            marks += changes.mark(name + "/", 0, 0, 0)
                        if self._recursive:
                            below.append(name)
                    elif self._counts.counts_here(name) and (about := _about(entry)):
                        files += 1
                        marks += changes.mark(name, about.st_mtime_ns, about.st_size, about.st_ino)
                        newer = since is not None and max(about.st_mtime, about.st_ctime) >= since
                        if newer and len(sight.names) < MOST_NAMES:
                            sight.names.add(entry.path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            sight.blind.append(f"{os.path.join(self.path, inner)}: {error.strerror}")
            return self._folders.get(inner)
        return Folder(changes.total([marks]), files, tuple(below))

    def full(self) -> str | None:
        """The first file that counts; None when there is none. Raises OSError when that cannot be said."""
        if self.kind == "file":
            return os.fspath(self.path) if os.stat(self.path).st_size > 0 else None
        waiting = [""] if self.kind == "folder" else []
        while waiting:
            inner = waiting.pop()
            with os.scandir(os.path.join(self.path, inner)) as entries:
                for entry in entries:
                    name = f"{inner}/{entry.name}" if inner else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if self._recursive and not (self._counts.ignored(name) or self._is_apart(name)):
                            waiting.append(name)
                    elif self._counts.counts_here(name):
                        return entry.path
        return None


def _about(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
