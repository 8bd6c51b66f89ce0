"""How do requests travel from the daemon to the spawner, and on to a supervisor?

A frame is 4 bytes of length, 8 bytes of run id, and the request as JSON. The spawner passes frames on without
opening them: a request that cannot be read concerns only its own supervisor.
"""

from __future__ import annotations

import os
import socket
import struct

ATOMIC = 65_536
"""A request of this size fits into an empty channel at once."""

_HEAD = struct.Struct(">IQ")


def pack(run: int, body: bytes) -> bytes:
    """One frame."""
    return _HEAD.pack(len(body), run) + body


class Buffer:
    """Bytes as they come, frames as they become complete."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, data: bytes) -> None:
        self._bytes += data

    def take(self) -> list[tuple[int, bytes]]:
        """The frames that are complete by now: (run, request)."""
        found = []
        start = 0
        while len(self._bytes) - start >= _HEAD.size:
            size, run = _HEAD.unpack_from(self._bytes, start)
            end = start + _HEAD.size + size
            if end > len(self._bytes):
                break
            found.append((run, bytes(self._bytes[start + _HEAD.size : end])))
            start = end
        del self._bytes[:start]
        return found


def channel() -> tuple[int, int]:
    """The two ends between a spawner and a supervisor: the spawner's never waits."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return ours.detach(), theirs.detach()


def put(fd: int, run: int, body: bytes) -> bool:
    """Send a frame through an empty channel; False when it could not be sent whole (the channel is then spoilt)."""
    frame = pack(run, body)
    try:
        return os.write(fd, frame) == len(frame)
    except OSError:
        return False


def receive(fd: int) -> tuple[int, bytes] | None:
    """The next frame from a channel, waiting for it; None at the channel's end."""
    buffer = Buffer()
    while data := os.read(fd, ATOMIC + _HEAD.size):
        buffer.add(data)
        for frame in buffer.take():
            return frame
    return None
