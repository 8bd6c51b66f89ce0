"""Is a change told exactly once when the daemon dies at the worst moment, or is down when it happens?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.whole.daemon import MARK, Daemon, until

WATCH = f"seen: {{watch: {{paths: in, debounce: 300ms}}, command: '{MARK}'}}"


@pytest.fixture
def watched(daemon: Daemon) -> Path:
    daemon.jobs(WATCH)
    folder = daemon.folder / "in"
    folder.mkdir()
    return folder


def told(daemon: Daemon) -> list[list[str]]:
    """The names each fire was told, oldest first."""
    causes = [json.loads(row["cause"]) for row in daemon.runs("seen")]
    return [[Path(path).name for path in cause["paths"]] for cause in causes]


@pytest.mark.parametrize("point", ["watch.before-commit", "watch.after-commit"])
def test_a_daemon_killed_while_it_notices_a_change_tells_it_once(
    daemon: Daemon, watched: Path, tmp_path: Path, point: str
) -> None:
    once = tmp_path / "once"
    (watched / "a").write_text("x")
    daemon.launch(JARVIS_CRASH_AT=point, JARVIS_CRASH_ONCE=str(once))
    until(once.exists, f"the crash at {point}")
    assert daemon.ended() == -9
    daemon.start()
    daemon.wait_for("seen", "succeeded")
    (watched / "b").write_text("x")
    daemon.wait_for("seen", "succeeded", count=2)
    assert told(daemon) == [["a"], ["b"]]
    assert len(daemon.marks()) == 2


def test_a_daemon_killed_before_the_quiet_is_over_notices_the_change_at_its_next_start(
    daemon: Daemon, watched: Path
) -> None:
    daemon.jobs(WATCH.replace("300ms", "2s")).start()
    until(lambda: daemon.rows("SELECT * FROM watches"), "the folder was looked at")
    (watched / "a").write_text("x")
    daemon.kill()
    assert daemon.runs("seen") == []
    daemon.start()
    daemon.wait_for("seen", "succeeded")
    daemon.restart()
    (watched / "b").write_text("x")
    daemon.wait_for("seen", "succeeded", count=2)
    assert told(daemon) == [["a"], ["b"]]


def test_people_see_what_a_job_watches_and_why_it_ran(daemon: Daemon, watched: Path) -> None:
    daemon.start()
    (watched / "a").write_text("x")
    run = daemon.wait_for("seen", "succeeded")[0]
    assert "when in changes" in str(daemon.cli("jobs", "list"))
    assert run["fire"].startswith("watch:")
    assert "every one is accounted for" in str(daemon.cli("audit"))
