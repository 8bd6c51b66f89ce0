"""Copy the ledger while it is in use, check the copy, keep the newest few.

Parameters:
    folder: where copies go; without it, backups/ in the state directory
    keep: how many copies are kept
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated

from pydantic import Field

from jarvis import Context
from jarvis.errors import StoreError

PATTERN = "ledger-????-??-??.sqlite"


def run(
    ctx: Context, *, folder: Path | None = None, keep: Annotated[int, Field(ge=1, le=1000)] = 7
) -> tuple[str, dict[str, float]]:
    folder = folder or ctx.state / "backups"
    target = folder / f"ledger-{ctx.now:%Y-%m-%d}.sqlite"
    fresh = target.with_suffix(".checking")
    ctx.ledger.backup(fresh)
    try:
        check(fresh)
        # Only a copy that is whole takes the place of an earlier one of the same day.
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
    copies = sorted(folder.glob(PATTERN))
    for old in copies[:-keep]:
        old.unlink(missing_ok=True)
    size = target.stat().st_size
    return f"{target.name}: {size / 1e6:.1f} MB, {len(copies[-keep:])} kept", {
        "bytes": size,
        "kept": len(copies[-keep:]),
    }


def check(copy: Path) -> None:
    """Raise StoreError unless SQLite finds the copy whole."""
    try:
        with closing(sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)) as connection:
            answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                answer = "it is empty"
    except sqlite3.DatabaseError as error:
        answer = str(error)
    if answer != "ok":
        raise StoreError(
            f"the copy of the ledger is damaged ({answer}): check the disk, and the ledger itself"
        )
