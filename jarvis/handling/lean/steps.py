"""What does a run run, and in which order?"""

from __future__ import annotations

from typing import Any


def of(request: dict[str, Any]) -> list[tuple[str | None, list[str], bool]]:
    """Everything to run, in order: (name, argv, may it fail); the job's own program has no name."""
    found: list[tuple[str | None, list[str], bool]] = []
    for kind in ("before", "after"):
        for number, step in enumerate(request[kind], 1):
            found.append(
                (f"{kind} {number}: {' '.join(step['argv'])}"[:200], step["argv"], step["ignore_failure"])
            )
        if kind == "before":
            found.append((None, request["argv"], False))
    return found
