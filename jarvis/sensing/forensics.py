"""When is a moment captured, and by whom? In the background, seldom, and never half.

At most one capture in ten minutes and five a day, and each has sixty seconds and twenty megabytes. The limits are
counted in the ledger, so that a restart does not forget them.
"""

from __future__ import annotations

import logging
import queue
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jarvis.errors import StoreError
from jarvis.sensing import capture, programs
from jarvis.sensing.capture import Moment
from jarvis.store.samples import Samples
from jarvis.store.stalls import Stall

log = logging.getLogger("jarvis.sensing")

DAY = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How long and how big a capture may be, and how many there may be."""

    time: timedelta = timedelta(seconds=60)
    size: int = 20_000_000
    spacing: timedelta = timedelta(minutes=10)
    per_day: int = 5

    def refuse(self, captures: list[datetime], now: datetime) -> str | None:
        """Why there may be none now. A clock that was ahead a moment ago is forgiven after a day."""
        today = [at for at in captures if abs(now - at) < DAY]
        if len(today) >= self.per_day:
            return f"{len(today)} were captured in 24 hours (at most {self.per_day})"
        near = [at for at in today if abs(now - at) < self.spacing]
        if near:
            passed = abs(now - near[-1]).total_seconds()
            minutes = self.spacing.total_seconds() / 60
            return f"another was captured {passed:.0f} s before (at most one in {minutes:g} min)"
        return None


class Forensics:
    """Captures moments one after the other in a thread of its own. ``done`` is called there, with the directory."""

    def __init__(
        self, samples: Samples, folder: Path, *, done: Callable[[Stall, Path], None], limits: Limits = Limits(),
        after: timedelta = capture.AFTER,
    ) -> None:  # fmt: skip
        self._samples = samples
        self._folder = folder
        self._done = done
        self._limits = limits
        self._after = after
        self._asked: queue.SimpleQueue[Moment | None] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._unfinished: list[Stall] = []
        self._thread = threading.Thread(target=self._work, name="jarvis-forensics", daemon=True)

    def start(self) -> None:
        """Begin with what an earlier process was killed in the middle of."""
        try:
            self._unfinished = self._samples.stalls.unfinished()
        except StoreError as error:
            log.warning("what was being captured is completed by the next start: %s", error)
        self._thread.start()

    def ask(self, moment: Moment) -> None:
        """Capture it, if the limits allow; returns at once."""
        self._asked.put(moment)

    def stop(self, within: float) -> None:
        """Finish what is at hand with what there is."""
        self._ending.set()
        self._asked.put(None)
        self._thread.join(within)

    def _work(self) -> None:
        self._guarded(self._complete)
        while (moment := self._asked.get()) is not None:
            self._guarded(self._one, moment)

    def _guarded(self, work: Callable[..., None], *moment: Moment) -> None:
        try:
            work(*moment)
        except (OSError, StoreError) as error:
            log.error("a capture failed: %s", error)
        except Exception:
            log.exception("a capture failed")

    def _one(self, moment: Moment) -> None:
        """One moment:

        1. Refused when the limits say so, and that is noted.
        2. Noted as begun, with its directory's name; then the directory, with its metadata.
        3. Everything that is there now; then, when thirty seconds have passed, the samples around it.
        4. Renamed, noted as done, and told.
        """
        number, now = moment.stall.id, datetime.now(UTC)
        if why := self._limits.refuse(self._samples.stalls.captures(now - 2 * DAY), now):
            return self._samples.stalls.capture(number, "refused", why)
        until = time.monotonic() + self._limits.time.total_seconds()
        called = capture.name(self._folder, moment.stall.until_at)
        self._samples.stalls.capture(number, "running", captured_at=now, directory=called)
        try:
            target = self._captured(moment, called, until)
        except OSError as error:
            shutil.rmtree(self._folder / (called + capture.PART), ignore_errors=True)
            why = f"{error.filename or self._folder}: {error.strerror}"
            return self._samples.stalls.capture(number, "failed", why, directory=None)
        self._samples.stalls.capture(number, "done")
        self._done(moment.stall, target)

    def _captured(self, moment: Moment, called: str, until: float) -> Path:
        stall = moment.stall
        about = capture.metadata(stall)
        folder = capture.begin(self._folder, called, about, self._limits.size)
        capture.immediate(folder, moment, self._samples.running())
        for program in programs.known(stall.from_at - capture.BEFORE, stall.until_at):
            folder.run(program, timedelta(seconds=until - time.monotonic()), self._ending)
        capture.explain(folder, stall)
        passed = datetime.now(UTC) - stall.until_at
        wait = min((self._after - passed).total_seconds(), until - time.monotonic())
        if wait > 0 and self._ending.wait(wait):
            folder.missing["samples after it"] = "Jarvis was ended meanwhile"
        return capture.finish(folder, about, self._around(stall))

    def _around(self, stall: Stall) -> list[dict[str, object]]:
        return self._samples.between(stall.from_at - capture.BEFORE, stall.until_at + self._after)

    def _complete(self) -> None:
        """Completed from the ledger, or noted as lost."""
        for stall in self._unfinished:
            if stall.capture == "wanted":
                self._samples.stalls.capture(stall.id, "failed", "Jarvis was ended before it began")
            elif stall.directory and not (self._folder / stall.directory).exists():
                self._resume(stall, self._folder / (stall.directory + capture.PART))
            else:
                self._samples.stalls.capture(stall.id, "done")
        for part in self._folder.glob(f"*{capture.PART}"):
            shutil.rmtree(part, ignore_errors=True)  # nobody's: its row says failed, or there is none

    def _resume(self, stall: Stall, part: Path) -> None:
        found = capture.resume(part, self._limits.size)
        if found is None:
            why = "Jarvis was ended while it captured this"
            return self._samples.stalls.capture(stall.id, "failed", why, directory=None)
        folder, about = found
        capture.finish(folder, about, self._around(stall))
        self._samples.stalls.capture(stall.id, "done", folder.missing["the rest"])
