"""How is an answer shown to a person? Tables that fit the terminal, times as one says them, some colour."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

COLORS = {
    "succeeded": "green", "active": "green", "running": "cyan", "ok": "green",
    "queued": "blue", "waiting": "blue", "paused": "yellow", "skipped": "yellow", "missed": "yellow",
    "cancelled": "yellow", "degraded": "red", "failed": "red", "timed out": "red", "lost": "red", "broken": "red",
    "critical": "red", "high": "red", "medium": "yellow",
    "disabled": "bright_black", "finished": "bright_black",
}  # fmt: skip
NARROWEST = 8
READABLE = 24
"""Columns below which what a row says is cut so short that it gets a line of its own."""
GAP = 2
FEW = 5
"""So many numbers of a run fit a line."""


def now() -> datetime:
    """The moment that relative times refer to."""
    return datetime.now(UTC)


def word(status: str) -> str:
    """``timed_out`` as one says it."""
    return status.replace("_", " ")


def colored(text: str, status: str | None = None) -> str:
    """A status in its colour; click takes colours out again where the output is no terminal."""
    color = COLORS.get(status or text)
    return click.style(text, fg=color) if color else text


def dim(text: str) -> str:
    return click.style(text, dim=True)


def bold(text: str) -> str:
    return click.style(text, bold=True)


def length(seconds: float | None) -> str:
    """``0.3 s``, ``45 s``, ``3 min``, ``2 h``, ``5 d``."""
    if seconds is None:
        return ""
    if seconds < 0.95:
        return f"{seconds:.2f} s"
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace(".0 ", " ")
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 5_700:
        return f"{seconds / 60:.0f} min"
    if seconds < 129_600:
        return f"{seconds / 3_600:.0f} h"
    if seconds < 63_072_000:
        return f"{seconds / 86_400:.0f} d"
    return f"{seconds / 31_557_600:.0f} years"


def relative(at: str | None, at_now: datetime) -> str:
    """``in 3 min``, ``2 h ago``, ``now``; nothing for nothing."""
    if at is None:
        return ""
    seconds = (datetime.fromisoformat(at) - at_now).total_seconds()
    if abs(seconds) < 1:
        return "now"
    said = length(round(abs(seconds)))
    return f"in {said}" if seconds > 0 else f"{said} ago"


def local(at: str | None, zone: str | None = None) -> str:
    """The clock on the wall: ``Fri 2026-11-20 09:00:00``; in the zone of that name, else in this machine's."""
    if at is None:
        return ""
    moment = datetime.fromisoformat(at)
    if zone is None:
        return moment.astimezone().strftime("%a %Y-%m-%d %H:%M:%S")
    from zoneinfo import ZoneInfo

    try:
        return moment.astimezone(ZoneInfo(zone)).strftime("%a %Y-%m-%d %H:%M:%S %Z")
    except (KeyError, ValueError):
        return moment.strftime("%a %Y-%m-%d %H:%M:%S UTC")


def due(one: dict[str, Any]) -> str:
    """A schedule in English; with its zone where it has times or days, unless the words name it already."""
    english, zone = str(one["english"]), one["timezone"]
    dated = ":" in english or " on " in english
    return f"{english} ({zone})" if zone and dated and f"({zone})" not in english else english


def size(count: int) -> str:
    """``512 B``, ``3.4 kB``, ``10 MB``."""
    number = float(count)
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 10 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 job``, ``3 jobs``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def width(text: str) -> int:
    """Columns of a terminal that the text takes, without its colours."""
    bare = click.unstyle(text) if "\033" in text else text
    if bare.isascii():
        return len(bare)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in bare
    )


def clip(text: str, most: int) -> str:
    """At most so many columns; what was longer ends with an ellipsis."""
    if width(text) <= most:
        return text
    styled = "\033" in text
    color = text[: text.index("m") + 1] if styled and text.startswith("\033") else ""
    kept, taken = "", 0
    for each in click.unstyle(text):
        taken += width(each)
        if taken > most - 1:
            break
        kept += each
    return f"{color}{kept}…" + ("\033[0m" if color else "")


def line(text: object) -> str:
    """Text from outside on one line, without anything a terminal would obey."""
    flat = " ".join(str(text).split())
    return "".join(each if each.isprintable() else "�" for each in flat)


def headline(text: str) -> str:
    """The first line of a text from outside; an ellipsis says that there are more."""
    first, *more = text.strip().splitlines() or [""]
    return line(first) + (" …" if more else "")


