"""Somebody asked for a test message: what became of it?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from jarvis.alerts.message import Message
from jarvis.store import deliveries
from jarvis.store.database import Database
from jarvis.store.deliveries import Delivery

TITLE = "Test of a channel"
STILL = "an earlier message is still being sent; the test waits for its end"


def message(channel: str, now: datetime) -> Message:
    """What a test says."""
    body = f"This is the channel {channel} of Jarvis. Nothing is wrong; somebody asked for this message."
    return Message(title=TITLE, body=body, severity="info", kind="test", at=now)


@dataclass(kw_only=True, slots=True)
class _Trial:
    """Somebody waits for what becomes of a test message."""

    done: threading.Event = field(default_factory=threading.Event)
    said: str = ""
    accepted: bool = False


class Trials:
    """The tests that somebody waits for; any thread may ask and answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[int, _Trial] = {}

    def ask(
        self, channel: str, now: datetime, patience: timedelta, wake: Callable[[], None]
    ) -> tuple[bool, str]:
        """Put a test into the outbox and wait for its answer: was it accepted, and what was said."""
        trial, words = _Trial(), message(channel, now)
        with self._database.write() as connection:
            number = deliveries.add(
                connection,
                channel=channel,
                kind=words.kind,
                severity=words.severity,
                subject=words.title,
                body=words.body,
                now=now,
            )
            self._waiting[number] = trial
        wake()
        ended = trial.done.wait(patience.total_seconds())
        self._waiting.pop(number, None)
        return trial.accepted, trial.said if ended else STILL

    def answer(self, rows: Iterable[Delivery], said: str, *, accepted: bool) -> None:
        """Tell those who wait for one of these messages; the first answer counts."""
        for row in rows:
            if (trial := self._waiting.get(row.id)) and not trial.done.is_set():
                trial.said, trial.accepted = said, accepted
                trial.done.set()
