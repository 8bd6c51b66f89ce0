"""Which files make up the configuration, and what does each of them say?

jobs.yaml, the files and folders under its ``include:`` (relative to the file that names them), and theirs.
Every file is checked for writers other than its owner, read once, parsed, and its ``${VAR}`` expanded.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jarvis.config import expand, safety, source
from jarvis.errors import Problem

MAX_INCLUDES = 5
MAX_TOTAL = 50_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One file. ``value`` is its mapping, expanded; ``changed`` the paths where something was expanded."""

    path: Path
    source: source.Source
    value: Mapping[str, Any]
    changed: frozenset[tuple[str | int, ...]]
    digest: str


@dataclass(kw_only=True, slots=True)
class Gathering:
    """What was found. ``order`` numbers the files; ``folders`` are the included ones with the names in them."""

    environ: Mapping[str, str]
    documents: list[Document] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    doubts: list[Problem] = field(default_factory=list)
    folders: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    used: dict[str, str | None] = field(default_factory=dict)
    order: dict[str, int] = field(default_factory=dict)
    unsafe: bool = False
    _met: dict[Path, str] = field(default_factory=dict)
    _bytes: int = 0

    def add(self, path: Path, above: tuple[Path, ...] = ()) -> None:
        """Read a file and everything it includes."""
        file = str(path)
        self.order.setdefault(file, len(self.order))
        self._met[_real(path)] = file
        data = self._read(path)
        if data is None:
            return
        said = source.read(data, file=file)
        self.problems += said.problems
        if said.value is None:
            return
        if not isinstance(said.value, dict):
            hint = "write at least: jobs: {}"
            self.problems.append(said.problem((), "the file must be a mapping with the key jobs", hint=hint))
            return
        self._include(self._keep(path, said, data), above)

    def _keep(self, path: Path, said: source.Source, data: bytes) -> Document:
        expansion = expand.Expansion(environ=self.environ)
        value = expansion.value(said.value) if "${" in said.text else said.value
        for at, message, hint in expansion.problems:
            job = str(at[1]) if at[:1] == ("jobs",) and len(at) > 1 else None
            self.problems.append(said.problem(at, message, job=job, hint=hint))
        self.used |= expansion.used
        document = Document(
            path=path,
            source=said,
            value=value,
            changed=frozenset(expansion.changed),
            digest=hashlib.sha256(data).hexdigest(),
        )
        self.documents.append(document)
        return document

    def _read(self, path: Path) -> bytes | None:
        try:
            self._judge(path)
            data = content(path)
        except OSError as error:
            self.problems.append(unreadable(path, error))
            return None
        except NotRegular as odd:
            self.problems.append(Problem(file=str(path), message=str(odd)))
            return None
        self._bytes += len(data)
        if self._bytes > MAX_TOTAL:
            message = f"with this file the configuration has more than {MAX_TOTAL / 1e6:.0f} MB"
            self.problems.append(Problem(file=str(path), message=message, hint="generate fewer jobs"))
            return None
        return data

    def _judge(self, path: Path) -> None:
        found = [problem for problem in safety.problems(path) if problem not in self.problems]
        self.problems += found
        self.unsafe = self.unsafe or bool(found)
        doubt = safety.stranger(path)
        if doubt:
            self.doubts.append(doubt)

    def _include(self, document: Document, above: tuple[Path, ...]) -> None:
        wanted = document.value.get("include")
        if wanted is None:
            return
        names = [wanted] if isinstance(wanted, str) else wanted
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            message = "include: expected a path, or a list of paths"
            self.problems.append(document.source.problem(("include",), message))
            return
        for index, name in enumerate(names):
            at = ("include",) if isinstance(wanted, str) else ("include", index)
            self._one(document, name, at, above)

    def _one(self, document: Document, name: str, at: tuple[str | int, ...], above: tuple[Path, ...]) -> None:
        if not name or "\0" in name:
            self._refuse(document, at, "include: an empty path", None)
            return
        target = document.path.parent / _home(name, self.environ)
        try:
            is_folder = stat.S_ISDIR(target.stat().st_mode)
        except OSError as error:
            self._refuse(
                document,
                at,
                f"include: {name[:200]!r} cannot be read: {error.strerror}",
                f"looked for {target}",
            )
            return
        members = self._folder(target) if is_folder else [target]
        for member in members:
            self._member(document, member, at, (*above, _real(document.path)), listed=is_folder)

    def _member(
        self,
        document: Document,
        member: Path,
        at: tuple[str | int, ...],
        above: tuple[Path, ...],
        *,
        listed: bool,
    ) -> None:
        real = _real(member)
        if real in above and listed and real == above[-1]:
            return
        if real in above:
            self._refuse(
                document, at, f"include: {member} includes itself", "take one of the two includes away"
            )
        elif real in self._met:
            self._refuse(
                document, at, f"include: {member} is included twice", "take one of the two includes away"
            )
        elif len(above) > MAX_INCLUDES:
            self._refuse(
                document, at, f"include: files nest deeper than {MAX_INCLUDES} levels", "name it higher up"
            )
        else:
            self.add(member, above)

    def _folder(self, folder: Path) -> list[Path]:
        names = listing(folder)
        self.folders[folder] = names
        return [folder / name for name in names]

    def _refuse(self, document: Document, at: tuple[str | int, ...], message: str, hint: str | None) -> None:
        self.problems.append(document.source.problem(at, message, hint=hint))


class NotRegular(Exception):
    """A folder, pipe or device where a file should be."""


def gather(path: Path, environ: Mapping[str, str]) -> Gathering:
    """All files, read and parsed; problems are collected, not raised."""
    found = Gathering(environ=environ)
    found.add(path)
    return found


def content(path: Path) -> bytes:
    """The bytes of a regular file, one more than is ever parsed at most. Never hangs on a pipe."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise NotRegular("it is not a regular file")
        return file.read(source.MAX_BYTES + 1)


def listing(folder: Path) -> tuple[str, ...]:
    """The names an included folder stands for: ``*.yaml`` by name, without hidden ones."""
    return tuple(
        sorted(name for name in os.listdir(folder) if name.endswith(".yaml") and not name.startswith("."))
    )


def unreadable(path: Path, error: OSError) -> Problem:
    """Why a file cannot be opened, and what to do."""
    if isinstance(error, FileNotFoundError):
        return Problem(file=str(path), message="there is no such file", hint="create it, or name another one")
    if isinstance(error, IsADirectoryError):
        return Problem(file=str(path), message="it is a folder, not a file", hint="name the file in it")
    return Problem(file=str(path), message=f"it cannot be read: {error.strerror or error}")


def _home(name: str, environ: Mapping[str, str]) -> str:
    home = environ.get("HOME")
    return home + name[1:] if home and (name == "~" or name.startswith("~/")) else os.path.expanduser(name)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
