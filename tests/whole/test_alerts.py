"""Does a person hear of it? A real daemon, real failures, and a channel that writes down what it was told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.whole.daemon import Daemon, until
from tests.whole.shifting import Shifted

CHANNEL = "alerts: {channels: {file: {journal: told.jsonl, rate: 10ms}}}\n"


def told(daemon: Daemon) -> list[dict[str, Any]]:
    """What the channel was told, the oldest first."""
    path = daemon.folder / "told.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def titles(daemon: Daemon) -> list[str]:
    return [one["title"] for one in told(daemon)]


def of_problems(daemon: Daemon) -> list[str]:
    """The messages about problems; that a busy machine missed moments of a job is told besides."""
    found = daemon.rows("SELECT subject FROM deliveries WHERE problem_id IS NOT NULL ORDER BY id")
    return [row["subject"] for row in found]


def everything(daemon: Daemon) -> str:
    """Titles and bodies: what waits at the same time goes together."""
    return "\n".join(f"{one['title']}\n{one['body']}" for one in told(daemon))


def test_a_job_that_fails_is_told_once_and_its_end_too(daemon: Daemon) -> None:
    daemon.jobs("sore: {every: 1s, command: 'test -e well'}", CHANNEL).start()
    until(lambda: of_problems(daemon), "the failure is told")
    daemon.wait_for("sore", "failed", count=4)
    assert daemon.stop() == 0
    daemon.start()
    daemon.wait_for("sore", "failed", count=6)
    assert of_problems(daemon) == ["sore: failed: exit code 1"], "a restart does not tell it again"
    (problem,) = until(
        lambda: [one for one in daemon.cli("alerts", "list", "--json") if one["count"] >= 4],
        "the problem is listed, and its failures are counted within a second or so",
    )
    assert list(problem["told"]) == ["file"]
    (daemon.folder / "well").touch()
    until(lambda: "over: sore: failed: exit code 1" in everything(daemon), "its end is told")
    assert of_problems(daemon) == ["sore: failed: exit code 1", "over: sore: failed: exit code 1"]
    assert daemon.cli("alerts", "list", "--json") == []
    successes = len(daemon.wait_for("sore", "succeeded", count=3))
    ends = [row for row in daemon.notes() if row["kind"] == "recovery"]
    assert len(ends) == 1, f"{successes} successes, and one end"


@pytest.mark.parametrize(
    "point", ["alerts.before-verdict", "alerts.in-transaction", "alerts.after-verdict", "outbox.before-send"]
)
def test_killed_between_row_verdict_and_send_nothing_is_lost_or_said_twice(
    daemon: Daemon, point: str, tmp_path: Path
) -> None:
    daemon.jobs("sore: {start: daemon, command: 'exit 4'}", CHANNEL)
    daemon.launch(JARVIS_CRASH_AT=point, JARVIS_CRASH_ONCE=str(tmp_path / "once"))
    assert daemon.ended() == -9
    daemon.jobs("sore: {every: 30d, command: 'exit 4'}", CHANNEL).start()
    until(lambda: titles(daemon), "the failure is told after the restart")
    until(lambda: [one for one in daemon.rows("SELECT * FROM problems") if one["told_at"]], "that is noted")
    assert titles(daemon) == ["sore: failed: exit code 4"]
    assert [one["count"] for one in daemon.rows("SELECT * FROM problems")] == [1]


@pytest.mark.parametrize("point", ["alerts.unsilenced", "alerts.in-transaction", "alerts.after-verdict"])
def test_killed_when_a_silence_ends_what_goes_on_is_told_once(
    daemon: Daemon, point: str, tmp_path: Path
) -> None:
    daemon.jobs("sore: {every: 30d, command: 'exit 4'}", CHANNEL).start()
    daemon.cli("alerts", "silence", "--for", "1h", "--match", "sore")
    daemon.cli("jobs", "run", "sore")
    until(lambda: [one["verdict"] for one in daemon.notes()] == ["silenced"], "it is silenced")
    daemon.stop()
    daemon.start(JARVIS_CRASH_AT=point, JARVIS_CRASH_ONCE=str(tmp_path / "once"))
    daemon.cli("alerts", "unsilence", "1")
    assert daemon.ended() == -9
    daemon.start()
    until(lambda: titles(daemon), "the failure is told after the restart")
    until(lambda: [one for one in daemon.rows("SELECT * FROM problems") if one["told_at"]], "that is noted")
    assert titles(daemon) == ["sore: failed: exit code 4"]
    assert [one["count"] for one in daemon.rows("SELECT * FROM problems")] == [1]


def test_a_handlers_problem_ends_when_a_run_does_not_raise_it_any_more(daemon: Daemon) -> None:
    daemon.handler(
        "disk",
        '''
        """Look at a disk."""
        from pathlib import Path
        from jarvis import Context, Skip

        def run(ctx: Context) -> None:
            if Path("skip").exists():
                raise Skip("not now")
            if not Path("space").exists():
                ctx.alert("the disk is full", key="disk", severity="critical")
            if not Path("noticed").exists():
                Path("noticed").touch()
                ctx.alert("looked for the first time", key="first", once=True)
        ''',
    )
    daemon.jobs("look: {every: 1s, run: disk, in: thread}", CHANNEL).start()
    until(lambda: "the disk is full" in everything(daemon), "the problem is told")
    until(lambda: "looked for the first time" in everything(daemon), "the notice is told")
    (daemon.folder / "skip").touch()
    daemon.wait_for("look", "skipped", count=2)
    (daemon.folder / "space").touch()
    assert [one["key"] for one in daemon.cli("alerts", "list", "--json")] == ["disk"], (
        "a skip resolves nothing"
    )
    (daemon.folder / "skip").unlink()
    until(lambda: "over: the disk is full" in everything(daemon), "its end is told")
    assert "over: looked" not in everything(daemon), "a notice has no end"


def test_a_problem_with_jobs_yaml_is_over_when_it_can_be_read_again(daemon: Daemon) -> None:
    daemon.jobs("calm: {every: 1d, command: 'true'}", CHANNEL).start()
    good = daemon.config.read_text()
    daemon.write(good + "\n  worse: {evry: 1d}\n")
    until(lambda: titles(daemon), "the mistake is told")
    assert titles(daemon) == ["the edit of jobs.yaml cannot be used; the jobs run on as they were"]
    daemon.write(good)
    until(lambda: len(titles(daemon)) == 2, "and that it is mended")
    assert titles(daemon)[1].startswith("over: the edit of jobs.yaml cannot be used")


def test_a_dead_mans_rule_is_told_and_is_over_with_the_next_success(daemon: Daemon) -> None:
    rule = "alert: {no_success_for: 2s, on: [lost]}"
    daemon.jobs(f"beat: {{every: 1s, command: 'test -e well', {rule}}}", CHANNEL).start()
    until(lambda: titles(daemon), "that nothing succeeds is told")
    assert titles(daemon)[0].startswith("beat: no success for ")
    (daemon.folder / "well").touch()
    until(lambda: len(titles(daemon)) == 2, "and that it does again")
    assert titles(daemon)[1].startswith("over: beat: no success for ")


def test_a_run_that_takes_too_long_and_one_that_does_not_start_are_told(daemon: Daemon) -> None:
    jobs = """
    quick:
      every: 1s
      command: 'while test -e slow; do sleep 0.1; done'
      alert: {longer_than_usual: 2, not_started_within: 2s}
      overlap: queue
    """
    daemon.jobs(jobs, CHANNEL).start()
    daemon.wait_for("quick", "succeeded", count=6)
    (daemon.folder / "slow").touch()
    until(lambda: "quick: running for" in everything(daemon), "that it takes too long is told")
    until(lambda: "quick: not started" in everything(daemon), "that the next one waits is told")
    (daemon.folder / "slow").unlink()
    until(lambda: "over: quick: running for" in everything(daemon), "that it has ended is told")


@pytest.mark.needs("cc")
def test_while_the_ledger_cannot_be_written_a_file_and_the_channels_are_told(
    daemons: Callable[..., Daemon],
) -> None:
    daemon = daemons(Shifted)
    assert isinstance(daemon, Shifted)
    daemon.jobs("tick: {every: 1s, command: 'true'}", CHANNEL).start()
    with daemon.held():
        until(lambda: "degraded: ledger" in daemon.log(), "it says degraded")
        assert titles(daemon) == [], "it may be over in a moment"
        daemon.step(timedelta(seconds=31))
        lines = daemon.state / "alerts.jsonl"
        until(lines.exists, "the file is written")
        until(lambda: titles(daemon), "the channel is told")
        said = json.loads(lines.read_text().splitlines()[0])
        assert said["severity"] == "critical" and "nothing can be recorded" in said["title"]
        assert lines.stat().st_mode & 0o777 == 0o600
    until(lambda: "it can again" in everything(daemon), "and that it can be written again")


def test_acknowledging_silencing_and_asking_why(daemon: Daemon) -> None:
    daemon.jobs("sore: {every: 1d, command: 'exit 5'}\ncalm: {every: 1d, command: 'exit 6'}", CHANNEL).start()
    assert "is silent until" in daemon.cli(
        "alerts", "silence", "--for", "1h", "--match", "calm", "--reason", "paint"
    )
    for job in ("sore", "calm"):
        daemon.cli("jobs", "run", job)
    until(lambda: titles(daemon) == ["sore: failed: exit code 5"], "one is told")
    until(lambda: len(daemon.rows("SELECT * FROM problems")) == 2, "both are known")
    until(lambda: [one for one in daemon.rows("SELECT * FROM problems") if one["told_at"]], "one as told")
    found = {one["job"]: one["id"] for one in daemon.cli("alerts", "list", "--json")}
    assert "silenced" in daemon.cli("alerts", "list")
    assert "paint" in daemon.cli("alerts", "list", "--silenced")
    (kept,) = daemon.cli("alerts", "list", "--silenced", "--json")
    assert (kept["job"], kept["verdict"]) == ("calm", "silenced")
    why = daemon.cli("alerts", "why", str(found["calm"]))
    assert "silence" in why and "paint" in why
    assert "said to file" in daemon.cli("alerts", "show", str(found["sore"]))
    assert (
        daemon.cli("alerts", "ack", str(found["sore"]), "--note", "mine")
        == "Acknowledged: sore: failed: exit code 5.\n"
    )
    assert "no alert 99" in daemon.cli("alerts", "show", "99", code=1)
    status = daemon.cli("status", "--json")
    assert status["alerting"] | {"queued": 0} == {
        "open": 2,
        "acknowledged": 1,
        "held": 0,
        "queued": 0,
        "dead": 0,
        "silences": 1,
    }
    assert (status["is_quiet_hours"], status["dedup_cache_size"]) == (False, 1)
    (silence,) = daemon.cli("alerts", "silences", "--json")
    daemon.cli("alerts", "unsilence", str(silence["id"]))
    until(
        lambda: titles(daemon)[1:] == ["calm: failed: exit code 6"],
        "what it kept is told when it is over",
        20,
    )
    assert "no silence 9 is in force" in daemon.cli("alerts", "unsilence", "9", code=1)
