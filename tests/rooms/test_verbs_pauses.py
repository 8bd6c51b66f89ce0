"""What do the verbs and commands about pauses and samples answer, with a daemon and without one?"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jarvis.cli.tree import jarvis
from jarvis.control import verbs_pauses
from jarvis.core.stress import Factors
from jarvis.core.vitals import Vitals
from jarvis.errors import NotFound, Refused
from jarvis.store.samples import Batch, Sample, Samples
from jarvis.store.stalls import Stall
from tests.rooms.control_house import House

JOBS = "jobs: {hello: {every: 28d, command: echo hello}}"
NOW = datetime.now(UTC)
PAUSE = Stall(
    kind="pause", from_at=NOW, until_at=NOW, gap=timedelta(seconds=17), expected=timedelta(seconds=5),
    surplus=timedelta(seconds=12), cause="io stall", why="everything waited for disks during 71% of it",
    evidence={"gap": 17.0, "own_cpu": None}, stress=40, factors={"load": 12, "memory": None, "io": 20}, capture="done",
    directory="2026-11-20_09-00-00",
)  # fmt: skip


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path, JOBS).open() as opened:
        yield opened


def fill(house: House, *, fresh: bool = True) -> datetime:
    """Three samples, the last one now; a pause with its directory, a snapshot and a sleep; a small delay."""
    store, now = Samples(house.desk.database), datetime.now(UTC)
    for seconds, points in ((20, 10), (10, None), (0 if fresh else 600, 35)):
        five = timedelta(seconds=5)
        sample = Sample(
            at=now - timedelta(seconds=seconds), interval=five, gap=five,
            vitals=Vitals(load=2.5, disk_read=1_000.0, disk_written=0.0),
            factors=Factors(load=points), state="elevated",
        )  # fmt: skip
        store.keep(Batch(sample=sample), now)
    at = {"from_at": now - timedelta(seconds=17), "until_at": now}
    sleep = replace(PAUSE, **at, kind="sleep", cause="sleep", capture="none", directory=None, review="none")
    snapshot = replace(
        PAUSE, **at, kind="snapshot", gap=None, expected=None, surplus=None, cause=None, directory=None
    )
    notes = {"missing": ["gpu"], "mood": {"elevated": True, "since": now.isoformat()}}
    store.keep(Batch(stalls=[replace(PAUSE, **at), snapshot, sleep], notes=notes), now)
    store.keep(Batch(late=(0.5, timedelta(seconds=0.7))), now)
    folder = house.instance.state / "pauses" / "2026-11-20_09-00-00"
    folder.mkdir(parents=True)
    (folder / "metadata.json").write_text("{}")
    return now


def test_pauses_are_listed_newest_first_and_sleeps_only_on_request(house: House) -> None:
    assert house.ask("pauses.list") == []
    fill(house)
    assert [(one["id"], one["kind"]) for one in house.ask("pauses.list")] == [(2, "snapshot"), (1, "pause")]
    assert [one["kind"] for one in house.ask("pauses.list", everything=True)] == [
        "sleep",
        "snapshot",
        "pause",
    ]
    assert house.ask("pauses.list", review=["pinned"]) == []
    assert [one["id"] for one in house.ask("pauses.list", limit=1)] == [2]


def test_a_pause_says_its_cause_its_samples_and_its_files(house: House) -> None:
    fill(house)
    found = house.ask("pauses.show", id=1)
    assert (found["seconds"], found["expected_seconds"], found["surplus_seconds"], found["ratio"]) == (
        17,
        5,
        12,
        3.4,
    )
    assert (found["cause"], found["stress"], found["evidence"]["own_cpu"]) == ("io stall", 40, None)
    assert found["directory"] == str(house.instance.state / "pauses" / "2026-11-20_09-00-00")
    assert found["files"] == [{"name": "metadata.json", "bytes": 2}]
    assert [one["stress"] for one in found["samples"]] == [10, None, 35]
    with pytest.raises(NotFound, match="no pause 77"):
        house.ask("pauses.show", id=77)


def test_a_pause_is_marked_with_a_note(house: House) -> None:
    fill(house)
    said = house.ask("pauses.mark", id=1, review="pinned", note="the nightly copy")
    assert (said["review"], said["note"]) == ("pinned", "the nightly copy")
    assert house.ask("pauses.show", id=1)["reviewed_at"] is not None
    with pytest.raises(Refused, match="3 is a sleep"):
        house.ask("pauses.mark", id=3, review="reviewed")


def test_status_says_how_the_machine_is_and_what_it_does_not_tell(house: House) -> None:
    nothing = house.ask("pauses.status")
    assert (nothing["sampling"], nothing["sample_count"], nothing["current_stress"]) == (False, 0, None)
    now = fill(house)
    said = house.ask("pauses.status")
    assert (said["sampling"], said["sample_count"], said["event_count"], said["unreviewed"]) == (
        True,
        3,
        2,
        2,
    )
    assert (said["current_stress"], said["missing"]) == (35, ["gpu"])
    assert datetime.fromisoformat(said["elevated_since"]) == now
    assert [(one["from_seconds"], one["count"]) for one in said["small_delays"]] == [(0.5, 1)]


def test_the_status_of_jarvis_has_the_count_of_samples_and_pauses_and_the_stress(house: House) -> None:
    known = ("sample_count", "event_count", "current_stress", "elevated_since")
    assert [house.ask("status")[name] for name in known] == [0, 0, None, None]
    fill(house)
    status = house.ask("status")
    assert [status[name] for name in known[:3]] == [3, 2, 35]
    assert status["elevated_since"] is not None


def test_old_samples_say_nothing_about_now(house: House) -> None:
    fill(house, fresh=False)
    said = house.ask("pauses.status")
    assert (said["sampling"], said["current_stress"], said["elevated_since"]) == (False, None, None)


@pytest.mark.parametrize(("seconds", "fresh"), [(44.999, True), (45, False)])
def test_a_sampler_that_missed_three_looks_and_half_a_minute_is_not_at_work(
    house: House, seconds: float, fresh: bool
) -> None:
    fill(house)
    last = Samples(house.desk.database).newest()
    assert last is not None and last["interval"] == 5
    said = verbs_pauses.sampled(house.desk, last["at"] + timedelta(seconds=seconds))
    assert (said["current_stress"] is not None, said["elevated_since"] is not None) == (fresh, fresh)


def test_history_has_every_sample_or_means(house: House) -> None:
    fill(house)
    rows = house.ask("samples.history", hours=1)
    assert [(one["stress"], one["gpu"]) for one in rows] == [(10, None), (None, None), (35, None)]
    (mean,) = house.ask("samples.history", hours=1, every=3_600)
    assert (mean["samples"], mean["stress"], mean["stress_highest"], mean["load"]) == (3, 22.5, 35, 2.5)
    assert (mean["temperature"], mean["throttled"]) == (None, None)
    assert house.ask("samples.history", hours=0.0025) == [rows[-1]]


# The commands.


def command(house: House, *words: str) -> Any:
    return CliRunner().invoke(jarvis, [*words, *house.options])


def test_the_commands_show_pauses_to_people(house: House) -> None:
    fill(house)
    listed = command(house, "pauses", "list").stdout
    assert "io stall" in listed and "12 s" in listed and "snapshot" in listed and "sleep" not in listed
    shown = command(house, "pauses", "show", "1").stdout
    assert "12 s (17 s instead of 5 s)" in shown and "metadata.json (2 B)" in shown
    assert "40 before it (io 20, load 12)" in shown
    marked = command(house, "pauses", "mark", "1", "dismissed", "--note", "known")
    assert (marked.exit_code, marked.stdout) == (0, "Pause 1 is dismissed now.\n")
    status = command(house, "pauses", "status").stdout
    assert "35 of 100" in status and "unknown here" in status and "gpu" in status
    assert "stress 35 of 100, elevated since" in command(house, "status").stdout


def test_an_unknown_pause_is_a_sentence_and_exit_code_1(house: House) -> None:
    refused = command(house, "pauses", "mark", "9", "pinned")
    assert refused.exit_code != 0
    assert isinstance(refused.exception, NotFound) and refused.exception.exit_code == 1
    assert str(refused.exception) == "no pause 9 (there are none yet)"


def test_samples_are_told_as_a_table_as_json_and_as_csv(house: House) -> None:
    empty = command(house, "samples", "history")
    assert (empty.exit_code, empty.stdout) == (0, "")
    heading = command(house, "samples", "history", "--format", "csv").stdout
    fill(house)
    assert command(house, "samples", "history", "--format", "csv").stdout.startswith(heading) and heading
    table = command(house, "samples", "history", "-H", "24").stdout
    assert "STRESS" in table and "22.5" in table and "?" in table, "what is unknown is a question mark"
    told = json.loads(command(house, "samples", "history", "-H", "24", "--format", "json").stdout)
    assert [one["stress"] for one in told] == [10, None, 35]
    assert json.loads(command(house, "samples", "history", "--json").stdout) == told
    rows = list(csv.DictReader(io.StringIO(command(house, "samples", "history", "--format", "csv").stdout)))
    assert [one["stress"] for one in rows] == ["10", "", "35"]
    assert rows[0]["load"] == "2.5"


def test_pauses_can_be_looked_at_and_marked_without_a_daemon(tmp_path: Path) -> None:
    with House(tmp_path, JOBS).open() as house:
        fill(house)
    assert json.loads(command(house, "pauses", "list", "--json").stdout)[1]["cause"] == "io stall"
    assert command(house, "pauses", "mark", "1", "reviewed").exit_code == 0
    assert json.loads(command(house, "pauses", "show", "1", "--json").stdout)["review"] == "reviewed"
