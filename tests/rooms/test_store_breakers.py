"""The breakers of the ledger: three failures open one, sixty seconds later one call may try."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pybreaker
import pytest
import time_machine

from jarvis.handling.stores import LazyStores
from jarvis.store.breakers import Breakers
from jarvis.store.database import Database

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "ledger.sqlite", busy=timedelta(milliseconds=50))
    made.open()
    yield made
    made.close()


class Service:
    """Fails as long as it is down, and counts how often it was asked."""

    def __init__(self) -> None:
        self.down = True
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        if self.down:
            raise ConnectionError("connection refused")
        return "fine"


def fail(breakers: Breakers, service: Service, times: int) -> None:
    for _ in range(times):
        with pytest.raises(ConnectionError):
            breakers.get("oura").call(service)


def state(breakers: Breakers) -> str:
    return breakers.states()[0].state


def test_two_failures_leave_a_breaker_closed_and_the_third_opens_it(ledger: Database) -> None:
    breakers, service = Breakers(ledger), Service()
    fail(breakers, service, 2)
    assert state(breakers) == "closed"
    fail(breakers, service, 1)
    assert state(breakers) == "open"
    with pytest.raises(pybreaker.CircuitBreakerError):
        breakers.get("oura").call(service)
    assert service.asked == 3


def test_a_success_between_failures_starts_the_count_again(ledger: Database) -> None:
    breakers, service = Breakers(ledger), Service()
    fail(breakers, service, 2)
    service.down = False
    assert breakers.get("oura").call(service) == "fine"
    service.down = True
    fail(breakers, service, 2)
    assert state(breakers) == "closed"


@pytest.mark.parametrize(
    ("seconds", "asked"), [(59.9, 3), (60, 4), (60.1, 4)], ids=["just before", "at", "just after"]
)
def test_after_exactly_sixty_seconds_one_call_may_try(ledger: Database, seconds: float, asked: int) -> None:
    breakers, service = Breakers(ledger), Service()
    with time_machine.travel(NOW, tick=False) as clock:
        fail(breakers, service, 3)
        clock.shift(seconds)
        with pytest.raises(ConnectionError if asked == 4 else pybreaker.CircuitBreakerError):
            breakers.get("oura").call(service)
        assert service.asked == asked
        assert state(breakers) == "open"


def test_a_trial_that_succeeds_closes_the_breaker_and_one_that_fails_opens_it_for_another_minute(
    ledger: Database,
) -> None:
    breakers, service = Breakers(ledger), Service()
    with time_machine.travel(NOW, tick=False) as clock:
        fail(breakers, service, 3)
        clock.shift(60)
        fail(breakers, service, 1)
        clock.shift(59)
        with pytest.raises(pybreaker.CircuitBreakerError):
            breakers.get("oura").call(service)
        clock.shift(1)
        service.down = False
        assert breakers.get("oura").call(service) == "fine"
    assert state(breakers) == "closed" and breakers.states()[0].failures == 0


def test_the_half_open_call_is_one_among_all_processes(ledger: Database) -> None:
    """The other process is a second set of breakers on the same ledger, asked in the middle of the trial."""
    breakers, others, service = Breakers(ledger), Breakers(ledger), Service()
    refused: list[pybreaker.CircuitBreakerError] = []

    def trial() -> str:
        assert state(breakers) == "half-open"
        with pytest.raises(pybreaker.CircuitBreakerError) as error:
            others.get("oura").call(service)
        refused.append(error.value)
        return "fine"

    with time_machine.travel(NOW, tick=False) as clock:
        fail(breakers, service, 3)
        clock.shift(60)
        assert breakers.get("oura").call(trial) == "fine"
    assert refused and service.asked == 3
    assert state(others) == "closed"


def test_the_half_open_call_of_a_process_that_died_is_given_to_another_after_the_recovery_time(
    ledger: Database,
) -> None:
    service = Service()
    with time_machine.travel(NOW, tick=False) as clock:
        fail(Breakers(ledger), service, 3)
        clock.shift(60)
        dying = Breakers(ledger).get("oura")
        dying.half_open()  # and nothing more is heard of it
        clock.shift(59)
        with pytest.raises(pybreaker.CircuitBreakerError):
            Breakers(ledger).get("oura").call(service)
        clock.shift(1)
        service.down = False
        assert Breakers(ledger).get("oura").call(service) == "fine"


def test_failures_of_several_processes_add_up_and_survive_them(ledger: Database) -> None:
    program = textwrap.dedent(
        """
        import sys
        from jarvis.handling.stores import LazyStores

        def down():
            raise ConnectionError("refused")

        try:
            LazyStores(sys.argv[1]).breakers.get("oura").call(down)
        except ConnectionError:
            sys.exit(7)
        """
    )
    for _ in range(3):
        ended = subprocess.run([sys.executable, "-c", program, ledger.url], timeout=60, check=False)
        assert ended.returncode == 7
    breakers, service = Breakers(ledger), Service()
    with pytest.raises(pybreaker.CircuitBreakerError):
        breakers.get("oura").call(service)
    assert service.asked == 0 and breakers.states()[0].failures == 3


def test_a_clock_that_was_set_back_does_not_keep_a_breaker_open(ledger: Database) -> None:
    breakers, service = Breakers(ledger), Service()
    with time_machine.travel(NOW, tick=False) as clock:
        fail(breakers, service, 3)
        clock.shift(-7200)
        service.down = False
        assert breakers.get("oura").call(service) == "fine"


def test_a_ledger_that_is_held_by_somebody_keeps_nobody_from_calling(ledger: Database) -> None:
    breakers, service = Breakers(ledger), Service()
    other = Database(ledger.path, busy=timedelta(milliseconds=50))
    with other.write():
        fail(breakers, service, 3)
        with pytest.raises(pybreaker.CircuitBreakerError):
            breakers.get("oura").call(service)
    other.close()
    assert service.asked == 3 and breakers.states() == []
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=61), tick=False):
        fail(breakers, service, 1)  # written again as soon as it can be
    assert state(breakers) == "open"


def test_errors_that_say_nothing_about_the_service_are_not_counted(ledger: Database) -> None:
    breakers = Breakers(ledger)

    def wrong() -> None:
        raise ValueError("our own mistake")

    for _ in range(5):
        with pytest.raises(ValueError):
            breakers.get("oura", exclude=[ValueError]).call(wrong)
    assert breakers.states() == []


def test_a_handler_gets_the_same_breaker_again(ledger: Database) -> None:
    stores = LazyStores(ledger.url)
    try:
        assert stores.breakers.get("oura") is stores.breakers.get("oura")
    finally:
        stores.close()
