"""Which time zone does this machine keep?"""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

import tzlocal


def local(environ: Mapping[str, str]) -> tuple[str, str | None]:
    """The name of the local zone, and a doubt to report if it had to be guessed.

    ``TZ`` first (a name, with or without a colon before it), then what the system says; UTC if nobody knows.
    """
    asked = environ.get("TZ", "").removeprefix(":").rpartition("/zoneinfo/")[2]
    if asked and known(asked):
        return asked, None
    doubt = f"TZ={asked} names no time zone" if asked else None
    try:
        name = tzlocal.get_localzone_name() if not asked else None
    except Exception as error:  # tzlocal raises several unrelated kinds for a broken setup
        name, doubt = None, f"this machine's time zone cannot be found out: {error}"
    if name and known(name):
        return name, doubt
    return "UTC", doubt or "this machine's time zone has no name"


def known(name: str) -> bool:
    """The zone database has it."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
