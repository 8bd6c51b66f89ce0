"""How is a job's output kept when there may be far too much of it?

The first half of the cap is written to ``output`` as it comes. What follows goes round and round in
``output.tail``, a ring as large as the other half, after a header that says how much there has been in all;
both can be read while the run goes on. At the end the ring is put in order behind the head, with a line that
says how much is not kept. Memory stays constant however much is written. Secrets are hidden before anything
else is done: they are in no file and in no count.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select

from .veil import Veil

RING_HEADER = 4_096
"""Where the ring's bytes begin. Before them four 8-byte numbers: how much has been written in all, the length of
the head, the size of the ring, and how much will have been written once what is being written now has been:
what that overwrites is no longer what it was."""

_SMALL, _LARGE = 65_536, 1_048_576
_F_SETPIPE_SZ = 1031


def gap(count: int) -> bytes:
    """The line that stands for what was not kept."""
    return b"\n... %d bytes not kept ...\n" % count


class Capture:
    """One run's output: a pipe that programs write to, and the files it ends in."""

    def __init__(self, folder: str, cap: int, veil: Veil | None = None) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.total = 0
        self.dropped = 0
        self.head = 0
        self.problem: str | None = None
        self._path = f"{folder}/output"
        self._file = self._ring = -1
        self._room = cap - cap // 2
        self._size = cap // 2
        self._buffer: bytearray | None = None
        self._veil = veil

    @property
    def awaits(self) -> tuple[int, int]:
        """What has to happen before there is something to do: (descriptor, poll event)."""
        return self.reader, select.POLLIN

    def pump(self) -> int:
        """Move what is in the pipe into the files: how many bytes, 0 at its end, -1 when it is empty now."""
        try:
            data = self._read()
        except BlockingIOError:
            return -1
        if data:
            self._keep(self._veil.more(data) if self._veil else data)
            if len(data) == _SMALL and self._buffer is None:
                self._widen()
        return len(data)

    def drain(self) -> None:
        """Take what is in the pipe now; never waits for a process that keeps it open or goes on writing."""
        left = _LARGE
        while left > 0 and (count := self.pump()) > 0:
            left -= count

    def linger(self) -> bool:
        """The run is over: throw away what is in the pipe; False once nobody can write to it any more."""
        try:
            return bool(self._read())
        except BlockingIOError:
            return True

    def close_writer(self) -> None:
        """No further program of this run will be given the pipe."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def finish(self) -> None:
        """Put the ring behind the head; from here on the counts are final."""
        if self._veil and len(rest := self._veil.rest()):
            self._keep(rest)
        if self._ring < 0:
            return
        beyond = self.total - self.head
        kept = min(beyond, self._size) if self.problem is None else 0
        self.dropped = max(self.dropped, beyond - kept)
        try:
            end = self.head
            if self.dropped:
                end += os.pwrite(self._file, gap(self.dropped), end)
            self._unroll(beyond - kept, kept, end)
        except OSError as error:
            self._fail(error)
            self.dropped = beyond

    def forget_ring(self) -> None:
        """The result says where everything is: the ring is no longer needed by readers."""
        if self._ring >= 0:
            os.unlink(f"{self._path}.tail")

    def close(self) -> None:
        """Nothing more will be read or written."""
        self.close_writer()
        for fd in (self.reader, self._file, self._ring):
            if fd >= 0:
                os.close(fd)

    def _read(self) -> memoryview:
        if self._buffer is None:
            return memoryview(os.read(self.reader, _SMALL))
        whole = memoryview(self._buffer)
        return whole[: os.readv(self.reader, [whole])]

    def _keep(self, data: memoryview) -> None:
        self.total += len(data)
        if self.problem is not None:
            self.dropped += len(data)
            return
        try:
            rest = self._fill_head(data)
            if len(rest):
                self._turn_ring(rest)
        except OSError as error:
            self._fail(error)

    def _fill_head(self, data: memoryview) -> memoryview:
        if self.head == self._room:
            return data
        if self._file < 0:
            self._file = _create(self._path)
        part = data[: self._room - self.head]
        while len(part):
            count = os.pwrite(self._file, part, self.head)
            self.head += count
            part, data = part[count:], data[count:]
        return data

    def _turn_ring(self, data: memoryview) -> None:
        if not self._size:
            self.dropped += len(data)
            return
        if self._ring < 0:
            self._ring = _create(f"{self._path}.tail")
        position = self.total - len(data) - self.head
        self._publish(position)
        while len(data):
            place = position % self._size
            count = os.pwrite(self._ring, data[: self._size - place], RING_HEADER + place)
            position += count
            data = data[count:]
        self._publish(position)

    def _publish(self, position: int) -> None:
        """Say what can be read now, and what is being overwritten."""
        numbers = (self.head + position, self.head, self._size, self.total)
        os.pwrite(self._ring, b"".join(number.to_bytes(8, "little") for number in numbers), 0)

    def _unroll(self, start: int, count: int, end: int) -> None:
        while count:
            place = start % self._size
            data = os.pread(self._ring, min(count, self._size - place, _LARGE), RING_HEADER + place)
            if not data:
                raise OSError(errno.EIO, "the ring of the output is shorter than it was")
            written = os.pwrite(self._file, data, end)
            start, count, end = start + written, count - written, end + written

    def _fail(self, error: OSError) -> None:
        """The run matters more than its output: from now on output is only counted."""
        self.problem = f"output not kept in full: {error.strerror}"
        self.dropped = self.total - self.head

    def _widen(self) -> None:
        """A busy job: a larger pipe lets it get on while this process waits for the disk."""
        self._buffer = bytearray(_LARGE)
        try:
            fcntl.fcntl(self.reader, _F_SETPIPE_SZ, _LARGE)
        except OSError:
            return


def _create(path: str) -> int:
    return os.open(path, os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_CLOEXEC, 0o600)
