"""Every error a person can meet, in one tree.

    JarvisError                 exit 1   anything below, said in one sentence with what to do
    ├── ConfigError             exit 2   jobs.yaml (or a file it names) cannot be used; carries every Problem
    ├── NotFound                exit 1   no such job, run, handler ...; suggests the nearest name
    ├── Refused                 exit 1   asked for something that may not be done now, with the reason
    ├── NotRunning              exit 4   this needs a running daemon and there is none
    ├── AlreadyRunning          exit 3   another daemon owns this instance
    ├── StoreError              exit 5   the ledger cannot be read or written
    │   └── StoreBusy           exit 5   ... because somebody else holds it; worth trying again
    ├── LaunchError             exit 1   a run could not be handed to its supervisor
    └── Unsafe                  exit 2   a file others can write, a socket in a shared folder: refused

Each class knows its exit code; the command line prints ``str(error)`` and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class JarvisError(Exception):
    """Something a person can understand and mend. ``str()`` is the whole message."""

    exit_code = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing wrong (or doubtful) in a file, with its address.

    ``line`` and ``column`` count from 1; 0 means the whole file.
    """

    file: str
    line: int = 0
    column: int = 0
    job: str | None = None
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        address = self.file
        if self.line:
            address += f":{self.line}:{self.column}"
        whose = f"{self.job}: " if self.job else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{address}: {whose}{self.message}{hint}"


class ConfigError(JarvisError):
    """A configuration that cannot be used. ``problems`` holds all of them, in file order."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Unsafe(ConfigError):
    """A file or folder that other users can write: running it would run their commands."""


class NotFound(JarvisError):
    """No such thing; the message names the nearest one there is."""


class Refused(JarvisError):
    """The thing exists but may not be done now; the message says why."""


class NotRunning(JarvisError):
    """No daemon answers for this instance."""

    exit_code = 4


class AlreadyRunning(JarvisError):
    """Another process holds this instance's lock; the message names it."""

    exit_code = 3


class StoreError(JarvisError):
    """The ledger cannot be read or written."""

    exit_code = 5


class StoreBusy(StoreError):
    """Somebody else holds the ledger; the same call may succeed later."""


class LaunchError(JarvisError):
    """A run could not be handed to a supervisor; nothing was started."""
