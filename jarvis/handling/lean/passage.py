"""How does output get into a file of the job's own when it may hold secrets?

Without secrets a program is given the file itself. With them it is given a pipe, and what comes out of it goes into
the file with the secrets hidden. A file that cannot take more now (a pipe, a terminal) makes the program wait, as
it would have; never the supervisor. What the program has written when it ends is written on while somebody takes
it: without secrets, too, the program would have had to wait for that.
"""

from __future__ import annotations

import array
import fcntl
import os
import select
import termios

from .veil import Veil

_SIZE, _DRAINED = 65_536, 1_048_576


class Passage:
    """A pipe that programs write to, and the file behind it; ``problem`` says why the file has not got everything."""

    def __init__(self, path: str, file: int, veil: Veil) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.set_blocking(file, False)
        self.problem: str | None = None
        self._path = path
        self._file = file
        self._veil = veil
        self._waiting = memoryview(b"")

    @property
    def awaits(self) -> tuple[int, int]:
        """What has to happen before there is something to do: (descriptor, poll event)."""
        return (self._file, select.POLLOUT) if self._waiting else (self.reader, select.POLLIN)

    def pump(self) -> int:
        """Move what is in the pipe into the file: how many bytes, 0 at its end, -1 when nothing can be moved now."""
        if not self._write():
            return -1
        data = self._read()
        if data is None:
            return -1
        self._waiting = self._veil.more(data) if data else self._veil.rest()
        return len(data) if self._write() or data else -1

    def drain(self) -> None:
        """Take what is in the pipe now; never waits for a process that keeps it open or goes on writing."""
        left = _DRAINED
        while left > 0 and (count := self.pump()) > 0:
            left -= count

    def gather(self) -> None:
        """The programs are gone: what they left in the pipe, and what was held back, only has to be written."""
        parts, left = [self._waiting], _DRAINED
        while left > 0 and (data := self._read()):
            parts.append(self._veil.more(data))
            left -= len(data)
        self._waiting = memoryview(b"".join((*parts, self._veil.rest())))

    def behind(self) -> tuple[int, int] | None:
        """Write what can be written now; bytes still to be written and, in a pipe, to be read. None when all is."""
        return None if self._write() else (len(self._waiting), _unread(self._file))

    def linger(self) -> bool:
        """The run is over, what it left running writes on; False once nobody can any more."""
        return self.pump() != 0

    def finish(self) -> None:
        """What was held back, and nothing after that."""
        self.gather()
        if not self._write():
            self._fail(f"{len(self._waiting):,} bytes were not taken before the run had to end")

    def close_writer(self) -> None:
        """No further program of this run will be given the pipe."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def close(self) -> None:
        """Nothing more will be read or written."""
        self.close_writer()
        os.close(self.reader)
        os.close(self._file)

    def _read(self) -> bytes | None:
        """None when the pipe is empty now."""
        try:
            return os.read(self.reader, _SIZE)
        except BlockingIOError:
            return None

    def _write(self) -> bool:
        """Is nothing waiting any more?"""
        try:
            while self._waiting:
                self._waiting = self._waiting[os.write(self._file, self._waiting) :]
        except BlockingIOError:
            return False
        except OSError as error:
            self._fail(error.strerror)
        return True

    def _fail(self, why: str | None) -> None:
        """The run matters more than its output: this much is lost, the next is tried again."""
        self.problem = f"not all output is in {self._path}: {why}"
        self._waiting = memoryview(b"")


def _unread(file: int) -> int:
    """How much is in a pipe that nobody has read yet: a slow reader is at work while this changes."""
    count = array.array("i", [0])
    try:
        fcntl.ioctl(file, termios.FIONREAD, count)
    except OSError:
        return 0
    return count[0]
