"""``jarvis pauses …``: when did this machine stand still, why, and what did you make of it?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from jarvis.cli import show
from jarvis.cli.asking import Asking, Group, Known, limit_option, pass_asking

REVIEWS = ("unreviewed", "reviewed", "pinned", "dismissed")
PAUSE = Known("pauses.list", "id")


@click.group(cls=Group)
def pauses() -> None:
    """Look at pauses of this machine and what was captured of them."""


@pauses.command("list")
@click.option(
    "--review", "reviews", multiple=True, type=click.Choice(REVIEWS), help="Only these (again: or these)."
)
@click.option("--all", "everything", is_flag=True, help="Also sleeps and set clocks, which are only noted.")
@click.option("--since", metavar="WHEN", help="Only what ended after this: 2h (ago), or '2026-11-20 09:00'.")
@limit_option()
@pass_asking
def list_(asking: Asking, reviews: tuple[str, ...], everything: bool, since: str | None, limit: int) -> None:
    """Pauses and snapshots, the newest first."""
    question = {"review": list(reviews) or None, "everything": everything, "since": since, "limit": limit}
    asking.say(asking.ask("pauses.list", question), _table)


def _table(found: list[dict[str, Any]]) -> None:
    if not found:
        click.echo("No pause was noted. 'jarvis pauses status' says whether anybody looks.", err=True)
        return
    now = show.now()
    headings = ("pause", "kind", "when", "late by", "cause", "stress", "captured", "review", "what")
    show.table(headings, [_row(one, now) for one in found], right=(0, 5))


def _row(one: dict[str, Any], now: datetime) -> tuple[str, ...]:
    return (
        str(one["id"]),
        one["kind"],
        show.relative(one["until_at"], now),
        show.length(one["surplus_seconds"]),
        one["cause"] or "",
        "" if one["stress"] is None else str(one["stress"]),
        "" if one["capture"] == "none" else one["capture"],
        "" if one["review"] == "none" else one["review"],
        show.line(one["note"] or one["why"]),
    )


@pauses.command("show")
@click.argument("pause", type=PAUSE)
@pass_asking
def show_(asking: Asking, pause: int) -> None:
    """One pause: why, how the machine was, and where the evidence is."""
    asking.say(asking.ask("pauses.show", {"id": pause}), _pause)


def _pause(data: dict[str, Any]) -> None:
    now = show.now()
    kept = f"{data['capture']}{': ' + data['capture_why'] if data['capture_why'] else ''}"
    files = ", ".join(f"{one['name']} ({show.size(one['bytes'])})" for one in data["files"])
    known = {name: value for name, value in data["evidence"].items() if value is not None}
    show.fields(
        [
            (data["kind"], show.bold(str(data["id"]))),
            ("when", f"{show.local(data['until_at'])} ({show.relative(data['until_at'], now)})"),
            ("late by", _late(data)),
            ("cause", data["cause"]),
            ("why", data["why"]),
            ("stress", _stress(data)),
            ("evidence", ", ".join(f"{name} {value:g}" for name, value in known.items())),
            ("captured", None if data["capture"] == "none" else kept),
            ("directory", data["directory"]),
            ("files", files),
            ("review", None if data["review"] == "none" else data["review"]),
            ("note", data["note"]),
        ]
    )
    if data["samples"]:
        click.echo()
        show.table(HEADINGS, [_sample(one, data["until_at"]) for one in _around(data)], right=range(1, 8))


def _around(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Its samples next to it: as many before it as after it, where there are."""
    samples: list[dict[str, Any]] = data["samples"]
    until = datetime.fromisoformat(data["until_at"])
    before = sum(datetime.fromisoformat(one["at"]) < until for one in samples)
    first = max(0, min(before - SHOWN // 2, len(samples) - SHOWN))
    return samples[first : first + SHOWN]


def _stress(data: dict[str, Any]) -> str | None:
    if data["stress"] is None:
        return None
    factors = ", ".join(f"{name} {points}" for name, points in data["factors"].items() if points is not None)
    return f"{data['stress']}{' before it' if data['kind'] == 'pause' else ''} ({factors})"


SHOWN = 30
HEADINGS = ("seconds", "stress", "cpu %", "load", "free %", "memory stall %", "io stall %", "disk", "state")


def _sample(one: dict[str, Any], until: str) -> tuple[str, ...]:
    passed = (datetime.fromisoformat(one["at"]) - datetime.fromisoformat(until)).total_seconds()
    shown = ("stress", "cpu", "load", "memory_available", "stall_memory_full", "stall_io_full")
    disk = None if one["disk_read"] is None else show.size(int(one["disk_read"] + one["disk_written"])) + "/s"
    return (f"{passed:+.1f}", *(_number(one[name]) for name in shown), disk or "?", one["state"])


def _number(value: float | None) -> str:
    """Unknown is a question mark, never zero."""
    return "?" if value is None else f"{value:.1f}".removesuffix(".0")


def _late(data: dict[str, Any]) -> str | None:
    if data["surplus_seconds"] is None:
        return None
    whole, expected = show.length(data["seconds"]), show.length(data["expected_seconds"])
    return f"{show.length(data['surplus_seconds'])} ({whole} instead of {expected})"


@pauses.command()
@click.argument("pause", type=PAUSE)
@click.argument("review", metavar="REVIEW", type=click.Choice(REVIEWS))
@click.option("--note", help="A word about it; an empty one takes the old away.")
@pass_asking
def mark(asking: Asking, pause: int, review: str, note: str | None) -> None:
    """Say what you made of a pause.

    REVIEW: reviewed, pinned, dismissed, or unreviewed again.

    Reviewed and dismissed ones are forgotten after 90 days; pinned and unreviewed ones never.
    """
    said = asking.ask("pauses.mark", {"id": pause, "review": review, "note": note})
    asking.say(
        said, lambda data: click.echo(f"{data['kind'].capitalize()} {data['id']} is {data['review']} now.")
    )


@pauses.command()
@pass_asking
def status(asking: Asking) -> None:
    """Is this machine sampled, and what does it not tell?"""
    asking.say(asking.ask("pauses.status"), _status)


def _status(data: dict[str, Any]) -> None:
    now = show.now()
    last = show.relative(data["last_sample_at"], now)
    click.echo(
        "The machine is being sampled."
        if data.get("sampling")
        else "Nobody samples this machine now: that takes a job with 'run: pause_sample'."
    )
    delays = [
        f"{show.local(one['hour_at'])[4:20]}: {one['count']} of {one['from_seconds']:g} s and more, "
        f"the longest {one['longest_seconds']:.2f} s"
        for one in data["small_delays"]
    ]
    stress = data["current_stress"]
    show.fields(
        [
            ("samples", f"{data['sample_count']:,}" + (f", the last {last}" if last else "")),
            ("pauses", f"{data['event_count']}, {data['unreviewed']} unreviewed"),
            ("stress", None if stress is None else f"{stress} of 100"),
            ("elevated", f"since {show.local(data['elevated_since'])}" if data["elevated_since"] else None),
            ("unknown here", ", ".join(data["missing"])),
            ("small delays", "\n".join(delays)),
        ]
    )
