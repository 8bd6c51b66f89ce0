"""What does the log say of runs that ended and of what a person should know? The ledger has all of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from jarvis.core.run import Run, Status
from jarvis.running.judging import Verdict
from jarvis.store.journal import Note

log = logging.getLogger("jarvis.runs")

CROWD = 16
"""So many runs that ended well at once are not worth a line each: the ledger has them."""
LONGEST_LINE = 1_000
"""Runs that share a line at most."""
AGAIN = timedelta(hours=1)
"""A problem that goes on, raised by each run of a job, has a line so often."""


class Log:
    """One line an end, one for each thing a person should know; a crowd that went well shares one line.

    ``crowded``: runs of a crowd that have no line yet; they get one when there are no more to come.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._crowded: list[int] = []
        self._lasting: dict[str, dict[str, tuple[str, float]]] = {}
        self._monotonic = monotonic

    def say(self, verdicts: Sequence[Verdict], *, more: bool = False) -> None:
        """Say these ends; ``more``: others follow at once, so that a crowd may go on growing."""
        well = [judged.run.id for judged in verdicts if _well(judged.run)]
        crowd = bool(self._crowded) or len(well) >= CROWD
        if crowd:
            self._crowded += well
            if not more or len(self._crowded) >= LONGEST_LINE:
                log.info("%d runs succeeded: %s", len(self._crowded), _spelled(sorted(self._crowded)))
                self._crowded.clear()
        for judged in verdicts:
            if not (crowd and _well(judged.run)):
                _say_one(judged.run)
            self._say_notes(judged)

    def _say_notes(self, judged: Verdict) -> None:
        raised: dict[str, tuple[str, float]] = {}
        known = self._lasting.pop(judged.run.job, {})
        for note in judged.notes:
            if note.kind == "recovery":
                continue
            before = known.get(note.key) if _lasts(note) and note.key else None
            if before is None or not self._heard(before, note):
                log.warning("alert %s %s", note.severity, note.title)
                before = (note.severity, self._monotonic())
            if note.key and _lasts(note):
                raised[note.key] = before
        if not judged.run.status.bad:
            known = {}
        if kept := known | raised:
            self._lasting[judged.run.job] = kept

    def _heard(self, before: tuple[str, float], note: Note) -> bool:
        severity, at = before
        return severity == note.severity and self._monotonic() - at < AGAIN.total_seconds()


def _lasts(note: Note) -> bool:
    return note.kind in ("", "problem")


def _well(run: Run) -> bool:
    return run.status is Status.SUCCEEDED and not run.reason


def _say_one(run: Run) -> None:
    why = f": {run.reason}" if run.reason else ""
    log.log(
        logging.WARNING if run.status.bad else logging.INFO,
        "run %d %s %s%s", run.id, run.job, run.status.value, why,
    )  # fmt: skip


def _spelled(numbers: Iterable[int]) -> str:
    """``1-3, 7`` for 1, 2, 3, 7: they rise."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in spans)
