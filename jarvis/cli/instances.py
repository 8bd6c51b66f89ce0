"""``jarvis instances …``: which Jarvises does this user have, and how are they?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from jarvis.cli import life, show, starting
from jarvis.cli.asking import Asking, Group, pass_asking
from jarvis.config.instance import Instance
from jarvis.errors import JarvisError

COLORS = {"running": "ok", "stopped": "disabled", "dead": "failed", "stuck": "failed", "degraded": "degraded"}


@click.group(cls=Group)
def instances() -> None:
    """All instances of this user: list them, ask how they are, end them, start them again."""


@instances.command("list")
@pass_asking
def list_(asking: Asking) -> None:
    """All instances that ever ran here; dead ones (killed) are shown as dead."""
    from jarvis.control import verbs_instances

    asking.say(verbs_instances.every(), _table)


def _table(found: list[dict[str, Any]]) -> None:
    if not found:
        click.echo("Jarvis never ran here: start it with 'jarvis up'.", err=True)
        return
    now = show.now()
    show.table(
        ("instance", "status", "pid", "jobs", "heartbeat", "config"), [_row(one, now) for one in found]
    )


def _row(one: dict[str, Any], now: datetime) -> tuple[str, ...]:
    return (
        show.line(one["name"]),
        show.colored(one["status"], COLORS[one["status"]]),
        str(one["pid"] or ""),
        "" if one["jobs"] is None else str(one["jobs"]),
        show.relative(one["heartbeat_at"], now),
        show.line(one["config"]),
    )


@instances.command("health")
@click.argument("name", required=False)
@pass_asking
def health(asking: Asking, name: str | None) -> int:
    """How is every instance, or the one of NAME?

    Exit code 0 when each runs well or was ended properly, 1 when one is dead, stuck or degraded.
    """
    from jarvis.control import verbs_instances

    found = verbs_instances.every() if name is None else [verbs_instances.look(verbs_instances.find(name))]
    asking.say(found, _table)
    return int(any(one["status"] in ("dead", "stuck", "degraded") for one in found))


def _which() -> Callable[[Any], Any]:
    def both(command: Any) -> Any:
        named = click.argument("name", required=False)
        return named(click.option("--all", "every", is_flag=True, help="All that run.")(command))

    return both


@instances.command("stop")
@_which()
@pass_asking
def stop(asking: Asking, name: str | None, every: bool) -> int:
    """End the instance of NAME, or all. Running jobs go on, and are collected at the next start."""
    return _each(asking, name, every, "has ended", _end)


@instances.command("restart")
@_which()
@pass_asking
def restart(asking: Asking, name: str | None, every: bool) -> int:
    """End the instance of NAME and start it in the background; with --all, all that run."""
    return _each(asking, name, every, "is running again", _again)


def _each(asking: Asking, name: str | None, every: bool, done: str, act: Any) -> int:
    """One instance's trouble does not keep the others waiting."""
    from jarvis.config import siblings
    from jarvis.control import presence, verbs_instances

    if (name is None) == (not every):
        raise click.UsageError("say which one: NAME, or --all")
    chosen = [verbs_instances.find(name)] if name else [one for one in siblings.known() if presence.held(one)]
    said = []
    for one in chosen:
        try:
            said.append({"name": one.name, "pid": act(one), "error": None})
        except JarvisError as error:
            said.append({"name": one.name, "pid": None, "error": str(error)})
    asking.say(said, lambda found: _told(found, done))
    return int(any(one["error"] for one in said))


def _told(found: list[dict[str, Any]], done: str) -> None:
    if not found:
        click.echo("No instance is running.", err=True)
    for one in found:
        if one["error"]:
            click.echo(f"{show.line(one['name'])}: {one['error']}", err=True)
        else:
            click.echo(f"{show.line(one['name'])} (pid {one['pid']}) {done}.")


def _end(instance: Instance) -> int:
    return int(life.ended(_asked(instance), stop_jobs=False)["pid"])


def _again(instance: Instance) -> int:
    from jarvis.control import presence

    asking = _asked(instance)
    if presence.held(instance):
        life.ended(asking, stop_jobs=False)
    return starting.detached(instance, asking)


def _asked(instance: Instance) -> Asking:
    asking = Asking()
    asking.about(instance)
    return asking
