"""Which jobs start because a volume was mounted? ``start: mount``, one fire for each mount.

Volumes that are there when Jarvis first looks in a boot are not news; those that came while it was restarted are.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime

from jarvis.core.run import Run, Status
from jarvis.running.clock import Clock
from jarvis.running.roster import Roster
from jarvis.running.watch import mounts
from jarvis.running.watch.mounts import MountEar, Volume
from jarvis.store import crashpoint, runs, watches
from jarvis.store.watches import Seen

KEY = "mounts"


class Mounting:
    """``jobs``: those that start on a mount. Touched by the watching thread only."""

    def __init__(
        self,
        *,
        clock: Clock,
        roster: Roster,
        boot: str,
        changed: Callable[[], None],
        mounted: Callable[[], dict[str, Volume]] = mounts.mounted,
    ) -> None:
        self.jobs: tuple[str, ...] = ()
        self._clock = clock
        self._roster = roster
        self._boot = boot
        self._changed = changed
        self._mounted = mounted
        self._ear: MountEar | None = None
        self._known: set[str] | None = None

    @property
    def folder(self) -> str | None:
        """What has to be listened to where the kernel does not tell of mounts."""
        there = self.jobs and not mounts.MOUNTINFO.exists() and os.path.isdir(mounts.VOLUMES)
        return mounts.VOLUMES if there else None

    def follow(self, jobs: tuple[str, ...], seen: Mapping[tuple[str, str], Seen], now: datetime) -> None:
        """These jobs start on a mount from now on."""
        self.jobs = jobs
        if not jobs:
            return self.close()
        if self._ear is None and mounts.MOUNTINFO.exists():
            self._ear = MountEar(self._changed)
        if self._known is None:
            last = seen.get(("", KEY))
            same = last is not None and last.digest == self._digest
            self._known = set(last.known or ()) if last is not None and same else set(self._mounted())
            self.look(now, first=not same)

    @property
    def _digest(self) -> str:
        return self._boot[:40]

    def look(self, now: datetime, *, first: bool = False) -> None:
        """Compare what is mounted with what was; start the jobs for what is new."""
        if self._known is None:
            return
        volumes = self._mounted()
        fresh = [volume for number, volume in volumes.items() if number not in self._known]
        if not first and set(volumes) == self._known:
            return
        crashpoint.here("mount.before-commit")
        with self._clock.changing() as change:
            asked = [
                (line, volume)
                for volume in fresh
                for name in self.jobs
                if (line := self._roster.lines.get(name))
                and line.entry.state == "active"
                and not line.pause_at(change.now)
            ]
            number = runs.reserve(change.connection, len(asked)) if asked else 0
            rows = [
                Run(
                    id=number + place, job=line.name, fire=f"start:mount:{uuid.uuid4().hex[:12]}", attempt=1,
                    status=Status.QUEUED, scheduled_at=change.now, queued_at=change.now,
                    definition=line.definition, cause=mounts.cause(volume),
                )
                for place, (line, volume) in enumerate(asked)
            ]  # fmt: skip
            change.released += runs.insert(change.connection, rows)
            known = sorted(number.encode("utf-8", "backslashreplace").decode() for number in volumes)
            seen = Seen(job="", key=KEY, digest=self._digest, files=len(known), known=known, seen_at=now)
            watches.keep(change.connection, seen)
        self._known = set(volumes)

    def close(self) -> None:
        """Listen no longer."""
        if self._ear is not None:
            self._ear.close()
            self._ear = None
        self._known = None
