"""What is on its way to the conductor? Messages of any thread, and how many runs are among them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from jarvis.running.work import Released

BATCH = 512


class Inbox:
    """Messages in their order. ``coming``: runs in messages that have been put in and not been dealt with."""

    def __init__(self) -> None:
        self.coming = 0
        self._lock = threading.Lock()
        self._messages: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def put(self, message: Any) -> None:
        """From any thread."""
        self._count(message, 1)
        self._messages.put(message)

    def take(self, wait: float) -> list[Any]:
        """What is there, or comes within ``wait`` seconds; a bounded number, so that rounds stay short."""
        found: list[Any] = []
        with suppress(queue.Empty):
            found.append(self._messages.get(timeout=wait))
            while len(found) < BATCH:
                found.append(self._messages.get_nowait())
        return found

    def dealt_with(self, messages: Sequence[Any]) -> None:
        """The runs in these are in the conductor's memory, or closed."""
        for message in messages:
            self._count(message, -1)

    def empty(self) -> bool:
        return self._messages.empty()

    def _count(self, message: Any, sign: int) -> None:
        if isinstance(message, Released):
            with self._lock:
                self.coming += sign * len(message.runs)
