"""Which run is it? What a handler is told of the run it is called for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class RunView:
    """The run as its handler sees it. ``fire`` names the due moment, ``attempt`` counts from 1.

    ``cause``: the event or the run that asked for it, with ``payload`` or ``status``; empty for a schedule's moments.
    """

    id: int
    job: str
    fire: str
    attempt: int = 1
    scheduled_at: datetime
    params: Mapping[str, Any] = field(default_factory=dict)
    cause: Mapping[str, Any] = field(default_factory=dict)


def view(data: Mapping[str, Any]) -> RunView:
    """A run from JSON data. Raises KeyError or ValueError when it is incomplete."""
    return RunView(
        id=int(data["id"]),
        job=data["job"],
        fire=data["fire"],
        attempt=int(data.get("attempt", 1)),
        scheduled_at=datetime.fromisoformat(data["scheduled_at"]),
        params=data.get("params") or {},
        cause=data.get("cause") or {},
    )
