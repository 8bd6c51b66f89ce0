"""Does Jarvis keep time when the clock does not? Steps in both directions, stopped processes, repeated hours, zones."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import psutil
import pytest

from tests.whole.beside import TICK
from tests.whole.daemon import MARK, SECOND, Daemon, until
from tests.whole.shifting import Shifted, micros

pytestmark = pytest.mark.needs("cc")

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FORWARD = [
    pytest.param(HOUR, id="an hour"),
    pytest.param(DAY, id="a day"),
    pytest.param(365 * DAY, id="a year"),
]


@pytest.fixture
def shifted(daemons: Callable[..., Daemon]) -> Shifted:
    made = daemons(Shifted)
    assert isinstance(made, Shifted)
    return made


@pytest.mark.parametrize("by", FORWARD)
def test_a_clock_set_forward_is_noticed_within_five_seconds_and_what_was_skipped_is_counted(
    shifted: Shifted, by: timedelta
) -> None:
    shifted.at("2026-03-10T12:30:00+00:00").jobs(f"""
        tick: {{every: 1s, command: '{MARK}'}}
        hourly: {{cron: "0 * * * *", timezone: UTC, command: '{MARK}'}}
        strict: {{cron: "0 * * * *", timezone: UTC, misfire_grace: 1m, command: '{MARK}'}}
    """).start()  # fmt: skip
    shifted.wait_for("tick", "succeeded", count=2)
    before = psutil.Process(shifted.pid).memory_info().rss
    shifted.step(by)
    new = int(shifted.now.timestamp() * SECOND)
    (hourly,) = shifted.wait_for("hourly", "succeeded")
    assert hourly["queued_at"] - new < 5 * SECOND
    shifted.wait_after(new, "tick", "succeeded")
    assert (
        min(row["queued_at"] for row in shifted.runs("tick") if row["scheduled_at"] > new) - new < 5 * SECOND
    )

    growth = psutil.Process(shifted.pid).memory_info().rss - before
    assert growth < 20_000_000
    (step,) = shifted.facts("step")
    assert step["amount"] == pytest.approx(by.total_seconds(), abs=1)
    (span,) = [span for span in shifted.spans("tick") if "set forward" in span["reason"]]
    assert span["count"] == pytest.approx(by.total_seconds(), abs=8)
    assert span["status"] == "missed"
    hours = by // HOUR
    assert [row["status"] for row in shifted.runs("hourly")] == ["succeeded"]
    assert sum(one["count"] for one in shifted.spans("hourly")) == hours - 1
    assert not shifted.runs("strict", "succeeded")
    missed = shifted.runs("strict", "missed") or shifted.spans("strict")
    assert "misfire_grace is 1m" in missed[-1]["reason"]


@pytest.mark.parametrize("by", [pytest.param(-HOUR, id="an hour"), pytest.param(-DAY, id="a day")])
def test_a_clock_set_back_never_silences_an_interval(shifted: Shifted, by: timedelta) -> None:
    shifted.at("2026-03-10T12:30:00+00:00").jobs(f"""
        {TICK}
        wild: {{cron: "* * * * *", timezone: UTC, command: '{MARK}'}}
    """).start()  # fmt: skip
    shifted.wait_for("tick", "succeeded", count=3)
    shifted.step(by)
    known = len(shifted.runs("tick"))
    shifted.wait_for("tick", "succeeded", count=known + 3)
    (step,) = shifted.facts("step")
    assert step["amount"] == pytest.approx(by.total_seconds(), abs=1)
    later = shifted.runs("tick")[known + 1 :]
    assert all(row["fire"].endswith("@1") for row in later)
    gaps = [b["scheduled_at"] - a["scheduled_at"] for a, b in pairwise(later)]
    assert set(gaps) <= {1_000_000}


def test_a_clock_set_back_by_an_hour_does_not_repeat_what_has_a_fixed_time(shifted: Shifted) -> None:
    shifted.at("2026-03-10T12:20:00+00:00").jobs(f"""
        tick: {{every: 1s, command: '{MARK}'}}
        noon: {{cron: "30 12 * * *", timezone: UTC, command: '{MARK}'}}
    """).start()  # fmt: skip
    shifted.at("2026-03-10T12:29:58+00:00")
    shifted.wait_for("noon", "succeeded")
    known = len(shifted.facts("step"))
    shifted.step(-HOUR)
    until(lambda: len(shifted.facts("step")) > known, "the step is noticed")
    shifted.at("2026-03-10T12:29:58+00:00")
    until(
        lambda: shifted.job_rows()["tick"]["next_fire_at"] > micros("2026-03-10T12:30:02+00:00"),
        "12:30 comes again",
    )
    assert [row["fire"] for row in shifted.runs("noon")] == ["schedule:2026-03-10T12:30:00Z"]
    assert shifted.job_rows()["noon"]["next_fire_at"] == micros("2026-03-11T12:30:00+00:00")


def test_a_clock_set_back_by_a_day_is_a_correction_and_fixed_times_follow_it(shifted: Shifted) -> None:
    shifted.at("2026-03-10T12:20:00+00:00").jobs(f"""
        noon: {{cron: "30 12 * * *", timezone: UTC, command: '{MARK}'}}
    """).start()  # fmt: skip
    shifted.at("2026-03-10T12:29:58+00:00")
    shifted.wait_for("noon", "succeeded")
    shifted.at("2026-03-09T12:29:54+00:00")
    shifted.wait_for("noon", "succeeded", count=2)
    assert [row["fire"] for row in shifted.runs("noon")] == [
        "schedule:2026-03-10T12:30:00Z",
        "schedule:2026-03-09T12:30:00Z@1",
    ]


def test_a_daemon_started_with_the_clock_an_hour_back_keeps_its_intervals_going(shifted: Shifted) -> None:
    shifted.at("2026-03-10T12:30:00+00:00").jobs(f"tick: {{every: 1s, command: '{MARK}'}}").start()
    shifted.wait_for("tick", "succeeded", count=2)
    assert shifted.stop() == 0
    shifted.step(-HOUR)
    known = len(shifted.runs("tick"))
    shifted.start()
    shifted.wait_for("tick", "succeeded", count=known + 2)


def test_a_retry_is_not_put_off_by_a_clock_set_back(shifted: Shifted) -> None:
    shifted.at("2026-03-10T12:30:00+00:00").jobs(f"""
        flaky:
          start: daemon
          command: '{MARK}; test $JARVIS_ATTEMPT = 2'
          retry: {{times: 1, wait: 4s}}
    """).start()  # fmt: skip
    shifted.wait_for("flaky", "failed")
    shifted.step(-HOUR)
    shifted.wait_for("flaky", "succeeded")


def test_a_clock_set_forward_ends_no_thread_before_its_time(shifted: Shifted) -> None:
    shifted.handler(
        "nap",
        '''
        """Sleep a while."""
        import time
        from jarvis import Context

        def run(ctx: Context) -> str:
            time.sleep(4)
            return "rested"
    ''',
    )
    shifted.at("2026-03-10T12:30:00+00:00")
    shifted.jobs("nap: {start: daemon, run: nap, in: thread, timeout: 1m, retry: none}").start()
    shifted.wait_for("nap", "running")
    shifted.step(HOUR)
    (row,) = shifted.wait_for("nap", "succeeded", "timed_out", "failed")
    assert (row["status"], row["result"]) == ("succeeded", "rested")


def test_nothing_is_run_again_by_a_start_inside_the_repeated_hour(shifted: Shifted) -> None:
    shifted.at("2026-11-01T05:20:00+00:00").jobs(f"""
        fixed: {{cron: "30 1 * * *", timezone: America/New_York, command: '{MARK}'}}
        halves: {{cron: "*/30 * * * *", timezone: America/New_York, command: '{MARK}'}}
    """).start()  # fmt: skip
    shifted.at("2026-11-01T05:29:58+00:00")
    shifted.wait_for("fixed", "succeeded")
    shifted.wait_for("halves", "succeeded")
    assert shifted.stop() == 0
    shifted.at("2026-11-01T06:20:00+00:00").start()
    shifted.wait_for("halves", "succeeded", count=2)
    shifted.at("2026-11-01T06:29:58+00:00")
    shifted.wait_for("halves", "succeeded", count=3)
    assert [row["fire"] for row in shifted.runs("fixed")] == ["schedule:2026-11-01T05:30:00Z"]
    assert shifted.job_rows()["fixed"]["next_fire_at"] == micros("2026-11-02T06:30:00+00:00")
    assert [row["fire"] for row in shifted.runs("halves")] == [
        "schedule:2026-11-01T05:30:00Z",
        "schedule:2026-11-01T06:00:00Z",
        "schedule:2026-11-01T06:30:00Z",
    ]


def test_jobs_without_a_zone_move_with_the_machine_and_the_change_is_on_record(shifted: Shifted) -> None:
    shifted.at("2026-03-10T12:30:00+00:00").jobs(f"""
        local: {{cron: "0 9 * * *", command: '{MARK}'}}
        fixed: {{cron: "0 9 * * *", timezone: Europe/Paris, command: '{MARK}'}}
    """)
    shifted.start(TZ="Europe/London")
    assert shifted.job_rows()["local"]["next_fire_at"] == micros("2026-03-11T09:00:00+00:00")
    fixed = shifted.job_rows()["fixed"]
    shifted.restart(TZ="Asia/Tokyo")
    until(
        lambda: shifted.job_rows()["local"]["next_fire_at"] == micros("2026-03-11T00:00:00+00:00"),
        "Tokyo's nine",
    )
    assert shifted.job_rows()["fixed"] == fixed
    first, second = shifted.rows("SELECT * FROM terms WHERE job = 'local' ORDER BY id")
    assert first["until_at"] == second["from_at"]


def test_a_process_stopped_for_twelve_seconds_runs_once_late_and_says_why(daemon: Daemon) -> None:
    daemon.jobs(f"""
        one: {{every: 1s, command: '{MARK}'}}
        two: {{every: 1s, command: '{MARK}'}}
        every-one: {{every: 1s, catch_up: all, overlap: queue, command: '{MARK}'}}
    """).start()  # fmt: skip
    daemon.wait_for("two", "succeeded", count=2)
    daemon.signal(signal.SIGSTOP)
    stopped = int(time.time() * SECOND)
    time.sleep(12)
    woken = int(time.time() * SECOND)
    daemon.signal(signal.SIGCONT)
    for job in ("one", "two"):
        daemon.wait_after(woken, job, "succeeded")
        (span,) = [span for span in daemon.spans(job) if span["count"] > 6]
        assert span["count"] == pytest.approx(11, abs=1)
        assert "stopped or starved" in span["reason"]
        meanwhile = [row for row in daemon.runs(job) if stopped < row["scheduled_at"] < woken]
        assert len(meanwhile) <= 2, "the newest, and at most one that was about to start"
    (stall,) = [fact for fact in daemon.facts("stall") if fact["amount"] > 6]
    assert stall["amount"] == pytest.approx(12, abs=3)
    until(lambda: len(daemon.runs("every-one", "succeeded")) > 14, "catch_up: all ran what was missed")
    assert daemon.spans("every-one") == []
