"""``jarvis check``, ``next``, ``schema``, ``audit``: what can be found out without a daemon."""

from __future__ import annotations

import json
from typing import Any

import click

from jarvis.cli import show
from jarvis.cli.asking import Asking, Command, pass_asking


@click.command(cls=Command)
@click.argument("file", required=False, type=click.Path())
@pass_asking
def check(asking: Asking, file: str | None) -> int:
    """Is jobs.yaml (or FILE) in order? All problems at once, and what the schedules mean."""
    if file:
        asking.anywhere(file)
    return report(asking, asking.alone("check"))


def report(asking: Asking, data: dict[str, Any]) -> int:
    """Say what was found; 2 when there are problems."""
    asking.say(data, _checked)
    return 0 if data["ok"] else 2


def _checked(data: dict[str, Any]) -> None:
    now = show.now()
    if data["jobs"]:
        show.table(
            ("job", "runs", "due", "next"),
            [(one["name"], one["handler"], show.due(one), _next(one, now)) for one in data["jobs"]],
        )
        click.echo()
    for one in data["jobs"]:
        if one["broken"]:
            click.echo(f"{show.colored('broken')}: {one['name']}: {one['broken']}")
    for warning in data["warnings"]:
        click.echo(f"{show.colored('doubtful', 'paused')}: {_problem(warning)}")
    for problem in data["problems"]:
        click.echo(f"{show.colored('problem', 'failed')}: {_problem(problem)}")
    if data["ok"]:
        broken = sum(bool(one["broken"]) for one in data["jobs"])
        but = f", {broken} broken" if broken else ""
        but += f", {show.plural(len(data['warnings']), 'doubt')}" if data["warnings"] else ""
        click.echo(f"{data['file']} is in order: {show.plural(data['total'], 'job')}{but}.")
    else:
        click.echo(f"{data['file']} cannot be used: {show.plural(len(data['problems']), 'problem')}.")


def _next(one: dict[str, Any], now: Any) -> str:
    return show.relative(one["next_at"], now) if one["enabled"] else show.colored("disabled")


def _problem(one: dict[str, Any]) -> str:
    from jarvis.errors import Problem

    return str(Problem(**one))


@click.command("next", cls=Command)
@click.argument("expr")
@click.option(
    "--timezone", "-z", metavar="ZONE", help="Whose clock, such as Europe/London; else this machine's."
)
@click.option(
    "-n", "--count", type=click.IntRange(1, 1000), metavar="N", default=5, show_default=True, help="How many."
)
@click.option(
    "--dst", type=click.Choice(("once", "exact", "skip")), default="once", help="What clock changes do."
)
@pass_asking
def next_(asking: Asking, expr: str, timezone: str | None, count: int, dst: str) -> None:
    """What a schedule means, and when it is due.

    EXPR: cron fields in quotes, a duration such as 15m, or a moment such as '2026-12-24 18:00'.
    """
    asking.anywhere()
    question = {"expr": expr, "timezone": timezone, "count": count, "dst": dst}
    asking.say(asking.alone("next", question), _due)


def _due(data: dict[str, Any]) -> None:
    now = show.now()
    click.echo(show.due(data))
    for one in data["moments"]:
        times = f"  {one['times']} times" if one["times"] > 1 else ""
        click.echo(
            f"  {show.local(one['at'], data['timezone'])}  {show.dim(show.relative(one['at'], now))}{times}"
        )
    if not data["moments"]:
        click.echo("  No moment is to come.")
    for warning in data["warnings"]:
        click.echo(f"{show.colored('doubtful', 'paused')}: {warning}")


@click.command(cls=Command)
@click.option("--write", is_flag=True, help="Into jobs.schema.json beside jobs.yaml, where editors find it.")
@pass_asking
def schema(asking: Asking, write: bool) -> None:
    """The JSON Schema of jobs.yaml, with the forms of your handlers."""
    instance = asking.anywhere()
    text = json.dumps(asking.alone("schema"), indent=2, ensure_ascii=False)
    if not write:
        click.echo(text)
        return
    path = instance.config.with_name("jobs.schema.json")
    part = path.with_name(path.name + ".part")
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(path)
    hint = f"begin jobs.yaml with:\n# yaml-language-server: $schema=./{path.name}"
    asking.say({"path": str(path)}, lambda data: click.echo(f"Wrote {data['path']}; {hint}"))


@click.command(cls=Command)
@click.option(
    "--since", metavar="WHEN", help="From then on: 7d (ago), or '2026-11-01 00:00'; else everything."
)
@pass_asking
def audit(asking: Asking, since: str | None) -> int:
    """Recompute what was due, and show that the ledger accounts for every moment exactly once."""
    data = asking.alone("audit", {"since": since})
    asking.say(data, _audited)
    return 0 if data["clean"] else 1


def _audited(data: dict[str, Any]) -> None:
    for one in data["violations"]:
        at = f" ({show.local(one['at'])})" if one["at"] else ""
        click.echo(f"{show.colored(one['rule'], 'failed')}: {one['job']}: {one['text']}{at}")
    if data["untold"]:
        click.echo(f"… and {data['untold']:,} more")
    click.echo(show.colored(data["said"], "ok" if data["clean"] else "failed"))
