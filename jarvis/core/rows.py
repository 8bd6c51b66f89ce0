"""What becomes of the rows of a table that two sides changed? Rows as JSON lines, merged by their keys."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Row = Mapping[str, Any]
Rows = Mapping[str, Row]
"""Rows by the text of their key."""

Prefer = Literal["stop", "local", "remote"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Merged:
    """``conflicts``: keys whose rows both sides changed, each in its own way; what was not preferred is left out."""

    rows: Rows
    conflicts: tuple[str, ...] = ()


def key_of(row: Row, columns: Sequence[str]) -> str:
    """The text of a row's key. Raises ValueError when it has none."""
    try:
        return json.dumps([row[column] for column in columns], sort_keys=True, ensure_ascii=False)
    except KeyError as error:
        raise ValueError(f"a row has no {error.args[0]!r}, which is part of its key") from None


def keyed(rows: Iterable[Row], columns: Sequence[str]) -> dict[str, Row]:
    """Rows by their keys. Raises ValueError when two have the same or one has none."""
    found: dict[str, Row] = {}
    for row in rows:
        key = key_of(row, columns)
        if key in found:
            raise ValueError(f"two rows have the key {key}")
        found[key] = row
    return found


def parse(text: str) -> list[Row]:
    """The rows of a JSONL text. Raises ValueError with the number of the line."""
    found: list[Row] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {number} is not JSON: {error}") from None
        if not isinstance(row, dict):
            raise ValueError(f"line {number} holds a {type(row).__name__}, not an object")
        found.append(row)
    return found


def written(rows: Iterable[Row]) -> str:
    """The JSONL text: the same for the same rows."""
    lines = (json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":")) for row in rows)
    return "".join(f"{line}\n" for line in lines)


def ordered(rows: Rows) -> list[Row]:
    """By their keys, numbers as numbers: the same on every machine."""
    return [rows[key] for key in sorted(rows, key=_rank)]


def _rank(key: str) -> list[tuple[int, float, str]]:
    return [
        (0, part, "") if isinstance(part, int | float) else (1, 0.0, json.dumps(part, sort_keys=True))
        for part in json.loads(key)
    ]


def merge(base: Rows, local: Rows, remote: Rows, prefer: Prefer = "stop") -> Merged:
    """What both sides made of ``base``: the change of the one that changed a row, if only one did.

    A row that one side removed and the other changed is a conflict, too.
    """
    rows: dict[str, Row] = {}
    conflicts = []
    for key in {**base, **local, **remote}:
        before, mine, theirs = base.get(key), local.get(key), remote.get(key)
        if mine == theirs or theirs == before:
            chosen = mine
        elif mine == before:
            chosen = theirs
        else:
            if prefer == "stop":
                conflicts.append(key)
            chosen = theirs if prefer == "remote" else mine
        if chosen is not None:
            rows[key] = chosen
    return Merged(rows=rows, conflicts=tuple(sorted(conflicts)))
