"""Who does the work of handlers in threads? As many threads as are busy at once, made as they are needed.

concurrent.futures would make a future with a condition for each call, which nobody looks at: that costs as much as all
else about handing it over, and ten thousand may be due at the same moment.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

log = logging.getLogger("jarvis.hands")

Call = Callable[[], object]


class Hands:
    """``name`` begins the names of its threads. Whoever asks sees to it that not too many are busy at once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._made = 0

    def do(self, call: Call) -> None:
        """Have it called in a thread, at once."""
        with self._lock:
            if self._idle:
                self._idle -= 1
            else:
                self._made += 1
                threading.Thread(target=self._work, name=f"{self._name}_{self._made}", daemon=True).start()
        self._calls.put(call)

    def close(self) -> None:
        """Threads that have nothing to do end; the others end with what they do."""
        for _ in range(self._made):
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except Exception:
                log.exception("what a thread did failed")
            del call  # what it held is not kept until the next one
            with self._lock:
                self._idle += 1
