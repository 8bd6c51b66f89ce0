"""Did a file that matters change? Looks about once a second, and says so when the file has settled."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from jarvis.config import stamp

log = logging.getLogger("jarvis.watcher")

EVERY = 0.8
SETTLES = 0.3
"""Seconds after which a file that changed is looked at again: has it settled?"""
WATCHED = (".py", ".yaml")

Glance = tuple[int, int, int] | None
Seen = dict[str, Glance]


class Watcher:
    """Watches files (followed through links) and the ``*.py`` and ``*.yaml`` of folders.

    ``files`` and ``folders`` answer what to watch now; ``changed`` is called once a change has been the same twice,
    and again until it says that it was dealt with.
    """

    def __init__(
        self,
        *,
        files: Callable[[], Iterable[Path]],
        folders: Callable[[], Iterable[Path]],
        changed: Callable[[], bool],
    ) -> None:
        self._files = files
        self._folders = folders
        self._changed = changed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="jarvis-watcher", daemon=True)
        self._seen = self._look()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(1)

    def _loop(self) -> None:
        pending: Seen | None = None
        while not self._stop.wait(EVERY if pending is None else min(SETTLES, EVERY)):
            try:
                pending = self._step(pending)
            except Exception:
                log.exception("looking for changed files failed; it is tried again")

    def _step(self, pending: Seen | None) -> Seen | None:
        """A glance is cheap; only a difference is looked at by content, and twice."""
        now = self._look()
        if now == self._seen:
            return None
        if now != pending:
            return now
        files = [path for path in self._files() if now.get(os.fspath(path))]
        before = stamp.stamps(files)
        if self._stop.wait(0.1) or not stamp.settled(before, stamp.stamps(files)):
            return now
        if not self._changed():
            self._stop.wait(EVERY)
            return now
        # What is watched may have changed with the content (an include, a folder).
        self._seen = {**self._look(), **now}
        return None

    def _look(self) -> Seen:
        found = {name: _glance(name) for name in map(os.fspath, self._files())}
        for folder in self._folders():
            found |= _listed(os.fspath(folder))
        return found


def _listed(folder: str) -> Seen:
    try:
        names = os.listdir(folder)
    except OSError:
        return {}
    return {
        name: _glance(name)
        for name in (f"{folder}{os.sep}{name}" for name in names if name.endswith(WATCHED))
    }


def _glance(path: str) -> Glance:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
