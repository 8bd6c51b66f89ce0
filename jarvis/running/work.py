"""What does one round of the conductor hear, and what does it decide?"""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from jarvis.core.job import Job
from jarvis.core.run import Run
from jarvis.errors import JarvisError
from jarvis.handling.launch import Request
from jarvis.running.judging import Verdict
from jarvis.store.journal import Note


@dataclass(frozen=True, slots=True)
class Released:
    """These rows are committed as queued."""

    runs: Sequence[Run]


@dataclass(frozen=True, slots=True)
class Answered:
    """A run's condition was asked: None when it holds."""

    run: int
    unmet: str | None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Somebody wants this run to end."""

    run: int
    why: str
    answer: queue.SimpleQueue[str | JarvisError]


@dataclass(slots=True)
class Work:
    """What one round decided: rows to write first, then things to do."""

    started: dict[int, Run] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    threads: list[tuple[Run, Job]] = field(default_factory=list)
    questions: list[tuple[Run, Job]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    stops: list[tuple[int, str]] = field(default_factory=list)
    said: list[Callable[[], None]] = field(default_factory=list)

    @property
    def writes(self) -> bool:
        return bool(self.started or self.verdicts or self.notes)
