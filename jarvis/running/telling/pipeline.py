"""Of what is the alert pipeline made? Who judges, who sends, and who looks for what nobody else would raise."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime

from jarvis.alerts.dispatch import Dispatcher
from jarvis.alerts.outbox import Outbox
from jarvis.config import zone
from jarvis.config.instance import Instance
from jarvis.core import alert as alerts
from jarvis.core.telling import Alerts
from jarvis.running.conductor import Conductor
from jarvis.running.readings import Clocks
from jarvis.running.roster import Roster
from jarvis.running.telling import posting
from jarvis.running.telling.emergencies import Emergencies
from jarvis.running.telling.lateness import Lateness
from jarvis.running.trouble import Troubles
from jarvis.store import docket
from jarvis.store.database import Database

FILE = "alerts.jsonl"


def build(
    *,
    database: Database,
    clocks: Clocks,
    troubles: Troubles,
    roster: Roster,
    conductor: Callable[[], Conductor],
    rules: Callable[[], Alerts | None],
    instance: Instance,
) -> tuple[Dispatcher, Outbox]:
    """The dispatcher of one instance, woken by every commit that put something into the journal; and its outbox.

    ``rules``: None while no jobs.yaml is in force.
    """
    folder = instance.config.parent
    outbox = posting.build(database=database, clocks=clocks, troubles=troubles, rules=rules, folder=folder)
    emergencies = Emergencies(
        troubles=troubles.current,
        known=lambda: _open(database),
        file=instance.state / FILE,
        direct=posting.direct(rules, folder),
    )

    def known_rules() -> Alerts:
        return rules() or Alerts()

    lateness = Lateness(
        database=database,
        lines=lambda: roster.lines.copy(),
        floor=lambda: conductor().floor,
        rules=known_rules,
    )
    dispatcher = Dispatcher(
        database=database,
        now=lambda: clocks.read().wall_at,
        rules=known_rules,
        zone=zone.local(os.environ)[0],
        said=outbox.wake,
        trouble=lambda why: _trouble(troubles, emergencies, why, clocks.read().wall_at),
        unjudged=emergencies.unjudged,
        opened=lambda known: conductor().afflicted.add(known),
        looks=(emergencies.look, lateness.look),
        busy=lambda: emergencies.busy or lateness.busy,
    )
    database.alerted = dispatcher.wake
    troubles.heard = dispatcher.wake
    return dispatcher, outbox


def _open(database: Database) -> set[str]:
    with database.read() as connection:
        return {alerts.fingerprint(job, key) for job, key in docket.troubled(connection)}


def _trouble(troubles: Troubles, emergencies: Emergencies, why: str | None, now: datetime) -> None:
    """Judging works (None) or not; and what cannot be written down is said all the same."""
    if why is None:
        troubles.clear("alerts")
    else:
        troubles.note("alerts", why, now)
    emergencies.without_ledger(now)
