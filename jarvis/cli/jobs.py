"""``jarvis jobs …``: which jobs are there, what are they doing, and what shall they do?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from jarvis.cli import definition, show
from jarvis.cli.asking import JOB, Asking, Group, pass_asking, with_option


@click.group(cls=Group)
def jobs() -> None:
    """Look at jobs; run, pause and switch them."""


@jobs.command("list")
@click.argument("match", default="")
@click.option("--tag", "tags", multiple=True, help="Only jobs with this tag (again: with all of them).")
@pass_asking
def list_(asking: Asking, match: str, tags: tuple[str, ...]) -> None:
    """All jobs: schedule, next fire, last run.

    MATCH: only names with this in them, or like this pattern ('back*').
    """
    data = asking.ask("jobs.list", {"match": match or None, "tags": list(tags) or None})
    asking.say(data, lambda found: _table(found, match or tags))


def _table(found: list[dict[str, Any]], chosen: object) -> None:
    if not found:
        click.echo(
            "No job matches." if chosen else "There are no jobs yet: write some into jobs.yaml.", err=True
        )
        return
    now = show.now()
    show.table(
        ("job", "state", "schedule", "next", "last"),
        [(one["name"], _state(one), one["schedule"], _next(one, now), _last(one, now)) for one in found],
    )


def _state(one: dict[str, Any]) -> str:
    if one["state"] == "active" and one["running"]:
        return show.colored("running")
    if one["state"] == "active" and one["waiting"]:
        return show.colored("waiting")
    return show.colored(one["state"])


def _next(one: dict[str, Any], now: datetime) -> str:
    if one["state"] == "paused":
        until = show.relative(one["paused_until_at"], now)
        return f"resumes {until}" if until else "when resumed"
    return show.relative(one["next_at"], now)


def _last(one: dict[str, Any], now: datetime) -> str:
    if one["state"] == "broken":
        return show.line(one["why"])
    last = one["last"]
    if last is None:
        return ""
    when = last["ended_at"] or last["started_at"] or last["scheduled_at"]
    bad = last["status"] not in ("succeeded", "running") and last["reason"]
    why = f": {show.line(last['reason'])}" if bad else ""
    return f"{show.colored(show.word(last['status']))} {show.relative(when, now)}{why}"


@jobs.command("show")
@click.argument("name", type=JOB)
@pass_asking
def show_(asking: Asking, name: str) -> None:
    """One job: its definition, its next fires, its last runs."""
    asking.say(asking.ask("jobs.show", {"name": name}), _job)


def _job(data: dict[str, Any]) -> None:
    now, zone = show.now(), data["timezone"]
    rules = data["rules"] or {}
    place = f"{data['file']}:{data['line']}" if data["file"] else None
    show.fields(
        [
            ("job", show.bold(data["name"])),
            ("", data["description"]),
            ("state", show.colored(data["state"]) + (f" ({show.line(data['why'])})" if data["why"] else "")),
            ("resumes", show.local(data["paused_until_at"])),
            ("problem", data["problem"]),
            ("due", show.due(data).replace("; ", "\n")),
            ("next", "\n".join(_moment(one["at"], zone, now) for one in data["upcoming"])),
            ("runs", data["handler"]),
            ("rules", ", ".join(_rules(rules))),
            ("tags", ", ".join(data["tags"])),
            ("defined", place),
            ("running", "\n".join(f"run {one['id']} since {show.local(one['started_at'])}" for one in data["running"])),
            ("waiting", "\n".join(f"run {one['run']}: {one['why']}" for one in data["waiting"])),
        ]
    )  # fmt: skip
    click.echo(f"\n{show.dim('definition')}")
    for line in definition.lines(data["definition"]):
        click.echo(f"  {line}")
    if data["runs"]:
        click.echo()
        _entries(data["runs"])


def _moment(at: str, zone: str | None, now: datetime) -> str:
    return f"{show.local(at, zone)}  {show.dim(show.relative(at, now))}"


def _rules(rules: dict[str, Any]) -> list[str]:
    said = [f"timeout {rules['timeout']}" if rules.get("timeout") else "no timeout"]
    if retry := rules.get("retry"):
        said.append(f"retried {show.plural(retry['times'], 'time')}")
    said += [
        f"{name.replace('_', ' ')} {rules[name]}"
        for name in ("overlap", "catch_up", "misfire_grace")
        if rules.get(name)
    ]
    return said if rules else []


@jobs.command("next")
@click.argument("name", type=JOB)
@click.option(
    "-n", "--count", type=click.IntRange(1, 1000), metavar="N", default=5, show_default=True, help="How many."
)
@pass_asking
def next_(asking: Asking, name: str, count: int) -> None:
    """When a job is due next."""
    asking.say(asking.ask("jobs.next", {"name": name, "count": count}), _upcoming)


def _upcoming(data: dict[str, Any]) -> None:
    now = show.now()
    why = f" ({show.line(data['why'])})" if data["why"] else ""
    click.echo(f"{show.due(data)}; {show.colored(data['state'])}{why}")
    for one in data["moments"]:
        times = f"  {one['times']} times" if one["times"] > 1 else ""
        click.echo(f"  {_moment(one['at'], data['timezone'], now)}{times}")
    if not data["moments"]:
        click.echo("  No moment is to come.")


@jobs.command("history")
@click.argument("name", type=JOB)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, 1000),
    metavar="N",
    default=20,
    show_default=True,
    help="How many entries.",
)
@pass_asking
def history(asking: Asking, name: str, limit: int) -> None:
    """What became of a job's moments: runs, and moments that were missed or skipped together."""
    data = asking.ask("jobs.history", {"name": name, "limit": limit})
    asking.say(
        data, lambda found: _entries(found) if found else click.echo(f"{name} has no history yet.", err=True)
    )


