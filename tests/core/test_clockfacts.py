"""Sleep, a set clock, a stall and downtime are told apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jarvis.core.clockfacts import CORRECTION, Fact, Reading, between, downtime, explain, set_back
from jarvis.core.settle import Lateness

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
FIVE = timedelta(seconds=5)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def reading(wall: float, awake: float, since_boot: float, boot: str = "one") -> Reading:
    return Reading(
        wall_at=NOON + seconds(wall), awake=seconds(awake), since_boot=seconds(since_boot), boot_id=boot
    )


START = reading(0, 100, 1000)


def told(facts: list[Fact]) -> list[str]:
    return [f"{fact.kind} {fact.amount.total_seconds():g}" for fact in facts]


@pytest.mark.parametrize(
    ("wall", "awake", "since_boot", "expected"),
    [
        pytest.param(5, 5, 5, [], id="nothing"),
        pytest.param(9.9, 9.9, 9.9, [], id="a little late"),
        pytest.param(5.4, 5, 5.4, [], id="less than half a second asleep is not told"),
        pytest.param(3605, 5, 3605, ["sleep 3600"], id="an hour asleep"),
        pytest.param(65, 65, 65, ["stall 60"], id="stopped or starved for a minute"),
        pytest.param(3605, 5, 5, ["step 3600"], id="clock set forward"),
        pytest.param(-3595, 5, 5, ["step -3600"], id="clock set back"),
        pytest.param(6.9, 5, 5, [], id="a step below two seconds is not told"),
        pytest.param(7, 5, 5, ["step 2"], id="a step of two seconds is"),
        pytest.param(3.1, 5, 5, [], id="nor is one back"),
        pytest.param(0, 5, 3605, ["sleep 3600", "step -3605"], id="asleep, and the clock stood still"),
        pytest.param(7265, 65, 3665, ["sleep 3600", "stall 60", "step 3600"], id="all at once"),
    ],
)
def test_what_happened_between_two_passes(
    wall: float, awake: float, since_boot: float, expected: list[str]
) -> None:
    after = reading(wall, 100 + awake, 1000 + since_boot)
    assert told(between(START, after, FIVE)) == expected


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(reading(60, 160, 1060), ["down 60"], id="restarted"),
        pytest.param(reading(60, 20, 20, "two"), ["down 60"], id="rebooted"),
        pytest.param(reading(3660, 160, 1060), ["down 3660", "step 3600"], id="clock set forward meanwhile"),
        pytest.param(reading(-3540, 160, 1060), ["down 0", "step -3600"], id="clock set back meanwhile"),
        pytest.param(
            reading(-3600, 20, 20, "two"), ["down 0", "step -3600"], id="rebooted into an earlier time"
        ),
    ],
)
def test_what_happened_while_jarvis_was_not_running(after: Reading, expected: list[str]) -> None:
    assert told(downtime(START, after)) == expected


def test_a_step_says_what_the_clock_would_have_shown() -> None:
    (fact,) = between(START, reading(-3595, 105, 1005), FIVE)
    assert (fact.from_at, fact.until_at) == (NOON + FIVE, NOON + FIVE - timedelta(hours=1))


def step(amount: float) -> Fact:
    return Fact(kind="step", from_at=NOON, until_at=NOON + seconds(amount), amount=seconds(amount))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param([], 0, id="no facts"),
        pytest.param([step(3600)], 0, id="set forward"),
        pytest.param([step(-3600)], 3600, id="set back"),
        pytest.param([step(-3600), step(-60)], 3660, id="set back twice"),
        pytest.param([step(-3600), step(3600)], 0, id="set back and forward again"),
        pytest.param([step(600), step(-3600)], 3000, id="forward a little and back a lot"),
        pytest.param(
            [Fact(kind="sleep", from_at=NOON, until_at=NOON, amount=seconds(-9))], 0, id="not a step"
        ),
    ],
)
def test_by_how_much_the_clock_was_set_back_in_all(facts: list[Fact], expected: float) -> None:
    assert set_back(facts) == seconds(expected)


def fact(kind: str, begin: float, end: float, amount: float | None = None) -> Fact:
    """From minute to minute after noon."""
    low, high = NOON + timedelta(minutes=begin), NOON + timedelta(minutes=end)
    return Fact(
        kind=kind,
        from_at=low,
        until_at=high,
        amount=high - low if amount is None else timedelta(minutes=amount),
    )


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param([], Lateness(), id="nothing is known"),
        pytest.param([fact("sleep", 0, 60)], Lateness(reason="asleep 12:00-13:00", slept=True), id="asleep"),
        pytest.param([fact("sleep", -60, -30)], Lateness(), id="asleep before it was due: no reason"),
        pytest.param(
            [fact("sleep", 0, 60), fact("stall", 70, 75)],
            Lateness(reason="asleep 12:00-13:00", slept=False),
            id="asleep, and starved: sleep is the reason, but not the only one",
        ),
        pytest.param(
            [fact("down", 0, 60), fact("sleep", 61, 65)],
            Lateness(reason="Jarvis was not running 12:00-13:00"),
            id="the longest cause is told",
        ),
        pytest.param(
            [fact("stall", 0, 1)],
            Lateness(reason="the process was stopped or starved 12:00:00-12:01:00"),
            id="a short one is told to the second",
        ),
        pytest.param(
            [fact("step", 0, 60)],
            Lateness(reason="the clock was set forward by 1h at 13:00:00"),
            id="clock set forward",
        ),
        pytest.param([fact("step", 0, -60)], Lateness(), id="a clock set back makes nothing late"),
        pytest.param(
            [fact("degraded", 0, 10)],
            Lateness(reason="the ledger could not be written 12:00-12:10"),
            id="no ledger",
        ),
        pytest.param(
            [fact("down", 0, 60 * 24)],
            Lateness(reason="Jarvis was not running 2026-03-10 12:00-2026-03-11 12:00"),
            id="over midnight with the dates",
        ),
        pytest.param(
            [fact("start", 0, 60), fact("stop", 0, 60)], Lateness(), id="other facts explain nothing"
        ),
    ],
)
def test_why_a_fire_is_late(facts: list[Fact], expected: Lateness) -> None:
    assert explain(NOON, NOON + timedelta(hours=2), facts, "UTC") == expected


def test_a_reason_is_told_in_the_local_time_of_the_job() -> None:
    said = explain(NOON, NOON + timedelta(hours=2), [fact("sleep", 0, 60)], "Asia/Kolkata")
    assert said.reason == "asleep 17:30-18:30"


def test_a_correction_begins_at_three_hours() -> None:
    assert timedelta(hours=3) == CORRECTION
