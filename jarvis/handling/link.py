"""How does the daemon hold its spawner: start it, hand it requests, notice its death?"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

from jarvis.errors import LaunchError

SCRIPT = Path(__file__).with_name("spawner.py")
READY_WITHIN = 20.0
SENT_WITHIN = 30.0
_PASSED = ("JARVIS_CRASH_AT", "JARVIS_CRASH_ONCE")


class Link:
    """One spawner process and the socket to it. Used by one thread at a time."""

    def __init__(self, *, runs: Path, notices: int, python: str) -> None:
        """Start the spawner and wait until it is ready. Raises LaunchError."""
        self.socket, theirs = socket.socketpair()
        try:
            self.process = self._start(runs, theirs, notices, python)
        except OSError as error:
            self.socket.close()
            raise LaunchError(
                f"cannot start the spawner with {python}: {error.strerror}; is Python there?"
            ) from None
        finally:
            theirs.close()
        self._await_ready(python)

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, frames: bytes) -> bool:
        """Hand over frames; False when the spawner is not there to take them all."""
        try:
            self.socket.sendall(frames)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """The spawner ends when its socket does; one that does not is killed."""
        self.socket.close()
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def _start(self, runs: Path, theirs: socket.socket, notices: int, python: str) -> subprocess.Popen[bytes]:
        # -S -E -s: neither site-packages nor the environment can slow it down or change it
        command = [python, "-S", "-E", "-s", "-X", "utf8", os.fspath(SCRIPT)]
        return subprocess.Popen(
            [*command, os.fspath(runs), str(theirs.fileno()), str(notices)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd="/",
            env={name: os.environ[name] for name in _PASSED if name in os.environ},
            pass_fds=(theirs.fileno(), notices),
            start_new_session=True,
        )

    def _await_ready(self, python: str) -> None:
        self.socket.settimeout(READY_WITHIN)
        try:
            ready = self.socket.recv(1)
        except OSError:
            ready = b""
        if not ready:
            self.process.kill()
            self.close()
            raise LaunchError(
                f"the spawner ({python} {SCRIPT}) did not get ready; what it said is on the daemon's error output"
            )
        self.socket.settimeout(SENT_WITHIN)
