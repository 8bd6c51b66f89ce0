"""The cache: a thousand values, until their time is over, the same for every process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jarvis.errors import Refused
from jarvis.handling.stores import LazyStores
from jarvis.store.cache import ENTRIES, VALUE_BYTES, Cache
from jarvis.store.database import Database

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
INSTANT = timedelta(microseconds=1)


class Clock:
    """What the cache takes for the time."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "ledger.sqlite", busy=timedelta(seconds=30))
    database.open()
    yield database
    database.close()


@pytest.fixture
def cache(ledger: Database, clock: Clock) -> Cache:
    return Cache(ledger, clock)


@pytest.mark.parametrize("value", [None, 0, False, "", "ä", [1, {"a": None}], 1.5, {"b": [True]}], ids=repr)
def test_a_json_value_comes_back_as_it_was(cache: Cache, value: Any) -> None:
    cache.set("k", value)
    found = cache.find("k")
    assert found is not None and found.value == value and type(found.value) is type(value)


def test_null_is_a_value_and_no_value_is_none(cache: Cache) -> None:
    cache.set("k", None)
    assert cache.get("k", "default") is None
    assert cache.get("other", "default") == "default"
    assert cache.find("k") is not None and cache.find("other") is None


@pytest.mark.parametrize(
    ("later", "there"),
    [(MINUTE - INSTANT, True), (MINUTE, False), (MINUTE + INSTANT, False)],
    ids=["a moment before its end", "at its end", "after it"],
)
def test_a_value_with_a_ttl_is_there_until_its_time_is_over(
    cache: Cache, clock: Clock, later: timedelta, there: bool
) -> None:
    cache.set("k", 1, MINUTE)
    cache.set("for ever", 2)
    clock.now += later
    assert (cache.find("k") is not None) is there
    assert cache.stats().entries == 1 + there
    assert cache.get("for ever") == 2


def test_a_clock_that_was_set_back_makes_no_value_live_longer_than_its_ttl_again(
    cache: Cache, clock: Clock
) -> None:
    cache.set("k", 1, MINUTE)
    clock.now -= timedelta(days=1)
    assert cache.get("k") == 1
    clock.now += MINUTE
    assert cache.find("k") is None


def test_setting_again_gives_a_new_time(cache: Cache, clock: Clock) -> None:
    cache.set("k", 1, MINUTE)
    clock.now += MINUTE / 2
    cache.set("k", 2)
    clock.now += timedelta(days=400)
    assert cache.get("k") == 2


def fill(ledger: Database, count: int) -> None:
    """As ``count`` calls of set, in one transaction."""
    with ledger.write() as connection:
        connection.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO cache"
            " (key, value, stored_at, used) SELECT 'k' || i, i, 0, i FROM n", (count,),
        )  # fmt: skip
        connection.exec_driver_sql("INSERT INTO counters VALUES ('cache.clock', ?)", (count,))


def test_of_more_than_a_thousand_what_was_not_used_for_longest_goes(cache: Cache, ledger: Database) -> None:
    assert ENTRIES == 1_000
    fill(ledger, 999)
    cache.set("the thousandth", 1)
    assert (cache.stats().entries, cache.stats().evictions) == (1_000, 0)
    assert cache.get("k1") == 1  # used: now k2 is the oldest
    cache.set("one more", 1)
    assert (cache.stats().entries, cache.stats().evictions) == (1_000, 1)
    assert cache.find("k2") is None and cache.get("k1") == 1 and cache.get("k3") == 3


def test_what_is_over_makes_room_first(cache: Cache, clock: Clock, ledger: Database) -> None:
    fill(ledger, 999)
    cache.set("short", 1, MINUTE)
    clock.now += MINUTE
    cache.set("new", 1)
    assert cache.get("k1") == 1 and cache.stats().evictions == 0


