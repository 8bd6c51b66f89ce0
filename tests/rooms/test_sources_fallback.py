"""Cache, then the service, then nobody: each behind a breaker whose state is in the ledger."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from jarvis.sources import fallback
from jarvis.sources.fallback import Got, NeedsMending, Source, Unavailable
from jarvis.store.breakers import Breakers
from jarvis.store.database import Database

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "ledger.sqlite")
    database.open()
    yield database
    database.close()


@pytest.fixture
def breakers(ledger: Database) -> Breakers:
    return Breakers(ledger)


class Service:
    """Answers as it is told, and counts how often it was asked."""

    def __init__(self, answer: Got[str] | Exception | None) -> None:
        self.answer = answer
        self.asked = 0

    def __call__(self) -> Got[str] | None:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def source(name: str, fetch: Callable[[], Got[str] | None]) -> Source[str]:
    return Source(name=f"the {name}", breaker=name, fetch=fetch)


def copy(age: timedelta | None) -> Got[str]:
    return Got(value="copy", as_of=None if age is None else NOW - age, copy=True)


LIVE: Got[str] = Got(value="live")


def ask(breakers: Breakers | None, cache: Service, api: Service) -> fallback.Answer[str]:
    return fallback.ask([source("cache", cache), source("API", api)], breakers, NOW, HOUR)


def test_a_fresh_cache_is_used_and_its_age_said(breakers: Breakers) -> None:
    api = Service(LIVE)
    answer = ask(breakers, Service(copy(timedelta(minutes=12))), api)
    assert answer.got and answer.got.value == "copy" and answer.used == "from the cache (12 min old)"
    assert answer.tried == () and api.asked == 0


@pytest.mark.parametrize(("age", "value"), [(HOUR, "copy"), (HOUR + timedelta(seconds=1), "live")])
def test_a_cache_is_too_old_beyond_its_maximum_age(breakers: Breakers, age: timedelta, value: str) -> None:
    answer = ask(breakers, Service(copy(age)), Service(LIVE))
    assert answer.got and answer.got.value == value


def test_the_api_answers_for_a_cache_that_is_old_or_empty_or_broken(breakers: Breakers) -> None:
    for cache, why in [
        (copy(timedelta(hours=5)), "the cache: 5 h old, more than 60 min"),
        (None, "the cache: nothing for today"),
        (Unavailable("there is no file x"), "the cache: there is no file x"),
    ]:
        answer = ask(breakers, Service(cache), Service(LIVE))
        assert answer.got is LIVE and answer.used == "from the API" and answer.tried == (why,)


def test_an_old_cache_is_better_than_nothing_and_this_is_said(breakers: Breakers) -> None:
    answer = ask(breakers, Service(copy(timedelta(days=3))), Service(Unavailable("503")))
    assert answer.got and answer.used == "from the cache (3 days old), nothing newer was to be had"
    assert answer.tried == ("the cache: 3 days old, more than 60 min", "the API: 503")


def test_a_cache_of_unknown_age_is_used_and_said_so(breakers: Breakers) -> None:
    assert ask(breakers, Service(copy(None)), Service(LIVE)).used == "from the cache (age unknown)"


def test_nobody_had_anything(breakers: Breakers) -> None:
    answer = ask(breakers, Service(None), Service(NeedsMending("the token is refused")))
    assert answer.got is None and answer.mend == {"the API": "the token is refused"}
    assert answer.why_not() == "the cache: nothing for today; the API: the token is refused"
    nobody: fallback.Answer[str] = fallback.ask([], breakers, NOW, HOUR)
    assert nobody.why_not() == "no source is configured"


def test_three_failures_open_the_breaker_and_for_sixty_seconds_nobody_is_asked(breakers: Breakers) -> None:
    api = Service(Unavailable("down"))
    with time_machine.travel(NOW, tick=False) as clock:
        for _ in range(3):
            assert ask(breakers, Service(None), api).tried[1] == "the API: down"
        assert api.asked == 3
        clock.shift(timedelta(seconds=59))
        assert "not asked, it failed again and again" in ask(breakers, Service(None), api).tried[1]
        assert api.asked == 3
        clock.shift(timedelta(seconds=1))
        assert ask(breakers, Service(None), api).tried[1] == "the API: down"
        assert ask(breakers, Service(None), api).got is None
        assert api.asked == 4, "half-open is one call"
        clock.shift(timedelta(seconds=60))
        api.answer = LIVE
        assert ask(breakers, Service(None), api).got is LIVE
        assert {one.name: one.state for one in breakers.states()}["API"] == "closed"


def test_nothing_for_today_and_what_a_person_must_mend_open_no_breaker(breakers: Breakers) -> None:
    api = Service(NeedsMending("the token is refused"))
    for _ in range(5):
        ask(breakers, Service(None), api)
    assert api.asked == 5
    assert {one.state for one in breakers.states()} <= {"closed"}


def test_each_source_has_a_breaker_of_its_own(breakers: Breakers) -> None:
    cache = Service(Unavailable("locked"))
    for _ in range(4):
        assert ask(breakers, cache, Service(LIVE)).got is LIVE
    assert cache.asked == 3
    states = {one.name: one.state for one in breakers.states()}
    assert states["cache"] == "open" and states.get("API", "closed") == "closed"


def test_an_open_breaker_is_open_in_the_next_run_of_another_process(
    breakers: Breakers, ledger: Database
) -> None:
    api = Service(Unavailable("down"))
    for _ in range(3):
        ask(breakers, Service(None), api)
    code = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from jarvis.sources import fallback
from jarvis.store.breakers import Breakers
from jarvis.store.database import Database
database = Database(Path(sys.argv[1]))
database.open(create=False)
def fetch(): raise SystemExit("it was asked")
source = fallback.Source(name="the API", breaker="API", fetch=fetch)
print(fallback.ask([source], Breakers(database), datetime.now(UTC), timedelta(hours=1)).why_not())
database.close()
"""
    path = ledger.url.removeprefix("sqlite:///")
    told = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert told.stdout.startswith("the API: not asked, it failed again and again"), told.stderr


def test_without_breakers_everybody_is_asked() -> None:
    api = Service(Unavailable("down"))
    for _ in range(5):
        ask(None, Service(None), api)
    assert api.asked == 5
