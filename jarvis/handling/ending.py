"""Was this run told to end? An event that costs nothing until somebody waits for it."""

from __future__ import annotations

import threading

_making = threading.Lock()


class Ending:
    """``set`` and ``wait`` of threading.Event, which is made when first waited for: few handlers ever do."""

    __slots__ = ("_event", "_told")

    def __init__(self) -> None:
        self._told = False
        self._event: threading.Event | None = None

    def set(self) -> None:
        """The run is told to end."""
        self._told = True
        if self._event is not None:
            self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait so long; True as soon as the run is told to end."""
        with _making:
            if self._event is None:
                self._event = threading.Event()
        if self._told:  # perhaps before the event was there
            self._event.set()
        return self._event.wait(seconds)
