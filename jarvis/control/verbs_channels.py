"""What can be asked about channels? Which there are, do they work, a test, and the messages that were given up."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from jarvis.alerts import channels as ways
from jarvis.alerts import trials
from jarvis.alerts.channels import Channels
from jarvis.alerts.message import NotAccepted
from jarvis.alerts.outbox import breaker_name
from jarvis.config import load
from jarvis.control import plain
from jarvis.control.desk import Desk
from jarvis.errors import NotFound, Refused, StoreError
from jarvis.store import deliveries
from jarvis.store.breakers import Breakers
from jarvis.store.breakers import State as Breaker
from jarvis.store.deliveries import Delivery, Tally

Limit = Annotated[int, Field(ge=1, le=10_000)]


def listing(desk: Desk) -> list[dict[str, Any]]:
    """The channels of jobs.yaml: do they work, what waits for them, when did they accept something last?"""
    known = _channels(desk)
    if not desk.began:
        return [_channel(desk, known, name, Tally(), None, {}) for name in known.by_name]
    with desk.database.read() as connection:
        tallies = deliveries.tallies(connection)
        errors = deliveries.last_errors(connection)
    breakers = {one.name: one for one in Breakers(desk.database).states()}
    names = [*known.by_name, *(name for name in tallies if name not in known and tallies[name].queued)]
    return [
        _channel(desk, known, name, tallies.get(name, Tally()), breakers.get(breaker_name(name)), errors)
        for name in names
    ]


def unsent(desk: Desk) -> dict[str, int]:
    """For ``status``: how many messages wait for their channels, and how many were given up."""
    if not desk.began:
        return {deliveries.WAITING: 0, deliveries.DEAD: 0}
    with desk.database.read() as connection:
        return dict(deliveries.unsent(connection))


def _channel(
    desk: Desk,
    known: Channels,
    name: str,
    tally: Tally,
    breaker: Breaker | None,
    errors: Mapping[str, str],
) -> dict[str, Any]:
    channel = known.by_name.get(name)
    open_now = breaker is not None and breaker.state != "closed"
    sending = desk.live and name in desk.app.outbox.sending()
    calm = "waiting" if tally.queued else "failing" if tally.failing else "ok"
    state = "sending" if sending else "resting" if open_now else calm
    return {
        "name": name,
        "what": ways.described(channel) if channel else "not in jobs.yaml",
        "state": state,
        "severity": channel.severity if channel else None,
        "rate_seconds": plain.seconds(channel.rate) if channel else None,
        "breaker": breaker.state if breaker else "closed",
        "failures": breaker.failures if breaker else 0,
        "opened_at": plain.instant(breaker.opened_at) if breaker else None,
        "queued": tally.queued,
        "oldest_at": plain.instant(tally.oldest_at),
        "sent": tally.sent,
        "sent_at": plain.instant(tally.sent_at),
        "dead": tally.dead,
        "error": errors.get(name),
    }


def _channels(desk: Desk) -> Channels:
    config = desk.app.config if desk.live else None
    if config is None:
        path = desk.instance.config
        config = load.read(path, handlers=desk.catalogue, environ=os.environ, now=desk.now())
    return Channels.of(config.alerts, folder=desk.instance.config.parent, environ=os.environ)


def test(desk: Desk, *, channel: str) -> dict[str, Any]:
    """Send a test message over a channel now, and say what its receiver answered.

    Through the daemon where it runs, with its environment; else from here. Rate and breaker do not hold it back.
    """
    _channels(desk).get(channel)
    began = desk.now()
    if desk.live:
        accepted, said = desk.app.outbox.test(channel)
    else:
        accepted, said = _from_here(desk, channel)
    return {
        "channel": channel,
        "accepted": accepted,
        "said": said,
        "seconds": plain.seconds(desk.now() - began),
        "by": "daemon" if desk.live else "command line",
    }


def _from_here(desk: Desk, name: str) -> tuple[bool, str]:
    try:
        return True, _channels(desk).send(name, trials.message(name, desk.now()))
    except NotAccepted as error:
        return False, str(error)


def dead(desk: Desk, *, channel: str | None = None, limit: Limit = 50) -> list[dict[str, Any]]:
    """The messages that were given up, the newest first.

    Parameters:
        channel: only this channel's
    """
    if not desk.began:
        return []
    with desk.database.read() as connection:
        return [_letter(one) for one in deliveries.dead(connection, channel=channel, limit=limit)]


def _letter(one: Delivery) -> dict[str, Any]:
    return {
        "id": one.id,
        "channel": one.channel,
        "kind": one.kind,
        "severity": one.severity,
        "subject": one.subject,
        "body": one.body,
        "run": one.run_id,
        "attempts": one.attempts,
        "created_at": plain.instant(one.created_at),
        "error": one.error,
    }


def retry(desk: Desk, *, id: int | None = None, channel: str | None = None) -> dict[str, Any]:
    """Send messages again that were given up: one of them, those of a channel, or all.

    Parameters:
        id: this message
        channel: or all of this channel
    """
    if not desk.began:
        raise StoreError(f"there is no ledger for {desk.instance.config} yet: nothing was ever sent")
    with desk.database.read() as connection:
        one = deliveries.get(connection, id) if id is not None else None
        found = deliveries.dead(connection, channel=channel, limit=10_000) if id is None else [one]
    if id is not None and one is None:
        raise NotFound(f"no message {id}: 'jarvis alerts dead' lists those that were given up")
    if one is not None and one.status != deliveries.DEAD:
        raise Refused(f"message {id} was not given up: it is {one.status}")
    with desk.database.write() as connection:
        count = deliveries.revive(connection, [each.id for each in found if each], desk.now())
    return {"retried": count, "sends": desk.live}
