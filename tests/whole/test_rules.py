"""Does a dead-man rule tell a person once, whatever happens to Jarvis meanwhile?"""

from __future__ import annotations

from tests.whole.daemon import Daemon, Row, until

JOBS = """
backup: {command: "exit 3"}
rules:
  every: 1s
  run: alert_eval
  with: {rules: [{name: no-backup, kind: job, job: backup, consecutive_failures: 1, severity: high}]}
"""


def told(daemon: Daemon) -> list[Row]:
    return [note for note in daemon.notes() if note["title"].startswith("no-backup")]


def suppressed(daemon: Daemon) -> list[Row]:
    return [run for run in daemon.runs("rules", "succeeded") if "1 suppressed" in run["result"]]


def test_a_dead_mans_rule_is_told_once_and_a_restart_does_not_forget_that(daemon: Daemon) -> None:
    daemon.jobs(JOBS).start()
    daemon.wait_for("rules", "succeeded")
    assert told(daemon) == []
    daemon.cli("jobs", "run", "backup", "--wait", code=1)
    (note,) = until(lambda: told(daemon), "the rule is told")
    assert (note["title"], note["severity"], note["job"]) == (
        "no-backup: backup failed once",
        "high",
        "rules",
    )
    until(lambda: suppressed(daemon), "the rule is suppressed")
    daemon.restart()
    before = len(suppressed(daemon))
    until(lambda: len(suppressed(daemon)) > before + 1, "the rule is still suppressed")
    assert len(told(daemon)) == 1
    (rule,) = daemon.cli("rules", "list", "--json")
    assert rule["told_at"] is not None and rule["job"] == "rules"


def test_a_daemon_that_is_killed_before_the_alert_is_stored_tells_it_afterwards(daemon: Daemon) -> None:
    daemon.jobs(JOBS.replace("every: 1s", "every: 12h")).start()
    daemon.cli("jobs", "run", "backup", "--wait", code=1)
    daemon.stop()
    daemon.start(JARVIS_CRASH_AT="conductor.in-transaction", JARVIS_CRASH_ONCE=str(daemon.folder / "crashed"))
    daemon.cli("jobs", "run", "rules", code=None)
    assert daemon.ended() == -9
    assert told(daemon) == []
    daemon.start()
    until(lambda: told(daemon), "what the killed daemon could not store is told")
    daemon.cli("jobs", "run", "rules", "--wait")
    assert len(told(daemon)) == 1
