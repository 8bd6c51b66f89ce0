"""Does a single moment (``at:``) that passes while nothing runs still come to its run?"""

from __future__ import annotations

import time
from datetime import timedelta

from tests.whole.daemon import MARK, SECOND, Daemon, until


def test_a_single_moment_that_passed_while_jarvis_was_down_runs_late_and_once(daemon: Daemon) -> None:
    due = daemon.now.replace(microsecond=0) + timedelta(seconds=6)
    moment = due.strftime("%Y-%m-%d %H:%M:%S")
    daemon.jobs(f"once: {{at: \"{moment} +00:00\", command: '{MARK}'}}").start()
    daemon.kill()
    time.sleep(max(0.0, (due - daemon.now).total_seconds()) + 2)
    daemon.start()
    row = daemon.wait_for("once", "succeeded")[0]
    assert row["scheduled_at"] == int(due.timestamp()) * SECOND
    assert row["started_at"] - row["scheduled_at"] >= 2 * SECOND
    daemon.restart()
    assert len(daemon.runs("once")) == len(daemon.marks()) == 1


def test_a_single_moment_that_is_over_when_it_is_written_is_reported_and_never_runs(quick: Daemon) -> None:
    calm = "calm: {every: 30d, command: 'true'}\n"
    quick.jobs(calm).start()
    quick.jobs(calm + f"over: {{at: \"2020-01-01 00:00\", timezone: UTC, command: '{MARK}'}}\n")
    said = "over: at: 2020-01-01 00:00 UTC is in the past (it runs only if it was known before that"
    until(lambda: said in quick.log(), "the log reports it")
    assert quick.log().count(said) == 1
    assert [said in one for one in quick.cli("status", "--json")["warnings"]] == [True]
    assert said in quick.cli("status") and said in quick.cli("check", str(quick.config))
    shown = quick.cli("jobs", "show", "over", "--json")
    assert (shown["state"], shown["why"], shown["upcoming"]) == ("finished", "no moment is left", [])
    quick.restart()
    assert quick.runs("over") == [] == quick.marks()
