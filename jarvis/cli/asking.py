"""Whom does a command ask, and what are the options that every command has?"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from jarvis.config import instance as instances
from jarvis.config.instance import Instance
from jarvis.control import client
from jarvis.errors import NotRunning


class Asking:
    """What the options said, and the way to the daemon."""

    def __init__(self) -> None:
        self.config: str | None = None
        self.state: str | None = None
        self.json = False
        self.color: bool | None = None if not os.environ.get("NO_COLOR") else False
        self._found: Instance | None = None

    @property
    def instance(self) -> Instance:
        """The instance that is meant. Raises ConfigError when there is no such jobs.yaml."""
        if self._found is None:
            self._found = instances.find(self.config, self.state)
        return self._found

    def about(self, instance: Instance) -> None:
        """It is this instance that is meant, whatever the options say."""
        self._found = instance

    def anywhere(self, config: str | None = None) -> Instance:
        """The same, also where there is no jobs.yaml (yet); ``config`` is another file to be taken for it."""
        self._found = instances.find(config or self.config, self.state, must_exist=False)
        return self._found

    def ask(
        self,
        verb: str,
        values: Mapping[str, Any] | None = None,
        *,
        within: float = client.PATIENCE,
        quiet: bool = False,
    ) -> Any:
        """Ask the daemon. Without one, what only reads is answered by the ledger, and that is said on stderr."""
        given = {name: value for name, value in (values or {}).items() if value is not None}
        try:
            return client.call(self.instance, verb, given, within=within)
        except NotRunning as error:
            if self._started():
                return client.call(self.instance, verb, given, within=within)
            return self._remembered(verb, given, error, quiet)

    def _remembered(self, verb: str, values: Mapping[str, Any], error: NotRunning, quiet: bool) -> Any:
        from jarvis.control import verbs
        from jarvis.control.desk import Desk

        if not verbs.find(verb).offline:
            raise error
        if verbs.find(verb).begins:
            from jarvis.control import beginning

            beginning.begin(self.instance)
        desk = Desk.alone(self.instance)
        said = verbs.ask(desk, verb, values)
        what = "the ledger" if desk.began else "jobs.yaml"
        why = "Jarvis does not answer" if "did not answer" in str(error) else "Jarvis is not running"
        if not quiet:
            click.echo(f"{why}; this is what {what} says.", err=True)
        return said

    def alone(self, verb: str, values: Mapping[str, Any] | None = None) -> Any:
        """Answer in this process: what takes long and needs no daemon."""
        from jarvis.control import verbs
        from jarvis.control.desk import Desk

        given = {name: value for name, value in (values or {}).items() if value is not None}
        return verbs.ask(Desk.alone(self.instance), verb, given)

    def _started(self) -> bool:
        """Start the daemon when ``settings: {auto_start: true}`` (or JARVIS_AUTO_START) asks for it."""
        written = self.instance.config
        if "JARVIS_AUTO_START" not in os.environ and b"auto_start" not in _content(written):
            return False
        from jarvis.cli import starting
        from jarvis.config import peek

        looked = peek.peek(written, environ=os.environ, flags={})
        if not looked.settings.auto_start:
            return False
        self._found = peek.placed(self.instance, looked)
        starting.detached(self._found, self)
        return True

    def say(self, data: Any, people: Callable[[Any], None]) -> None:
        """JSON when it was asked for, else what is for people."""
        if self.json:
            click.echo(json.dumps(data, indent=2, ensure_ascii=not _unicode()))
        else:
            people(data)


def _content(path: os.PathLike[str]) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


pass_asking = click.make_pass_decorator(Asking, ensure=True)


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def keep(ctx: click.Context, _parameter: click.Parameter, value: Any) -> Any:
        if value not in (None, False):
            setattr(ctx.ensure_object(Asking), name, value)
        return value

    return keep


def _no_color(ctx: click.Context, _parameter: click.Parameter, value: bool) -> bool:
    if value:
        ctx.ensure_object(Asking).color = False
    if ctx.ensure_object(Asking).color is False:
        ctx.color = False
    return value


def everywhere() -> list[click.Parameter]:
    """The options of every command."""
    return [
        click.Option(
            ["--config", "-c"], metavar="FILE", expose_value=False, callback=_keep("config"),
            help="The jobs.yaml that is meant (JARVIS_CONFIG).",
        ),
        click.Option(
            ["--state"], metavar="FOLDER", expose_value=False, callback=_keep("state"),
            help="The folder of its state (JARVIS_STATE).",
        ),
        click.Option(
            ["--json"], is_flag=True, expose_value=False, callback=_keep("json"), help="Answer with JSON.",
        ),
        click.Option(
            ["--no-color"], is_flag=True, expose_value=False, callback=_no_color, help="No colours (NO_COLOR).",
        ),
    ]  # fmt: skip


SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Command(click.Command):
    """A command that has the options of every command."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["context_settings"] = SETTINGS | (kwargs.get("context_settings") or {})
        super().__init__(*args, **kwargs)
        self.params += everywhere()


class Group(click.Group):
    """A group whose commands have them, too."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["context_settings"] = SETTINGS | (kwargs.get("context_settings") or {})
        super().__init__(*args, **kwargs)
        self.params += everywhere()

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are written."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """An unknown command is told together with the nearest one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if error.ctx is None or not args or args[0].startswith("-"):
                raise
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise click.UsageError(f"there is no command {args[0]!r}{hint}", ctx) from None


def pairs(_ctx: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """``key=text`` and ``key:=JSON`` as values."""
    values: dict[str, Any] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not equals or not name.rstrip(":"):
            raise click.BadParameter(f"{one!r} is not NAME=VALUE (or NAME:=JSON)")
        if not name.endswith(":"):
            values[name] = text
            continue
        try:
            values[name[:-1]] = json.loads(text)
        except ValueError as error:
            raise click.BadParameter(f"{one!r}: what follows := is not JSON: {error}") from None
    return values


def with_option() -> Callable[[Any], Any]:
    """``--with NAME=VALUE``, any number of times."""
    return click.option(
        "--with", "values", multiple=True, metavar="NAME=VALUE", callback=pairs,
        help="A value for a parameter, read as its type asks for (NAME:=JSON for lists and mappings).",
    )  # fmt: skip


def limit_option(default: int = 20) -> Callable[[Any], Any]:
    """``--limit N``: how many rows of a list."""
    return click.option(
        "-n", "--limit", type=click.IntRange(1, 10_000), metavar="N", default=default, show_default=True,
        help="How many.",
    )  # fmt: skip


class Known(click.ParamType[Any]):
    """A name that the shell can complete by asking Jarvis."""

    def __init__(self, verb: str, field: str) -> None:
        self.name = {"name": "text", "id": "integer"}[field]
        self._verb, self._field = verb, field

    def convert(self, value: Any, parameter: click.Parameter | None, ctx: click.Context | None) -> Any:
        return click.INT.convert(value, parameter, ctx) if self._field == "id" else value

    def shell_complete(
        self, ctx: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        from click.shell_completion import CompletionItem

        asking = ctx.ensure_object(Asking)
        asking.config, asking.state = ctx.params.get("config"), ctx.params.get("state")
        try:
            found = client.call(asking.anywhere(), self._verb, within=1.0)
        except NotRunning:
            found = asking.alone(self._verb)
        said = [(str(one[self._field]), one.get("description") or one.get("job")) for one in found]
        return [CompletionItem(name, help=about) for name, about in said if name.startswith(incomplete)]


JOB = Known("jobs.list", "name")
RUN = Known("runs.list", "id")
HANDLER = Known("handlers.list", "name")
