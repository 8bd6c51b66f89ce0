"""What did the person type, and what does the shell hear back? For every error one line on stderr and an exit code.

Only click is imported here; a command's own module is imported when that command is used.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

BROKEN_PIPE = 141
INTERRUPTED = 130
"""What a shell says of a program that SIGPIPE or SIGINT ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Nothing is ever raised, no traceback shown."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words == ["--version"]:
            from jarvis.control.version import VERSION

            print(f"jarvis {VERSION}", flush=True)
            return 0
        return _command(words)
    except KeyboardInterrupt:
        print("", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has read enough; the interpreter must not complain at its end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _command(words: list[str]) -> int:
    import click

    from jarvis.cli.tree import jarvis
    from jarvis.errors import JarvisError

    try:
        if "_JARVIS_COMPLETE" in os.environ:
            jarvis.main(words, prog_name="jarvis")
        # Not click's own main(): it makes of a broken pipe a success.
        with jarvis.make_context("jarvis", words) as ctx:
            code = jarvis.invoke(ctx)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.ClickException as error:
        _say(_usage(error))
        return error.exit_code
    except JarvisError as error:
        _say(str(error))
        return error.exit_code
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except Exception as error:
        if os.environ.get("JARVIS_DEBUG"):
            raise
        _say(f"this should not have happened: {type(error).__name__}: {error} (JARVIS_DEBUG=1 shows where)")
        return 1


def _usage(error: object) -> str:
    import click

    assert isinstance(error, click.ClickException)
    said = error.format_message().rstrip(".").replace("\n", " ").replace(". (Did", " (did")
    for theirs, ours in (("a valid integer", "a whole number"), ("a valid float", "a number")):
        said = said.replace(f"{theirs} range", ours).replace(theirs, ours)
    said = said[:1].lower() + said[1:]
    if isinstance(error, click.UsageError) and error.ctx is not None:
        said += f"; see '{error.ctx.command_path} --help'"
    return said


def _say(text: str) -> None:
    for line in text.splitlines() or [""]:
        print(f"jarvis: {line}", file=sys.stderr)
