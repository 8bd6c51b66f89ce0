"""Which jobs ask for changes of files, and which for mounted volumes?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from jarvis.core.when import When
from jarvis.running.timetable import Line
from jarvis.running.watch.watched import Watched

Key = tuple[str, str]
"""A job, and what tells its watches apart."""


def wanted(
    lines: Iterable[Line], known: Mapping[Key, Watched], folder: Path, apart: Path
) -> tuple[dict[Key, Watched], tuple[str, ...]]:
    """The watches of these jobs (``known`` ones that are still asked for stay), and the jobs that start on a mount."""
    found: dict[Key, Watched] = {}
    mounting = []
    for line in lines:
        for when in _asked(line):
            if when.start == "mount":
                mounting.append(line.name)
            if when.watch is not None:
                made = Watched(line.name, when.watch, folder, apart)
                before = known.get((line.name, made.key))
                found[line.name, made.key] = before if before and before.spec == when.watch else made
    return found, tuple(mounting)


def _asked(line: Line) -> tuple[When, ...]:
    """Its schedules, if one of them is of this kind; none when its definition cannot be read."""
    body = line.entry.body
    parts = [body, *body.get("schedules", ())]
    if not any("watch" in part or part.get("start") == "mount" for part in parts):
        return ()
    try:
        return line.job.when
    except ValueError:
        return ()
