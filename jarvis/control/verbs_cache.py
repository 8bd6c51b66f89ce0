"""What can be done with the cache? Values are put, got and deleted by key; its figures are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from jarvis.control import plain
from jarvis.control.desk import Desk
from jarvis.control.plain import Misfit
from jarvis.core import duration
from jarvis.errors import NotFound
from jarvis.store.cache import KEY, Cache

Key = Annotated[str, Field(min_length=1, max_length=KEY)]


def get(desk: Desk, *, key: Key) -> dict[str, Any]:
    """A value; null is one. Not found: there is none (any more)."""
    if (found := _cache(desk).find(key)) is None:
        raise NotFound(f"the cache has nothing under {key!r}")
    return {
        "key": key,
        "value": found.value,
        "stored_at": plain.instant(found.stored_at),
        "expires_at": plain.instant(found.expires_at),
    }


def put(desk: Desk, *, key: Key, value: Any = None, ttl: float | str | None = None) -> dict[str, Any]:
    """Keep a JSON value of at most 900 kB. Of a thousand values the one that was not used for longest goes first.

    Parameters:
        ttl: for how long: seconds, or a duration such as 15m; without it, until there is no room
    """
    length = None if ttl is None else _length(ttl)
    _cache(desk).set(key, value, length)
    return {"key": key, "ttl": None if length is None else length.total_seconds()}


def delete(desk: Desk, *, key: Key) -> dict[str, Any]:
    """Forget a value."""
    if not _cache(desk).delete(key):
        raise NotFound(f"the cache has nothing under {key!r}")
    return {"key": key, "deleted": True}


def clear(desk: Desk) -> dict[str, Any]:
    """Forget all values, and begin to count anew."""
    return {"cleared": _cache(desk).clear()}


def stats(desk: Desk) -> dict[str, Any]:
    """How many values there are, and how often was found what was asked for."""
    return _cache(desk).stats().dump()


def _cache(desk: Desk) -> Cache:
    return Cache(desk.database, lambda: datetime.now(UTC))


def _length(ttl: float | str) -> timedelta:
    try:
        return timedelta(seconds=float(ttl))
    except (ValueError, OverflowError):
        pass
    try:
        return duration.parse(str(ttl))
    except ValueError as error:
        raise Misfit(f"ttl: {error}, or a number of seconds") from None
