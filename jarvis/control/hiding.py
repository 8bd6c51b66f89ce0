"""Which texts must nobody see in an answer? The values of every secret that a job refers to."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from jarvis.config import secrets
from jarvis.config.secrets import Redactor, SecretError

AGAIN = 10.0
"""Seconds after which the values are read again: a secret may have been changed."""
OURS = frozenset(
    {
        "id",
        "run",
        "runs",
        "name",
        "job",
        "jobs",
        "status",
        "state",
        "fire",
        "kind",
        "severity",
        "version",
        "handler",
    }
)
"""Fields with words of Jarvis' own: blacked out they could not be read by anybody, and they hold nothing secret."""


_PASSWORD = re.compile(r"(?<=://)(?P<user>[^\s:/@]*):(?!\$\{)[^\s/@]+(?=@)")


def without_passwords(value: Any) -> Any:
    """A copy of a definition without the passwords that stand in its URLs."""
    if isinstance(value, str):
        return _PASSWORD.sub(r"\g<user>:***", value) if "://" in value else value
    if isinstance(value, Mapping):
        return {key: without_passwords(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_passwords(part) for part in value]
    return value


class Hiding:
    """Knows the secrets of one instance; values seen once stay hidden, for old output may hold them."""

    def __init__(self) -> None:
        self._of: object = self
        self._references: frozenset[str] = frozenset()
        self._known: frozenset[str] = frozenset()
        self._read_at = 0.0
        self.redactor = Redactor(())

    def look(self, of: object, bodies: Iterable[Mapping[str, Any]], environ: Mapping[str, str]) -> None:
        """Learn what these definitions refer to. ``of``: the same object as last time means the same definitions."""
        now = time.monotonic()
        if of is self._of and now - self._read_at < AGAIN:
            return
        if of is not self._of:
            self._references = frozenset(one for body in bodies for one in secrets.references(body))
            self._of = of
        self._read_at = now
        known = self._known | {value for one in self._references if (value := _value(one, environ))}
        if known != self._known:
            self._known, self.redactor = known, Redactor(known)

    def __call__(self, value: Any) -> Any:
        """A copy of an answer without secrets; keys stay as they are."""
        if not self._known:
            return value
        if isinstance(value, str):
            return self.redactor(value)
        if isinstance(value, Mapping):
            return {
                key: part if key in OURS and not isinstance(part, dict | list) else self(part)
                for key, part in value.items()
            }
        if isinstance(value, list | tuple):
            return [self(part) for part in value]
        return value

    def beginning(self, data: bytes) -> int:
        """How many bytes at the end of ``data`` may be the beginning of a secret whose rest is still to come."""
        longest = 0
        for value in self._known:
            for line in {value, *value.splitlines()}:
                part = line.encode()
                most = min(len(part) - 1, len(data))
                found = next((size for size in range(most, longest, -1) if data.endswith(part[:size])), 0)
                longest = max(longest, found)
        return longest


def _value(reference: str, environ: Mapping[str, str]) -> str | None:
    """The value; a secret that cannot be read cannot be shown either."""
    try:
        return secrets.resolve(reference, environ)
    except SecretError:
        return None
