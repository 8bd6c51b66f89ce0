"""Was that a pause, and whose fault was it?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jarvis.core import pauses, vitals
from jarvis.core.clockfacts import Reading
from jarvis.core.pauses import Evidence
from jarvis.core.vitals import Counters


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


START = datetime(2026, 11, 20, 12, tzinfo=UTC)
NORMAL = Evidence(
    gap=s(15), expected=s(5), awake=s(15), slept=s(0), stepped=s(0), own_cpu=s(0.05), own_wait=s(0.001), quota_hits=0,
    memory_full=s(0), io_full=s(0), pressure_level=None, steal=s(0), missing=s(0),
)  # fmt: skip
"""Ten seconds late, and the machine went on."""
BLIND = replace(
    NORMAL,
    own_cpu=None,
    own_wait=None,
    quota_hits=None,
    memory_full=None,
    io_full=None,
    steal=None,
    missing=None,
)


def cause(**seen: Any) -> str | None:
    found = pauses.find(replace(NORMAL, **seen))
    return found and found.cause


@pytest.mark.parametrize(
    ("gap", "expected", "pause"),
    [
        pytest.param(10, 5, True, id="exactly twice, five seconds late"),
        pytest.param(9.999, 5, False, id="just below twice"),
        pytest.param(3, 1, True, id="exactly two seconds late"),
        pytest.param(2.999, 1, False, id="three times, but not two seconds late"),
        pytest.param(3.9, 2, False, id="late by less than both"),
        pytest.param(4, 2, True, id="exactly both"),
    ],
)
def test_a_pause_is_twice_the_expected_time_and_two_seconds_late(
    gap: float, expected: float, pause: bool
) -> None:
    seen = replace(NORMAL, gap=s(gap), awake=s(gap), expected=s(expected))
    found = pauses.find(seen)
    assert (found is not None) is pause
    if found:
        assert (found.kind, found.evidence.surplus) == ("pause", s(gap) - s(expected))


@pytest.mark.parametrize(("slept", "kind"), [(0.5, "pause"), (0.501, "sleep"), (600, "sleep")])
def test_more_than_half_a_second_of_sleep_is_noted_and_is_no_pause(slept: float, kind: str) -> None:
    found = pauses.find(replace(NORMAL, slept=s(slept)))
    assert found is not None and found.kind == kind


def test_a_short_sleep_is_noted_too() -> None:
    found = pauses.find(replace(NORMAL, gap=s(6), slept=s(1)))
    assert found is not None and (found.kind, found.why) == ("sleep", "the machine slept for 1.0 s")


def test_a_clock_that_was_set_only_looks_like_a_pause() -> None:
    found = pauses.find(replace(NORMAL, gap=s(5), awake=s(5), stepped=s(3_600)))
    assert found is not None and (found.kind, found.cause) == ("step", "clock step")
    assert found.why == "the clock was set forward by 1h"
    assert pauses.find(replace(NORMAL, gap=s(5), awake=s(5), stepped=s(-3_600))) is None
    for stepped, found in ((1.999, None), (2, "clock step"), (2.001, "clock step")):
        assert cause(gap=s(1), awake=s(1), expected=s(1), stepped=s(stepped)) == found


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param({"own_cpu": s(6)}, "own fault", id="own processor time of 60 %"),
        pytest.param({"own_cpu": s(5.99)}, "unknown", id="just below 60 %"),
        pytest.param({"own_cpu": s(3.99), "own_wait": s(0)}, "stopped", id="idle for most of it"),
        pytest.param({"own_cpu": s(2), "own_wait": s(2.01)}, "unknown", id="idle for less than 60 %"),
        pytest.param({"own_wait": s(6)}, "cpu starvation", id="own waiting of 60 %"),
        pytest.param({"own_wait": s(5.9)}, "unknown", id="waiting just below 60 %"),
        pytest.param({"memory_full": s(4.5)}, "memory stall", id="30 % of the gap for memory"),
        pytest.param({"memory_full": s(4.49)}, "stopped", id="just below 30 %"),
        pytest.param({"io_full": s(4.5)}, "io stall", id="30 % of the gap for disks"),
        pytest.param({"io_full": s(6), "memory_full": s(7)}, "memory stall", id="the longer one of two"),
        pytest.param({"pressure_level": 4}, "memory stall", id="critical memory pressure"),
        pytest.param({"pressure_level": 2}, "stopped", id="mere memory pressure"),
        pytest.param({"steal": s(6)}, "virtual machine", id="stolen by the host"),
        pytest.param({"steal": s(5.99)}, "stopped", id="stolen less"),
        pytest.param({"missing": s(6)}, "virtual machine", id="time that nobody accounts for"),
        pytest.param({"missing": s(5.99)}, "stopped", id="less of it"),
        pytest.param({}, "stopped", id="nothing of it"),
    ],
)
def test_the_cause_is_the_first_that_fits(seen: dict[str, Any], expected: str) -> None:
    assert cause(**seen) == expected


ORDERED = [
    ("sleep", {"slept": s(1)}),
    ("own fault", {"own_cpu": s(9)}),
    ("cpu starvation", {"own_wait": s(9)}),
    ("memory stall", {"memory_full": s(9)}),
    ("virtual machine", {"steal": s(9)}),
    ("stopped", {}),
]


@pytest.mark.parametrize("first", range(len(ORDERED)), ids=[name for name, _ in ORDERED])
def test_causes_are_asked_in_their_order(first: int) -> None:
    """With its own sign and those of all causes behind it."""
    seen: dict[str, Any] = {}
    for _, more in ORDERED[first:]:
        seen |= more
    assert cause(**seen) == ORDERED[first][0]


def test_a_used_up_quota_is_named() -> None:
    found = pauses.find(replace(NORMAL, own_wait=s(9), quota_hits=3))
    assert found is not None
    assert found.why == (
        "Jarvis waited for a processor for 9.0 s of it, its control group had used up its CPU quota"
    )


def test_what_cannot_be_seen_explains_nothing() -> None:
    found = pauses.find(BLIND)
    assert found is not None and (found.kind, found.cause) == ("pause", "unknown")
    for name in ("own_cpu", "own_wait", "missing"):
        blind = pauses.find(replace(NORMAL, **{name: None}))
        assert blind is not None and blind.cause == "unknown", name


@pytest.mark.parametrize(
    ("late", "bound"),
    [(0.0999, None), (0.1, 0.1), (0.2, 0.2), (0.499, 0.2), (0.5, 0.5), (1.99, 1.0), (2, 2.0), (4, 2.0)],
)
def test_small_delays_have_their_bucket(late: float, bound: float | None) -> None:
    assert pauses.bucket(s(late)) == bound


# Two looks at the machine.


def look(at: float, **more: Any) -> Counters:
    known = {"wall": at, "awake": at, "since_boot": at} | {
        name: more.pop(name) for name in ("wall", "awake", "since_boot") if name in more
    }
    clocks = Reading(
        wall_at=START + s(known["wall"]),
        awake=s(known["awake"]),
        since_boot=s(known["since_boot"]),
        boot_id="",
    )
    return Counters(clocks=clocks, cores=2, **more)


def test_evidence_is_what_grew_between_two_looks() -> None:
    before = look(0, own_cpu=s(1), own_wait=s(2), accounted=s(100), steal=s(1), quota_hits=5)
    after = look(15, own_cpu=s(1.5), own_wait=s(5), accounted=s(118), steal=s(3), quota_hits=7)
    seen = pauses.weigh(before, after, s(5))
    assert (seen.gap, seen.surplus, seen.own_cpu, seen.own_wait, seen.quota_hits) == (
        s(15),
        s(10),
        s(0.5),
        s(3),
        2,
    )
    assert (seen.missing, seen.steal) == (s(6), s(1)), "of one processor of two"
    assert (seen.memory_full, seen.pressure_level) == (None, None)


def test_sleep_is_what_only_one_clock_saw() -> None:
    seen = pauses.weigh(look(0), look(5, since_boot=605, wall=605), s(5))
    assert (seen.slept, seen.gap, seen.awake, seen.stepped) == (s(600), s(605), s(5), s(0))
    found = pauses.find(seen)
    assert found is not None and found.kind == "sleep"


def test_a_set_clock_is_what_only_the_wall_saw() -> None:
    assert pauses.weigh(look(0), look(5, wall=3_605), s(5)).stepped == s(3_600)


def test_vitals_are_shares_and_rates() -> None:
    before = look(
        0, busy=s(10), accounted=s(100), disk_read=1_000, disk_written=0, net_received=5, net_sent=5,
        stall_memory_full=s(1), throttles=3,
    )  # fmt: skip
    after = look(
        5, busy=s(15), accounted=s(110), disk_read=6_000, disk_written=500, net_received=5, net_sent=105,
        stall_memory_full=s(3), throttles=4, memory_total=200, memory_available=50, swap_total=0, swap_used=0, load=1.5,
    )  # fmt: skip
    seen = vitals.between(before, after)
    assert (seen.cpu, seen.disk_read, seen.disk_written, seen.io) == (50.0, 1_000.0, 100.0, 1_100.0)
    assert (seen.net_received, seen.net_sent, seen.stall_memory_full) == (0.0, 20.0, 40.0)
    assert (seen.throttled, seen.memory_available, seen.load) == (True, 25.0, 1.5)
    assert (seen.swap, seen.temperature, seen.gpu) == (None, None, None)


def test_a_counter_that_began_again_says_nothing() -> None:
    seen = vitals.between(look(0, disk_read=9_000, disk_written=0), look(5, disk_read=10, disk_written=0))
    assert (seen.disk_read, seen.disk_written, seen.io) == (None, 0.0, None)


def test_a_first_look_has_levels_and_no_rates() -> None:
    seen = vitals.between(None, look(0, load=1.0, disk_read=5, throttled=False))
    assert (seen.load, seen.disk_read, seen.cpu, seen.throttled) == (1.0, None, None, False)
