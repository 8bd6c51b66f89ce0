"""Which edition of the time zone database is in use?"""

from __future__ import annotations

import zoneinfo
from functools import cache
from pathlib import Path


@cache
def version() -> str | None:
    """Such as ``2025b``: the machine's own, else that of the tzdata package; None when neither says."""
    for folder in map(Path, zoneinfo.TZPATH):
        if not folder.is_dir():
            continue
        for name in ("tzdata.zi", "+VERSION"):
            try:
                with (folder / name).open(encoding="ascii") as file:
                    return file.readline().removeprefix("# version").strip() or None
            except (OSError, ValueError):
                continue
        return None
    from importlib import metadata

    try:
        return metadata.version("tzdata")
    except metadata.PackageNotFoundError:
        return None