def _entries(found: list[dict[str, Any]]) -> None:
    now = show.now()
    show.table(
        ("run", "due", "status", "took", "what"),
        [_span(one, now) if one["kind"] == "span" else _run(one, now) for one in found],
        right=(0,),
    )


def _run(one: dict[str, Any], now: datetime) -> tuple[str, ...]:
    again = f" (attempt {one['attempt']})" if one["attempt"] > 1 else ""
    said = show.gist(one) + again
    return (
        str(one["id"]),
        show.relative(one["scheduled_at"], now),
        _word(one["status"]),
        show.length(one["seconds"]),
        said,
    )


def _span(one: dict[str, Any], now: datetime) -> tuple[str, ...]:
    return (
        f"{one['count']:,}×",
        show.relative(one["from_at"], now),
        _word(one["status"]),
        "",
        show.line(one["reason"]),
    )


def _word(status: str) -> str:
    return show.colored(show.word(status))


@jobs.command("run")
@click.argument("name", type=JOB)
@with_option()
@click.option(
    "--wait", is_flag=True, help="Follow it to its end, retries included; the exit code says how it ended."
)
@click.option("--output", is_flag=True, help="Show what it writes meanwhile (with --wait).")
@click.option("--deliver/--no-deliver", default=None, help="Deliver its result or not, whatever it says.")
@pass_asking
def run(
    asking: Asking, name: str, values: dict[str, Any], wait: bool, output: bool, deliver: bool | None
) -> int:
    """Run a job now; its schedule does not move.

    Without a daemon it runs here, in the foreground. A program gets --with NAME=VALUE as JARVIS_WITH_NAME.
    """
    from jarvis.cli import following
    from jarvis.errors import NotRunning

    try:
        data = asking.ask("jobs.run", {"name": name, "with": values, "deliver": deliver})
    except NotRunning:
        return following.here(asking, name, values, deliver=deliver)
    if not wait:
        asking.say(
            data,
            lambda one: click.echo(f"Run {one['id']} of {name} is queued: 'jarvis runs show {one['id']}'."),
        )
        return 0
    return following.follow(asking, data, output=output)


@jobs.command("pause")
@click.argument("name", type=JOB)
@click.option("--for", "length", metavar="DURATION", help="For how long, such as 2h.")
@click.option("--until", metavar="MOMENT", help="Or until when, such as '2026-12-24 18:00'.")
@click.option("--reason", default="", help="Shown wherever it is asked why nothing ran.")
@pass_asking
def pause(asking: Asking, name: str, length: str | None, until: str | None, reason: str) -> None:
    """Skip a job's moments from now on. A run that is going on goes on."""
    data = asking.ask("jobs.pause", {"name": name, "for": length, "until": until, "reason": reason})
    asking.say(data, lambda one: click.echo(f"{name} is paused {_until(one)}."))


def _until(one: dict[str, Any]) -> str:
    at = one["paused_until_at"]
    return f"until {show.local(at)}" if at else f"until 'jarvis jobs resume {one['name']}'"


@jobs.command("resume")
@click.argument("name", type=JOB)
@pass_asking
def resume(asking: Asking, name: str) -> None:
    """End a job's pause."""
    asking.say(
        asking.ask("jobs.resume", {"name": name}), lambda one: click.echo(f"{name} goes on{_due(one)}.")
    )


@jobs.command("enable")
@click.argument("name", type=JOB)
@pass_asking
def enable(asking: Asking, name: str) -> None:
    """Switch a job on, whatever its 'enabled:' says."""
    asking.say(
        asking.ask("jobs.enable", {"name": name}), lambda one: click.echo(f"{name} is enabled{_due(one)}.")
    )


@jobs.command("disable")
@click.argument("name", type=JOB)
@pass_asking
def disable(asking: Asking, name: str) -> None:
    """Switch a job off: nothing of it is due until it is enabled again."""
    asking.say(asking.ask("jobs.disable", {"name": name}), lambda one: click.echo(f"{name} is disabled."))


def _due(one: dict[str, Any]) -> str:
    return f"; next {show.relative(one['next_at'], show.now())}" if one["next_at"] else ""
