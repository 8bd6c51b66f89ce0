"""What has a run written, from a given point on?"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jarvis.handling import rundir
from jarvis.handling.lean import output


def read(runs: Path, run: int, position: int = 0, limit: int = 1_048_576) -> tuple[bytes, int]:
    """Output from ``position`` on (counted in bytes the job wrote), and the position to go on from.

    Works while the run is going on, after it, and after its supervisor died. Where bytes are not kept, one line
    says how many. Nothing new: empty bytes. At most about ``limit`` bytes.
    """
    place = rundir.folder(runs, run)
    body = rundir.read_body(place / "result")
    if body:
        return _read_final(place, body, position, limit)
    ring = _Ring.open(place / "output.tail")
    if ring is None:
        data = _part(place / "output", position, limit)
        return data, position + len(data)
    try:
        if position < ring.head:
            data = _part(place / "output", position, min(limit, ring.head - position))
            return data, position + len(data)
        return ring.read(position, limit)
    finally:
        os.close(ring.fd)


def _read_final(place: Path, body: dict[str, Any], position: int, limit: int) -> tuple[bytes, int]:
    """The finished file is head, a line for what is missing, tail: find ``position`` in it."""
    head, total = body["output_head"], body["output_bytes"]
    if position >= total:
        return b"", position
    if position < head:
        data = _part(place / "output", position, min(limit, head - position))
        return data, position + len(data) if data else total
    first = head + body["output_dropped"]
    skipped = first - position
    data = b""
    if skipped > 0:
        data, position = output.gap(skipped), first
    if position >= total:
        return data, total
    try:
        size = (place / "output").stat().st_size
    except FileNotFoundError:
        return data, total
    kept = _part(place / "output", size - (total - position), limit)
    return data + kept, position + len(kept)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ring:
    """The last part of the output of a run that goes on."""

    fd: int
    total: int
    head: int
    size: int

    @classmethod
    def open(cls, path: Path) -> _Ring | None:
        try:
            fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        numbers = _header(fd)
        if not numbers:
            os.close(fd)
            return None
        return cls(fd=fd, total=numbers[0], head=numbers[1], size=numbers[2])

    def read(self, position: int, limit: int) -> tuple[bytes, int]:
        oldest = max(self.head, self.total - self.size)
        start = max(position, oldest)
        data = self._copy(start, min(limit, self.total - start))
        # what the writer has meanwhile overtaken is not what was asked for
        numbers = _header(self.fd)
        safe = max(self.head, (numbers[3] if numbers else self.total) - self.size)
        if safe > start:
            data, start = data[safe - start :], min(safe, start + len(data))
        said = output.gap(start - position) if start > position else b""
        return said + data, start + len(data)

    def _copy(self, start: int, count: int) -> bytes:
        data = b""
        while count > 0:
            place = (start - self.head) % self.size
            part = os.pread(self.fd, min(count, self.size - place), output.RING_HEADER + place)
            if not part:
                break
            data, start, count = data + part, start + len(part), count - len(part)
        return data


def _header(fd: int) -> tuple[int, ...]:
    raw = os.pread(fd, 32, 0)
    return (
        tuple(int.from_bytes(raw[at : at + 8], "little") for at in range(0, 32, 8)) if len(raw) == 32 else ()
    )


def _part(path: Path, start: int, count: int) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    try:
        return os.pread(fd, count, start)
    finally:
        os.close(fd)
