"""``jarvis tickets …``: what is violated, and who does what about it?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from jarvis.cli import show
from jarvis.cli.asking import JOB, Asking, Group, limit_option, pass_asking

STATUSES = ("open", "acknowledged", "diagnosed", "resolved")
DONE = {
    "ack": "acknowledged", "diagnose": "diagnosed", "hold": "held: no check resolves it, and it does not alert",
    "unhold": "given back to the checks", "resolve": "resolved",
}  # fmt: skip


@click.group(cls=Group)
def tickets() -> None:
    """Look at violations, acknowledge, diagnose, hold, resolve them."""


@tickets.command("list")
@click.option(
    "--status", "statuses", multiple=True, type=click.Choice(STATUSES), help="Only these (again: or these)."
)
@click.option("--all", "everything", is_flag=True, help="Resolved ones, too.")
@click.option("--job", type=JOB, metavar="JOB", help="Only what this job checks.")
@click.option("--key", metavar="TEXT", help="Only keys with this text in them.")
@click.option("--batch", metavar="BATCH", help="Only those opened by one check, such as invariants:17.")
@click.option("--held/--not-held", default=None, help="Only held ones, or only others.")
@limit_option(100)
@pass_asking
def list_(
    asking: Asking,
    statuses: tuple[str, ...],
    everything: bool,
    job: str | None,
    key: str | None,
    batch: str | None,
    held: bool | None,
    limit: int,
) -> None:
    """Tickets that are not resolved, the newest first."""
    wanted = list(STATUSES if everything else statuses) or None
    question = {"status": wanted, "job": job, "key": key, "batch": batch, "held": held, "limit": limit}
    narrowed = bool(statuses or everything or job or key or batch) or held is not None
    asking.say(asking.ask("tickets.list", question), lambda found: _table(found, narrowed))


def _table(found: list[dict[str, Any]], narrowed: bool) -> None:
    if not found:
        none = "No ticket is open. 'jarvis tickets list --all' shows those that were resolved, too."
        click.echo("No ticket matches." if narrowed else none, err=True)
        return
    now = show.now()
    headings = ("ticket", "key", "severity", "status", "since", "seen", "job", "what")
    show.table(headings, [_row(one, now) for one in found], right=(0, 5))


def _row(one: dict[str, Any], now: datetime) -> tuple[str, ...]:
    return (
        str(one["id"]),
        show.line(one["key"]),
        show.colored(one["severity"]),
        _status(one),
        show.relative(one["first_seen_at"], now),
        str(one["count"]),
        one["scope"],
        show.line(one["message"]),
    )


def _status(one: dict[str, Any]) -> str:
    marks = [name for name in ("held", "flapping") if one[name]]
    marks += ["no longer checked"] if one["unchecked_at"] and not one["resolved_at"] else []
    return ", ".join([one["status"], *marks])


@tickets.command("show")
@click.argument("ticket", type=int)
@pass_asking
def show_(asking: Asking, ticket: int) -> None:
    """One ticket, and what became of it so far."""
    asking.say(asking.ask("tickets.show", {"id": ticket}), _ticket)


def _ticket(one: dict[str, Any]) -> None:
    now = show.now()
    numbers = ", ".join(f"{name} {value:g}" for name, value in one["snapshot"].items())
    show.fields(
        [
            ("ticket", f"{show.bold(str(one['id']))} of {show.bold(show.line(one['key']))}"),
            ("status", _status(one)),
            ("severity", show.colored(one["severity"])),
            ("message", show.line(one["message"])),
            ("diagnosis", one["diagnosis"]),
            ("violated", f"since {_at(one['first_seen_at'], now)}"),
            ("seen", f"{show.plural(one['count'], 'time')}, last {_at(one['last_seen_at'], now)}"),
            ("resolved", _at(one["resolved_at"], now)),
            ("unchecked", one["unchecked_at"] and f"since {_at(one['unchecked_at'], now)}"),
            ("numbers", numbers),
            ("checked by", f"job {one['scope']}; opened in batch {one['batch']}"),
        ]
    )  # fmt: skip
    click.echo()
    rows = [(show.local(each["at"]), each["what"], show.line(each["why"])) for each in one["history"]]
    show.table(("when", "what", "why"), rows)


def _at(at: str | None, now: datetime) -> str:
    return f"{show.local(at)}  {show.dim(show.relative(at, now))}" if at else ""


def _moved(asking: Asking, verb: str, ticket: int, **values: Any) -> None:
    said = asking.ask(f"tickets.{verb}", {"id": ticket, **values})
    asking.say(said, lambda one: click.echo(f"Ticket {one['id']} of {show.line(one['key'])}: {DONE[verb]}."))


@tickets.command("ack")
@click.argument("ticket", type=int)
@click.option("--note", default="", help="Kept with the ticket.")
@pass_asking
def ack(asking: Asking, ticket: int, note: str) -> None:
    """Say that somebody looks after it."""
    _moved(asking, "ack", ticket, note=note)


@tickets.command("diagnose")
@click.argument("ticket", type=int)
@click.argument("diagnosis")
@pass_asking
def diagnose(asking: Asking, ticket: int, diagnosis: str) -> None:
    """Say why it is so; seen again after that it opens again and keeps the diagnosis."""
    _moved(asking, "diagnose", ticket, diagnosis=diagnosis)


@tickets.command("hold")
@click.argument("ticket", type=int)
@click.option("--note", default="", help="Kept with the ticket.")
@pass_asking
def hold(asking: Asking, ticket: int, note: str) -> None:
    """Leave it alone: no check resolves or reopens it, and it does not alert."""
    _moved(asking, "hold", ticket, note=note)


@tickets.command("unhold")
@click.argument("ticket", type=int)
@click.option("--note", default="", help="Kept with the ticket.")
@pass_asking
def unhold(asking: Asking, ticket: int, note: str) -> None:
    """Give a held ticket back to the checks."""
    _moved(asking, "unhold", ticket, note=note)


@tickets.command("resolve")
@click.argument("ticket", type=int)
@click.option("--note", default="", help="Kept with the ticket.")
@pass_asking
def resolve(asking: Asking, ticket: int, note: str) -> None:
    """Say that it is over; if it is violated at the next check there is a new ticket."""
    _moved(asking, "resolve", ticket, note=note)
