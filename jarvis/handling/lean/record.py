"""What does a supervisor write down about its run, and in which order?

The files of a run's directory are described in docs/architecture.md. The order is the guarantee: the claim is
on disk before anything starts, and room for the result is allocated with the claim, so that a disk that fills
up meanwhile cannot keep a run's end from being recorded.
"""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

from . import processes

ROOM = 16_384
encode = json.JSONEncoder(separators=(",", ":")).encode
_DRAFT = "result.draft"


class Taken(Exception):
    """Another supervisor has claimed this run already."""


class Unclaimable(Exception):
    """The claim could not be written; nothing was started and nothing is left behind."""


def folder(runs: str, run: int) -> str:
    """Where a run keeps its files."""
    return f"{runs}/{run // 1000}/{run}"


class Record:
    """The claim and the result of one run, as its supervisor writes them."""

    def __init__(self, runs: str, request: dict[str, Any], boot: str) -> None:
        self.folder = folder(runs, request["run"])
        self._request = request
        self._boot = boot
        self._claim = -1
        self._draft = -1

    def claim(self) -> None:
        """Take the run for this process, durably. Raises Taken or Unclaimable."""
        draft = f"{self.folder}/claim.{os.getpid()}"
        claimed = False
        try:
            _make(self.folder)
            self._claim = os.open(
                draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600
            )
            self._line(self._head())
            # a claim is seen whole or not at all, and only one link of this name can be made
            os.link(draft, f"{self.folder}/claim")
            claimed = True
            self._draft = _allocate(f"{self.folder}/{_DRAFT}")
            os.fsync(self._claim)
        except FileExistsError:
            raise Taken from None
        except OSError as error:
            _remove(f"{self.folder}/{_DRAFT}", f"{self.folder}/claim" if claimed else None)
            raise Unclaimable(_cannot_claim(self.folder, error)) from None
        finally:
            _remove(draft)

    def cause(self, text: str) -> None:
        """What asked for the run, for whatever it starts."""
        with open(f"{self.folder}/cause.json", "w", encoding="utf-8", opener=_private) as file:
            file.write(text)

    def child(self, pid: int) -> None:
        """Note a process of the run. A full disk only makes cleaning up after a crash less exact."""
        try:
            self._line({"child": pid, "child_started": processes.started(pid)})
        except OSError:
            return

    def stop_reason(self) -> str | None:
        """Why somebody asked this run to stop; None when nobody did."""
        try:
            with open(f"{self.folder}/stop", encoding="utf-8", errors="replace") as file:
                return file.read(2_000).strip() or "stopped"
        except OSError:
            return None

    def result(self, body: dict[str, Any]) -> None:
        """Record the end, durably, in the room allocated for it."""
        text = encode(body).encode()
        if len(text) > ROOM:
            text = encode(_shorten(body)).encode()
        os.pwrite(self._draft, text, 0)
        os.ftruncate(self._draft, len(text))
        os.fsync(self._draft)
        os.rename(f"{self.folder}/{_DRAFT}", f"{self.folder}/result")

    def close(self) -> None:
        """Nothing more will be written."""
        for fd in (self._claim, self._draft):
            if fd >= 0:
                os.close(fd)
        self._claim = self._draft = -1

    def _line(self, body: dict[str, Any]) -> None:
        os.write(self._claim, encode(body).encode() + b"\n")

    def _head(self) -> dict[str, Any]:
        pid = os.getpid()
        return {name: self._request[name] for name in ("run", "job", "fire", "attempt")} | {
            "pid": pid,
            "started": processes.started(pid),
            "boot": self._boot,
            "at": time.time(),
        }


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def crash(point: str) -> None:
    """Die here, as by kill -9, when JARVIS_CRASH_AT names this point: how recovery is tested.

    JARVIS_CRASH_AT may name several points, with commas. With JARVIS_CRASH_ONCE=<file> only the first process
    to get here dies: the one that manages to create the file.
    """
    if point not in os.environ.get("JARVIS_CRASH_AT", "").split(","):
        return
    once = os.environ.get("JARVIS_CRASH_ONCE")
    if once:
        try:
            os.close(os.open(once, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return
    os.kill(os.getpid(), signal.SIGKILL)


def _make(path: str) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        os.makedirs(path, 0o700, exist_ok=True)


def _allocate(path: str) -> int:
    fd = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, ROOM)
    else:
        os.write(fd, b" " * ROOM)
    return fd


def _remove(*paths: str | None) -> None:
    for path in filter(None, paths):
        try:
            os.unlink(path)
        except OSError:
            continue


def _cannot_claim(path: str, error: OSError) -> str:
    return f"cannot claim the run in {path}: {error.strerror}; nothing was started, free space or mend the folder"


def _shorten(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value[:1_000] if isinstance(value, str) else value for name, value in body.items()}
