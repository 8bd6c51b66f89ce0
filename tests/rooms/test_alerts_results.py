"""``deliver:`` which results go out, what they say, and that they never fail a job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jarvis.alerts import results
from jarvis.core.run import Run, Status
from jarvis.core.telling import Deliver
from tests.rooms.running_house import Running

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def run(status: str = "succeeded", **changes: Any) -> Run:
    values: dict[str, Any] = {
        "id": 7, "job": "report", "fire": "manual:1", "attempt": 1, "scheduled_at": NOW, "queued_at": NOW,
        "started_at": NOW, "ended_at": NOW + timedelta(seconds=90),
    }  # fmt: skip
    return Run(status=Status(status), **{**values, **changes})


@pytest.mark.parametrize(("on", "status", "output", "goes"), [
    ("always", "succeeded", "", True), ("always", "failed", "", True), ("always", "timed_out", "", True),
    ("always", "lost", "", True), ("always", "skipped", "", True), ("always", "cancelled", "", True),
    ("output", "succeeded", "", False), ("output", "succeeded", " \n", False),
    ("output", "succeeded", "x", True), ("output", "failed", "", False), ("output", "failed", "x", True),
    ("failure", "succeeded", "x", False), ("failure", "failed", "", True), ("failure", "lost", "", True),
    ("failure", "timed_out", "", True), ("failure", "skipped", "", False), ("failure", "cancelled", "", False),
    ("success", "succeeded", "", True), ("success", "failed", "x", False), ("success", "skipped", "", False),
])  # fmt: skip
def test_which_results_go_out(on: Any, status: str, output: str, goes: bool) -> None:
    assert results.wanted(Deliver(to="phone", on=on), run(status), output) is goes


@pytest.mark.parametrize(("status", "goes"), [("skipped", False), ("missed", False), ("failed", True)])
def test_a_run_that_never_started_has_no_result_unless_it_failed(status: str, goes: bool) -> None:
    assert results.wanted(Deliver(to="phone"), run(status, started_at=None), "") is goes


@pytest.mark.parametrize("wish", [True, False])
def test_a_manual_run_may_ask_for_its_delivery_or_against_it(wish: bool) -> None:
    asked = run("succeeded", cause={"deliver": wish})
    assert results.wanted(Deliver(to="phone", on="failure"), asked, "") is wish
    assert results.wanted(Deliver(to="phone", on="always"), asked, "") is wish


def test_what_the_names_of_a_template_stand_for() -> None:
    assert results.names(run(result="41 files"), "", "Europe/Berlin", NOW) == {
        "result": "41 files", "task_name": "report", "job": "report", "timestamp": "2026-03-01 13:01:30 CET",
        "status": "succeeded", "reason": "", "duration": "1m30s", "run": "7", "attempt": "1",
    }  # fmt: skip


@pytest.mark.parametrize(("changes", "output", "text"), [
    ({"result": "41 files"}, "chatter", "41 files"),
    ({"numbers": {"files": 41.0, "size": 1.5}}, "", "files: 41\nsize: 1.5"),
    ({}, "the end of it\n", "the end of it"),
    ({}, "", "(no output)"),
    ({"status": "failed", "reason": "exit code 2"}, "no space", "exit code 2\n\nno space"),
    ({"status": "failed", "reason": "ValueError: x", "error": "Traceback …"}, "", "ValueError: x\n\nTraceback …"),
    ({"status": "skipped", "reason": "nothing new"}, "", "nothing new"),
])  # fmt: skip
def test_what_a_result_is(changes: dict[str, Any], output: str, text: str) -> None:
    assert results.names(run(**changes), output, "UTC", NOW)["result"] == text


# With a whole Jarvis.

JOBS = """
    jobs:
      report: {command: "echo '41 $task_name files'; exit ${JARVIS_WITH_CODE:-0}", deliver: {to: [file, other]}}
      own: {command: "echo x", deliver: {to: file, subject: "$job $status", body: "$run: $result, $$5"}}
      handled: {run: greet, with: {whom: you}, deliver: {to: file}}
      tried: {command: "false", retry: {times: 1, wait: 10ms}, deliver: {to: file}}
      unsent: {command: "true", deliver: {to: broken}}
      long: {command: "seq 20000", deliver: {to: file}}
      refused: {command: "true", deliver: {to: gone}}
      plain: {command: "true"}
      spoken: {command: "printf '\\\\033[31mtar: /mnt: no space left\\\\033[0m\\\\n\\\\n'; exit 7"}
      rows: {command: "seq 100000; exit 1"}
      slow: {command: "echo step 1 of 9; sleep 60", timeout: 1s}
      died: {run: dies, retry: none}
      raises: {run: raises, retry: none}
    alerts:
      channels:
        file: {journal: file.jsonl, rate: 0s}
        other: {journal: other.jsonl, rate: 0s}
        broken: {command: "echo no paper; exit 1"}
        gone: {command: [./say], rate: 0s}
      to: other
