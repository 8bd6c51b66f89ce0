"""``jarvis handlers …``: what can a job run, and what happens when it is called?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from jarvis.cli import show
from jarvis.cli.asking import HANDLER, Asking, Group, pass_asking, with_option

CODES = {"ok": 0, "skipped": 9, "timed_out": 6}


@click.group(cls=Group)
def handlers() -> None:
    """Look at handlers, and try them."""


@handlers.command("list")
@pass_asking
def list_(asking: Asking) -> None:
    """Which handlers can a job run? Your own come first; one that hides another says so."""
    asking.anywhere()
    asking.say(asking.alone("handlers.list"), _table)


def _table(found: list[dict[str, Any]]) -> None:
    show.table(("handler", "from", "what"), [(one["name"], one["origin"], _what(one)) for one in found])


def _what(one: dict[str, Any]) -> str:
    if one["broken"]:
        return f"{show.colored('broken')}: {show.line(one['broken'])}"
    hides = f" (hides {one['shadows']})" if one["shadows"] else ""
    return show.line(one["description"]) + hides


@handlers.command("show")
@click.argument("name", type=HANDLER)
@pass_asking
def show_(asking: Asking, name: str) -> None:
    """One handler: what it does, and which values it takes."""
    asking.anywhere()
    asking.say(asking.alone("handlers.show", {"name": name}), _handler)


def _handler(data: dict[str, Any]) -> None:
    click.echo(f"{show.bold(data['name'])}: {data['description']}")
    show.fields(
        [
            ("from", data["origin"]),
            ("file", data["path"]),
            ("hides", data["shadows"]),
            ("broken", data["broken"]),
            ("jobs", ", ".join(data["jobs"])),
        ]
    )
    if about := data["doc"].partition("Parameters")[0].strip():
        click.echo("\n" + click.wrap_text(about, show.room(), preserve_paragraphs=True))
    form = data["form"].get("properties", {})
    if form:
        required = data["form"].get("required", ())
        click.echo()
        show.table(
            ("with", "type", "default", "meaning"),
            [
                (field, _type(one), _given(field, one, required), one.get("description", ""))
                for field, one in form.items()
            ],
        )


def _given(field: str, one: dict[str, Any], required: Sequence[str]) -> str:
    return "(required)" if field in required else _default(one)


def _type(one: dict[str, Any]) -> str:
    if "anyOf" in one:
        return " or ".join(dict.fromkeys(_type(part) for part in one["anyOf"]))
    if "enum" in one:
        return " | ".join(map(str, one["enum"]))
    kind = one.get("format") or one.get("type") or one.get("$ref", "any").rpartition("/")[2]
    if one.get("type") == "string" and "90s" in one.get("examples", ()):
        return "duration"
    words = {
        "string": "text",
        "integer": "whole number",
        "array": "list",
        "object": "mapping",
        "null": "nothing",
    }
    return words.get(str(kind), str(kind))


def _default(one: dict[str, Any]) -> str:
    default = one.get("default")
    return default if isinstance(default, str) else json.dumps(default, ensure_ascii=False)


@handlers.command("try")
@click.argument("name", type=HANDLER)
@with_option()
@click.option(
    "--timeout", default="5m", show_default=True, metavar="DURATION", help="End it after this long."
)
@pass_asking
def try_(asking: Asking, name: str, values: dict[str, Any], timeout: str) -> int:
    """Call a handler once, for real, outside of any job: nothing is recorded, retried or remembered."""
    asking.anywhere()
    data = asking.alone("handlers.try", {"name": name, "with": values, "timeout": timeout})
    asking.say(data, _tried)
    return CODES.get(data["status"], 1)


def _tried(data: dict[str, Any]) -> None:
    status = show.colored(show.word(data["status"]), _color(data["status"]))
    alerts = [f"{show.colored(one['severity'])} {show.line(one['text'])}" for one in data["alerts"]]
    if data["output"]:
        click.echo(show.printable(data["output"]), nl=not data["output"].endswith("\n"))
    show.fields(
        [
            ("ended", f"{status} in {show.length(data['seconds'])}"),
            ("exit code", data["exit_code"] or None),
            ("result", data["result"]),
            ("numbers", ", ".join(f"{name} {value:g}" for name, value in data["numbers"].items())),
            ("memory", json.dumps(data["memory"], ensure_ascii=False) if data["memory"] else None),
            ("alerts", "\n".join(alerts)),
        ]
    )  # fmt: skip


def _color(status: str) -> str:
    return {"ok": "ok", "skipped": "skipped"}.get(status, "failed")
