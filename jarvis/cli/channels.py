"""``jarvis alerts channels|test|dead|retry``: do the channels work, and what could not be sent?"""

from __future__ import annotations

from typing import Any

import click

from jarvis.cli import show
from jarvis.cli.alerts import alerts
from jarvis.cli.asking import Asking, Known, limit_option, pass_asking

CHANNEL = Known("alerts.channels", "name")
PATIENCE = 660.0
"""Seconds: twice the longest timeout that a channel may have."""


@alerts.command("channels")
@pass_asking
def channels(asking: Asking) -> None:
    """The channels: do they work, what waits for them?"""
    asking.say(asking.ask("alerts.channels"), _table)


def _table(found: list[dict[str, Any]]) -> None:
    if not found:
        click.echo("jobs.yaml names no channel: write one under alerts: {channels: …}.", err=True)
        return
    now = show.now()
    rows = [
        (
            one["name"],
            show.line(one["what"]),
            show.colored(one["state"], {"resting": "failed", "failing": "failed"}.get(one["state"])),
            str(one["queued"]),
            str(one["dead"]),
            show.relative(one["sent_at"], now) or "never",
            show.line(one["error"] or ""),
        )
        for one in found
    ]
    show.table(
        ("channel", "what", "state", "waiting", "given up", "last success", "last error"), rows, right=(3, 4)
    )


@alerts.command("test")
@click.argument("channel", type=CHANNEL)
@pass_asking
def test(asking: Asking, channel: str) -> int:
    """Send a test message over CHANNEL now, and say what its receiver answered."""
    said = asking.ask("alerts.test", {"channel": channel}, within=PATIENCE, quiet=True)
    asking.say(said, _tested)
    return 0 if said["accepted"] else 1


def _tested(said: dict[str, Any]) -> None:
    took = show.length(said["seconds"])
    where = "" if said["by"] == "daemon" else ", sent from here because Jarvis is not running"
    if said["accepted"]:
        click.echo(f"{said['channel']} accepted it in {took}{where}: {show.line(said['said'])}.")
    else:
        click.echo(f"{said['channel']} did not accept it ({took}{where}): {show.line(said['said'])}.")


@alerts.command("dead")
@click.argument("channel", type=CHANNEL, required=False)
@limit_option()
@pass_asking
def dead(asking: Asking, channel: str | None, limit: int) -> None:
    """The messages that were given up; of one CHANNEL, or of all."""
    asking.say(asking.ask("alerts.dead", {"channel": channel, "limit": limit}), _letters)


def _letters(found: list[dict[str, Any]]) -> None:
    if not found:
        click.echo("No message was given up.", err=True)
        return
    now = show.now()
    rows = [
        (
            str(one["id"]),
            one["channel"],
            one["kind"],
            show.relative(one["created_at"], now),
            str(one["attempts"]),
            show.line(one["subject"]),
            show.line(one["error"] or ""),
        )
        for one in found
    ]
    show.table(("message", "channel", "kind", "written", "tries", "subject", "why"), rows, right=(0, 4))
    click.echo("Send them again with 'jarvis alerts retry'.", err=True)


@alerts.command("retry")
@click.argument("message", type=click.IntRange(1), required=False)
@click.option("--channel", type=CHANNEL, help="Those of this channel.")
@pass_asking
def retry(asking: Asking, message: int | None, channel: str | None) -> None:
    """Send messages again that were given up: one MESSAGE, those of a channel, or all."""
    if message is not None and channel is not None:
        raise click.UsageError("give a message or a channel, not both")
    said = asking.ask("alerts.retry", {"id": message, "channel": channel}, quiet=True)
    asking.say(said, _retried)


def _retried(said: dict[str, Any]) -> None:
    if not said["retried"]:
        click.echo("No message was given up.", err=True)
        return
    when = "now" if said["sends"] else "when Jarvis runs"
    click.echo(f"{show.plural(said['retried'], 'message')} will be sent again {when}.")
