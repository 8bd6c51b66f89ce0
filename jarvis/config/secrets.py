"""What is behind ``!secret env:NAME`` or ``!secret file:PATH``, and how is it kept out of what people see?

A reference travels as ``{"$secret": "env:NAME"}``; its value is read when a run is launched and is never
stored or put into a message.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jarvis.errors import JarvisError

KEY = "$secret"
HIDDEN = "[secret]"
_LONGEST = 1_000_000
_SHORTEST = 4


class SecretError(JarvisError):
    """A secret that cannot be read; the message names the reference, never a value."""


def references(value: Any) -> Iterator[str]:
    """Every reference in a value, however deep."""
    if isinstance(value, dict):
        if value.keys() == {KEY} and isinstance(value[KEY], str):
            yield value[KEY]
            return
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def resolve(reference: str, environ: Mapping[str, str]) -> str:
    """The value of ``env:NAME`` or ``file:PATH`` (one final newline of a file is dropped)."""
    kind, _, name = reference.partition(":")
    if kind == "env" and name:
        return _variable(name, environ)
    if kind == "file" and name:
        return _content(name, environ)
    raise SecretError(f"{reference!r} is no reference to a secret; write env:NAME or file:PATH")


def reveal(value: Any, environ: Mapping[str, str]) -> Any:
    """A copy of the value with every reference replaced by what it refers to."""
    if isinstance(value, dict):
        if value.keys() == {KEY} and isinstance(value[KEY], str):
            return resolve(value[KEY], environ)
        return {name: reveal(part, environ) for name, part in value.items()}
    if isinstance(value, list):
        return [reveal(part, environ) for part in value]
    return value


def doubt(reference: str, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """Why the secret could not be read now, or is not secret: (message, what to do); None if all is well."""
    kind, _, name = reference.partition(":")
    if kind == "env":
        missing = name not in environ
        return (
            (f"the secret {reference} is not set", f"set the environment variable {name}")
            if missing
            else None
        )
    path = _path(name, environ)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return f"the secret {reference} cannot be read: {error.strerror}", "create the file with mode 0600"
    if stat.S_ISREG(mode) and mode & 0o077:
        return f"the secret {reference} can be read by others", f"chmod 600 {path}"
    return None


def _variable(name: str, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise SecretError(
            f"the secret env:{name} is not set; set the environment variable {name} and try again"
        )
    return environ[name]


def _content(name: str, environ: Mapping[str, str]) -> str:
    path = _path(name, environ)
    try:
        with open(path, encoding="utf-8", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SecretError(f"the secret file:{name} is not a regular file")
            text = file.read(_LONGEST + 1)
    except OSError as error:
        raise SecretError(f"the secret file:{name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SecretError(f"the secret file:{name} is not UTF-8 text") from None
    if len(text) > _LONGEST:
        raise SecretError(f"the secret file:{name} is longer than {_LONGEST:,} characters")
    return text.removesuffix("\n").removesuffix("\r")


def _without_waiting(path: str, flags: int) -> int:
    """A pipe in the file's place is opened at once, seen for what it is, and refused."""
    return os.open(path, flags | os.O_NONBLOCK)


def _path(name: str, environ: Mapping[str, str]) -> Path:
    if name.startswith("~/") and "HOME" in environ:
        return Path(environ["HOME"], name[2:])
    return Path(name).expanduser()


class Redactor:
    """Replaces secret values by ``[secret]`` in any text.

    Longer values go first, so that one secret inside another leaves nothing behind. The lines of a secret
    with several lines are secrets too. Values shorter than four characters are left alone: hiding every "1"
    would hide everything.
    """

    def __init__(self, values: Iterable[str]) -> None:
        parts = {part for value in values for part in (value, *value.splitlines())}
        kept = sorted(
            (part for part in parts if len(part.strip()) >= _SHORTEST), key=lambda part: (-len(part), part)
        )
        self._pattern = re.compile("|".join(map(re.escape, kept))) if kept else None
        self._bytes = re.compile(b"|".join(re.escape(part.encode()) for part in kept)) if kept else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def data(self, data: bytes) -> bytes:
        """The same for bytes of output."""
        return self._bytes.sub(HIDDEN.encode(), data) if self._bytes else data

    def deep(self, value: Any) -> Any:
        """A copy of a value of JSON types with every text in it (keys too) redacted."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {self(str(name)): self.deep(part) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.deep(part) for part in value]
        return value

    def __repr__(self) -> str:
        return "Redactor(...)"
