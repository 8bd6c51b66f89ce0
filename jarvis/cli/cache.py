"""``jarvis cache …``: what is kept for a while, and how well does it serve?"""

from __future__ import annotations

import json
from typing import Any

import click

from jarvis.cli import show
from jarvis.cli.asking import Asking, Group, pass_asking


@click.group(cls=Group)
def cache() -> None:
    """Values kept for a while: get them, set them, delete them."""


@cache.command("get")
@click.argument("key")
@pass_asking
def get(asking: Asking, key: str) -> None:
    """A value; exit code 1 when there is none. A text is printed as it is, anything else as JSON."""
    asking.say(asking.ask("cache.get", {"key": key}, quiet=True), _value)


def _value(one: dict[str, Any]) -> None:
    value = one["value"]
    click.echo(show.printable(value) if isinstance(value, str) else json.dumps(value))


@cache.command("set")
@click.argument("key")
@click.argument("value")
@click.option("--ttl", metavar="LENGTH", help="For how long: seconds, or a duration such as 15m.")
@click.option("--as-json", is_flag=True, help="VALUE is JSON (null, numbers, lists …) and not a text.")
@pass_asking
def set_(asking: Asking, key: str, value: str, ttl: str | None, as_json: bool) -> None:
    """Keep a text (or JSON), for a while or until there is no room for it."""
    data = asking.ask(
        "cache.set", {"key": key, "value": _read(value) if as_json else value, "ttl": ttl}, quiet=True
    )
    asking.say(data, lambda one: click.echo(f"{show.line(key)} is kept{_for(one['ttl'])}."))


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not JSON: {error}") from None


def _for(seconds: float | None) -> str:
    return "" if seconds is None else f" for {show.length(seconds)}"


@cache.command("delete")
@click.argument("key")
@pass_asking
def delete(asking: Asking, key: str) -> None:
    """Forget a value."""
    data = asking.ask("cache.delete", {"key": key}, quiet=True)
    asking.say(data, lambda one: click.echo(f"{show.line(key)} is deleted."))


@cache.command("clear")
@pass_asking
def clear(asking: Asking) -> None:
    """Forget all values, and begin to count anew."""
    data = asking.ask("cache.clear", quiet=True)
    asking.say(data, lambda one: click.echo(f"{show.plural(one['cleared'], 'value')} forgotten."))


@cache.command("stats")
@pass_asking
def stats(asking: Asking) -> None:
    """How many values there are, and how often was found what was asked for."""
    asking.say(asking.ask("cache.stats", quiet=True), _stats)


def _stats(one: dict[str, Any]) -> None:
    rate = "" if one["hit_rate"] is None else f" ({one['hit_rate']:.0%} found)"
    show.fields(
        [
            ("values", f"{one['entries']:,} of at most {one['limit']:,}, {show.size(one['bytes'])}"),
            ("hits", f"{one['hits']:,}{rate}"),
            ("misses", f"{one['misses']:,}"),
            ("evicted", f"{one['evictions']:,}"),
        ]
    )
