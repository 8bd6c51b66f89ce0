"""Is this file still being written?

Two equal stamps, a moment apart, say that it is not: nobody replaced it, appended to it or rewrote it in
between.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Stamp:
    """What a file was at one moment; compare two of them."""

    size: int
    mtime_ns: int
    inode: int
    digest: str


def stamp(path: Path, *, most: int = 5_000_000) -> Stamp | None:
    """The file's stamp; None if there is none, or if it changed while being looked at. ``most`` bytes are hashed."""
    try:
        with open(path, "rb", opener=_patient) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                return None
            digest = hashlib.sha256(file.read(most)).hexdigest()
            after = os.fstat(file.fileno())
    except OSError:
        return None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return None
    return Stamp(size=after.st_size, mtime_ns=after.st_mtime_ns, inode=after.st_ino, digest=digest)


def stamps(paths: Iterable[Path]) -> dict[Path, Stamp | None]:
    """One stamp for each path. Two equal results with no None in them: the files have settled."""
    return {path: stamp(path) for path in paths}


def settled(before: dict[Path, Stamp | None], after: dict[Path, Stamp | None]) -> bool:
    """All files were there, both times, and nothing about them changed."""
    return before == after and None not in after.values()


def _patient(path: str, flags: int) -> int:
    """Never hang on a pipe somebody put in the file's place."""
    return os.open(path, flags | os.O_NONBLOCK)
