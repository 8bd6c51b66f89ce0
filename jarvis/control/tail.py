"""What did Jarvis log last, and what is it logging now? Light: also read where no daemon runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

BLOCK = 65_536


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a log, older files (``.1`` ...) too when the newest is short. Empty when there is none."""
    found: list[bytes] = []
    for file in (path, *(path.with_name(f"{path.name}.{number}") for number in range(1, 10))):
        try:
            found = _from_end(file, count - len(found)) + found
        except FileNotFoundError:
            break
        if len(found) >= count:
            break
    return [line.decode("utf-8", "replace") for line in found]


def _from_end(path: Path, count: int) -> list[bytes]:
    if count <= 0:
        return []
    with path.open("rb") as file:
        at = file.seek(0, os.SEEK_END)
        data = b""
        while at > 0 and data.count(b"\n") <= count:
            step = min(BLOCK, at)
            at = file.seek(at - step)
            data = file.read(step) + data
    return data.splitlines()[-count:]


def follow(path: Path, *, pause: Callable[[float], None] = time.sleep) -> Iterator[str]:
    """New text of a log as it comes, for ever: through rotation, and from before its file exists."""
    file, inode = _opened(path)
    if file is not None:
        file.seek(0, os.SEEK_END)
    while True:
        if file is not None and (data := file.read()):
            yield data.decode("utf-8", "replace")
            continue
        if _inode(path) not in (None, inode):
            if file is not None:
                # What was written between the last look and the rotation.
                if rest := file.read():
                    yield rest.decode("utf-8", "replace")
                file.close()
            file, inode = _opened(path)
            continue
        pause(0.2)


def _opened(path: Path) -> tuple[BinaryIO | None, int | None]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None, None
    return file, os.fstat(file.fileno()).st_ino


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
