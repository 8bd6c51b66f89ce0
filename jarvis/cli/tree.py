"""Which commands are there? Their names and where they live; each module is imported when its command is used."""

from __future__ import annotations

from importlib import import_module

import click

from jarvis.cli.asking import Command, Group
from jarvis.control.version import VERSION

OUTLINE = (
    ("Jarvis", ("up", "down", "restart", "reload", "status", "logs")),
    ("Jobs and runs", ("jobs", "runs", "events", "audit")),
    ("What to watch and what to remember", ("tickets", "rules", "memory", "cache")),
    ("How this machine was", ("pauses", "samples")),
    ("What people are told", ("alerts",)),
    ("Writing jobs.yaml", ("check", "next", "handlers", "schema")),
    ("This machine", ("instances", "install", "uninstall", "completion")),
)
"""In which order commands are shown, and under which heading."""

EXIT_CODES = (
    (0, "done; with --wait: the run succeeded"),
    (1, "refused, not found, or the run failed"),
    (2, "a mistake in the command line or in jobs.yaml"),
    (3, "Jarvis is already running for this jobs.yaml"),
    (4, "Jarvis is not running (or does not answer)"),
    (5, "the ledger cannot be read or written"),
    (6, "the run timed out"),
    (7, "the run was cancelled"),
    (8, "the run was lost: nobody saw how it ended"),
    (9, "the run was skipped or missed: it never started"),
    (130, "interrupted with Ctrl-C"),
)
"""What ``jarvis`` says to the shell."""

PLACES = {
    "up": "life:up", "down": "life:down", "restart": "life:restart", "reload": "life:reload",
    "status": "state:status", "logs": "state:logs", "jobs": "jobs:jobs", "runs": "runs:runs", "events": "events:events",
    "check": "tools:check", "next": "tools:next_", "schema": "tools:schema", "audit": "tools:audit",
    "handlers": "handlers:handlers", "install": "machine:install", "uninstall": "machine:uninstall",
    "pauses": "pauses:pauses", "samples": "samples:samples",
    "completion": "machine:completion", "alerts": "channels:alerts", "tickets": "tickets:tickets",
    "instances": "instances:instances", "rules": "rules:rules", "memory": "memory:memory", "cache": "cache:cache",
}  # fmt: skip


class Lazy(Group):
    """The commands of PLACES, imported one at a time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(PLACES)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, names in OUTLINE:
            rows = [
                (name, command.get_short_help_str(100))
                for name in names
                if (command := self.get_command(ctx, name))
            ]
            with formatter.section(heading):
                formatter.write_dl(rows)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in PLACES:
            return None
        module, _, attribute = PLACES[name].partition(":")
        found = getattr(import_module(f"jarvis.cli.{module}"), attribute)
        assert isinstance(found, Command | Group)
        return found


def _codes() -> str:
    return "\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES)


@click.group(cls=Lazy, epilog=_codes())
@click.version_option(VERSION, message="jarvis %(version)s", help="Show the version.")
def jarvis() -> None:
    """One process runs jobs.yaml, and can prove what became of every due moment.

    Start with 'jarvis up', look with 'jarvis status', 'jarvis jobs list' and 'jarvis runs list'.
    """