@pytest.mark.parametrize(
    ("key", "value", "ttl", "said"),
    [
        ("", 1, None, "a text of 1 to 500 characters"),
        ("k" * 501, 1, None, "a text of 1 to 500 characters"),
        ("k", {1, 2}, None, "the cache holds JSON values"),
        ("k", float("nan"), None, "the cache holds JSON values"),
        ("k", "x" * (VALUE_BYTES - 1), None, "one value may have 900000"),
        ("k", 1, timedelta(0), "more than nothing"),
        ("k", 1, -MINUTE, "more than nothing"),
        ("k", 1, timedelta(days=4000), "at most ten years"),
    ],
    ids=[
        "no key",
        "a long key",
        "a set",
        "not a number",
        "a big value",
        "no time",
        "less than none",
        "too long",
    ],
)
def test_what_cannot_be_kept_is_refused_and_changes_nothing(
    cache: Cache, key: str, value: Any, ttl: timedelta | None, said: str
) -> None:
    cache.set("k", "before")
    with pytest.raises(Refused, match=said):
        cache.set(key, value, ttl)
    assert cache.get("k") == "before"


def test_the_biggest_value_and_the_longest_key_can_be_kept(cache: Cache) -> None:
    cache.set("k" * 500, "x" * (VALUE_BYTES - 2))
    assert len(cache.get("k" * 500)) == VALUE_BYTES - 2


def test_values_and_counts_survive_a_restart(cache: Cache, clock: Clock, ledger: Database) -> None:
    cache.set("k", {"a": 1})
    cache.get("k"), cache.get("none")
    again = Database(ledger.path)
    again.open()
    try:
        assert Cache(again, clock).get("k") == {"a": 1}
        stats = Cache(again, clock).stats()
        assert (stats.hits, stats.misses, stats.entries, stats.bytes) == (2, 1, 1, 7)
        assert stats.dump()["hit_rate"] == pytest.approx(0.6667)
    finally:
        again.close()


def test_deleting_and_clearing(cache: Cache, clock: Clock) -> None:
    cache.set("a", 1)
    cache.set("b", 2, MINUTE)
    cache.set("c", 3)
    assert cache.delete("a") and not cache.delete("a")
    clock.now += MINUTE
    cache.set("d", 4)  # what is over goes with the next that comes
    assert cache.clear() == 2
    assert cache.stats().dump() == {
        "entries": 0, "limit": 1000, "bytes": 0, "hits": 0, "misses": 0, "evictions": 0, "hit_rate": None,
    }  # fmt: skip


WRITER = """
import sys
from jarvis.handling.stores import LazyStores
stores = LazyStores(sys.argv[1])
for number in range(60):
    stores.cache.set(f"{sys.argv[2]}{number % 20}", [sys.argv[2], number])
    assert stores.cache.get(f"{sys.argv[2]}{number % 20}") == [sys.argv[2], number]
    stores.cache.get("nobody's")
stores.close()
"""


def test_two_processes_write_at_once_and_nothing_is_lost(ledger: Database, cache: Cache) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, ledger.url, name], stderr=subprocess.PIPE)
        for name in ("a", "b")
    ]
    for writer in writers:
        _, said = writer.communicate(timeout=120)
        assert writer.returncode == 0, said.decode()
    stats = cache.stats()
    assert (stats.entries, stats.hits, stats.misses) == (40, 120, 120)
    assert {cache.get(f"a{number}")[1] for number in range(20)} == set(range(40, 60))
    with ledger.read() as connection:
        uses = connection.exec_driver_sql("SELECT count(DISTINCT used), count(*) FROM cache").one()
    assert uses[0] == uses[1] == 40


def test_a_handler_reaches_the_same_cache(ledger: Database, cache: Cache) -> None:
    stores = LazyStores(ledger.url)
    stores.cache.set("k", [1])
    stores.close()
    clock = Cache(ledger, lambda: datetime.now(UTC))
    assert clock.get("k") == [1]
