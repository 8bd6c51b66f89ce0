"""How does Jarvis tell systemd that it is ready, alive, reloading or stopping?

One datagram to the socket named in ``NOTIFY_SOCKET``, lines of ``NAME=value`` (sd_notify(3)). Without that variable
(a terminal, launchd) every call does nothing. Telling never fails: a scheduler that works must not stop because
nobody listens.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import timedelta

log = logging.getLogger("jarvis.notify")
LONGEST = 300
PATIENCE = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Notifier:
    """Where to send, and how often a sign of life is wanted (None: never).

    ``address``: a path, or ``@name`` for a socket in the abstract namespace.
    """

    address: str | None = None
    watchdog_every: timedelta | None = None

    def ready(self, status: str = "") -> bool:
        """The first schedule is computed (also: the reload is over). Answers whether it was sent."""
        return self._send("READY=1", *_status(status))

    def status(self, status: str) -> bool:
        """One line for ``systemctl status``."""
        return self._send(*_status(status))

    def alive(self) -> bool:
        """The sign of life; to be sent from the scheduler's own loop, so that it proves something."""
        return self._send("WATCHDOG=1")

    def reloading(self, monotonic: timedelta) -> bool:
        """jobs.yaml is being read again; ``monotonic`` is CLOCK_MONOTONIC now. ``ready`` ends it."""
        return self._send("RELOADING=1", f"MONOTONIC_USEC={monotonic // timedelta(microseconds=1)}")

    def stopping(self, status: str = "") -> bool:
        """The way down has begun."""
        return self._send("STOPPING=1", *_status(status))

    def _send(self, *lines: str) -> bool:
        if self.address is None or not lines:
            return False
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(PATIENCE.total_seconds())
                sender.connect(address)
                sender.sendall("\n".join(lines).encode())
        except OSError as error:
            log.debug("%s did not take %s: %s", self.address, lines[0], error)
            return False
        return True


def from_environment(environ: Mapping[str, str], pid: int) -> Notifier:
    """Read NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; the sign of life is due at half the interval."""
    address = environ.get("NOTIFY_SOCKET") or None
    if address is not None and address[0] not in "/@":
        address = None
    meant_for = environ.get("WATCHDOG_PID")
    interval = environ.get("WATCHDOG_USEC", "")
    wanted = address is not None and interval.isdigit() and int(interval) > 0
    if not wanted or (meant_for is not None and meant_for != str(pid)):
        return Notifier(address=address)
    return Notifier(address=address, watchdog_every=timedelta(microseconds=int(interval)) / 2)


def adopt(environ: MutableMapping[str, str] = os.environ) -> Notifier:
    """``from_environment``, and take the variables away so that no job speaks in Jarvis' name."""
    notifier = from_environment(environ, os.getpid())
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        environ.pop(name, None)
    return notifier


def _status(text: str) -> tuple[str, ...]:
    line = " ".join(text.split())
    return (f"STATUS={line[:LONGEST]}",) if line else ()
