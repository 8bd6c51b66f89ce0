"""Do alerts, quiet hours, messages and rules keep their time when the clock is set forward or back?"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.whole.daemon import SECOND, Daemon, Row, until
from tests.whole.shifting import Shifted

pytestmark = pytest.mark.needs("cc")

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
CHANNEL = "file: {journal: told.jsonl, rate: 10ms, severity: medium}"
QUIET = f"alerts: {{channels: {{{CHANNEL}}}, quiet: {{from: '22:00', to: '07:00', timezone: UTC}}}}\n"
TICK = "tick: {every: 1s, command: 'true'}\n"
"""So that the clock is looked at each second; without it, each five."""
SORE = (
    TICK
    + "sore: {on: {event: go/now}, command: 'exit 4', retry: none}\n"
    + "worse: {on: {event: go/now}, command: 'kill -9 $$', retry: none}\n"
)


@pytest.fixture
def shifted(daemons: Callable[..., Daemon]) -> Shifted:
    made = daemons(Shifted)
    assert isinstance(made, Shifted)
    return made


def told(daemon: Daemon) -> list[dict[str, Any]]:
    path = daemon.folder / "told.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def held(daemon: Daemon) -> list[Row]:
    return [row for row in daemon.notes() if row["verdict"] == "held"]


def fail_both(daemon: Daemon) -> None:
    daemon.cli("events", "publish", "go/now")


def stepped(daemon: Shifted, by: timedelta) -> None:
    """Set the clock, and wait until that is noticed."""
    known = len(daemon.facts("step"))
    daemon.step(by)
    until(lambda: len(daemon.facts("step")) > known, "the step is noticed")


def test_a_clock_set_forward_over_the_end_of_the_quiet_hours_makes_one_digest(shifted: Shifted) -> None:
    shifted.at("2026-03-10T23:00:00+00:00").jobs(SORE, QUIET).start()
    fail_both(shifted)
    until(lambda: len(held(shifted)) == 2, "both are held")
    assert told(shifted) == []
    stepped(shifted, 9 * HOUR)
    until(lambda: told(shifted), "the digest is told")
    until(lambda: not held(shifted), "nothing is held any more")
    (digest,) = told(shifted)
    assert (digest["kind"], digest["title"]) == ("digest", "2 alerts were held (2 high)")
    assert "sore: failed: exit code 4" in digest["body"] and "worse: failed" in digest["body"]


def test_what_is_held_over_a_clock_set_back_is_told_when_the_quiet_hours_end(shifted: Shifted) -> None:
    shifted.at("2026-03-10T23:30:00+00:00").jobs(SORE, QUIET).start()
    fail_both(shifted)
    until(lambda: len(held(shifted)) == 2, "both are held")
    stepped(shifted, -HOUR)
    assert len(held(shifted)) == 2 and told(shifted) == []
    stepped(shifted, 8 * HOUR)
    assert told(shifted) == [], "06:30 is quiet"
    stepped(shifted, 31 * MINUTE)
    until(lambda: told(shifted), "the digest is told")
    assert [one["title"] for one in told(shifted)] == ["2 alerts were held (2 high)"]


def test_a_storm_that_is_held_over_a_clock_set_back_waits_no_longer_than_its_cycle(shifted: Shifted) -> None:
    storm = f"alerts: {{channels: {{{CHANNEL}}}, storm: 1, cycle: 6s}}\n"
    shifted.at("2026-03-10T12:30:00+00:00").jobs(SORE, storm).start()
    fail_both(shifted)
    until(lambda: len(held(shifted)) == 1, "the second one is held")
    stepped(shifted, -HOUR)
    until(lambda: len(told(shifted)) == 2, "and told when the cycle ends")
    assert [one["kind"] for one in told(shifted)] == ["alert", "digest"]


@pytest.mark.parametrize(
    "down", [pytest.param(False, id="while it runs"), pytest.param(True, id="while it is down")]
)
def test_a_message_that_waits_for_its_next_try_waits_no_hour_more_after_a_clock_set_back(
    shifted: Shifted, down: bool, port: int
) -> None:
    hook = f"hook: {{url: 'json://127.0.0.1:{port}/', rate: 0s}}"
    shifted.at("2026-03-10T12:30:00+00:00")
    shifted.jobs(
        TICK + "report: {command: 'echo 41 files', deliver: {to: hook}}",
        f"alerts: {{channels: {{{hook}}}}}\n",
    )
    shifted.start()
    shifted.cli("jobs", "run", "report", "--wait")
    until(lambda: shifted.rows("SELECT * FROM deliveries WHERE attempts = 1"), "a first attempt")
    if down:
        assert shifted.stop() == 0
        shifted.step(-HOUR)
        shifted.start()
    else:
        stepped(shifted, -HOUR)
    (row,) = shifted.rows("SELECT * FROM deliveries WHERE kind = 'result'")
    wait = row["not_before"] / SECOND - shifted.now.timestamp()
    assert wait < 25, "15 s and a little more, as before"
    shifted.step(MINUTE)
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.settimeout(40)
        listener.accept()[0].close()


def test_a_machine_that_slept_cries_no_wolf_before_what_is_late_had_time_to_catch_up(
    shifted: Shifted,
) -> None:
    jobs = """
    hourly: {every: 1h, command: 'true', alert: {no_success_for: 90m, on: [lost]}}
    beat: {every: 1s, command: 'test -e well', retry: none, alert: {no_success_for: 6s, on: [lost]}}
    """
    (shifted.folder / "well").touch()
    shifted.at("2026-03-10T12:50:00+00:00").jobs(jobs, f"alerts: {{channels: {{{CHANNEL}}}}}\n").start()
    shifted.at("2026-03-10T12:59:58+00:00")
    shifted.wait_for("hourly", "succeeded")
    shifted.wait_for("beat", "succeeded")
    stepped(shifted, 8 * HOUR)
    shifted.wait_for("hourly", "succeeded", count=2)
    known = len(shifted.runs("beat", "succeeded"))
    shifted.wait_for("beat", "succeeded", count=known + 8)
    assert [row for row in shifted.notes() if row["key"] == "jarvis:silent"] == []
    (shifted.folder / "well").unlink()
    until(
        lambda: [one for one in told(shifted) if "beat: no success for" in one["title"]],
        "real silence is told",
    )


def test_a_clock_set_back_does_not_keep_a_dead_mans_rule_quiet_for_that_long(shifted: Shifted) -> None:
    jobs = "beat: {every: 1s, command: 'test -e well', retry: none, alert: {no_success_for: 2s, on: [lost]}}"
    (shifted.folder / "well").touch()
    shifted.at("2026-03-10T12:30:00+00:00").jobs(jobs, f"alerts: {{channels: {{{CHANNEL}}}}}\n").start()
    shifted.wait_for("beat", "succeeded", count=2)
    (shifted.folder / "well").unlink()
    stepped(shifted, -HOUR)
    until(lambda: told(shifted), "that nothing succeeds is told")
    (shifted.folder / "well").touch()
    until(lambda: len(told(shifted)) == 2, "and its end")
    assert [one["title"].partition("beat: no success for")[0] for one in told(shifted)] == ["", "over: "]


def test_a_maintenance_window_holds_on_when_the_clock_is_set_back(shifted: Shifted) -> None:
    shifted.at("2026-03-10T12:30:00+00:00").jobs(SORE, f"alerts: {{channels: {{{CHANNEL}}}}}\n").start()
    shifted.cli("alerts", "silence", "--for", "2h", "--match", "sore")
    stepped(shifted, -HOUR)
    fail_both(shifted)
    until(lambda: told(shifted), "the other one is told")
    assert [one["title"] for one in told(shifted)] == ["worse: failed: killed by signal 9"]
    (note,) = [row for row in shifted.notes() if row["job"] == "sore"]
    assert (note["verdict"], "silenced for another" in note["why"]) == ("silenced", True)


def test_what_nobody_acknowledged_is_escalated_in_time_although_the_clock_was_set_back(
    shifted: Shifted,
) -> None:
    escalate = "escalate: {to: boss, after: 6s, severity: high}"
    channels = f"{{{CHANNEL}, boss: {{journal: boss.jsonl, rate: 10ms}}}}"
    rules = f"alerts: {{channels: {channels}, to: file, {escalate}}}\n"
    shifted.at("2026-03-10T12:30:00+00:00").jobs(SORE, rules).start()
    shifted.cli("jobs", "run", "sore")
    until(lambda: shifted.rows("SELECT * FROM problems WHERE told_at IS NOT NULL"), "it is told")
    stepped(shifted, -HOUR)
    until((shifted.folder / "boss.jsonl").exists, "the other one hears of it", 25)


@pytest.mark.parametrize("by", [pytest.param(HOUR, id="forward"), pytest.param(-HOUR, id="back")])
def test_tickets_rules_and_cached_values_live_through_a_step(shifted: Shifted, by: timedelta) -> None:
    shifted.at("2026-03-10T12:30:00+00:00").jobs(
        """
        watch: {every: 1s, run: invariants, with: {invariants: {flag: {up: {command: "test -e flag"}, grace: 4s}}}}
        broken: {command: "exit 3", retry: none}
        rules:
          every: 1s
          run: alert_eval
          with: {rules: [{name: sick, kind: job, job: broken, consecutive_failures: 1, cooldown: 30m}]}
        """
    ).start()
    shifted.cli("jobs", "run", "broken")
    shifted.cli("cache", "set", "brief", '"x"', "--ttl", "3s")
    until(lambda: [row for row in shifted.notes() if row["title"].startswith("sick")], "the rule is told")
    until(lambda: shifted.rows("SELECT * FROM violations"), "the violation is known")
    stepped(shifted, by)
    until(lambda: shifted.rows("SELECT * FROM tickets"), "a ticket after its grace, whatever the clock")
    known = len(shifted.runs("rules", "succeeded"))
    shifted.wait_for("rules", "succeeded", count=known + 2)
    times = len([row for row in shifted.notes() if row["title"].startswith("sick")])
    assert times == 2, "once before the step and once after: an hour is more than the cooldown, either way"
    until(
        lambda: "x" not in str(shifted.cli("cache", "get", "brief", code=None)),
        "its three seconds are over",
    )
