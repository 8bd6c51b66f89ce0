"""What if an alert cannot be written down? What is wrong with Jarvis itself reaches people also without a ledger.

A trouble that lasts becomes a problem like any other while the ledger can be written. While it cannot, it goes into a
file of JSON lines, to the log and straight to the channels: once when it begins to matter, once when it is over.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from jarvis.core import alert as alerts
from jarvis.core import wording
from jarvis.core.alert import Alert
from jarvis.running.trouble import Trouble
from jarvis.store.journal import Note

log = logging.getLogger("jarvis.emergency")

ALARM = timedelta(seconds=30)
"""A trouble that lasts longer is told; a shorter one is a hiccup."""
LEDGER = frozenset({"ledger", "runs", "alerts"})
"""Troubles that mean that nothing can be written down."""
FILE_KEPT = 10_000_000

Direct = Callable[[str, str, str, datetime], None]
"""Say title, text and severity to the channels at once, without a ledger."""


class Emergencies:
    """``known``: fingerprints of open problems; ``file``: where JSON lines go; ``direct``: straight to the channels."""

    def __init__(
        self,
        *,
        troubles: Callable[[], Mapping[str, Trouble]],
        known: Callable[[], Iterable[str]],
        file: Path,
        direct: Direct | None = None,
    ) -> None:
        self._troubles = troubles
        self._known = known
        self._file = file
        self.direct = direct
        self._noted: set[str] | None = None
        self._said: set[str] = set()

    @property
    def busy(self) -> bool:
        """Whether something is wrong, or was and is not known to be over."""
        return bool(self._noted is None or self._noted or self._said or self._troubles())

    def look(self, now: datetime) -> list[Note]:
        """What is to be journalled: troubles that last, and those that are over."""
        current = self._troubles()
        if LEDGER & current.keys():
            return []
        if self._noted is None:
            self._noted = leftover(self._known())
        lasting = {what for what, one in current.items() if now - one.since_at > ALARM}
        notes = [_note(current[what], now) for what in sorted(lasting - self._noted)]
        notes += [_over(what, now) for what in sorted(self._noted - current.keys())]
        self._noted = (self._noted | lasting) & current.keys()
        return notes

    def without_ledger(self, now: datetime) -> None:
        """Tell what lasts while nothing can be written down, and that it is over."""
        current = self._troubles()
        for what in sorted(LEDGER & current.keys() - self._said):
            one = current[what]
            if now - one.since_at > ALARM:
                self._said.add(what)
                title = f"nothing can be recorded ({what}) for {wording.length(now - one.since_at)}; due jobs wait"
                self._tell(title, one.why, "critical", now)
        for what in sorted(self._said - current.keys()):
            self._said.discard(what)
            self._tell(f"Jarvis can record again ({what})", "", "high", now)

    def unjudged(self, alert: Alert, why: str) -> None:
        """An alert that the policy failed at: nobody decided whom to tell, so it is told everybody."""
        self._tell(alert.title, f"{alert.text}\n\nalert {alert.id} {why}", alert.severity, alert.at)

    def _tell(self, title: str, text: str, severity: str, now: datetime) -> None:
        log.critical("alert %s %s: %s", severity, title, text)
        self._line({"at": now.isoformat(), "severity": severity, "title": title, "text": text})
        if self.direct is not None:
            self.direct(title, text, severity, now)

    def _line(self, said: Mapping[str, str]) -> None:
        """One line of JSON; where even that cannot be written, the log has it."""
        try:
            if self._file.exists() and self._file.stat().st_size > FILE_KEPT:
                self._file.replace(self._file.with_suffix(".jsonl.1"))
            handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with open(handle, "w", encoding="utf-8") as lines:
                lines.write(json.dumps(said, ensure_ascii=False) + "\n")
        except OSError as error:
            log.error("%s cannot be written: %s", self._file, error)


def _key(what: str) -> str:
    return f"{alerts.OURS}{what}"


def _note(one: Trouble, now: datetime) -> Note:
    return Note(
        at=now,
        severity="high",
        key=_key(one.what),
        title=f"degraded: {one.what}: {one.why}",
        text=f"It was tried {one.tries} times since {one.since_at.isoformat(timespec='seconds')}.",
    )


def _over(what: str, now: datetime) -> Note:
    return Note(at=now, severity="high", key=_key(what), title=f"{what} works again", kind="recovery")


def leftover(found: Iterable[str]) -> set[str]:
    """Of fingerprints of open problems: the troubles that an earlier daemon told of."""
    ours = f":{alerts.OURS}"
    return {one.removeprefix(ours) for one in found if one.startswith(ours)}
