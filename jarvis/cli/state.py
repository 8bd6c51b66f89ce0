"""``jarvis status`` and ``jarvis logs``: how is it, and what did it say?"""

from __future__ import annotations

import sys
from typing import Any

import click

from jarvis.cli import show
from jarvis.cli.asking import Asking, Command, pass_asking

SHOWN = 8
ALERT = 90
"""Columns of an alert's title; 'jarvis alerts list' has all of it."""


@click.command(cls=Command)
@pass_asking
def status(asking: Asking) -> int:
    """Is Jarvis running, is it well, what is it doing?

    Exit code 0 when it runs and nothing is wrong, 1 when it runs and something is, 4 when it does not run.
    """
    data = asking.ask("status", quiet=True)
    asking.say(data, _status)
    if not data["answers"]:
        return 4
    return 1 if data["degraded"] or not data["running"] else 0


def _status(data: dict[str, Any]) -> None:
    now = show.now()
    click.echo(_headline(data))
    for one in data["troubles"]:
        click.echo(
            show.colored(
                f"  {one['what']}: {show.line(one['why'])} (since {show.relative(one['since_at'], now)})",
                "degraded",
            )
        )
    if data["config_problems"]:
        click.echo(
            show.colored(
                "The last edit of jobs.yaml is not in force; the jobs run on as they were:", "paused"
            )
        )
        for problem in data["config_problems"]:
            click.echo(f"  {problem}")
    click.echo()
    jobs = data["jobs"]
    states = ", ".join(f"{count} {show.colored(state)}" for state, count in jobs.items() if state != "total")
    upcoming = data["next"]
    show.fields(
        [
            ("jobs", f"{jobs['total']:,}" + (f" ({states})" if states else "")),
            ("next", _next(upcoming, now) if upcoming else None),
            ("24 hours", _tally(data["last_24h"])),
            ("running", _first([_running(one, now) for one in data["running_runs"]])),
            ("waiting", _first([_waiting(one) for one in data["waiting_runs"]])),
            ("alerts", _alerting(data, now)),
            ("lately", "\n".join(_alert(one, now) for one in data["alerts"])),
            ("messages", _messages(data["messages"])),
            ("machine", _machine(data)),
            ("circuits", "\n".join(_circuit(one, now) for one in data["circuits"] if one["state"] != "closed")),
            ("backup", f"{show.relative(data['last_backup_at'], now)}" if data["last_backup_at"] else None),
            ("config", data["config"]),
            ("state", data["state"]),
            ("log", data["log"]),
        ]
    )  # fmt: skip
    for warning in data["warnings"][:5]:
        click.echo(show.dim(f"doubtful: {warning}"))


def _messages(unsent: dict[str, int]) -> str | None:
    if not unsent["dead"]:
        return None
    return show.colored(f"{unsent['dead']:,} given up: 'jarvis alerts dead'", "failed")


def _headline(data: dict[str, Any]) -> str:
    if not data["locked"]:
        return show.bold("Jarvis is not running.") + " Start it with 'jarvis up'."
    if not data["answers"]:
        said = f"Jarvis (pid {data['pid'] or 'unknown'}) holds this instance and does not answer"
        why = "it may be starting or ending" if data["running"] else "its log may say why; kill -9 is safe"
        return f"{show.colored(said, 'degraded')}: {why}."
    if not data["running"]:
        stuck = show.colored("its clock stands still", "degraded")
        return f"Jarvis (pid {data['pid']}) answers, but {stuck}; it ends itself within a minute of that."
    well = show.colored("degraded", "degraded") if data["degraded"] else show.colored("well", "ok")
    return (
        f"{show.bold('Jarvis is running')} and {well}: pid {data['pid']}, up {show.length(data['uptime_seconds'])},"
        f" version {data['version']}, time zone data {data['zones'] or 'unknown'}."
    )


def _machine(data: dict[str, Any]) -> str | None:
    """What pause sampling says, where it is at work."""
    if data["current_stress"] is None:
        return None
    since = data["elevated_since"]
    elevated = f", elevated since {show.local(since)}" if since else ""
    return f"stress {data['current_stress']} of 100{elevated}, {show.plural(data['event_count'], 'pause')} on record"


def _circuit(one: dict[str, Any], now: Any) -> str:
    """An outside service that is left alone for a while."""
    since = f" ({show.relative(one['opened_at'], now)})" if one["opened_at"] else ""
    state = show.colored(one["state"], "degraded")
    return f"{show.line(one['name'])}: {state}, {one['failures']} failures{show.dim(since)}"


def _tally(counts: dict[str, int]) -> str:
    return (
        ", ".join(f"{count:,} {show.colored(show.word(name))}" for name, count in counts.items()) or "no runs"
    )


def _running(one: dict[str, Any], now: Any) -> str:
    stopping = f", {one['stopping']}" if one["stopping"] else ""
    return f"{one['run']} {one['job']} (since {show.relative(one['started_at'], now) or 'now'}{stopping})".replace(
        " ago", ""
    )


def _waiting(one: dict[str, Any]) -> str:
    return f"{one['run']} {one['job']}: {show.line(one['why'])}"


def _first(lines: list[str]) -> str:
    more = [f"… and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join([*lines[:SHOWN], *more])


def _alerting(data: dict[str, Any], now: Any) -> str | None:
    """Only what there is: ``3 open, 2 held for a digest, quiet hours until 07:00``."""
    found = data.get("alerting") or {}
    words = {"open": "open", "acknowledged": "acknowledged", "held": "held for a digest", "queued": "being sent",
             "silences": "silences in force"}  # fmt: skip
    said = [f"{found[name]:,} {word}" for name, word in words.items() if found.get(name)]
    if data.get("is_quiet_hours"):
        said.append(f"quiet hours end {show.relative(data['quiet_until'], now)}")
    return ", ".join(said) + (": 'jarvis alerts list'" if found.get("open") else "") if said else None


def _alert(one: dict[str, Any], now: Any) -> str:
    title = show.clip(show.line(one["title"]), ALERT)
    return f"{show.colored(one['severity'])} {title} {show.dim('(' + show.relative(one['at'], now) + ')')}"


def _next(one: dict[str, Any], now: Any) -> str:
    """What is due next; while nobody runs it, it may be past."""
    when = show.relative(one["at"], now)
    return f"{one['job']} was due {when}" if when.endswith("ago") else f"{one['job']} {when}"


@click.command(cls=Command)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on, through rotation.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0, 10_000),
    metavar="N",
    default=50,
    show_default=True,
    help="How many lines; 0 with -f: only new ones.",
)
@pass_asking
def logs(asking: Asking, follow: bool, lines: int) -> None:
    """What Jarvis logged last."""
    from jarvis.control import tail

    path = asking.instance.log
    found = tail.last_lines(path, lines)
    if not found and lines and not follow:
        click.echo(f"There is no log at {path} yet.", err=True)
    asking.say(
        {"path": str(path), "lines": found},
        lambda data: click.echo("\n".join(data["lines"])) if found else None,
    )
    if follow:
        for text in tail.follow(path):
            click.echo(text, nl=False)
            sys.stdout.flush()
