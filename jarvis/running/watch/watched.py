"""What does one watch see, and when is its job due because of it? One ``watch:`` of one job; no thread of its own."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jarvis.core import changes
from jarvis.core.changes import Filter, Pending
from jarvis.core.when import Watch
from jarvis.running.watch.looking import Spot
from jarvis.store.watches import Seen

CROWD = 200
"""Of so many changes at once nobody asks when each was made."""

SETTLING = timedelta(seconds=2)
"""A folder that was just made is listed once more after this: files may have come before it was listened to."""

VERIFIED = timedelta(minutes=10)
POLLED = timedelta(seconds=2)


class Watched:
    """``awake``: its job may be started (neither paused nor switched off). Moments are time awake."""

    def __init__(self, job: str, spec: Watch, folder: Path, apart: Path | None = None) -> None:
        self.job = job
        self.spec = spec
        self.key = key(spec)
        self.awake = False
        self.deaf = False
        self.blind: list[str] = []
        self.pending: Pending | None = None
        self.not_before = timedelta(0)
        self.fired_at: timedelta | None = None
        self.verify_at: timedelta | None = None
        self.recheck_at: timedelta | None = None
        self.spots = [
            Spot(path, _filter(spec), recursive=spec.recursive, apart=apart) for path in paths(spec, folder)
        ]
        self._whole = True
        self._digest: str | None = None
        self._seen_at: datetime | None = None
        self._named: set[str] = set()
        self._sure = False
        self._unseen = False

    @property
    def level(self) -> bool:
        """It is about a state, not about changes."""
        return self.spec.when != "modified"

    def begin(self, seen: Seen | None) -> None:
        """Start looking: at the start, after a pause, after an edit. ``seen``: what was seen last."""
        self.awake, self._whole = True, True
        self._digest = seen.digest if seen else None
        self._seen_at = seen.seen_at if seen else None
        self.calm()

    def rest(self) -> None:
        self.awake, self.pending, self.verify_at, self.recheck_at = False, None, None, None

    def turned(self, now: timedelta) -> bool:
        """Whether one of its paths is another thing than before; then all of it is looked at again."""
        unseen, self._unseen = self._unseen, False
        found = [self._turn(spot) for spot in self.spots]
        if any(found) or (unseen and not self._unseen):
            self._whole = True
            self._note(now)
        elif not self.level:
            for spot in self.spots:
                if spot.kind == "file" and spot.stirred():
                    self._note(now - timedelta(seconds=_age(os.fspath(spot.path))))
        return any(found)

    def _turn(self, spot: Spot) -> bool:
        try:
            return spot.turn()
        except OSError as error:
            self._unseen = True
            self.blind = [f"{spot.path}: {error.strerror}"]
            return False

    def hear(self, paths: Iterable[str], now: timedelta, *, crowded: bool) -> None:
        """Something happened at these paths."""
        for path in paths:
            concerned = [spot for spot in self.spots if spot.heard(path)]  # each takes note of it
            if concerned:
                age = 0.0 if crowded else _age(path)
                self._note(now - timedelta(seconds=age))
                if len(self._named) < changes.PATHS_KEPT * 100:
                    self._named.add(path)

    def _note(self, at: timedelta) -> None:
        if self.awake:
            self.pending = changes.more(self.pending, at)

    def due_at(self) -> timedelta | None:
        """When it wants to be settled next."""
        if not self.awake:
            return None
        times = [at for at in (self.verify_at, self.recheck_at) if at is not None]
        if self.pending is not None:
            due = self.pending.due_at(self.spec.debounce, self.spec.max_wait)
            if self.level:
                due = changes.not_before(due, self.fired_at)
            times.append(max(due, self.not_before))
        return min(times, default=None)

    # The state of a path.

    def holds(self) -> str | None:
        """Level: the path because of which it holds now; None when it does not or nobody can say."""
        for spot in self.spots:
            try:
                if self.spec.when == "exists":
                    if spot.kind != "missing":
                        return os.fspath(spot.path)
                elif (full := spot.full()) is not None:
                    return full
            except FileNotFoundError:
                continue
            except OSError as error:
                self.blind.append(f"{error.filename or spot.path}: {error.strerror}")
        return None

    def judge(self, now: timedelta) -> None:
        """Level: it is to fire for as long as it holds."""
        if self.holds() is None:
            self.pending = None
        elif self.pending is None:
            self.pending = Pending(now, now)

    # Changes.

    def look(self, now: timedelta) -> bool:
        """Look where something happened; True when it is not what it was when its job was last started for it."""
        whole, self._whole = self._whole or (self.verify_at is not None and self.verify_at <= now), False
        since = None
        if whole:
            since = self._seen_at.timestamp() if self._seen_at else 0.0
        self._sure |= any(spot.ambiguous(path) for path in self._named for spot in self.spots)
        fresh = False
        if not self._unseen:
            self.blind = []
        for spot in self.spots:
            if whole or spot.kind != "folder":  # what is heard of it may be that it is a folder now
                self._turn(spot)
            sight = spot.look(whole=whole, since=since)
            self.blind = list(dict.fromkeys([*self.blind, *sight.blind]))
            self._named |= sight.names
            if sight.fresh:
                fresh = True
                spot.again(sight.fresh)
        self.recheck_at = now + SETTLING if fresh else None
        took = timedelta(seconds=sum(spot.took for spot in self.spots))
        wait = max(POLLED, took * 100) if self.deaf else max(VERIFIED, took * 6_000)
        if whole or self.verify_at is None:
            self.verify_at = now + wait
        return self.digest() != self._digest or self._sure

    def verify(self, now: timedelta) -> None:
        """Look everywhere, now."""
        if self.awake and not self.level:
            self._whole, self.verify_at = True, now

    def first(self) -> bool:
        """Nothing was ever seen of these files."""
        return self._digest is None

    def digest(self) -> str:
        marks = (
            changes.mark(f"{number}", spot.digest % (1 << 64), spot.digest >> 64, spot.kind != "missing")
            for number, spot in enumerate(self.spots)
        )
        return f"{changes.total(marks):032x}"

    @property
    def folders(self) -> Iterator[str]:
        """The watched paths that are folders."""
        return (os.fspath(spot.path) for spot in self.spots if spot.kind == "folder")

    @property
    def files(self) -> int:
        return sum(spot.count for spot in self.spots)

    def seen(self, at: datetime) -> Seen:
        """What it sees now, to be remembered."""
        return Seen(job=self.job, key=self.key, digest=self.digest(), files=self.files, seen_at=at)

    def settled(self, seen: Seen) -> None:
        """That is remembered now."""
        self._digest, self._seen_at = seen.digest, seen.seen_at
        self.calm()

    def calm(self) -> None:
        """There is nothing to be told."""
        self.pending, self._sure = None, False
        self._named.clear()

    def ripe(self, now: timedelta) -> bool:
        """It has been quiet for long enough, or not been quiet for too long."""
        if self.pending is None:
            return False
        return max(self.pending.due_at(self.spec.debounce, self.spec.max_wait), self.not_before) <= now

    def cause(self) -> Mapping[str, Any]:
        """What the run is told: the watch, the first changed paths, and how many there were."""
        named = {path for path in self._named if os.path.lexists(path) or not _passing(path)}
        return {"watch": self.title, "when": "modified", "paths": changes.named(named), "count": len(named)}

    def state(self, path: str) -> Mapping[str, Any]:
        """The same, for a state that holds because of this path."""
        return {"watch": self.title, "when": self.spec.when, "paths": changes.named([path]), "count": 1}

    @property
    def title(self) -> str:
        said = self.spec.paths
        return said if isinstance(said, str) else ", ".join(said)


def _filter(spec: Watch) -> Filter:
    return Filter(globs=tuple(spec.globs), ignore=tuple(spec.ignore))


def _passing(path: str) -> bool:
    """A name under which programs write before they rename: nobody wants to hear that it is gone."""
    name = os.path.basename(path)
    return name.startswith((".", "#", "~")) or name.endswith(("~", ".tmp", ".part", ".swp", ".swx"))


def paths(spec: Watch, folder: Path) -> Iterator[Path]:
    """The watched paths: ``~`` is the home, relative ones are below the folder of jobs.yaml."""
    for text in [spec.paths] if isinstance(spec.paths, str) else spec.paths:
        yield Path(os.path.normpath(folder / os.path.expanduser(text)))


def key(spec: Watch) -> str:
    """The same for watches of the same files, however long they wait."""
    asked = spec.model_dump(mode="json", include={"paths", "globs", "ignore", "when", "recursive"})
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def _age(path: str) -> float:
    """Seconds since the last change there, as far as the file or its folder can say; 2 at most."""
    for where in (path, os.path.dirname(path)):
        try:
            found = os.lstat(where)
        except OSError:
            continue
        return min(max(time.time() - max(found.st_mtime, found.st_ctime), 0.0), 2.0)
    return 0.0
