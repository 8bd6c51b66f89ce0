"""``jarvis install``, ``uninstall``, ``completion``: how do this machine and this shell know Jarvis?"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jarvis.cli import show
from jarvis.cli.asking import Asking, Command, pass_asking

if TYPE_CHECKING:
    from jarvis.service import Plan

SHELLS = {
    "bash": ("~/.bashrc", 'eval "$(_JARVIS_COMPLETE=bash_source jarvis)"'),
    "zsh": ("~/.zshrc", 'eval "$(_JARVIS_COMPLETE=zsh_source jarvis)"'),
    "fish": ("~/.config/fish/completions/jarvis.fish", "_JARVIS_COMPLETE=fish_source jarvis | source"),
}


@click.command(cls=Command)
@click.option("--dry-run", is_flag=True, help="Only show what would be written and run.")
@click.option(
    "--name", default="jarvis", show_default=True, help="Tells several instances of one user apart."
)
@pass_asking
def install(asking: Asking, dry_run: bool, name: str) -> None:
    """Let launchd or systemd keep Jarvis running. Safe to repeat."""
    from jarvis import service

    plan = _plan(asking, name)
    if dry_run:
        asking.say(_data(plan, plan.commands), lambda _data: _shown(plan, plan.commands, with_text=True))
        return
    steps = service.install(plan)
    asking.say({"path": str(plan.path), "steps": steps}, lambda data: _done(data["steps"], plan))


@click.command(cls=Command)
@click.option("--dry-run", is_flag=True, help="Only show what would be undone.")
@click.option("--name", default="jarvis", show_default=True, help="Which of several instances.")
@pass_asking
def uninstall(asking: Asking, dry_run: bool, name: str) -> None:
    """Undo 'jarvis install'. The ledger, the logs and jobs.yaml stay."""
    from jarvis import service

    asking.anywhere()
    plan = _plan(asking, name)
    if dry_run:
        asking.say(_data(plan, plan.undo), lambda _data: _shown(plan, plan.undo, with_text=False))
        return
    steps = service.uninstall(plan)
    asking.say({"path": str(plan.path), "steps": steps}, lambda data: _done(data["steps"], None))


def _plan(asking: Asking, name: str) -> Plan:
    from jarvis import service

    instance = asking.instance
    state: Path | None = instance.state if instance.chosen else None
    return service.plan(instance.config, name=name, state=state)


def _data(plan: Plan, commands: tuple[tuple[str, ...], ...]) -> dict[str, object]:
    return {
        "kind": plan.kind,
        "path": str(plan.path),
        "text": plan.text,
        "commands": [list(one) for one in commands],
        "notes": list(plan.notes),
    }


def _shown(plan: Plan, commands: tuple[tuple[str, ...], ...], *, with_text: bool) -> None:
    click.echo(f"{plan.path}" if with_text else f"{plan.path} would be removed")
    if with_text:
        click.echo("\n".join(f"  {line}" for line in plan.text.rstrip().splitlines()))
    for one in commands:
        click.echo(f"$ {shlex.join(one)}")
    for note in plan.notes if with_text else ():
        click.echo(show.dim(note))


def _done(steps: list[str], plan: Plan | None) -> None:
    for step in steps:
        click.echo(step)
    for note in plan.notes if plan else ():
        click.echo(show.dim(note))


@click.command(cls=Command)
@click.argument("shell", metavar="SHELL", type=click.Choice(tuple(SHELLS)))
def completion(shell: str) -> None:
    """How SHELL (bash, zsh or fish) completes commands, options, jobs, runs and handlers."""
    place, words = SHELLS[shell]
    click.echo(f"# jarvis: put this line into {place}\n{words}")
