"""Does a single moment (``at:``) that passes while nothing runs still come to its run?"""

from __future__ import annotations

import time
from datetime import timedelta

from tests.whole.daemon import MARK, SECOND, Daemon


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
