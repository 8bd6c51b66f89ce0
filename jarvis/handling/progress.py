"""How far is a run? A file of its directory, for people who watch."""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

PROGRESS_EVERY = 0.1


class Progress:
    """The progress file of a run: one JSON line, replaced whole, at most ten times a second."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._due = -math.inf
        self._waiting: str | None = None

    def say(self, done: float, total: float | None, text: str) -> None:
        """Raises ValueError when ``done`` or ``total`` is no number."""
        line = json.dumps(
            {"done": _number(done), "total": None if total is None else _number(total), "text": text}
        )
        self._waiting = line
        if self._clock() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Write what was said last. A disk that is full must not fail the job: then it is said in the log."""
        if self._waiting is None:
            return
        self._due = self._clock() + PROGRESS_EVERY
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            part.write_text(self._waiting + "\n", encoding="utf-8")
            part.replace(self._path)
        except OSError as error:
            logging.getLogger("jarvis.handler").warning("progress could not be written: %s", error)
        self._waiting = None


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"progress is a number, not {value!r}")
    return value
