"""``jarvis samples …``: how was this machine in the last hours?"""

from __future__ import annotations

import csv
import json
import sys
from typing import Any

import click

from jarvis.cli import show
from jarvis.cli.asking import Asking, Group, pass_asking
from jarvis.core.stress import COLUMNS

LINES = 48
"""Of the table for people; json and csv have every sample."""


@click.group(cls=Group)
def samples() -> None:
    """Look at the samples of this machine."""


@samples.command()
@click.option(
    "-H", "--hours", type=click.FloatRange(0, 24 * 366, min_open=True), default=24.0, show_default=True,
    metavar="N", help="Of the last N hours.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(("table", "json", "csv")), default="table", show_default=True,
    help="A table of means for people, or every sample.",
)  # fmt: skip
@pass_asking
def history(asking: Asking, hours: float, form: str) -> None:
    """How stressed was this machine, and by what?"""
    if form == "table" and not asking.json:
        found = asking.alone("samples.history", {"hours": hours, "every": hours * 3_600 / LINES})
        _table(found)
        return
    found = asking.alone("samples.history", {"hours": hours})
    if form == "csv":
        _csv(found)
    else:
        json.dump(found, sys.stdout)
        click.echo()


def _table(found: list[dict[str, Any]]) -> None:
    if not found:
        click.echo("There are no samples of that time.", err=True)
        return
    headings = (
        "from",
        "looks",
        "stress",
        "most",
        "cpu %",
        "load",
        "free %",
        "io stall %",
        "disk",
        "network",
    )
    show.table(headings, [_row(one) for one in found], right=range(1, 10))


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    numbers = [
        one[name] for name in ("stress", "stress_highest", "cpu", "load", "memory_available", "stall_io_full")
    ]
    return (
        show.local(one["at"])[9:],
        str(one["samples"]),
        *("?" if value is None else f"{value:.1f}".removesuffix(".0") for value in numbers),
        _rate(one["disk_read"], one["disk_written"]),
        _rate(one["net_received"], one["net_sent"]),
    )


def _rate(*parts: float | None) -> str:
    known = [part for part in parts if part is not None]
    return f"{show.size(int(sum(known)))}/s" if known else "?"


def _csv(found: list[dict[str, Any]]) -> None:
    """With a heading, also when there is nothing below it; what is unknown is empty."""
    writer = csv.DictWriter(sys.stdout, fieldnames=COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
