"""What was worth keeping for a while? The newest thousand values by key, until their time is over."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, text, update

from jarvis.errors import Refused
from jarvis.store.database import Database
from jarvis.store.rule_tables import cache
from jarvis.store.tables import Instant, counters

ENTRIES = 1_000
KEY = 500
VALUE_BYTES = 900_000
LONGEST = timedelta(days=3_660)

_PUT = text(
    "INSERT INTO cache (key, value, ttl, stored_at, expires_at, used)"
    " VALUES (:key, :value, :ttl, :at, :expires, :used) ON CONFLICT (key) DO UPDATE SET"
    " value = :value, ttl = :ttl, stored_at = :at, expires_at = :expires, used = :used"
).bindparams(bindparam("at", type_=Instant), bindparam("expires", type_=Instant))
_COUNT = text(
    "INSERT INTO counters (name, value) VALUES (:name, :more)"
    " ON CONFLICT (name) DO UPDATE SET value = value + :more RETURNING value"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stats:
    """``entries`` of ``limit``, their size, and how often was found what was asked for since the last ``clear``."""

    entries: int
    limit: int
    bytes: int
    hits: int
    misses: int
    evictions: int

    def dump(self) -> dict[str, Any]:
        asked = self.hits + self.misses
        return asdict(self) | {"hit_rate": round(self.hits / asked, 4) if asked else None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """What was found; ``value`` may be None, which is a value."""

    value: Any
    stored_at: datetime
    expires_at: datetime | None


class Cache:
    """The cache of one ledger, the same for every process; each call is one transaction.

    ``now`` is asked at each call. At most ENTRIES are kept: what was not used for longest goes first.
    """

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or ``default`` when there is none (any more). None may be the value: see ``find``."""
        found = self.find(key)
        return default if found is None else found.value

    def find(self, key: str) -> Hit | None:
        """The value with its times, or None when there is none (any more). Counts as a use."""
        now = self._now()
        with self._database.write() as connection:
            row = connection.execute(select(cache).where(cache.c.key == key)).first()
            expires = _end(row.ttl, row.expires_at, now) if row else None
            if row is None or (expires is not None and expires <= now):
                connection.execute(delete(cache).where(cache.c.key == key))
                _count(connection, "misses")
                return None
            use = _count(connection, "clock")
            change = update(cache).where(cache.c.key == key).values(used=use, expires_at=expires)
            connection.execute(change)
            _count(connection, "hits")
        return Hit(value=json.loads(row.value), stored_at=row.stored_at, expires_at=expires)

    def set(self, key: str, value: Any, ttl: timedelta | None = None) -> None:
        """Keep a JSON value, for ``ttl`` or until there is no room. Raises Refused for what cannot be kept."""
        said = _checked(key, value, ttl)
        now = self._now()
        with self._database.write() as connection:
            connection.execute(
                _PUT,
                {
                    "key": key,
                    "value": said,
                    "ttl": ttl.total_seconds() if ttl else None,
                    "at": now,
                    "expires": now + ttl if ttl else None,
                    "used": _count(connection, "clock"),
                },
            )
            _make_room(connection, now)

    def delete(self, key: str) -> bool:
        """False when there was none."""
        with self._database.write() as connection:
            return connection.execute(delete(cache).where(cache.c.key == key)).rowcount > 0

    def clear(self) -> int:
        """Forget everything, the counts too; returns how many entries there were."""
        with self._database.write() as connection:
            gone = connection.execute(delete(cache)).rowcount
            names = [f"cache.{name}" for name in ("hits", "misses", "evictions")]
            connection.execute(delete(counters).where(counters.c.name.in_(names)))
            return gone

    def stats(self) -> Stats:
        """What is kept now, and how well it served."""
        now = self._now()
        living = (cache.c.expires_at.is_(None)) | (cache.c.expires_at > now)
        with self._database.read() as connection:
            size = func.coalesce(func.sum(func.length(cache.c.value)), 0)
            entries, size_now = connection.execute(select(func.count(), size).where(living)).one()
            named = select(counters.c.name, counters.c.value).where(counters.c.name.startswith("cache."))
            counts = {row.name: row.value for row in connection.execute(named)}
        return Stats(
            entries=entries, limit=ENTRIES, bytes=size_now, hits=counts.get("cache.hits", 0),
            misses=counts.get("cache.misses", 0), evictions=counts.get("cache.evictions", 0),
        )  # fmt: skip


def _end(ttl: float | None, expires_at: datetime | None, now: datetime) -> datetime | None:
    """When it is over. A clock that was set back gives nothing more than its whole time once again."""
    if ttl is None or expires_at is None:
        return None
    return min(expires_at, now + timedelta(seconds=ttl))


def _checked(key: str, value: Any, ttl: timedelta | None) -> str:
    if not 0 < len(key) <= KEY:
        raise Refused(f"a key of the cache is a text of 1 to {KEY} characters")
    if ttl is not None and not timedelta(0) < ttl <= LONGEST:
        raise Refused("how long a value is kept is more than nothing and at most ten years")
    try:
        said = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise Refused(f"{key!r} cannot be kept: {error}; the cache holds JSON values") from None
    if len(said) > VALUE_BYTES:
        raise Refused(f"{key!r} has {len(said)} bytes of JSON; one value may have {VALUE_BYTES}")
    return said


def _count(connection: Connection, name: str, more: int = 1) -> int:
    found: int = connection.execute(_COUNT, {"name": f"cache.{name}", "more": more}).scalar_one()
    return found


def _make_room(connection: Connection, now: datetime) -> None:
    """What is over goes first, then what was not used for longest."""
    _sweep(connection, now)
    total = connection.execute(select(func.count()).select_from(cache)).scalar_one()
    if (too_many := total - ENTRIES) > 0:
        oldest = select(cache.c.key).order_by(cache.c.used).limit(too_many)
        connection.execute(delete(cache).where(cache.c.key.in_(oldest)))
        _count(connection, "evictions", too_many)


def _sweep(connection: Connection, now: datetime) -> None:
    connection.execute(delete(cache).where(cache.c.expires_at <= now))
