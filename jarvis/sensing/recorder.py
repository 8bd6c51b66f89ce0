"""How do samples reach the ledger without the sampler ever waiting for it?

A thread of its own writes them, one transaction a look, so that a kill loses the last look at most. While the ledger
cannot be written the looks wait here, an hour of them; then the oldest go first, and are counted.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from jarvis.errors import StoreError
from jarvis.store import database as databases
from jarvis.store.samples import Batch, Samples

log = logging.getLogger("jarvis.sensing")

MOST = 3_600
LONGEST_WAIT = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A batch, and what to do with the numbers of its stalls once it is written."""

    batch: Batch
    at: datetime
    after: Callable[[Sequence[int]], None] | None = None

    @property
    def expendable(self) -> bool:
        return not self.batch.stalls and self.after is None


class Recorder:
    """``put`` never waits. ``dropped``: looks that were never written."""

    def __init__(self, samples: Samples, most: int = MOST) -> None:
        self._samples = samples
        self._most = most
        self._waiting: deque[Entry] = deque()
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="jarvis-samples", daemon=True)
        self.written = 0
        self.dropped = 0

    def start(self) -> None:
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Have it written."""
        with self._changed:
            self._waiting.append(entry)
            if len(self._waiting) > self._most:
                self._drop()
            self._changed.notify()

    def _drop(self) -> None:
        """The oldest that is a mere look; what a person should hear of stays."""
        for place, entry in enumerate(self._waiting):
            if entry.expendable:
                del self._waiting[place]
                self.dropped += 1
                return

    def stop(self, within: float) -> None:
        """Write what waits, but wait for the ledger no longer than so many seconds."""
        self._ending.set()
        with self._changed:
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(within)
        if self._waiting:
            log.warning("%d samples could not be written before the end", len(self._waiting))

    def _work(self) -> None:
        wait = 1.0
        while (entry := self._next()) is not None:
            try:
                numbers = self._samples.keep(entry.batch, entry.at)
            except StoreError as error:
                if databases.unstorable(error):
                    log.error("a sample cannot be stored and is left out: %s", error)
                    self._done(entry)
                    continue
                log.warning("samples wait for the ledger: %s", error)
                if self._ending.wait(wait):
                    return
                wait = min(wait * 2, LONGEST_WAIT)
                continue
            except Exception:
                log.exception("a sample cannot be stored and is left out")
                self._done(entry)
                continue
            wait = 1.0
            self.written += 1
            self._done(entry)
            if entry.after is not None:
                self._follow(entry.after, numbers)

    def _next(self) -> Entry | None:
        """The oldest; it stays in line until it is written."""
        with self._changed:
            while not self._waiting:
                if self._ending.is_set():
                    return None
                self._changed.wait()
            return self._waiting[0]

    def _done(self, entry: Entry) -> None:
        with self._changed:
            if self._waiting and self._waiting[0] is entry:
                self._waiting.popleft()

    @staticmethod
    def _follow(after: Callable[[Sequence[int]], None], numbers: Sequence[int]) -> None:
        try:
            after(numbers)
        except StoreError as error:
            log.warning("what follows from a sample was not noted: %s", error)
        except Exception:
            log.exception("what follows from a sample failed")
