"""Does a single moment (``at:``) that passes while nothing runs still come to its run?"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from tests.whole.daemon import MARK, SECOND, Daemon, until


def pass_by(daemon: Daemon, more: str = "") -> tuple[str, datetime]:
    """A job of one moment that was known and passed while nothing ran (its name, the moment), by a second and more."""
    for ahead in (3, 12, 36):  # on a busy machine a start may take longer than that
        due = daemon.now.replace(microsecond=0) + timedelta(seconds=ahead)
        job = f"once-{ahead}"
        daemon.jobs(f"{more}{job}: {{at: '{due:%Y-%m-%d %H:%M:%S} +00:00', command: '{MARK}'}}").start()
        daemon.kill()
        if daemon.now < due:
            time.sleep((due - daemon.now).total_seconds() + 1)
            return job, due
    raise AssertionError("the daemon was never killed before the moment")


def test_a_single_moment_that_passed_while_jarvis_was_down_runs_late_and_once(daemon: Daemon) -> None:
    job, due = pass_by(daemon)
    daemon.start()
    row = daemon.wait_for(job, "succeeded")[0]
    assert row["scheduled_at"] == int(due.timestamp()) * SECOND
    assert row["started_at"] - row["scheduled_at"] >= SECOND
    daemon.restart()
    assert len(daemon.runs(job)) == len([mark for mark in daemon.marks() if mark[0] == job]) == 1


def test_a_single_moment_that_is_over_when_it_is_written_is_reported_and_never_runs(daemon: Daemon) -> None:
    calm = "calm: {every: 30d, command: 'true'}\n"
    daemon.jobs(calm).start()
    daemon.jobs(calm + f"over: {{at: \"2020-01-01 00:00\", timezone: UTC, command: '{MARK}'}}\n")
    said = "over: at: 2020-01-01 00:00 UTC is in the past (it runs only if it was known before that"
    until(lambda: said in daemon.log(), "the log reports it")
    assert daemon.log().count(said) == 1
    assert [said in one for one in daemon.cli("status", "--json")["warnings"]] == [True]
    assert said in daemon.cli("status") and said in daemon.cli("check", str(daemon.config))
    shown = daemon.cli("jobs", "show", "over", "--json")
    assert (shown["state"], shown["why"], shown["upcoming"]) == ("finished", "no moment is left", [])
    daemon.restart()
    assert daemon.runs("over") == [] == daemon.marks()
