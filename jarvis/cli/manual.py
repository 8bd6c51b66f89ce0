"""What does the page about the command line say? ``python -m jarvis.cli.manual > docs/cli.md`` writes it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from jarvis.cli.tree import EXIT_CODES, OUTLINE, jarvis

BEGINNING = """\
# The command line

This page is made from the help texts (`jarvis COMMAND --help`). `jarvis` finds the instance that is meant by
`--config` (`-c`), else `JARVIS_CONFIG`, else `./jobs.yaml`, else `~/.config/jarvis/jobs.yaml`; and its state by
`--state`, else `JARVIS_STATE`, else `settings: {state: …}`, else a folder of its own below `~/.local/state/jarvis`
(macOS: `~/Library/Application Support/jarvis`).

Every command also takes `--json` (an answer for programs, as of the [HTTP API](verbs.md)) and `--no-color`.
Instants are ISO 8601 in UTC and end in `_at`, lengths are seconds. Tables fit the terminal; in a pipe nothing is cut.
Errors are one line each on stderr.

Without a daemon, commands that only look answer from the ledger and say so on stderr; `jobs run` runs the job in the
foreground; all others exit with 4. `settings: {auto_start: true}` (or `JARVIS_AUTO_START=1`) starts the daemon instead.

`--with NAME=VALUE` is text, read as the parameter's type asks for (`warn=14d`, `port=8443`); `--with NAME:=JSON` is
for lists and mappings (`paths:='["a", "b"]'`).
"""


def text() -> str:
    """The whole page."""
    parts = [BEGINNING, _codes()]
    root = click.Context(jarvis, info_name="jarvis")
    for heading, names in OUTLINE:
        parts.append(f"## {heading}\n")
        for name in names:
            command = jarvis.get_command(root, name)
            assert command is not None
            parts += _command(click.Context(command, info_name=name, parent=root), command)
    return "\n".join(parts)


def _codes() -> str:
    rows = "".join(f"| {code} | {meaning} |\n" for code, meaning in EXIT_CODES)
    return f"## Exit codes\n\n| code | meaning |\n|---|---|\n{rows}"


def _command(ctx: click.Context, command: click.Command) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            assert inner is not None
            yield from _command(click.Context(inner, info_name=name, parent=ctx), inner)
        return
    usage = " ".join(piece for piece in command.collect_usage_pieces(ctx) if piece != "[OPTIONS]")
    yield f"### jarvis {ctx.command_path.removeprefix('jarvis ')}\n"
    yield f"`{ctx.command_path}{' ' + usage if usage else ''}`\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    if rows := list(_options(ctx, command)):
        yield "| option | meaning |\n|---|---|\n" + "".join(rows)


def _options(ctx: click.Context, command: click.Command) -> Iterator[str]:
    """Its own options; those of every command are told once, above."""
    for parameter in command.params:
        if not isinstance(parameter, click.Option) or not parameter.expose_value or parameter.hidden:
            continue
        record = parameter.get_help_record(ctx)
        assert record is not None
        words, meaning = (part.replace("|", "\\|") for part in record)
        yield f"| `{words}` | {meaning} |\n"


if __name__ == "__main__":
    print(text(), end="")
