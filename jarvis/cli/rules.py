"""``jarvis rules …``: what is watched, when was it told, and how is a rule added?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from jarvis.cli import show
from jarvis.cli.asking import Asking, Group, Known, pass_asking, with_option

RULE = Known("rules.list", "name")
SEVERITIES = ("info", "low", "medium", "high", "critical")
KINDS = (
    "overdue_delegation", "pending_decision", "stale_decision", "upcoming_deadline", "stale_backup", "job", "sql",
    "metric",
)  # fmt: skip


@click.group(cls=Group)
def rules() -> None:
    """What alert_eval looks at: list rules, add them, switch them off and on."""


@rules.command("list")
@pass_asking
def list_(asking: Asking) -> None:
    """All rules: of the ledger and of jobs.yaml, with the time each was told last."""
    asking.say(asking.ask("rules.list", quiet=True), _table)


def _table(found: list[dict[str, Any]]) -> None:
    if not found:
        click.echo("There are no rules: 'jarvis rules add --help' says how to add one.", err=True)
        return
    now = show.now()
    headings = ("rule", "kind", "severity", "cooldown", "told", "from", "condition")
    show.table(headings, [_row(one, now) for one in found])


def _row(one: dict[str, Any], now: datetime) -> tuple[str, ...]:
    state = "" if one["enabled"] else " (disabled)"
    return (
        show.line(one["name"]) + (show.dim(state) if state else ""),
        show.line(one["kind"]),
        show.colored(show.line(one["severity"])),
        show.line(one["cooldown"]),
        show.relative(one["told_at"], now) or "never",
        show.line(one["job"] or "ledger") + (" (hidden by jobs.yaml)" if one["hidden"] else ""),
        show.colored("broken") + f": {show.line(one['broken'])}"
        if one["broken"]
        else _condition(one["condition"]),
    )


def _condition(condition: dict[str, Any]) -> str:
    said = {name: f"{value:g}" if isinstance(value, float) else value for name, value in condition.items()}
    return show.line(", ".join(f"{name} {value}" for name, value in said.items() if value is not None))


@rules.command("show")
@click.argument("name", type=RULE)
@pass_asking
def show_(asking: Asking, name: str) -> None:
    """One rule: what it looks for, and when it was told."""
    asking.say(asking.ask("rules.show", {"name": name}, quiet=True), _rule)


def _rule(one: dict[str, Any]) -> None:
    now = show.now()
    told = f"{show.local(one['told_at'])}  {show.dim(show.relative(one['told_at'], now))}"
    show.fields(
        [
            ("rule", show.bold(show.line(one["name"]))),
            ("kind", show.line(one["kind"])),
            ("from", f"jobs.yaml, job {one['job']}" if one["job"] else "the ledger"),
            ("enabled", "yes" if one["enabled"] else "no"),
            ("broken", one["broken"] and show.line(one["broken"])),
            ("severity", show.colored(one["severity"])),
            ("cooldown", one["cooldown"]),
            ("told", told if one["told_at"] else "never"),
            *((name, show.line(value)) for name, value in one["condition"].items() if value is not None),
        ]
    )


@rules.command("add")
@click.argument("name")
@click.argument("kind", type=click.Choice(KINDS), metavar="KIND")
@with_option()
@click.option("--severity", type=click.Choice(SEVERITIES), default="medium", show_default=True)
@click.option(
    "--cooldown", metavar="LENGTH", default="4h", show_default=True, help="Told again only after this long."
)
@click.option("--disabled", is_flag=True, help="Keep it, but do not ask it yet.")
@click.option("--replace", is_flag=True, help="Put it in the place of one of the same name.")
@pass_asking
def add(
    asking: Asking,
    name: str,
    kind: str,
    values: dict[str, Any],
    severity: str,
    cooldown: str,
    disabled: bool,
    replace: bool,
) -> None:
    """Keep a rule in the ledger. KIND is overdue_delegation, pending_decision, stale_decision, upcoming_deadline,
    stale_backup, job, sql or metric; --with gives its condition.

    \b
    jarvis rules add late overdue_delegation --with days_overdue=2
    jarvis rules add no-backup job --with job=backup --with not_succeeded_for=26h --severity high
    """
    question = {
        "name": name, "kind": kind, "condition": values, "severity": severity, "cooldown": cooldown,
        "enabled": not disabled, "replace": replace,
    }  # fmt: skip
    data = asking.ask("rules.add", question, quiet=True)
    asking.say(data, lambda one: click.echo(f"Rule {one['name']} is kept ({_condition(one['condition'])})."))
    if data["warning"]:
        click.echo(f"{show.colored('doubtful', 'paused')}: {data['warning']}", err=True)


@rules.command("enable")
@click.argument("name", type=RULE)
@pass_asking
def enable(asking: Asking, name: str) -> None:
    """Ask a rule of the ledger again."""
    data = asking.ask("rules.enable", {"name": name}, quiet=True)
    asking.say(data, lambda one: click.echo(f"Rule {one['name']} is enabled."))


@rules.command("disable")
@click.argument("name", type=RULE)
@pass_asking
def disable(asking: Asking, name: str) -> None:
    """Do not ask a rule of the ledger until it is enabled."""
    data = asking.ask("rules.disable", {"name": name}, quiet=True)
    asking.say(data, lambda one: click.echo(f"Rule {one['name']} is disabled."))


@rules.command("remove")
@click.argument("name", type=RULE)
@pass_asking
def remove(asking: Asking, name: str) -> None:
    """Forget a rule of the ledger."""
    data = asking.ask("rules.remove", {"name": name}, quiet=True)
    asking.say(data, lambda one: click.echo(f"Rule {one['name']} is removed."))
