"""Which outbox does a Jarvis have? The one that sends over the channels of jobs.yaml as it is in force."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from jarvis.alerts.channels import Channels
from jarvis.alerts.message import Message
from jarvis.alerts.outbox import Outbox
from jarvis.config import secrets
from jarvis.config.load import Config
from jarvis.core import alert
from jarvis.core.telling import Alerts
from jarvis.running.readings import Clocks
from jarvis.running.trouble import Troubles
from jarvis.store.database import Database

log = logging.getLogger("jarvis.outbox")

TROUBLE = "outbox"


class Withheld:
    """Variables of the environment that are a secret of some job or channel: no job is given them unasked.

    ``of_jobs``: those of jobs. What channels refer to is looked for once in each configuration.
    """

    def __init__(self, of_jobs: Callable[[], frozenset[str]], config: Callable[[], Config | None]) -> None:
        self._of_jobs = of_jobs
        self._config = config
        self._known: tuple[Config | None, frozenset[str]] = None, frozenset()

    def __call__(self) -> frozenset[str]:
        config, known = self._config(), self._known
        if known[0] is not config:
            known = self._known = config, _of_channels(config)
        return self._of_jobs() | known[1]


def _of_channels(config: Config | None) -> frozenset[str]:
    if config is None or not config.alerts.channels:
        return frozenset()
    written = config.alerts.model_dump(by_alias=True, include={"channels"})
    found = secrets.references(written)
    return frozenset(one.removeprefix("env:") for one in found if one.startswith("env:"))


def direct(rules: Callable[[], Alerts | None], folder: Path) -> Callable[[str, str, str, datetime], None]:
    """Says title, text and severity over all channels meant for it, without a ledger; waits for nobody."""

    def say(title: str, text: str, severity: str, at: datetime) -> None:
        alerts = rules()
        if alerts is None:
            return
        channels = Channels.of(alerts, folder=folder, environ=os.environ)
        names = [
            name for name, one in channels.by_name.items() if alert.rank(one.severity) <= alert.rank(severity)
        ]
        message = Message(title=title, body=text, severity=severity, at=at)

        def send() -> None:
            for name, error in channels.directly(names, message).items():
                if error is not None:
                    log.warning("channel %s did not take %r: %s", name, title, error)

        threading.Thread(target=send, name="jarvis-directly", daemon=True).start()

    return say


def build(
    *,
    database: Database,
    clocks: Clocks,
    troubles: Troubles,
    rules: Callable[[], Alerts | None],
    folder: Path,
) -> Outbox:
    """An outbox that is woken by every commit that wrote a message. ``rules``: None while no jobs.yaml is in force."""

    def channels() -> Channels | None:
        alerts = rules()
        return None if alerts is None else Channels.of(alerts, folder=folder, environ=os.environ)

    def trouble(why: str | None) -> None:
        if why is None:
            troubles.clear(TROUBLE)
        else:
            troubles.note(TROUBLE, why, clocks.read().wall_at)

    outbox = Outbox(database=database, channels=channels, now=lambda: clocks.read().wall_at, trouble=trouble)
    database.posted = outbox.wake
    return outbox
