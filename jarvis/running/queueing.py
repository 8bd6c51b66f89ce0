"""How does a fire come into the ledger that no moment of a schedule asked for? By hand, by a service, by a change."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from jarvis.core.job import Job
from jarvis.core.run import Run, Status
from jarvis.store import runs


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is asked for. ``kind``: the first word of the fire's name; ``reason``: said until the run has one."""

    job: Job
    kind: str
    definition: int | None
    params: Mapping[str, Any] = field(default_factory=dict)
    cause: Mapping[str, Any] = field(default_factory=dict)
    not_before: datetime | None = None
    reason: str | None = None


def insert(connection: Connection, asked: Asked, now: datetime) -> Run:
    """Its row, queued; it may start when this is committed."""
    run = Run(
        id=runs.reserve(connection, 1),
        job=asked.job.name,
        fire=f"{asked.kind}:{uuid.uuid4().hex[:12]}",
        attempt=1,
        status=Status.QUEUED,
        scheduled_at=now,
        queued_at=now,
        not_before=asked.not_before,
        reason=asked.reason,
        definition=asked.definition,
        params=asked.params,
        cause=asked.cause,
    )
    runs.insert(connection, [run])
    return run
