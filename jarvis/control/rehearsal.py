"""What would ``jarvis up`` do? Reads jobs.yaml and the ledger, starts and writes nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jarvis.config import load, peek
from jarvis.config.instance import Instance
from jarvis.config.load import Config
from jarvis.core import plan, schedule
from jarvis.core.plan import Plan
from jarvis.errors import Problem
from jarvis.handling import catalogue as catalogues
from jarvis.handling.catalogue import Catalogue
from jarvis.store import book
from jarvis.store.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsal:
    """What would happen: the change of the job set, what is doubtful, and each job's next fire (None: not timed)."""

    changes: Plan
    warnings: tuple[Problem, ...]
    refusal: str | None
    next_fires: tuple[tuple[str, datetime | None, str], ...]


def rehearse(instance: Instance, flags: Mapping[str, Any], now: datetime | None = None) -> Rehearsal:
    """Raises ConfigError with everything that is wrong with jobs.yaml."""
    now = now or datetime.now(UTC)
    looked = peek.peek(instance.config, environ=os.environ, flags=flags)
    instance = peek.placed(instance, looked)
    config = load.read(
        instance.config,
        handlers=Catalogue(catalogues.folders(instance.config.parent, looked.settings.handlers)),
        environ=os.environ,
        now=now,
        flags=flags,
    )
    known = _known(instance)
    changes = plan.plan(known, config.fingerprints)
    return Rehearsal(
        changes=changes,
        warnings=config.warnings,
        refusal=plan.too_many_gone(changes, len(known)) if known else None,
        next_fires=tuple(_next_fires(config, now)),
    )


def _known(instance: Instance) -> dict[str, str]:
    if not instance.ledger.exists():
        return {}
    database = Database(instance.ledger)
    try:
        with database.read() as connection:
            return {
                name: entry.fingerprint
                for name, entry in book.entries(connection).items()
                if entry.origin == "file"
            }
    finally:
        database.close()


def _next_fires(config: Config, now: datetime) -> list[tuple[str, datetime | None, str]]:
    found = []
    for name, job in config.jobs.items():
        timed = schedule.for_job(job)
        moment = timed.next(now) if timed and job.spec.enabled else None
        words = timed.explain() if timed else "no schedule"
        found.append((name, moment.at if moment else None, words if job.spec.enabled else "disabled"))
    return sorted(found, key=lambda item: (item[1] is None, item[1] or now, item[0]))
