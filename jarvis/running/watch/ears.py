"""What does the system say about changed files? watchfiles on folders, in threads of their own.

What is heard is a hint where to look; the truth is what is found there. Where the system cannot tell (too many
folders for inotify's limit) nothing is heard, and whoever asks has to look from time to time.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

log = logging.getLogger("jarvis.ears")

AWAKE = 50
"""Milliseconds between two questions whether there was a change, for a while after one."""

ASLEEP = 400
ATTENTIVE = 5.0
"""Seconds of that while."""

LIMIT = "the system's limit of watched folders is reached (Linux: fs.inotify.max_user_watches)"

Hear = Callable[[frozenset[str] | None], None]
"""Is given the paths at which something happened; None: nobody knows what was missed."""


class Ear:
    """Listens to folders, with all that is below them or not. ``deaf``: folders it cannot listen to, and why."""

    def __init__(
        self, folders: Iterable[str], *, recursive: bool, hear: Hear, patience: int = ASLEEP
    ) -> None:
        self.folders = frozenset(folders)
        self.deaf: dict[str, str] = {}
        self._recursive = recursive
        self._hear = hear
        self.patience = patience
        self._stop = threading.Event()
        # The system names files by their real path; people by theirs.
        self._real = {os.path.realpath(folder): folder for folder in sorted(self.folders)}
        self._notify = self._open(list(self._real))
        name = "jarvis-ear-deep" if recursive else "jarvis-ear"
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        if self._notify is not None:
            self._thread.start()

    @property
    def pid(self) -> int:
        """The process that listens."""
        return os.getpid()

    def _open(self, real: list[str]) -> RustNotify | None:
        """Everything at once, or, when something is in the way, as much as there is place for."""
        if not real:
            return None
        from watchfiles._rust_notify import (
            WatchfilesRustInternalError,
        )  # a megabyte, for those who watch something

        try:
            return self._listen(real)
        except (OSError, WatchfilesRustInternalError) as error:
            if len(real) == 1:
                self.deaf[self._real[real[0]]] = _why(error)
                return None
        good: list[str] = []
        for folder in real:
            try:
                self._listen([*good, folder]).close()
                good.append(folder)
            except (OSError, WatchfilesRustInternalError) as error:
                self.deaf[self._real[folder]] = _why(error)
        return self._open(good) if good else None

    def _listen(self, real: list[str]) -> RustNotify:
        from watchfiles._rust_notify import RustNotify  # as above

        try:
            return RustNotify(real, False, False, 300, self._recursive, False)
        except PermissionError:  # a folder inside is closed to us; the look says so
            return RustNotify(real, False, False, 300, self._recursive, True)

    def close(self, *, wait: bool = True) -> None:
        """Listen no longer. ``wait``: until the system watches nothing for it any more (half a second at most)."""
        self._stop.set()
        if wait and self._notify is not None:
            self._thread.join(2)

    def _loop(self) -> None:
        assert self._notify is not None
        try:
            self._listen_on(self._notify)
        finally:
            self._notify.close()

    def _listen_on(self, notify: RustNotify) -> None:
        attentive_until = 0.0
        while not self._stop.is_set():
            step = AWAKE if time.monotonic() < attentive_until else self.patience
            try:
                said = notify.watch(step, min(step, self.patience), 1_000, self._stop)
            except Exception as error:  # the library's own trouble: begin anew
                log.warning("watching failed (%s); everything is looked at again", error)
                self._hear(None)
                return
            if isinstance(said, set):
                attentive_until = time.monotonic() + ATTENTIVE
                self._hear(frozenset(self._named(path) for _kind, path in said))

    def _named(self, path: str) -> str:
        at = path
        while at not in self._real:
            above = os.path.dirname(at)
            if above == at:
                return path
            at = above
        return self._real[at] + path[len(at) :]


def _why(error: BaseException) -> str:
    said = str(error)
    if "limit" in said or "os error 24" in said or "os error 28" in said:
        return LIMIT
    return said.partition(" about [")[0]


def held(pids: Iterable[int]) -> int | None:
    """How many folders inotify watches for these processes; None where that cannot be known."""
    found = 0
    for pid in pids:
        try:
            numbers = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            return None
        for number in numbers:
            try:
                if "inotify" in os.readlink(f"/proc/{pid}/fd/{number}"):
                    with open(f"/proc/{pid}/fdinfo/{number}") as about:
                        found += sum(line.startswith("inotify ") for line in about)
            except OSError:  # closed meanwhile
                continue
    return found
