"""What can be asked about events? Which arrived, what became of one; and one can be published."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from jarvis.control import plain
from jarvis.control.desk import Desk
from jarvis.control.plain import Misfit
from jarvis.control.verbs_runs import Limit, Number
from jarvis.core import triggers
from jarvis.store import events
from jarvis.store.events import Arrival, Event, Events, Unfit

Word = Literal["pending", "processed", "failed", "unmatched"]


def listing(
    desk: Desk, *, status: Word | None = None, limit: Limit = 50, before: Number | None = None
) -> list[dict[str, Any]]:
    """Events, the newest first, without their payloads.

    Parameters:
        status: only these
        before: only those older than this event: the next page
    """
    found = Events(desk.database).newest(status=status, limit=limit, before=before)
    return [_plain(one) for one in found]


def following(
    desk: Desk, *, after: Number | None = None, match: str | None = None, limit: Limit = 100
) -> dict[str, Any]:
    """Events that arrived after this one, the oldest first; without one, none, and where to go on.

    Parameters:
        after: the last event that is known
        match: only those whose source/type fits this pattern, such as github/*
    """
    stored = Events(desk.database)
    if after is None:
        newest = stored.newest(limit=1)
        return {"events": [], "next": newest[0].id if newest else 0}
    found = stored.following(after, limit)
    wanted = [one for one in found if match is None or triggers.fits(match, one.source, one.event_type)]
    return {"events": [_plain(one) for one in wanted], "next": found[-1].id if found else after}


def show(desk: Desk, *, id: Number) -> dict[str, Any]:
    """One event: its payload, and the runs that it caused."""
    one = Events(desk.database).get(id)
    with desk.database.read() as connection:
        caused = events.caused(connection, f"event:{id}", one.jobs or ())
    return _plain(one) | {
        "payload": one.payload,
        "runs": [
            {"id": run.id, "job": run.job, "attempt": run.attempt, "status": run.status, "reason": run.reason}
            for run in caused
        ],
    }


def publish(
    desk: Desk,
    *,
    source: Annotated[str, Field(min_length=1, max_length=events.NAME)],
    type: Annotated[str, Field(min_length=1, max_length=events.NAME)],
    payload: Any = None,
    key: Annotated[str, Field(min_length=1, max_length=200)] | None = None,
) -> dict[str, Any]:
    """Store an event; it fires the jobs that are on: it, at once or, without a daemon, at its next start.

    Parameters:
        source: where it comes from, such as github
        type: what happened there, such as push
        payload: any JSON value
        key: an event with this key is stored once, however often it is published
    """
    own = f"publish:{key}" if key is not None else None
    try:
        one = Arrival(source=source, event_type=type, payload=payload, key=own)
        number, new = Events(desk.database).publish(one, desk.now())
    except Unfit as error:
        raise Misfit(f"this cannot be an event: {error}") from None
    if desk.live:
        desk.app.arrivals.poke()
    return {"id": number, "source": source, "type": type, "new": new, "live": desk.live}


def _plain(one: Event) -> dict[str, Any]:
    return {
        "id": one.id,
        "source": one.source,
        "type": one.event_type,
        "status": one.status,
        "reason": one.reason,
        "received_at": plain.instant(one.received_at),
        "matched_at": plain.instant(one.matched_at),
        "processed_at": plain.instant(one.processed_at),
        "payload_bytes": one.payload_bytes,
        "file": one.file,
        "jobs": one.jobs,
    }
