"""``jarvis memory …``: who was asked to do what, what was decided, what is known?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from jarvis.cli import show
from jarvis.cli.asking import Asking, Group, limit_option, pass_asking

PRIORITIES = ("low", "medium", "high", "critical")


@click.group(cls=Group)
def memory() -> None:
    """Delegations, decisions and facts: note them, list them, end them."""


@memory.group("delegations", cls=Group)
def delegations() -> None:
    """What somebody else was asked to do."""


@delegations.command("list")
@click.option("--status", type=click.Choice(("active", "completed", "cancelled")), help="Only these.")
@limit_option(100)
@pass_asking
def delegations_list(asking: Asking, status: str | None, limit: int) -> None:
    """Delegations, those due first come first."""
    question = {"status": status, "limit": limit}
    asking.say(asking.ask("memory.delegations.list", question, quiet=True), _delegations)


def _delegations(found: list[dict[str, Any]]) -> None:
    if not found:
        click.echo("There are no delegations.", err=True)
        return
    rows = [
        (
            str(one["id"]),
            one["due_date"] or "",
            one["status"],
            show.colored(one["priority"]),
            show.line(one["delegated_to"]),
            show.line(one["task"]),
        )
        for one in found
    ]
    show.table(("id", "due", "status", "priority", "who", "what"), rows, right=(0,))


@delegations.command("add")
@click.argument("task")
@click.option("--to", required=True, metavar="NAME", help="Who was asked.")
@click.option("--due", metavar="DAY", help="The day, such as 2026-12-01.")
@click.option("--priority", type=click.Choice(PRIORITIES), default="medium", show_default=True)
@pass_asking
def delegations_add(asking: Asking, task: str, to: str, due: str | None, priority: str) -> None:
    """Note what somebody else was asked to do."""
    question = {"task": task, "to": to, "due": due, "priority": priority}
    data = asking.ask("memory.delegations.add", question, quiet=True)
    asking.say(data, lambda one: click.echo(f"Delegation {one['id']} is noted."))


@delegations.command("complete")
@click.argument("id", type=int)
@pass_asking
def delegations_complete(asking: Asking, id: int) -> None:
    """It is done."""
    _end(asking, "memory.delegations.complete", id, "Delegation")


@delegations.command("cancel")
@click.argument("id", type=int)
@pass_asking
def delegations_cancel(asking: Asking, id: int) -> None:
    """It is not wanted any more."""
    _end(asking, "memory.delegations.cancel", id, "Delegation")


@memory.group("decisions", cls=Group)
def decisions() -> None:
    """What was decided, and whether it was executed."""


@decisions.command("list")
@click.option(
    "--status", type=click.Choice(("pending_execution", "executed", "deferred", "reversed")), help="Only these."
)  # fmt: skip
@limit_option(100)
@pass_asking
def decisions_list(asking: Asking, status: str | None, limit: int) -> None:
    """Decisions, the oldest first."""
    question = {"status": status, "limit": limit}
    asking.say(asking.ask("memory.decisions.list", question, quiet=True), _decisions)


def _decisions(found: list[dict[str, Any]]) -> None:
    if not found:
        click.echo("There are no decisions.", err=True)
        return
    now = show.now()
    rows = [
        (
            str(one["id"]),
            show.relative(one["created_at"], now),
            show.word(one["status"]),
            show.line(one["decision"]),
        )
        for one in found
    ]
    show.table(("id", "made", "status", "what"), rows, right=(0,))


@decisions.command("add")
@click.argument("decision")
@pass_asking
def decisions_add(asking: Asking, decision: str) -> None:
    """Note a decision that is still to be executed."""
    data = asking.ask("memory.decisions.add", {"decision": decision}, quiet=True)
    asking.say(data, lambda one: click.echo(f"Decision {one['id']} is noted."))


@decisions.command("execute")
@click.argument("id", type=int)
@pass_asking
def decisions_execute(asking: Asking, id: int) -> None:
    """It was executed."""
    _end(asking, "memory.decisions.execute", id, "Decision")


@decisions.command("defer")
@click.argument("id", type=int)
@pass_asking
def decisions_defer(asking: Asking, id: int) -> None:
    """It is put off."""
    _end(asking, "memory.decisions.defer", id, "Decision")


@decisions.command("reverse")
@click.argument("id", type=int)
@pass_asking
def decisions_reverse(asking: Asking, id: int) -> None:
    """It does not hold any more."""
    _end(asking, "memory.decisions.reverse", id, "Decision")


def _end(asking: Asking, verb: str, number: int, what: str) -> None:
    data = asking.ask(verb, {"id": number}, quiet=True)
    asking.say(data, lambda one: click.echo(f"{what} {number} is {show.word(one['status'])}."))


@memory.group("facts", cls=Group)
def facts() -> None:
    """What is known: one value for each category and key."""


@facts.command("list")
@click.argument("category", required=False)
@limit_option(100)
@pass_asking
def facts_list(asking: Asking, category: str | None, limit: int) -> None:
    """Facts by category and key; of one CATEGORY, or all."""
    question = {"category": category, "limit": limit}
    asking.say(asking.ask("memory.facts.list", question, quiet=True), _facts)


def _facts(found: list[dict[str, Any]]) -> None:
    if not found:
        click.echo("There are no facts.", err=True)
        return
    now = show.now()
    show.table(("fact", "value", "confidence", "set"), [_fact(one, now) for one in found])


def _fact(one: dict[str, Any], now: datetime) -> tuple[str, ...]:
    name = show.line(f"{one['category']}/{one['key']}")
    return name, show.line(one["value"]), f"{one['confidence']:g}", show.relative(one["updated_at"], now)


@facts.command("get")
@click.argument("category")
@click.argument("key")
@pass_asking
def facts_get(asking: Asking, category: str, key: str) -> None:
    """What is known under CATEGORY and KEY."""
    data = asking.ask("memory.facts.get", {"category": category, "key": key}, quiet=True)
    asking.say(data, lambda one: click.echo(show.printable(one["value"])))


@facts.command("set")
@click.argument("category")
@click.argument("key")
@click.argument("value")
@click.option("--confidence", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="0 to 1.")
@pass_asking
def facts_set(asking: Asking, category: str, key: str, value: str, confidence: float) -> None:
    """Set a fact; what was known there is replaced."""
    question = {"category": category, "key": key, "value": value, "confidence": confidence}
    data = asking.ask("memory.facts.set", question, quiet=True)
    asking.say(data, lambda one: click.echo(f"{show.line(one['category'])}/{show.line(one['key'])} is set."))


@facts.command("delete")
@click.argument("category")
@click.argument("key")
@pass_asking
def facts_delete(asking: Asking, category: str, key: str) -> None:
    """Delete a fact."""
    data = asking.ask("memory.facts.delete", {"category": category, "key": key}, quiet=True)
    asking.say(data, lambda one: click.echo(f"{show.line(category)}/{show.line(key)} is deleted."))