def gist(run: dict[str, Any]) -> str:
    """What a run brought, on a line: its reason, else its result, else the first of its numbers."""
    return headline(run["reason"] or run["result"] or "") or numbers(run["numbers"], FEW)


def numbers(values: Mapping[str, float], most: int | None = None) -> str:
    """``percent 12, seconds 0.3``; an ellipsis says that there are more than ``most``."""
    said = [f"{line(name)} {value:g}" for name, value in values.items()][:most]
    return ", ".join(said) + (" …" if len(said) < len(values) else "")


def printable(text: str) -> str:
    """What a job wrote, harmless for a terminal: colours and the carriage stay, other controls do not."""
    if not sys.stdout.isatty():
        return text
    return "".join(each if each.isprintable() or each in "\n\t\r\033" else "�" for each in text)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Print a table as wide as the terminal at most; in a pipe nothing is cut. ``right``: columns of numbers.

    Where hardly anything of the last column would be left, it stands below its row.
    """
    cells = [[heading.upper() for heading in headings], *(list(row) for row in rows)]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    if sys.stdout.isatty():
        widths = _fitting(widths, _columns(), right)
    lines = [_row(row, widths, right) for row in cells]
    if len(widths) < len(headings):
        lines = [
            f"{line}\n{_below(row[-1], widths[0])}".rstrip() for line, row in zip(lines, cells, strict=True)
        ]
    click.echo("\n".join([dim(lines[0]), *lines[1:]]))


def fits(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> bool:
    """Would ``table`` show all of it?"""
    widths = [max(map(width, column)) for column in zip(headings, *rows, strict=True)]
    return not sys.stdout.isatty() or sum(widths) + GAP * (len(widths) - 1) <= _columns()


def _below(text: str, first: int) -> str:
    """What has no room at the end of its row: a line of its own, under the second column."""
    space = " " * (min(first, NARROWEST) + GAP)
    return space + clip(text, max(_columns() - len(space), NARROWEST)) if text else ""


def room() -> int:
    """Columns for text: those of the terminal, 120 in a pipe."""
    return _columns() if sys.stdout.isatty() else 120


def _columns() -> int:
    """Of the terminal (COLUMNS says otherwise); shutil's answer would cost its import."""
    said = os.environ.get("COLUMNS", "")
    if said.isdigit() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except OSError:
        return 80


def _fitting(natural: Sequence[int], room: int, right: Sequence[int]) -> list[int]:
    """Columns for each; without the last one when there is so little room for it that it goes below."""
    fitted = _fit(natural, room)
    if fitted[-1] >= min(natural[-1], READABLE) or len(natural) - 1 in right:
        return fitted
    return _fit(natural[:-1], room)


def _fit(natural: Sequence[int], room: int) -> list[int]:
    """Take from the widest column, again and again, until all fit or nothing can be taken any more."""
    widths = list(natural)
    too_much = sum(widths) + GAP * (len(widths) - 1) - room
    while too_much > 0 and max(widths) > NARROWEST:
        widest = max(range(len(widths)), key=lambda index: widths[index])
        widths[widest] -= 1
        too_much -= 1
    return widths


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> str:
    """The cells that have a width; one more is not part of this line."""
    last = len(widths) - 1
    parts = []
    for index, (cell, room) in enumerate(zip(cells, widths, strict=False)):
        text = clip(cell, room)
        space = " " * (room - width(text))
        parts.append(space + text if index in right else text if index == last else text + space)
    return (" " * GAP).join(parts).rstrip()


def fields(pairs: Iterable[tuple[str, Any]]) -> None:
    """``name   value`` lines; what is None or empty is left out. In a terminal long values go on below themselves."""
    shown = [(name, str(value)) for name, value in pairs if value not in (None, "", [])]
    widest = max((len(name) for name, _ in shown), default=0)
    most = max(_columns() - widest - GAP, NARROWEST) if sys.stdout.isatty() else None
    for name, value in shown:
        lines = [part for each in value.splitlines() or [""] for part in _wrapped(each, most)]
        for label, each in zip([name, *[""] * len(lines)], lines, strict=False):
            click.echo(f"{dim(label.ljust(widest))}  {each}")


def _wrapped(text: str, most: int | None) -> list[str]:
    """At words, so that nothing is wider than ``most``; a word that is (a path, an address) stays whole."""
    if most is None or width(text) <= most:
        return [text]
    indent = " " * (len(text) - len(text.lstrip()))
    lines: list[str] = []
    for each in text.split():
        if lines and width(f"{lines[-1]} {each}") <= most:
            lines[-1] += f" {each}"
        else:
            lines.append(indent + each)
    return lines
