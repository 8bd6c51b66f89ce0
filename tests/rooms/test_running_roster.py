"""What do pausing, switching, removing and asking for jobs do to the timetable?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jarvis.core.run import Status
from jarvis.errors import NotFound, Refused
from tests.rooms.running_house import GATE, Running, running

JOBS = f"""
    slots: {{process: 1}}
    jobs:
      tick: {{command: "true", every: 1s}}
      block: {{command: "{GATE.format("gate")}", priority: 100}}
      nightly: {{command: "true", cron: "30 2 * * *"}}
      quiet: {{command: "true", every: 1s, enabled: false}}
      asked: {{command: "true"}}
"""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path, JOBS) as opened:
        opened.app.watcher.stop()
        yield opened


def test_a_name_that_is_nearly_right_is_suggested(house: Running) -> None:
    with pytest.raises(NotFound, match="no job 'nightyl' \\(did you mean 'nightly'\\?\\)"):
        house.app.roster.line("nightyl")


def test_a_paused_job_skips_its_moments_and_runs_when_asked(house: Running) -> None:
    roster = house.app.roster
    house.wait_for("tick", "succeeded")
    roster.pause("tick", None, "paused: holidays")
    started = len(house.rows("tick", "succeeded"))
    manual = house.finish("tick")
    assert manual.status is Status.SUCCEEDED
    house.until(lambda: house.sql("SELECT count FROM spans WHERE job = 'tick' AND status = 'skipped'"))
    (span,) = house.sql("SELECT status, reason FROM spans WHERE job = 'tick' AND status = 'skipped'")
    assert span == ("skipped", "paused: holidays")
    with pytest.raises(Refused, match="tick is paused already; 'jarvis jobs resume tick' ends that"):
        roster.pause("tick", None, "again")
    roster.resume("tick")
    with pytest.raises(Refused, match="tick is not paused"):
        roster.resume("tick")
    house.wait_for("tick", "succeeded", count=started + 2)


def test_a_fire_that_waits_when_its_job_is_paused_is_skipped(house: Running) -> None:
    block = house.begin("block")
    house.wait_for("tick", "queued")
    house.app.roster.pause("tick", None, "paused: enough")
    house.let("gate")
    house.end(block.id)
    assert house.wait_for("tick", "skipped")[0].reason == "paused: enough"


def test_a_pause_ends_by_itself(house: Running) -> None:
    until = datetime.now(UTC) + timedelta(seconds=1.2)
    house.app.roster.pause("tick", until, "paused: a moment")
    first = [run for run in house.wait_for("tick", "succeeded") if run.scheduled_at >= until]
    house.until(lambda: [run for run in house.rows("tick", "succeeded") if run.scheduled_at >= until])
    assert first == [] or first[0].scheduled_at >= until
    assert house.app.roster.paused("tick", until) is None


def test_a_job_is_switched_off_and_on_over_what_its_file_says(house: Running) -> None:
    roster = house.app.roster
    assert roster.line("quiet").next_at is None
    roster.switch("quiet", True)
    assert house.wait_for("quiet", "succeeded")
    with pytest.raises(Refused, match="quiet is enabled already"):
        roster.switch("quiet", True)
    house.edit(JOBS.replace('"30 2', '"31 2'))
    house.app.look_again()
    assert roster.line("quiet").entry.state == "active", "an edit of another job leaves the switch alone"
    roster.switch("quiet", False)
    rows = len(house.rows("quiet"))
    house.wait_for("tick", "succeeded", count=len(house.rows("tick", "succeeded")) + 1)
    assert len(house.rows("quiet")) == rows
    with pytest.raises(Refused, match="quiet is disabled already"):
        roster.switch("quiet", False)


def test_fires_of_a_job_that_is_removed_do_not_run(house: Running) -> None:
    block = house.begin("block")
    (waiting, *_) = house.wait_for("tick", "queued")
    house.edit(JOBS.replace("      tick: {command", "      tock: {command"))
    house.app.reload(confirm=True)
    assert "tick" not in house.app.roster.lines and "tock" in house.app.roster.lines
    house.let("gate")
    assert house.end(block.id).status is Status.SUCCEEDED
    ended = house.end(waiting.id)
    assert ended.status in (Status.SKIPPED, Status.MISSED)
    assert ended.reason is not None and ended.started_at is None
    assert house.wait_for("tock", "succeeded")


def test_a_job_that_comes_back_goes_on_with_its_history(house: Running) -> None:
    house.wait_for("tick", "succeeded")
    house.edit(JOBS.replace('      tick: {command: "true", every: 1s}\n', ""))
    house.app.reload(confirm=True)
    before = len(house.rows("tick"))
    house.edit(JOBS)
    house.app.reload(confirm=True)
    assert len(house.wait_for("tick", "succeeded", count=before + 1)) > before


def test_an_edit_of_one_job_moves_no_other(house: Running) -> None:
    nightly = house.app.roster.line("nightly")
    house.edit(JOBS.replace('asked: {command: "true"}', 'asked: {command: "false"}'))
    house.app.look_again()
    assert house.app.roster.line("nightly") is nightly
    assert house.finish("asked").status is Status.FAILED
