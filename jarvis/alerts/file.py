"""How does a message get into a file of JSON lines?

One ``write`` of one line to a file opened for appending, so that lines of several writers never mix, then ``fsync``.
The file is the owner's alone (0600).
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from jarvis.alerts.message import Message, NotAccepted


def send(path: Path, message: Message, *, channel: str) -> str:
    """Append one line. Raises NotAccepted."""
    line = json.dumps(message.data(channel), ensure_ascii=False, separators=(",", ":")) + "\n"
    data = line.encode("utf-8", "replace")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
        try:
            _append(fd, data, path)
        finally:
            os.close(fd)
    except OSError as error:
        raise NotAccepted(f"{path} cannot be written: {error.strerror}") from error
    return f"{len(data)} bytes in {path}"


def _append(fd: int, data: bytes, path: Path) -> None:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise NotAccepted(f"{path} is not a regular file", permanent=True)
    before = os.lseek(fd, 0, os.SEEK_END)
    written = os.write(fd, data)
    if written < len(data):  # a disk that became full: half a line would spoil the next one
        if os.fstat(fd).st_size == before + written:
            os.ftruncate(fd, before)
        raise NotAccepted(f"{path} cannot be written: no space left")
    os.fsync(fd)
