"""Does the watchdog see a loop that stands still, and end the process then?"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading

import pytest

from jarvis.running import watchdog as watchdogs
from jarvis.running.watchdog import Watchdog
from tests.whole.daemon import ROOT


class Loop:
    """Came round so often."""

    def __init__(self) -> None:
        self.rounds = 0

    def __call__(self) -> int:
        return self.rounds


def test_a_loop_that_stands_still_for_so_many_ticks_is_named() -> None:
    clock, conductor = Loop(), Loop()
    watchdog = Watchdog({"clock": clock, "conductor": conductor}, alive=lambda: None, stuck_after=3)
    for _ in range(10):
        clock.rounds += 1
        conductor.rounds += 1
        assert watchdog.tick() is None
    found = []
    for _ in range(3):
        clock.rounds += 1
        found.append(watchdog.tick())
    assert found == [None, None, "conductor"]


def test_a_loop_that_moves_again_has_all_its_ticks_again() -> None:
    clock = Loop()
    watchdog = Watchdog({"clock": clock}, alive=lambda: None, stuck_after=3)
    for _ in range(5):
        clock.rounds += 1
        assert [watchdog.tick() for _ in range(3)] == [None] * 3
    assert watchdog.tick() == "clock"


def test_a_process_that_was_stopped_has_not_hung() -> None:
    """Ticks are counted, not time: none pass while the whole process stands still."""
    clock = Loop()
    watchdog = Watchdog({"clock": clock}, alive=lambda: None, stuck_after=2)
    assert [watchdog.tick(), watchdog.tick()] == [None, None]
    clock.rounds += 1
    assert watchdog.tick() is None


PROGRAM = """
import logging, os, sys, threading
from jarvis.running import watchdog
logging.basicConfig(format="%(levelname)s %(message)s")
watchdog.TICK = 0.1
rounds, signs = 0, 0
def moving():
    global rounds
    rounds += 1
    return rounds
def alive():
    global signs
    signs += 1
    print("alive", flush=True)
    if signs == 25 and sys.argv[1] == "moves":
        os._exit(0)
loops = {"clock": moving, "conductor": moving if sys.argv[1] == "moves" else lambda: 1}
watchdog.Watchdog(loops, alive=alive, stuck_after=10).start()
threading.Event().wait()
"""


@pytest.mark.parametrize(
    ("how", "code"), [pytest.param("stands", 70, id="stands still"), pytest.param("moves", 0, id="moves")]
)
def test_a_process_whose_loop_stands_still_ends_with_70_and_shows_where(how: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    assert "alive" in done.stdout
    told = "CRITICAL the conductor has stood still for 1 s; ending, so that Jarvis is started again"
    assert (told in done.stderr) is (code == 70)
    assert ("(most recent call first)" in done.stderr) is (code == 70), "every thread's stack"


def test_loops_that_never_come_round_in_the_same_tick_are_alive_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One sleeps for five seconds, the other for ten: a sign of life needs both of them, not both at once."""
    monkeypatch.setattr(watchdogs, "TICK", 0.001)
    turn, often = itertools.count(), threading.Event()
    said: list[int] = []
    loops = dict.fromkeys(("clock", "conductor"), lambda: (next(turn) + 1) // 4)

    def alive() -> None:
        said.append(1)
        if len(said) == 3:
            often.set()

    watchdog = Watchdog(loops, alive=alive, stuck_after=1_000)
    watchdog.start()
    assert often.wait(20)
    watchdog.stop()
