"""``jarvis alerts …``: what is wrong, who was told of it, and why (not)?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from jarvis.cli import show
from jarvis.cli.asking import JOB, Asking, Group, limit_option, pass_asking

SEVERITIES = ("info", "low", "medium", "high", "critical")
ALERT = click.IntRange(1)


@click.group(cls=Group)
def alerts() -> None:
    """See what is wrong and who was told; acknowledge it, or be silent for a while."""


@alerts.command("list")
@click.option(
    "--open", "which", flag_value="open", default=True, help="Problems that go on (this is the default)."
)
@click.option("--held", "which", flag_value="held", help="What is held for the next digest.")
@click.option("--silenced", "which", flag_value="silenced", help="What a silence kept from being said.")
@click.option("--all", "which", flag_value="all", help="Everything that was raised, and what became of it.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Only this bad or worse.")
@click.option("--job", type=JOB, help="Only this job's.")
@limit_option()
@pass_asking
def list_(asking: Asking, which: str, severity: str | None, job: str | None, limit: int) -> None:
    """What is wrong now."""
    question = {"which": which, "severity": severity, "job": job, "limit": limit}
    found = asking.ask("alerts.list", question)
    asking.say(found, _problems if which == "open" else _entries)


def _problems(found: list[dict[str, Any]]) -> None:
    if not found:
        click.echo("No problem is open. 'jarvis alerts list --all' shows what was raised.", err=True)
        return
    now = show.now()
    headings = ("alert", "severity", "for", "times", "told", "what")
    rows = [_problem_row(one, now, brief=False) for one in found]
    if not show.fits(headings, rows):
        rows = [_problem_row(one, now, brief=True) for one in found]
    show.table(headings, rows, right=(0, 3))


def _problem_row(one: dict[str, Any], now: datetime, *, brief: bool) -> tuple[str, ...]:
    return (
        str(one["id"]),
        show.colored(one["severity"]),
        show.relative(one["since_at"], now).removesuffix(" ago"),
        f"{one['count']:,}",
        _told(one, brief=brief),
        show.line(one["title"]),
    )


def _told(one: dict[str, Any], *, brief: bool) -> str:
    """Who was told; ``brief``: of several only the first, and how many more."""
    if one["acked_at"]:
        return "acknowledged"
    if one["count"] < one["after"]:
        return f"after {one['after']}"
    if one["silenced"]:
        return "silenced"
    if brief and len(one["told"]) > 1:
        first, *more = one["told"]
        return f"{first} +{len(more)}"
    return ", ".join(one["told"]) or show.dim("nobody")


def _entries(found: list[dict[str, Any]]) -> None:
    if not found:
        click.echo("No alert matches.", err=True)
        return
    now = show.now()
    rows = [
        (
            str(one["id"]),
            show.colored(one["severity"]),
            show.relative(one["at"], now),
            _fate(one, now),
            show.line(one["title"]),
        )
        for one in found
    ]
    show.table(("alert", "severity", "raised", "what became of it", "what"), rows, right=(0,))


def _fate(one: dict[str, Any], now: datetime) -> str:
    reason = one["why"].split(": ", 2)[-1]
    if one["verdict"] == "held":
        return f"held{_until(one['until_at'], now)}: {reason}"
    if one["verdict"] == "sent":
        return f"said to {reason}"
    unsaid = {"dropped": "not said", "silenced": "not said", "counted": "counted"}
    if one["verdict"] not in unsaid:
        return "not judged yet"
    return f"{unsaid[one['verdict']]}: {reason}"


def _until(at: str | None, now: datetime) -> str:
    """`` for another 17 s``; nothing when its time has come, or nobody knows."""
    left = show.relative(at, now)
    return f" for another {left.removeprefix('in ')}" if left.startswith("in ") else ""


@alerts.command("show")
@click.argument("alert", type=ALERT)
@pass_asking
def show_(asking: Asking, alert: int) -> None:
    """One alert: its text, its problem, and the messages about it."""
    asking.say(asking.ask("alerts.show", {"id": alert}), _show)


def _show(data: dict[str, Any]) -> None:
    now = show.now()
    problem = data["problem"]
    show.fields(
        [
            (
                "alert",
                f"{show.bold(str(data['id']))} {show.colored(data['severity'])} {show.line(data['title'])}",
            ),
            ("raised", _at(data["at"], now)),
            ("by", _by(data)),
            ("verdict", _fate(data, now)),
            *(_problem(problem, now) if problem else [("problem", "none: it happened, and it is over")]),
            ("messages", "\n".join(_message(one, now) for one in data["messages"]) or "none"),
            ("others", "\n".join(_other(one, now) for one in data["alerts"])),
        ]
    )
    if data["text"].strip() and data["text"].strip() != data["title"]:
        click.echo(f"\n{show.printable(data['text'].rstrip())}")


def _by(data: dict[str, Any]) -> str:
    run = f", run {data['run']}" if data["run"] else ""
    return f"{data['job'] or 'Jarvis itself'}{run}" + (f", key {data['key']}" if data["key"] else "")


def _problem(problem: dict[str, Any], now: datetime) -> list[tuple[str, str | None]]:
    ended = problem["ended_at"]
    told = ", ".join(f"{name} {show.relative(at, now)}" for name, at in problem["told"].items())
    note = f": {problem['ack_note']}" if problem["ack_note"] else ""
    return [
        ("since", _at(problem["since_at"], now)),
        (
            "times",
            f"{problem['count']:,}" + (f", told from {problem['after']} on" if problem["after"] > 1 else ""),
        ),
        ("told", told or "nobody"),
        ("acknowledged", _at(problem["acked_at"], now) + note if problem["acked_at"] else None),
        ("escalated", _at(problem["escalated_at"], now)),
        ("over", f"{_at(ended, now)}: {problem['ended_why']}" if ended else None),
    ]


def _at(at: str | None, now: datetime) -> str:
    return f"{show.local(at)}  {show.dim(show.relative(at, now))}" if at else ""


def _message(one: dict[str, Any], now: datetime) -> str:
    when = show.relative(one["sent_at"] or one["created_at"], now)
    error = f": {show.line(one['error'])}" if one["error"] else ""
    return f"{one['kind']} to {one['channel']}: {show.colored(one['status'])} {when}{error}"


def _other(one: dict[str, Any], now: datetime) -> str:
    return f"{one['id']} {show.relative(one['at'], now)}: {one['verdict']} {show.line(one['title'])}"


@alerts.command("why")
@click.argument("alert", type=ALERT)
@pass_asking
def why(asking: Asking, alert: int) -> None:
    """Why it was said, held or dropped, stage by stage."""
    asking.say(asking.ask("alerts.why", {"id": alert}), _why)


def _why(data: dict[str, Any]) -> None:
    click.echo(f"Alert {data['id']}: {show.line(data['title'])}")
    if not data["stages"]:
        click.echo("It is not judged yet.")
        return
    words = {"on": "goes on", "drop": "not said", "hold": "held", "send": "said"}
    rows = [
        (one["stage"], show.colored(words.get(one["answer"], one["answer"])), show.line(one["reason"]))
        for one in data["stages"]
    ]
    show.table(("stage", "answer", "because"), rows)
    left = _until(data["until_at"], show.now()) if data["verdict"] == "held" else ""
    if left:
        click.echo(f"Then, after {show.local(data['until_at'])}, a digest tells it.")


@alerts.command("ack")
@click.argument("alert", type=ALERT)
@click.option("--note", default="", help="Kept with the problem.")
@pass_asking
def ack(asking: Asking, alert: int, note: str) -> None:
    """Take care of it: no repeats, no escalation until it is over."""
    data = asking.ask("alerts.ack", {"id": alert, "note": note})
    asking.say(data, lambda one: click.echo(f"Acknowledged: {show.line(one['title'])}."))


@alerts.command("silence")
@click.option("--for", "length", required=True, metavar="LENGTH", help="How long, such as 2h.")
@click.option(
    "--match", default="*", show_default=True, metavar="GLOB", help="A pattern on job, key or title."
)
@click.option("--reason", default="", help="Kept with it.")
@pass_asking
def silence(asking: Asking, length: str, match: str, reason: str) -> None:
    """Maintenance: alerts are journalled and not said for a while."""
    data = asking.ask("alerts.silence", {"for": length, "match": match, "reason": reason})
    asking.say(data, _silenced)


def _silenced(one: dict[str, Any]) -> None:
    what = "Everything" if one["match"] == "*" else f"What matches {one['match']!r}"
    until = show.local(one["until_at"])
    click.echo(f"{what} is silent until {until}. 'jarvis alerts unsilence {one['id']}' ends that.")


@alerts.command("silences")
@pass_asking
def silences(asking: Asking) -> None:
    """The silences in force."""
    asking.say(asking.ask("alerts.silences"), _silences)


def _silences(found: list[dict[str, Any]]) -> None:
    if not found:
        click.echo("No silence is in force.", err=True)
        return
    now = show.now()
    rows = [
        (str(one["id"]), one["match"], show.relative(one["until_at"], now), show.line(one["reason"]))
        for one in found
    ]
    show.table(("silence", "match", "ends", "reason"), rows, right=(0,))


@alerts.command("unsilence")
@click.argument("silence", type=ALERT)
@pass_asking
def unsilence(asking: Asking, silence: int) -> None:
    """End a silence now."""
    asking.say(
        asking.ask("alerts.unsilence", {"id": silence}),
        lambda one: click.echo(
            f"Silence {one['id']} has ended. 'jarvis alerts list --silenced' shows what was not said."
        ),
    )
