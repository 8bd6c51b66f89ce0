"""How is something said to the daemon about a run?"""

from __future__ import annotations

import json
import os
import time


def tell(pipe: int, kind: str, run: int, pid: int | None, reason: str | None = None) -> bool:
    """Say something to the daemon, if it is there and has room: it can always find out by itself."""
    try:
        os.write(pipe, line(kind, run, pid, reason))
    except OSError:
        return False
    return True


def line(kind: str, run: int, pid: int | None, reason: str | None) -> bytes:
    """One line, short enough for a pipe to take it whole or not at all."""
    body = [kind, run, pid, time.time(), reason and reason[:500]]
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"
