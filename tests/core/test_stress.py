"""How much is this machine strained? Every number of the rule at its edge."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from jarvis.core import stress
from jarvis.core.stress import Baseline, Factors, Mood
from jarvis.core.vitals import Vitals

IDLE = Vitals(load=0.1, memory_available=80, throttled=False, disk_read=0, disk_written=0)


def points(**seen: object) -> dict[str, int | None]:
    late, baseline = seen.pop("late", 1.0), seen.pop("baseline", Baseline())
    return stress.factors(replace(IDLE, **seen), cores=8, late=late, baseline=baseline).dump()  # type: ignore[arg-type]


def test_an_idle_machine_has_no_stress() -> None:
    found = stress.factors(IDLE, cores=8, late=1.0, baseline=Baseline())
    assert found.dump() == {"load": 0, "memory": 0, "thermal": 0, "latency": 0, "io": 0}
    assert found.total == 0


@pytest.mark.parametrize(
    ("load", "expected"),
    [(0, 0), (8, 0), (8.39, 0), (8.4, 1), (16, 20), (23.9, 39), (24, 40), (40, 40), (400, 40)],
)
def test_load_counts_from_one_for_each_core_up_to_forty(load: float, expected: int) -> None:
    assert points(load=load)["load"] == expected


@pytest.mark.parametrize(
    ("available", "expected"),
    [(100, 0), (20, 0), (19.4, 0), (19.33, 1), (10, 15), (9.5, 15), (0.1, 29), (0, 30)],
)
def test_memory_counts_below_twenty_per_cent_available_up_to_thirty(available: float, expected: int) -> None:
    assert points(memory_available=available)["memory"] == expected


def test_a_throttled_machine_has_twenty_points() -> None:
    assert points(throttled=True)["thermal"] == 20


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (0.9, 0),
        (1.4, 0),
        (1.5, 0),
        (1.51, 10),
        (1.7, 14),
        (1.9, 18),
        (2.0, 20),
        (2.49, 29),
        (2.5, 30),
        (9, 30),
    ],
)
def test_latency_counts_only_above_one_and_a_half(late: float, expected: int) -> None:
    assert points(late=late)["latency"] == expected


@pytest.mark.parametrize(
    ("fast", "rate", "expected"),
    [
        pytest.param(5e6, 50e6, 0, id="exactly ten times the baseline"),
        pytest.param(5e6, 50e6 + 2, 20, id="just above it"),
        pytest.param(50e6, 100e6, 0, id="exactly a hundred megabytes"),
        pytest.param(50e6, 100e6 + 2, 20, id="just above a hundred megabytes"),
        pytest.param(0, 10e6, 0, id="a quiet machine has a baseline of one megabyte"),
        pytest.param(0, 10e6 + 2, 20, id="and ten times that are many for it"),
    ],
)
def test_io_counts_ten_times_above_the_baseline_or_from_a_hundred_megabytes(
    fast: float, rate: float, expected: int
) -> None:
    baseline = Baseline(fast=fast, slow=0, samples=60)
    assert points(disk_read=rate / 2, disk_written=rate / 2, baseline=baseline)["io"] == expected


def test_the_sum_ends_at_a_hundred() -> None:
    assert Factors(load=40, memory=30, thermal=20, latency=30, io=20).total == 100
    assert Factors(load=40, memory=30, thermal=20, latency=9, io=0).total == 99


def test_what_cannot_be_seen_is_unknown_and_never_zero() -> None:
    found = stress.factors(Vitals(load=16), cores=8, late=None, baseline=Baseline())
    assert found.dump() == {"load": 20, "memory": None, "thermal": None, "latency": None, "io": None}
    assert found.total == 20
    assert Factors().total is None


# The baseline.


def test_the_baseline_begins_at_ten_megabytes_and_learns_fast_for_sixty_samples() -> None:
    baseline = Baseline()
    assert (baseline.fast, baseline.slow, baseline.rate) == (10e6, 10e6, 10e6)
    once = baseline.learn(20e6)
    assert (once.fast, once.slow) == pytest.approx((13e6, 11e6))


@pytest.mark.parametrize(
    ("samples", "fast", "slow"),
    [
        pytest.param(59, 13e6, 11e6, id="the sixtieth sample still counts much"),
        pytest.param(60, 11e6, 10.01e6, id="the next one counts little"),
    ],
)
def test_learning_slows_down_after_sixty_samples(samples: int, fast: float, slow: float) -> None:
    learned = Baseline(samples=samples).learn(20e6)
    assert (learned.fast, learned.slow) == pytest.approx((fast, slow))


def test_a_long_copy_stops_being_a_spike_and_a_quiet_minute_changes_little() -> None:
    usual = Baseline(fast=2e6, slow=2e6, samples=600)
    copying = usual
    for _ in range(20):
        copying = copying.learn(60e6)
    assert stress.SPIKE * copying.rate > 60e6
    quiet = Baseline(fast=20e6, slow=20e6, samples=600)
    for _ in range(60):
        quiet = quiet.learn(0)
    assert quiet.rate > 18e6


def test_an_unknown_rate_teaches_nothing_and_what_was_learned_can_be_stored() -> None:
    baseline = Baseline().learn(3e6)
    assert baseline.learn(None) == baseline
    assert Baseline(**baseline.dump()) == baseline  # type: ignore[arg-type]


# The mood.


def after(
    *samples: tuple[float, int | None], mood: Mood | None = None
) -> tuple[Mood, list[tuple[float, str]]]:
    """The mood after samples of stress at these seconds, and what was due when."""
    mood, said = mood or Mood(), []
    for second, points in samples:
        mood, due = mood.next(points, timedelta(seconds=second))
        said += [(second, kind) for kind in due]
    return mood, said


@pytest.mark.parametrize(("points", "elevated"), [(29, False), (30, True), (31, True)])
def test_thirty_is_elevated_at_once(points: int, elevated: bool) -> None:
    mood, said = after((0, points))
    assert mood.elevated is elevated
    assert said == ([(0, "elevated")] if elevated else [])


def test_it_is_normal_again_after_five_calm_samples_in_a_row() -> None:
    assert after((0, 30), *[(second, 19) for second in range(1, 5)])[0].elevated
    assert not after((0, 30), *[(second, 19) for second in range(1, 6)])[0].elevated


@pytest.mark.parametrize("disturbance", [20, 29, 30])
def test_a_sample_of_twenty_or_more_begins_the_count_anew(disturbance: int) -> None:
    calm = [(second, 19) for second in range(1, 5)]
    mood, _ = after((0, 30), *calm, (5, disturbance), *[(6 + second, 19) for second in range(4)])
    assert mood.elevated
    assert not mood.next(0, timedelta(seconds=20))[0].elevated


def test_a_sample_without_stress_changes_nothing() -> None:
    mood, said = after((0, 30), (1, 19), (2, None), (3, 19))
    assert (mood.elevated, mood.calm, said) == (True, 2, [(0, "elevated")])


@pytest.mark.parametrize(("points", "taken"), [(59, False), (60, True), (100, True)])
def test_a_snapshot_is_taken_from_sixty_on(points: int, taken: bool) -> None:
    assert ((0, "snapshot") in after((0, points))[1]) is taken


def test_critical_stress_is_told_after_thirty_seconds_and_once_a_stretch() -> None:
    _, said = after((0, 60), (29.9, 60), (30, 60), (31, 60), (200, 60))
    assert said == [(0, "elevated"), (0, "snapshot"), (30, "critical")]


def test_stress_below_sixty_begins_the_thirty_seconds_anew() -> None:
    _, said = after((0, 60), (20, 59), (21, 60), (50, 60), (51, 60))
    assert [kind for _, kind in said] == ["elevated", "snapshot", "critical"]
    assert said[-1] == (51, "critical")


@pytest.mark.parametrize(("second", "again"), [(59.9, False), (60, True)])
def test_each_kind_cools_down_for_a_minute(second: float, again: bool) -> None:
    _, said = after((0, 60), (1, 10), (second, 60))
    assert ((second, "snapshot") in said) is again


def test_what_waited_for_its_minute_comes_when_its_stretch_still_lasts() -> None:
    _, said = after((0, 60), (1, 10), (30, 60), (61, 60))
    assert (61, "snapshot") in said
    _, over = after((0, 60), (1, 10), (30, 60), (40, 10), (61, 10))
    assert over == [(0, "elevated"), (0, "snapshot")]
