"""``jarvis runs …``: what ran, how did it end, what did it write?"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from jarvis.cli import show
from jarvis.cli.asking import JOB, RUN, Asking, Group, limit_option, pass_asking

STATUSES = ("queued", "running", "succeeded", "failed", "timed_out", "cancelled", "lost", "skipped", "missed")
WELL = ("queued", "running", "succeeded")
"""What these say as their reason is why they were started, not how they ended."""
POLL = 0.2


@click.group(cls=Group)
def runs() -> None:
    """Look at runs, read their output, cancel them."""


@runs.command("list")
@click.argument("job", type=JOB, required=False)
@click.option(
    "--status", "statuses", multiple=True, type=click.Choice(STATUSES), help="Only these (again: or these)."
)
@click.option("--since", metavar="WHEN", help="Only moments after this: 2h (ago), or '2026-11-20 09:00'.")
@limit_option()
@click.option("--before", type=int, metavar="RUN", help="What follows this run in the list: the next page.")
@pass_asking
def list_(
    asking: Asking,
    job: str | None,
    statuses: tuple[str, ...],
    since: str | None,
    limit: int,
    before: int | None,
) -> None:
    """Runs, the newest first; of one JOB, or of all."""
    question = {
        "job": job,
        "status": list(statuses) or None,
        "since": since,
        "limit": limit,
        "before": before,
    }
    asking.say(asking.ask("runs.list", question), _table)


def _table(found: list[dict[str, Any]]) -> None:
    if not found:
        click.echo("No run matches.", err=True)
        return
    now = show.now()
    show.table(("run", "job", "due", "status", "took", "what"), [_row(one, now) for one in found], right=(0,))


def _row(one: dict[str, Any], now: datetime) -> tuple[str, ...]:
    again = f" (attempt {one['attempt']})" if one["attempt"] > 1 else ""
    said = (show.headline(one.get("waits") or "") or show.gist(one)) + again
    return (
        str(one["id"]),
        one["job"],
        show.relative(one["scheduled_at"], now),
        show.colored(show.word(one["status"])),
        show.length(one["seconds"]),
        said,
    )


@runs.command("show")
@click.argument("run", type=RUN)
@pass_asking
def show_(asking: Asking, run: int) -> None:
    """One run: how far it is, why it waits, how it ended."""
    asking.say(asking.ask("runs.show", {"id": run}), _run)


def _run(data: dict[str, Any]) -> None:
    now = show.now()
    others = [one for one in data["attempts"] if one["id"] != data["id"]]
    params = ", ".join(f"{name}={value}" for name, value in data["params"].items())
    numbers = show.numbers(data["numbers"])
    dropped = f", {show.size(data['output_dropped'])} of it not kept" if data["output_dropped"] else ""
    written = f"{show.size(data['output_bytes'])}{dropped}: 'jarvis runs output {data['id']}'"
    why = f": {show.line(data['reason'])}" if data["reason"] and data["status"] not in WELL else ""
    asked = [data["reason"]] if data["reason"] and data["status"] in WELL else []
    show.fields(
        [
            ("run", f"{show.bold(str(data['id']))} of {show.bold(data['job'])}"),
            ("status", show.colored(show.word(data["status"])) + why),
            ("stopping", data["stopping"]),
            ("waits", _waits(data["waiting"])),
            ("not before", _at(data["not_before"], now)),
            ("progress", _progress(data["progress"])),
            ("due", _at(data["scheduled_at"], now)),
            ("started", _at(data["started_at"], now)),
            ("ended", _at(data["ended_at"], now)),
            ("took", show.length(data["seconds"])),
            ("result", data["result"]),
            ("numbers", numbers),
            ("with", params),
            ("why", show.line(", ".join([*data["because"], *asked]))),
            ("then", "\n".join(_attempt_of(one) for one in data["asked_for"])),
            ("delivered", "\n".join(_delivery(one, now) for one in data["delivered"])),
            ("fire", f"{data['fire']}, attempt {data['attempt']}"),
            ("attempts", "\n".join(_attempt(one) for one in others)),
            ("exit code", data["exit_code"]),
            ("pid", data["pid"] if data["status"] == "running" else None),
            ("output", written if data["output_bytes"] else None),
        ]
    )  # fmt: skip
    if data["error"]:
        click.echo(f"\n{data['error'].rstrip()}")


def _at(at: str | None, now: datetime) -> str:
    return f"{show.local(at)}  {show.dim(show.relative(at, now))}" if at else ""


def _waits(waiting: dict[str, Any] | None) -> str | None:
    if not waiting:
        return None
    return f"{waiting['why']} (place {waiting['position']}, for {show.length(waiting['seconds'])})"


def _progress(said: dict[str, Any] | None) -> str | None:
    if not said:
        return None
    total = said.get("total")
    part = f"{said['done']:g} of {total:g} ({said['done'] / total:.0%})" if total else f"{said['done']:g}"
    return f"{part} {show.line(said.get('text', ''))}".rstrip()


def _attempt_of(one: dict[str, Any]) -> str:
    again = f", attempt {one['attempt']}" if one["attempt"] > 1 else ""
    return f"run {one['id']} of {one['job']}{again} {show.colored(show.word(one['status']))}"


def _attempt(one: dict[str, Any]) -> str:
    why = f": {show.line(one['reason'])}" if one["reason"] else ""
    return f"{one['attempt']}: run {one['id']} {show.colored(show.word(one['status']))}{why}"


def _delivery(one: dict[str, Any], now: datetime) -> str:
    when = show.relative(one["sent_at"] or one["created_at"], now)
    why = f": {show.line(one['error'])}" if one["error"] and one["status"] != "sent" else ""
    return f"{one['channel']}: {show.colored(one['status'])} {when}{why}"


@runs.command("output")
@click.argument("run", type=RUN)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@pass_asking
def output(asking: Asking, run: int, follow: bool) -> None:
    """What a run wrote."""
    if asking.json:
        asking.say(asking.ask("runs.output", {"id": run}), print)
        return
    for said in pieces(asking, run, follow=follow):
        click.echo(show.printable(said["text"]), nl=False)
        sys.stdout.flush()
        if said["gone"]:
            click.echo(f"The output of run {run} is not kept any more.", err=True)


def pieces(asking: Asking, run: int, *, follow: bool) -> Iterator[dict[str, Any]]:
    """The output from its beginning, piece by piece; when following, until the run has ended."""
    position = 0
    while True:
        said = asking.ask("runs.output", {"id": run, "offset": position})
        yield said
        if said["ended"] or (not follow and said["next"] == position):
            return
        if said["next"] == position:
            time.sleep(POLL)
        position = said["next"]


@runs.command("cancel")
@click.argument("run", type=RUN)
@click.option("--reason", default="", help="Kept with the run.")
@pass_asking
def cancel(asking: Asking, run: int, reason: str) -> None:
    """End a run that waits or is running; it is not tried again."""
    data = asking.ask("runs.cancel", {"id": run, "reason": reason}, within=10)
    asking.say(data, lambda one: click.echo(f"Run {run} of {one['job']}: {one['said']}."))
