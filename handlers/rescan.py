"""Find the files of a tree that were added, changed or removed since the last time, and do something about them.

A file is looked into (SHA-256) only when its time or size is another one than before. What is found goes to a command
(JSON on its standard input), becomes an event, or keeps an index of Python definitions up to date. It is remembered
only after that has succeeded: what was found by a run that failed or was killed is found again.

Parameters:
    path: the folder
    globs: only files that match one of these patterns, such as *.py or src/**
    ignore: not these files and folders
    command: is given {"path", "added", "changed", "removed"} on standard input; a list of words, or a line of shell
    event: publish an event of this type, with the same as its payload
    index: python writes an index of functions and classes
    output: where the index is written; without it, beside the cache
    first: whether everything that is there at the first scan counts as added
    cache: where what was seen is kept; without it, in the state directory
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from jarvis import Context
from jarvis.core.changes import Filter
from jarvis.core.when import Glob
from jarvis.errors import JarvisError
from jarvis.sources import definitions, scanning
from jarvis.sources.files import replace
from jarvis.sources.scanning import Found

MANY = 1_000
"""An event names so many paths of each kind; its counts are of all."""


def run(
    ctx: Context,
    *,
    path: Path,
    globs: list[Glob] = [],  # noqa: B006 (never changed; shown as the form's default)
    ignore: list[Glob] = [".git", "__pycache__", ".venv", "node_modules"],  # noqa: B006
    command: str | list[str] | None = None,
    event: str | None = None,
    index: Literal["python"] | None = None,
    output: Path | None = None,
    first: bool = True,
    cache: Path | None = None,
) -> tuple[str, dict[str, float]]:
    folder = path.absolute()
    kept = cache or ctx.state / "rescan" / f"{ctx.run.job}.json"
    if index and not globs:
        globs = ["*.py"]
    known = scanning.load(kept, folder)
    counts = Filter(globs=tuple(globs), ignore=tuple(ignore))
    try:
        found = scanning.scan(folder, counts, known, progress=lambda done: ctx.progress(done, text="files"))
    except scanning.NoTree as error:
        raise JarvisError(str(error)) from error
    tell_unreadable(ctx, folder, found)
    broken = 0
    if not known and not first and not kept.exists():
        found.added = []
    if index:
        broken = write_index(ctx, folder, found, output or kept.with_suffix(".index.json"))
    if not found.empty:
        if command is not None:
            start(command, folder, payload(folder, found))
        if event is not None:
            publish(ctx, event, folder, found)
    replace(kept, scanning.dump(folder, found.files))
    return said(found, broken)


def said(found: Found, broken: int) -> tuple[str, dict[str, float]]:
    """The line and the numbers of the run."""
    numbers = {
        "files": len(found.files), "added": len(found.added), "changed": len(found.changed),
        "removed": len(found.removed), "unreadable": len(found.unreadable), "hashed": found.hashed,
    }  # fmt: skip
    line = f"{numbers['added']} added, {numbers['changed']} changed, {numbers['removed']} removed of {numbers['files']}"
    if found.unreadable:
        line += f"; {numbers['unreadable']} could not be read"
    if broken:
        line += f"; {broken} with errors of syntax"
    return line, {name: float(value) for name, value in numbers.items()}


def payload(folder: Path, found: Found) -> dict[str, Any]:
    return {
        "path": plain(os.fspath(folder)),
        "added": [plain(name) for name in found.added],
        "changed": [plain(name) for name in found.changed],
        "removed": [plain(name) for name in found.removed],
    }


def plain(text: str) -> str:
    """A name that is no UTF-8 is spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


def start(command: str | list[str], folder: Path, told: Mapping[str, Any]) -> None:
    """Run it in the folder; its output is the run's. Raises JarvisError unless it succeeds."""
    shown = command if isinstance(command, str) else " ".join(command)
    try:
        done = subprocess.run(
            command, shell=isinstance(command, str), cwd=folder, input=json.dumps(told).encode(), check=False
        )
    except OSError as error:
        raise JarvisError(
            f"'{shown:.100}' could not start: {error.strerror}; nothing is remembered"
        ) from error
    if done.returncode:
        how = f"exit code {done.returncode}" if done.returncode > 0 else f"signal {-done.returncode}"
        raise JarvisError(f"'{shown:.100}' ended with {how}; the same files are found again")


def publish(ctx: Context, event: str, folder: Path, found: Found) -> None:
    """An event ``rescan/<event>``; of very many files only the first are named."""
    told = payload(folder, found)
    counts = {name: len(told[name]) for name in ("added", "changed", "removed")}
    short = {name: told[name][:MANY] for name in counts}
    ctx.events.add(
        source="rescan",
        event_type=event,
        payload={"path": told["path"], "counts": counts, **short},
        received_at=datetime.now(UTC),
    )


def tell_unreadable(ctx: Context, folder: Path, found: Found) -> None:
    """A line for each in the output, one alert for all."""
    for name, why in sorted(found.unreadable.items())[:20]:
        ctx.log.warning("not read", file=name, why=why)
    if found.unreadable:
        name, why = min(found.unreadable.items())
        ctx.alert(
            f"{len(found.unreadable)} of {folder} could not be read (such as {name}: {why}); "
            "they are taken to be as they were",
            key="unreadable",
        )


def write_index(ctx: Context, folder: Path, found: Found, where: Path) -> int:
    """Bring the index up to date; how many files have errors of syntax."""
    files = read_index(where)
    stale = {*found.added, *found.changed, *(found.files.keys() - files.keys())}
    index = {name: about for name, about in files.items() if name in found.files}
    for name in stale:
        if name in found.files and not (folder / name).is_symlink():
            try:
                index[name] = definitions.of(folder / name)
            except OSError as error:
                index[name] = {"error": error.strerror or str(error), "line": 0}
    for name, about in sorted(index.items()):
        if "error" in about and name in stale:
            ctx.log.warning("not indexed", file=name, line=about["line"], why=about["error"])
    body = {"path": plain(os.fspath(folder)), "files": {plain(name): index[name] for name in sorted(index)}}
    replace(where, json.dumps(body, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace"))
    return sum("error" in about for about in index.values())


def read_index(where: Path) -> dict[str, Any]:
    try:
        files = json.loads(where.read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return files if isinstance(files, dict) else {}