"""

HANDLERS = {
    "dies": '"""Die."""\nimport os\n\ndef run(ctx):\n    print("what it printed", flush=True)\n    os._exit(3)\n',
    "raises": '"""Raise."""\n\ndef run(ctx):\n    print("what it printed", flush=True)\n    raise OSError("no luck")\n',
}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path, JOBS)
    for name, body in HANDLERS.items():
        (tmp_path / "handlers" / f"{name}.py").write_text(body)
    with made.open() as opened:
        assert isinstance(opened, Running)
        yield opened


def said(house: Running, name: str = "file", count: int = 1) -> list[dict[str, Any]]:
    """Wait for so many results in a file."""
    path = house.folder / f"{name}.jsonl"

    def lines() -> list[dict[str, Any]]:
        text = path.read_text() if path.exists() else ""
        found = [one for one in map(json.loads, text.splitlines()) if one["kind"] == "result"]
        return found if len(found) >= count else []

    found: list[dict[str, Any]] = house.until(lines)
    return found


def test_the_result_of_a_job_goes_to_its_channels_with_the_default_subject(house: Running) -> None:
    house.finish("report")
    (one,) = said(house)
    assert (one["title"], one["body"], one["severity"]) == (
        "Scheduled task: report",
        "41 $task_name files",
        "info",
    )
    assert said(house, "other")[0]["body"] == "41 $task_name files"


def test_a_failure_is_delivered_with_its_reason(house: Running) -> None:
    house.finish("report", CODE=3)
    (one,) = said(house)
    assert (one["body"], one["severity"]) == ("exit code 3\n\n41 $task_name files", "high")


@pytest.mark.parametrize(("job", "words"), [
    ("spoken", "tar: /mnt: no space left"),
    ("rows", "\n".join(str(number) for number in range(99_986, 100_001))),
    ("slow", "step 1 of 9"),
    ("died", "what it printed"),
], ids=["a program", "a long output", "a timeout", "a handler that died"])  # fmt: skip
def test_the_alert_of_a_bad_end_has_the_last_words_of_the_run(house: Running, job: str, words: str) -> None:
    number = house.finish(job).id
    found = [note for note in house.notes() if note.run_id == number]
    assert [note.text for note in found] == [words]


def test_an_error_of_a_handler_is_told_and_not_its_output(house: Running) -> None:
    number = house.finish("raises").id
    (note,) = [note for note in house.notes() if note.run_id == number]
    assert note.text.startswith("Traceback") and "what it printed" not in note.text


def test_templates_of_ones_own(house: Running) -> None:
    number = house.finish("own").id
    (one,) = said(house)
    assert (one["title"], one["body"]) == ("own succeeded", f"{number}: x, $5")


def test_what_a_handler_returned_is_its_result(house: Running) -> None:
    house.finish("handled")
    assert said(house)[0]["body"] == "greeted you"


def test_a_run_that_is_tried_again_has_no_result_yet(house: Running) -> None:
    house.submit("tried")
    house.wait_for("tried", "failed", count=2)
    assert len(said(house)) == 1


def test_of_a_long_output_the_end_is_delivered(house: Running) -> None:
    house.finish("long")
    body = said(house)[0]["body"]
    assert body.endswith("19999\n20000") and 16_000 < len(body) <= results.TAIL


def test_a_delivery_that_fails_fails_no_job_and_is_seen(house: Running) -> None:
    assert house.finish("unsent").status is Status.SUCCEEDED

    def broken() -> dict[str, Any] | None:
        found = {one["name"]: one for one in house.ask("alerts.channels")}["broken"]
        return found if found["error"] else None

    found = house.until(broken)
    assert found["queued"] == 1 and "no paper" in found["error"]


def test_a_channel_that_gave_up_its_newest_message_is_failing_until_it_accepts_one(house: Running) -> None:
    def state() -> str:
        return str({one["name"]: one for one in house.ask("alerts.channels")}["gone"]["state"])

    assert state() == "ok"
    house.finish("refused")
    house.until(lambda: state() == "failing")
    (house.folder / "say").symlink_to("/bin/true")
    house.ask("alerts.retry", channel="gone")
    house.until(lambda: state() == "ok")


def test_a_run_shows_where_its_result_went(house: Running) -> None:
    number = house.finish("report").id

    def sent() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = house.ask("runs.show", id=number)["delivered"]
        return found if {one["status"] for one in found} == {"sent"} else []

    assert [one["channel"] for one in house.until(sent)] == ["file", "other"]
    assert house.ask("runs.show", id=house.finish("plain").id)["delivered"] == []


def test_a_result_is_written_with_the_end_of_its_run_and_nothing_for_a_job_without_deliver(
    house: Running,
) -> None:
    from jarvis.store import deliveries

    house.finish("plain")
    number = house.finish("own").id
    with house.app.database.read() as connection:
        row = deliveries.get(connection, 1)
        assert row is not None and deliveries.get(connection, 2) is None
    ended_at = house.row(number).ended_at
    assert ended_at is not None and row.created_at >= ended_at
    assert (row.run_id, row.kind) == (number, "result")


def test_no_deliver_is_heard(house: Running) -> None:
    first = house.ask("jobs.run", name="report", deliver=False)["id"]
    house.end(first)
    house.end(house.ask("jobs.run", name="own", deliver=True)["id"])
    assert [one["title"] for one in said(house)] == ["own succeeded"]
