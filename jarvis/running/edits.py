"""What does jobs.yaml say now, and may that become the truth? What cannot be used changes nothing and is told."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jarvis.alerts import schemes
from jarvis.config import load
from jarvis.config.instance import Instance
from jarvis.config.load import Config
from jarvis.core import alert as alerts
from jarvis.core import plan
from jarvis.core.plan import Plan
from jarvis.errors import ConfigError, Refused, StoreError
from jarvis.handling.catalogue import Catalogue
from jarvis.running import preparing
from jarvis.running.readings import Clocks
from jarvis.running.roster import Roster
from jarvis.running.trouble import Troubles
from jarvis.store import docket, journal
from jarvis.store.database import Database
from jarvis.store.journal import Note

log = logging.getLogger("jarvis.edits")

RUNS_ON = "the jobs run on as they were"


class Edits:
    """jobs.yaml and the handlers, read again and again. ``taken`` is called with each Config that became the truth.

    ``config``: the last one that did; ``problems``: why the newest edit did not.
    """

    def __init__(
        self,
        *,
        instance: Instance,
        flags: Mapping[str, Any],
        catalogue: Catalogue,
        roster: Roster,
        database: Database,
        clocks: Clocks,
        troubles: Troubles,
        taken: Callable[[Config], None],
    ) -> None:
        self.config: Config | None = None
        self.problems: tuple[str, ...] = ()
        self._instance = instance
        self._flags = flags
        self._catalogue = catalogue
        self._roster = roster
        self._database = database
        self._clocks = clocks
        self._troubles = troubles
        self._taken = taken
        self._schemes: set[str] = set()
        # The watcher, a signal and a verb may ask at the same time.
        self._reading = threading.RLock()

    def first(self) -> Config | None:
        """The file at start; None when it cannot be used but the ledger knows jobs to run on with.

        Raises ConfigError when there is nothing to run.
        """
        try:
            self.config = self._read()
        except ConfigError as error:
            if not self._roster.lines:
                raise
            self._refuse(error)
        return self.config

    def begin(self, *, new: bool) -> None:
        """Make the first reading the truth; ``new``: the ledger knows no jobs yet, so that none can disappear.

        An edit made while Jarvis was down that would need a word first waits for it; the stored jobs run on.
        """
        if self.config is None:
            return
        try:
            self.take(self.config, confirm=new)
        except Refused as error:
            self._note("medium", "the edit of jobs.yaml was not taken over", str(error))

    def look_again(self) -> bool:
        """Files changed: read them again. False: the ledger could not take it; ask again."""
        try:
            self._look_again()
        except StoreError as error:
            self._troubles.note("reload", str(error), self._clocks.read().wall_at)
            return False
        self._troubles.clear("reload")
        return True

    def _look_again(self) -> None:
        try:
            self.reload(confirm=False)
        except ConfigError as error:
            self._refuse(error)
        except Refused as error:
            self._note("medium", "the edit of jobs.yaml was not taken over", str(error))

    def reload(self, *, confirm: bool) -> Plan:
        """Make jobs.yaml as it is now the truth. Raises ConfigError or Refused; then nothing changed."""
        with self._reading:
            self._catalogue.refresh()
            return self.take(self._read(), confirm=confirm)

    def take(self, config: Config, *, confirm: bool) -> Plan:
        """Make these jobs the timetable's. Raises Refused when too many would disappear without ``confirm``."""
        changes = self._roster.compare(config.fingerprints)
        refusal = plan.too_many_gone(changes, len(self._roster.fingerprints()))
        if refusal and not confirm:
            self.problems = (refusal,)
            raise Refused(refusal)
        self._roster.mark_broken(config.broken)
        self._roster.apply(changes, config.jobs)
        self._catalogue.load(preparing.called(line.entry for line in self._roster.lines.copy().values()))
        config.jobs.forget()
        self.config, self.problems = config, ()
        self._recovered(changes)
        self._taken(config)
        self._look_at_channels(config)
        if not changes.empty:
            log.info("jobs.yaml: %s", changes)
        fresh = {*changes.added, *changes.changed}
        for doubt in config.warnings:
            if doubt.job in fresh:
                log.warning("doubtful: %s", doubt)
        return changes

    def _recovered(self, changes: Plan) -> None:
        """What this edit ended: that one before could not be used, problems with what it changed or took away."""
        now = self._clocks.read().wall_at
        edited = {*changes.added, *changes.changed}

        def over(connection: docket.Transaction) -> list[Note]:
            return [
                Note(at=now, severity="info", key=key, job=job or None, title=why, kind="recovery")
                for job, key, why in _over(docket.troubled(connection), edited, set(changes.removed))
            ]

        with self._database.read() as connection:
            if not over(connection):
                return
        with self._database.write() as connection:
            journal.add(connection, over(connection))

    def _look_at_channels(self, config: Config) -> None:
        """Doubt schemes that Apprise does not know, when channels changed; nobody waits for that."""
        known, self._schemes = self._schemes, {seed.text for seed in config.schemes}
        if self._schemes <= known:
            return

        def look() -> None:
            found = schemes.doubts(config)
            for doubt in found:
                log.warning("doubtful: %s", doubt)
            with self._reading:
                if found and self.config is config:
                    self.config = replace(config, warnings=(*config.warnings, *found))

        threading.Thread(target=look, name="jarvis-schemes", daemon=True).start()

    def files(self) -> list[Path]:
        """Every file that was read."""
        return list(self.config.files) if self.config else [self._instance.config]

    def folders(self) -> list[Path]:
        """Included folders: a new file in one of them is an edit."""
        return list(self.config.folders) if self.config else []

    def _read(self) -> Config:
        return load.read(
            self._instance.config,
            handlers=self._catalogue,
            environ=os.environ,
            now=datetime.now(UTC),
            flags=self._flags,
            cache=self._instance.cache,
            mark=self._catalogue.fingerprint,
        )

    def _refuse(self, error: ConfigError) -> None:
        self.problems = tuple(map(str, error.problems))
        self._note("high", f"the edit of jobs.yaml cannot be used; {RUNS_ON}", str(error))

    def _note(self, severity: str, title: str, text: str) -> None:
        log.warning("alert %s %s\n%s", severity, title, text)
        note = Note(at=self._clocks.read().wall_at, severity=severity, key="reload", title=title, text=text)
        with self._database.write() as connection:
            journal.add(connection, [note])


def _over(
    found: Iterable[tuple[str, str]], edited: set[str], removed: set[str]
) -> Iterator[tuple[str, str, str]]:
    """Job (none: Jarvis itself), key and why, of each open problem (job, key) that an edit ends."""
    for job, key in sorted(found):
        if not job and key == "reload":
            yield "", key, "jobs.yaml can be used again"
        elif job in removed:
            yield job, key, "the job was removed from jobs.yaml"
        elif job in edited and key == alerts.UNUSABLE:
            yield job, key, "its definition was edited"
