"""What became of each job the last time, and which outside services are left alone just now?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from jarvis.control import plain
from jarvis.control.desk import Desk
from jarvis.control.verbs_jobs import state_of
from jarvis.store import queries
from jarvis.store.breakers import Breakers

MOST = 500
"""So many jobs are listed, by name; 'jarvis jobs list' lists them all."""


def jobs(desk: Desk, now: datetime) -> list[dict[str, Any]]:
    """Each job with its state, its last run and its next moment."""
    lines = [line for _, line in sorted(desk.lines.items())[:MOST]]
    last: dict[str, queries.Last] = {}
    if desk.began:
        with desk.database.read() as connection:
            last = queries.last_runs(connection, [line.name for line in lines])
    return [
        {
            "job": line.name,
            "state": state_of(desk, line, now)[0],
            "last_run": _run(last.get(line.name)),
            "next_at": plain.instant(line.next_at),
        }
        for line in lines
    ]


def _run(last: queries.Last | None) -> dict[str, Any] | None:
    if last is None:
        return None
    return {
        "run": last.id,
        "status": last.status,
        "at": plain.instant(last.started_at),
        "reason": last.reason,
    }


def circuits(desk: Desk) -> list[dict[str, Any]]:
    """The breakers of outside services: closed, open or half-open."""
    if not desk.began:
        return []
    return [
        {
            "name": one.name,
            "state": one.state,
            "failures": one.failures,
            "opened_at": plain.instant(one.opened_at),
            "changed_at": plain.instant(one.changed_at),
        }
        for one in Breakers(desk.database).states()
    ]
