"""Where may this process be killed, so that a test can prove that nothing is lost there?

``JARVIS_CRASH_AT=<name>`` makes the process kill itself (SIGKILL: nothing is flushed, nothing is said) when it
comes to that point; ``JARVIS_CRASH_ONCE=<file>`` lets that happen only once, also over restarts. Points of the
daemon: see docs/guarantees.md; a supervisor's own are in handling/.
"""

from __future__ import annotations

import os
import signal

_POINT = os.environ.get("JARVIS_CRASH_AT", "")


def here(name: str) -> None:
    """Die at this point if that was asked for."""
    if name == _POINT and _first():
        os.kill(os.getpid(), signal.SIGKILL)


def _first() -> bool:
    marker = os.environ.get("JARVIS_CRASH_ONCE")
    if not marker:
        return True
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True
