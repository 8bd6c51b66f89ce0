"""Shall the daemon end, or read jobs.yaml again? Asked by signals and by verbs, heard by one loop.

A pipe, not a lock: a signal's handler may interrupt anything, also another handler, and whoever holds a lock then
waits for itself for ever.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal


class Wishes:
    """``ending``: somebody wants it to end; nothing takes that back."""

    def __init__(self) -> None:
        self.ending = False
        self._reload = False
        self._read, self._write = os.pipe()
        for end in (self._read, self._write):
            os.set_blocking(end, False)

    def listen(self) -> None:
        """TERM and INT end, HUP reads again; the main thread only."""
        # The kernel may hand every signal to another thread: only this wakes the main one, which runs the handlers.
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self.end())
        signal.signal(signal.SIGHUP, lambda _number, _frame: self.reload())

    def deaf(self) -> None:
        """Nothing is left to be asked for; the main thread only.

        A signal may come while the interpreter takes itself down, when it listens to nobody any more: it would end the
        process as if it had crashed.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    def end(self) -> None:
        """From any thread or signal."""
        self.ending = True
        self._ring()

    def reload(self) -> None:
        """From any thread or signal; a shower of them is one."""
        self._reload = True
        self._ring()

    def _ring(self) -> None:
        # A full pipe has rung already.
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"!")

    def wait(self, seconds: float | None) -> bool:
        """Wait for a wish, at most so long; True when jobs.yaml is to be read again."""
        select.select([self._read], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            while os.read(self._read, 4096):
                pass
        asked, self._reload = self._reload, False
        return asked and not self.ending
