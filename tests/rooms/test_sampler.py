"""What does the sampler make of looks at a machine? With looks that were written down beforehand."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jarvis.core.clockfacts import Reading
from jarvis.core.stress import Baseline
from jarvis.core.vitals import Counters
from jarvis.sensing import linux
from jarvis.sensing.powermetrics import Power
from jarvis.sensing.processes import Process, Table
from jarvis.sensing.sampler import Look, Pace, Sampler, remembered
from jarvis.store.database import Database
from jarvis.store.samples import Samples

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


class Machine:
    """Sensors that say what they are told; its clocks go on as long as it is told, too."""

    def __init__(self) -> None:
        self.wall = self.awake = self.since_boot = 0.0
        self.known: dict[str, Any] = {
            "load": 0.5,
            "own_cpu": s(0),
            "own_wait": s(0),
            "disk_read": 0,
            "disk_written": 0,
        }

    def read(self) -> Counters:
        clocks = Reading(
            wall_at=START + s(self.wall), awake=s(self.awake), since_boot=s(self.since_boot), boot_id=""
        )
        accounted = s(2 * self.awake)
        return Counters(
            clocks=clocks, cores=2, **({"accounted": accounted, "busy": accounted / 4} | self.known)
        )

    def close(self) -> None:
        """Nothing is open."""

    def goes_on(self, seconds: float, *, asleep: float = 0, stepped: float = 0, **known: Any) -> None:
        self.awake += seconds
        self.since_boot += seconds + asleep
        self.wall += seconds + asleep + stepped
        self.known |= known


class Workers:
    """A table of processes that counts how often it is asked."""

    def __init__(self) -> None:
        self.scans = 0

    def scan(self) -> list[Process]:
        self.scans += 1
        return [Process(pid=self.scans, name="rsync", cpu=50.0, memory=10, io=1.0)]


class Sampled:
    """A sampler of such a machine."""

    def __init__(self, **more: Any) -> None:
        self.machine, self.workers = Machine(), Workers()
        self.sampler = Sampler(
            sensors=self.machine, table=self.workers, pace=Pace(scan=s(30), judge=more.pop("judge", True)), **more  # type: ignore[arg-type]
        )  # fmt: skip

    def look(self, seconds: float | None = None, **more: Any) -> Look:
        """After so many seconds; without: when it is due."""
        self.machine.goes_on(self.sampler._expected.total_seconds() if seconds is None else seconds, **more)
        return self.sampler.look()


@pytest.fixture
def sampled() -> Sampled:
    made = Sampled()
    made.look()
    return made


def stress(look: Look) -> int | None:
    assert look.batch.sample is not None
    return look.batch.sample.factors.total


def test_the_first_look_is_a_sample_and_never_a_pause(sampled: Sampled) -> None:
    fresh = Sampled()
    look = fresh.look(3_600)
    assert look.batch.sample is not None
    assert (look.batch.sample.interval, look.batch.sample.gap, look.batch.stalls) == (None, None, [])
    assert look.next_in == s(5)


def test_looks_at_their_time_are_no_pause(sampled: Sampled) -> None:
    looks = [sampled.look() for _ in range(10)]
    assert [look.batch.stalls for look in looks] == [[]] * 10
    assert all(look.batch.late is None and stress(look) == 0 for look in looks)


def test_a_look_that_comes_late_is_a_pause_with_the_stress_from_before_it(sampled: Sampled) -> None:
    sampled.look(load=3.0)
    look = sampled.look(17)
    (stall,) = look.batch.stalls
    assert (stall.kind, stall.cause, stall.gap, stall.expected, stall.surplus) == (
        "pause",
        "stopped",
        s(17),
        s(5),
        s(12),
    )
    assert (stall.stress, stall.factors) == (
        10, {"load": 10, "memory": None, "thermal": None, "latency": 0, "io": 0},
    )  # fmt: skip
    assert (stall.capture, stall.told_at, stall.review) == ("wanted", None, "unreviewed")
    assert look.due == ("elevated", "pause")
    (moment,) = look.moments
    assert moment.before is not None and moment.before.clocks.awake == s(5) and moment.found
    assert [table.why for table in look.batch.workers] == ["pause"]


def test_the_next_pause_within_a_minute_is_kept_and_not_told(sampled: Sampled) -> None:
    assert "pause" in sampled.look(17).due
    look = sampled.look(17)
    (stall,) = look.batch.stalls
    assert "pause" not in look.due
    assert stall.told_at == stall.until_at, "nobody is to be told later either"
    for _ in range(26):
        sampled.look(1)
    assert "pause" in sampled.look(17).due


def test_small_delays_are_counted_and_are_no_pause(sampled: Sampled) -> None:
    assert [sampled.look(5 + late).batch.late for late in (0.09, 0.15, 1.5)] == [
        None,
        (0.1, s(0.15)),
        (1.0, s(1.5)),
    ]


def test_sleep_and_a_set_clock_are_noted_and_nobody_is_told(sampled: Sampled) -> None:
    asleep = sampled.look(5, asleep=3_600)
    (stall,) = asleep.batch.stalls
    assert (stall.kind, stall.gap, stall.review, stall.capture) == ("sleep", s(3_605), "none", "none")
    assert (asleep.due, list(asleep.moments), stress(asleep)) == ((), [], 0)
    (step,) = sampled.look(5, stepped=7_200).batch.stalls
    assert (step.kind, step.cause, step.told_at is not None) == ("step", "clock step", True)
    back = sampled.look(5, stepped=-7_200)
    assert back.batch.stalls == []


def test_a_sample_by_hand_judges_nothing() -> None:
    sampled = Sampled(judge=False)
    sampled.look()
    assert sampled.look(60).batch.stalls == []


def test_elevated_it_looks_every_second_and_the_expected_interval_goes_with_it(sampled: Sampled) -> None:
    first = sampled.look(load=5.0)
    assert (stress(first), first.next_in, first.due) == (30, s(1), ("elevated",))
    assert first.batch.sample is not None and first.batch.sample.state == "elevated"
    assert first.batch.notes["mood"] == {"elevated": True, "since": (START + s(5)).isoformat()}
    elevated = [sampled.look() for _ in range(3)]
    assert [one.batch.sample.interval for one in elevated if one.batch.sample] == [s(1)] * 3
    assert all(not one.batch.stalls and one.batch.late is None for one in elevated)
    calm = [sampled.look(load=0.1) for _ in range(5)]
    assert [one.next_in for one in calm] == [s(1)] * 4 + [s(5)]
    assert calm[-1].batch.notes["mood"] == {"elevated": False, "since": None}
    back = sampled.look()
    assert back.batch.sample is not None and (back.batch.sample.interval, back.batch.stalls) == (s(5), [])


def test_a_snapshot_is_a_row_of_its_own_and_is_captured_once_a_stretch(sampled: Sampled) -> None:
    look = sampled.look(load=8.0, throttled=True)
    (stall,) = look.batch.stalls
    assert (stall.kind, stall.stress, stall.capture, stall.review) == ("snapshot", 60, "wanted", "unreviewed")
    assert stall.why == "stress reached 60 (load 40, thermal 20)"
    assert [moment.stall.kind for moment in look.moments] == ["snapshot"]
    after = [sampled.look() for _ in range(40)]
    assert [stall for look in after for stall in look.batch.stalls] == []
    assert [place + 1 for place, look in enumerate(after) if "critical" in look.due] == [30]


def test_without_forensics_nothing_is_wanted() -> None:
    sampled = Sampled(capture=False)
    sampled.look()
    assert sampled.look(17).batch.stalls[0].capture == "none"


def test_who_works_is_looked_at_every_thirty_seconds_and_when_stress_rises(sampled: Sampled) -> None:
    assert sampled.workers.scans == 1
    looks = [sampled.look() for _ in range(6)]
    assert [[table.why for table in look.batch.workers] for look in looks] == [[]] * 5 + [["due"]]
    assert sampled.look(load=2.9).batch.workers == [], "nine points more are no rise"
    (table,) = sampled.look(load=3.9).batch.workers
    assert (table.why, table.processes[0]["name"]) == ("stress", "rsync")


@pytest.mark.parametrize(("seconds", "looked"), [(4.999, False), (5, True)])
def test_stress_that_rises_soon_after_the_last_table_needs_no_other(
    sampled: Sampled, seconds: float, looked: bool
) -> None:
    for _ in range(6):
        sampled.look()
    assert bool(sampled.look(seconds, load=3.9).batch.workers) is looked


def test_what_the_machine_does_not_tell_is_noted_once(sampled: Sampled) -> None:
    missing = sampled.look().batch.notes["missing"]
    assert "gpu" in missing and "pressure stall information" in missing and "load" not in missing
    assert "missing" not in sampled.look().batch.notes


def test_powermetrics_adds_what_it_knows() -> None:
    tasks = [{"name": "WindowServer", "pid": place, "cpu": 9.0} for place in range(12)]
    sampled = Sampled(power=lambda: Power(frequency=3_200.0, gpu=40.0, throttled=True, tasks=tasks))
    look = sampled.look()
    assert look.batch.sample is not None
    seen = look.batch.sample.vitals
    assert (seen.frequency, seen.gpu, seen.throttled, look.batch.sample.factors.thermal) == (
        3_200.0,
        40.0,
        True,
        20,
    )
    (moment,) = sampled.look(30).moments
    assert list(moment.tasks) == tasks[:10], "a capture keeps the ten busiest of them"
    silent = Sampled(power=lambda: None).look()
    assert silent.batch.sample is not None and silent.batch.sample.vitals.gpu is None


def test_the_baseline_is_learned_and_written_every_minute(sampled: Sampled) -> None:
    looks = [sampled.look(disk_read=10_000_000 * (place + 1)) for place in range(13)]
    assert [place for place, look in enumerate(looks) if "baseline" in look.batch.notes] == [11]
    learned, mood = remembered(
        {"baseline": (looks[11].batch.notes["baseline"], START)}, None, START, timedelta(0)
    )
    assert learned.fast < 3_000_000 < Baseline().fast and not mood.elevated


@pytest.mark.parametrize(("ago", "elevated"), [(59, True), (60, False), (-5, False)])
def test_the_mood_goes_on_when_the_last_sample_is_of_the_last_minute(ago: float, elevated: bool) -> None:
    noted: Any = {"mood": ({"elevated": True, "since": START.isoformat()}, START)}
    now = START + s(300)
    _, mood = remembered(noted, now - s(ago), now, s(1_000))
    assert (mood.elevated, mood.since) == ((True, s(700)) if elevated else (False, None))


def test_the_next_look_is_meant_to_come_an_interval_after_the_last(sampled: Sampled) -> None:
    assert sampled.sampler.rest(sampled.sampler.last.clocks.awake + s(1.25)) == 3.75  # type: ignore[union-attr]
    assert sampled.sampler.rest(sampled.sampler.last.clocks.awake + s(9)) == 0.0  # type: ignore[union-attr]


@pytest.mark.needs("linux")
def test_half_a_minute_of_looks_costs_less_than_half_a_per_cent_of_a_core(tmp_path: Path) -> None:
    """Of processor time, with all that is done in half a minute: thirty looks, a table of processes, the rows."""
    database = Database(tmp_path / "ledger.sqlite")
    database.open()
    samples = Samples(database)
    sampler = Sampler(
        sensors=linux.Sensors(), table=Table(), pace=Pace(normal=s(1), elevated=s(1), judge=False)
    )
    sampler.look()
    began = time.process_time()
    for number in range(30):
        if number == 15:
            sampler._scanned = s(0)  # so that one is due
        look = sampler.look()
        assert look.batch.sample is not None
        samples.keep(look.batch, look.batch.sample.at)
    used = time.process_time() - began
    sampler.sensors.close()
    assert samples.count() == 30 and samples.workers(START - s(1e9), START + s(1e9))
    assert used < 0.005 * 30, f"{used / 30:.2%} of a core"
    database.close()
