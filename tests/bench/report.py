"""How are figures shown, to people as a table and to programs as JSON?"""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import asdict, dataclass

from tests.bench.figures import Figure, Measure

HEADS = ("", "measure", "ours", "theirs", "against", "score", "floor", "aim", "verdict")


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What one measure gave. ``load``: of the machine (one minute) when it began."""

    measure: Measure
    figures: list[Figure]
    load: float
    error: str = ""


def load() -> float:
    return os.getloadavg()[0]


def table(results: list[Result]) -> str:
    """One line a figure."""
    rows: list[tuple[str, ...]] = [HEADS]
    for result in results:
        name = result.measure.name
        if result.error:
            rows.append((name, result.measure.about, "", "", "", "", "", "", "could not be measured"))
        rows += [_row(name, figure) for figure in result.figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(name: str, figure: Figure) -> tuple[str, ...]:
    sign = ">=" if figure.more_is_better else "<="
    unit = figure.score_unit
    return (
        name,
        figure.what,
        _said(figure.ours, figure.unit),
        "" if figure.theirs is None else _said(figure.theirs, figure.unit),
        figure.against,
        _said(figure.score, unit),
        "" if figure.floor is None else f"{sign} {_said(figure.floor, unit)}",
        "" if figure.target is None else f"{sign} {_said(figure.target, unit)}",
        figure.verdict,
    )


def _said(value: float, unit: str) -> str:
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits}{'' if unit in ('x', '/s', '') else ' '}{unit}"


def as_json(results: list[Result], *, quick: bool) -> str:
    """Everything, with every sample and what it was measured on."""
    said = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "quick": quick,
        "measures": [
            {
                "name": result.measure.name,
                "about": result.measure.about,
                "load": result.load,
                "error": result.error or None,
                "figures": [asdict(figure) | {"verdict": figure.verdict} for figure in result.figures],
            }
            for result in results
        ],
    }
    return json.dumps(said, indent=1) + "\n"
