"""Does a daemon hold this instance, and which one? Light: the command line asks it, too."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Callable

from jarvis.config.instance import Instance


def held(instance: Instance) -> bool:
    """Somebody holds the instance's lock right now."""
    try:
        lock = os.open(instance.lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def pid(instance: Instance) -> int | None:
    """The process the pid file names, if it is alive and the one that wrote the file (not merely a reused number)."""
    try:
        number, started, *_ = instance.pid.read_text(encoding="ascii").split()
        found, since = int(number), float(started)
    except (OSError, ValueError):
        return None
    import psutil  # a third of the time a status takes

    try:
        return found if abs(psutil.Process(found).create_time() - since) < 2 else None
    except psutil.Error:
        return None


def terminate(instance: Instance) -> int | None:
    """SIGTERM to the daemon; its pid, or None when there is none to be found."""
    number = pid(instance)
    if number is not None:
        os.kill(number, signal.SIGTERM)
    return number


def gone(instance: Instance, within: float, *, pause: Callable[[float], None] = time.sleep) -> bool:
    """Wait until nobody holds the instance; False when that takes longer than ``within`` seconds."""
    end = time.monotonic() + within
    while True:
        # The lock is tried last: a daemon that is just starting must not be kept from it.
        if not instance.pid.exists() and not held(instance):
            return True
        if time.monotonic() > end:
            return not held(instance)
        pause(0.02)
