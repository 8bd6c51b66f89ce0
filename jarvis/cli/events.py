"""``jarvis events …``: what arrived, what became of it, and telling Jarvis that something happened."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from typing import Any

import click

from jarvis.cli import show
from jarvis.cli.asking import Asking, Group, limit_option, pass_asking

STATUSES = ("pending", "processed", "failed", "unmatched")
POLL = 0.5
SHOWN = 20_000
"""Characters of a payload that are shown; --json has all of it."""


@click.group(cls=Group)
def events() -> None:
    """Look at events, publish one, watch them arrive."""


@events.command("list")
@click.option("--status", type=click.Choice(STATUSES), help="Only these.")
@limit_option()
@click.option("--before", type=int, metavar="EVENT", help="Only older ones than this: the next page.")
@pass_asking
def list_(asking: Asking, status: str | None, limit: int, before: int | None) -> None:
    """Events, the newest first."""
    asking.say(asking.ask("events.list", {"status": status, "limit": limit, "before": before}), _table)


def _table(found: list[dict[str, Any]]) -> None:
    if not found:
        click.echo("No such event. 'jarvis events publish SOURCE/TYPE' makes one.", err=True)
        return
    now = show.now()
    show.table(
        ("event", "what", "came", "status", "size", "jobs"), [_row(one, now) for one in found], right=(0,)
    )


def _row(one: dict[str, Any], now: datetime) -> tuple[str, ...]:
    why = f": {one['reason']}" if one["reason"] else ""
    return (
        str(one["id"]),
        show.line(f"{one['source']}/{one['type']}"),
        show.relative(one["received_at"], now),
        show.colored(one["status"]),
        show.size(one["payload_bytes"]) if one["payload_bytes"] else "",
        show.line(", ".join(one["jobs"] or ()) + why),
    )


@events.command("show")
@click.argument("event", type=int)
@pass_asking
def show_(asking: Asking, event: int) -> None:
    """One event: its payload, and the runs it caused."""
    asking.say(asking.ask("events.show", {"id": event}), _event)


def _event(one: dict[str, Any]) -> None:
    now = show.now()
    why = f": {show.line(one['reason'])}" if one["reason"] else ""
    show.fields(
        [
            ("event", f"{show.bold(str(one['id']))} {show.bold(show.line(one['source'] + '/' + one['type']))}"),
            ("status", show.colored(one["status"]) + _meaning(one) + why),
            ("came", _at(one["received_at"], now)),
            ("matched", _at(one["matched_at"], now)),
            ("done", _at(one["processed_at"], now) if one["jobs"] else None),
            ("file", one["file"]),
            ("runs", "\n".join(_run(run) for run in one["runs"])),
        ]
    )  # fmt: skip
    if one["payload"] is not None:
        text = json.dumps(one["payload"], indent=2, ensure_ascii=False)
        click.echo()
        click.echo(show.printable(text[:SHOWN]))
        if len(text) > SHOWN:
            click.echo(f"… {len(text) - SHOWN:,} characters more; --json shows all.", err=True)


def _meaning(one: dict[str, Any]) -> str:
    if one["status"] == "unmatched":
        return " (no job is on: it)"
    if one["status"] != "pending":
        return ""
    return " (its runs have not all ended)" if one["matched_at"] else " (nobody looked at it yet)"


def _at(at: str | None, now: datetime) -> str:
    return f"{show.local(at)}  {show.dim(show.relative(at, now))}" if at else ""


def _run(run: dict[str, Any]) -> str:
    again = f", attempt {run['attempt']}" if run["attempt"] > 1 else ""
    why = f": {show.line(run['reason'])}" if run["reason"] else ""
    return f"run {run['id']} of {run['job']}{again} {show.colored(show.word(run['status']))}{why}"


@events.command("publish")
@click.argument("name", metavar="SOURCE/TYPE")
@click.option("--payload", metavar="JSON", help="What it carries; - reads it from standard input.")
@click.option("--key", help="Stored once, however often an event with this key is published.")
@pass_asking
def publish(asking: Asking, name: str, payload: str | None, key: str | None) -> None:
    """Say that something happened: an event for the jobs that are on: it."""
    source, slash, kind = name.partition("/")
    if not slash or not source or not kind:
        raise click.BadParameter(
            f"{name!r} is not SOURCE/TYPE, such as github/push", param_hint="SOURCE/TYPE"
        )
    given = {"source": source, "type": kind, "payload": _payload(payload), "key": key}
    asking.say(asking.ask("events.publish", given, within=10, quiet=True), _published)


def _payload(text: str | None) -> Any:
    if text is None:
        return None
    if text == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"this is not JSON: {error}", param_hint="--payload") from None


def _published(one: dict[str, Any]) -> None:
    if not one["new"]:
        click.echo(f"Event {one['id']} was stored with this key before; nothing new is.")
        return
    click.echo(f"Event {one['id']} {show.line(one['source'])}/{show.line(one['type'])} is stored.")
    if not one["live"]:
        click.echo("Jarvis is not running; it fires its jobs at the next start.", err=True)


@events.command("tail")
@click.argument("match", metavar="[PATTERN]", required=False)
@click.option(
    "--after", type=int, metavar="EVENT", help="Begin after this event; without it, with the next one."
)
@pass_asking
def tail(asking: Asking, match: str | None, after: int | None) -> None:
    """Show events as they arrive, until Ctrl-C; with a PATTERN such as 'github/*' only those that fit it."""
    position = after
    if after is None and not asking.json and sys.stderr.isatty():
        click.echo("Waiting for events; Ctrl-C ends this.", err=True)
    while True:
        said = asking.ask("events.tail", {"after": position, "match": match}, quiet=position is not None)
        for one in said["events"]:
            click.echo(json.dumps(one) if asking.json else _arrived(one))
        sys.stdout.flush()
        if said["next"] == position:
            time.sleep(POLL)
        position = said["next"]


def _arrived(one: dict[str, Any]) -> str:
    size = f" {show.size(one['payload_bytes'])}" if one["payload_bytes"] else ""
    return (
        f"{show.local(one['received_at'])}  {one['id']}  {show.line(one['source'] + '/' + one['type'])}{size}"
    )
