"""Where does what a run's programs write go, and when is all of it there?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from . import veil
from .output import Capture
from .passage import Passage
from .watch import Watch

LOOK_EVERY = 0.5
"""Seconds after which it is looked whether somebody reads, where that makes no room yet."""


class Outlets:
    """One run's: what is captured (``captured`` is None when neither stream is), and the files of the job's own."""

    def __init__(self, request: dict[str, Any], watch: Watch) -> None:
        self.forms = veil.Forms(request["hidden"])
        self.captured: Capture | None = None
        self._request = request
        self._passages: list[Passage] = []
        self._watch = watch

    def open(self, folder: str) -> None:
        """Make room for what is captured."""
        if "capture" in (self._request["stdout"]["kind"], self._request["stderr"]["kind"]):
            veiled = self._veil() if self.forms else None
            self.captured = Capture(folder, self._request["cap"], veiled)
            self._watch.capture(self.captured)

    @property
    def all(self) -> list[Capture | Passage]:
        return [*([self.captured] if self.captured else []), *self._passages]

    @property
    def lead(self) -> Callable[[str, int], int] | None:
        """A file of the job's own is written to by this process when there are secrets to keep out of it."""
        return self._lead if self.forms else None

    @property
    def problem(self) -> str | None:
        """Why something has not got everything."""
        return "; ".join(one.problem for one in self.all if one.problem) or None

    def close_writers(self) -> None:
        """No further program of this run will be started."""
        for one in self.all:
            one.close_writer()

    def deliver(self, ended: Callable[[float], bool], until: float | None, patience: float) -> None:
        """The programs are gone: wait until what they wrote is in the job's own files.

        A reader may be as slow as it likes. ``ended``: does the run have to end (asked with the monotonic time)?
        It becomes true at ``until`` or by a signal; after that, only a reader that takes nothing for ``patience``
        seconds is given up.
        """
        for one in self._passages:
            one.gather()
        before, moved = None, time.monotonic()
        while behind := {one: count for one in self._passages if (count := one.behind())}:
            now = time.monotonic()
            if behind != before:
                before, moved = behind, now
            if not ended(now):
                self._watch.stand_by([*behind], until)
            elif now < moved + patience:
                self._watch.stand_by([*behind], min(now + LOOK_EVERY, moved + patience))
            else:
                return

    def drain(self) -> None:
        """Take what has been written so far."""
        for one in self.all:
            one.drain()

    def finish(self, *, everything: bool) -> None:
        """From here on the counts are final. Not ``everything``: what stays may still write the rest of a secret."""
        for one in self.all:
            if everything or one is self.captured:
                one.finish()

    def linger(self) -> None:
        """Serve what a detached job left running, until that has ended."""
        if outputs := self.all:
            self._watch.linger(outputs)
            for one in self._passages:
                one.finish()

    def close(self) -> None:
        """Nothing more will be read or written."""
        for one in self.all:
            one.close()

    def _veil(self) -> veil.Veil:
        return veil.Veil(self.forms)

    def _lead(self, path: str, file: int) -> int:
        one = Passage(path, file, self._veil())
        self._passages.append(one)
        self._watch.capture(one)
        return one.writer
