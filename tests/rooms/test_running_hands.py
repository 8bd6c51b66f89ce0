"""Are there as many threads as are busy at once, and no more? And does a run hear in time that it has to end?"""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

from jarvis import testing
from jarvis.handling.ending import Ending
from jarvis.running.hands import Hands
from tests.rooms.launch_house import until


def alive(name: str) -> int:
    return sum(thread.name.startswith(name) for thread in threading.enumerate())


def test_there_are_as_many_threads_as_are_busy_at_once() -> None:
    hands, gate = Hands("many"), threading.Event()
    done: list[int] = []

    def call(number: int) -> None:
        gate.wait(20)
        done.append(number)

    for number in range(5):
        hands.do(partial(call, number))
    until(lambda: alive("many") == 5)
    gate.set()
    until(lambda: hands._idle == 5)
    for number in range(5, 100):
        hands.do(partial(call, number))
        until(lambda: hands._idle == 5)
    assert sorted(done) == list(range(100)), "each once"
    assert alive("many") == 5, "those that are there are used again"
    hands.close()
    until(lambda: alive("many") == 0)


def test_a_call_that_fails_ends_no_thread() -> None:
    hands, done = Hands("failing"), threading.Event()
    hands.do(partial(int, "no number"))
    until(lambda: hands._idle == 1)
    hands.do(done.set)
    assert done.wait(20)
    assert alive("failing") == 1
    hands.close()


def test_what_is_busy_when_they_are_closed_comes_to_its_end() -> None:
    hands, gate, done = Hands("closing"), threading.Event(), threading.Event()

    def call() -> None:
        gate.wait(20)
        done.set()

    hands.do(call)
    hands.close()
    gate.set()
    assert done.wait(20)
    until(lambda: alive("closing") == 0)


def test_an_end_told_before_during_and_after_a_wait_is_heard() -> None:
    before = Ending()
    before.set()
    assert before.wait(0)
    during = Ending()
    assert not during.wait(0)
    threading.Timer(0.01, during.set).start()
    assert during.wait(20)
    assert during.wait(0), "and it stays told"


def test_every_thread_that_waits_for_an_end_hears_it() -> None:
    for _ in range(20):
        ending = Ending()
        heard: list[bool] = []
        waits = partial(lambda ending, heard: heard.append(ending.wait(20)), ending, heard)
        threads = [threading.Thread(target=waits) for _ in range(4)]
        for thread in threads:
            thread.start()
        ending.set()
        for thread in threads:
            thread.join(20)
        assert heard == [True] * 4


def test_a_context_made_by_hand_waits_its_time(tmp_path: Path) -> None:
    assert testing.context(state=tmp_path).wait(0.001) is False
