"""How does a text reach a program's standard input without touching a disk?

On Linux through a file in memory; elsewhere through a pipe that is filled as the program reads.
"""

from __future__ import annotations

import os
import select


class Feed:
    """A text to be read from ``reader``."""

    def __init__(self, text: str) -> None:
        data = text.encode("utf-8", "surrogateescape")
        self._writer = -1
        self._rest = memoryview(b"")
        if hasattr(os, "memfd_create"):
            self.reader = os.memfd_create("stdin", os.MFD_CLOEXEC)
            while data:
                data = data[os.write(self.reader, data) :]
            os.lseek(self.reader, 0, os.SEEK_SET)
            return
        self.reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._rest = memoryview(data)

    def register(self, poll: select.poll) -> None:
        """Have ``pump`` called when the program has read."""
        if self._writer >= 0:
            poll.register(self._writer, select.POLLOUT)

    def pump(self, poll: select.poll) -> None:
        """Write what fits; the end of the text, or of the reader, closes the pipe."""
        try:
            count = os.write(self._writer, self._rest[:65_536])
            self._rest = self._rest[count:]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._rest = self._rest[:0]
        if not self._rest:
            poll.unregister(self._writer)
            os.close(self._writer)
            self._writer = -1

    def close(self) -> None:
        """Nobody reads any more."""
        self.close_reader()
        if self._writer >= 0:
            os.close(self._writer)

    def close_reader(self) -> None:
        """The program has it now."""
        if self.reader >= 0:
            os.close(self.reader)
            self.reader = -1
