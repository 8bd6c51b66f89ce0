"""What is asked of a sync of a database and a repository, and what was done?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jarvis.core.rows import Prefer
from jarvis.errors import JarvisError


class NoRepository(JarvisError):
    """There is nothing to sync with."""


class NotSynced(JarvisError):
    """It could not be done; the message says why and what to do. The tree is as it was."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What to keep the same, and how (handlers/git_sync.py has the meaning of each). ``memory``: a folder of ours."""

    database: str
    repository: Path
    tables: Sequence[str]
    queries: Mapping[str, str]
    folder: str
    keys: Mapping[str, Sequence[str]]
    direction: str
    deletions: bool
    prefer: Prefer
    identity: tuple[str, str]
    message: str
    push: bool
    memory: Path


@dataclass(kw_only=True)
class Done:
    """What was done: rows exported and imported, commits made, pulled and pushed, and what went wrong."""

    exported: int = 0
    imported: int = 0
    committed: int = 0
    pulled: int = 0
    pushed: int = 0
    errors: int = 0
    words: list[str] = field(default_factory=list)
    alerts: list[tuple[str, str, str]] = field(default_factory=list)

    def numbers(self) -> dict[str, float]:
        names = ("exported", "imported", "committed", "pulled", "pushed", "errors")
        return {name: getattr(self, name) for name in names}

    def line(self) -> str:
        said = ", ".join(f"{value:g} {name}" for name, value in self.numbers().items() if name != "errors")
        return "; ".join([said, *self.words])

    def wrong(self, key: str, text: str, severity: str) -> None:
        """Something that a person should know although the run goes on."""
        self.errors += 1
        self.words.append(text)
        self.alerts.append((key, text, severity))
