"""What do verbs answer, asked of a Jarvis at work and of a ledger alone?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jarvis.control import plain, verbs
from jarvis.control.desk import Desk
from jarvis.control.hiding import Hiding
from jarvis.control.plain import Misfit
from jarvis.errors import JarvisError, NotFound, NotRunning, Refused, StoreError
from tests.rooms.control_house import JOBS, House

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path, JOBS).open() as opened:
        yield opened


@pytest.fixture(scope="module")
def resting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all tests that change nothing."""
    with House(tmp_path_factory.mktemp("resting"), JOBS).open() as opened:
        yield opened


def names(found: list[dict[str, Any]]) -> list[str]:
    return [one["name"] for one in found]


def test_the_list_of_jobs_says_how_each_of_them_is(resting: House) -> None:
    found = {one["name"]: one for one in resting.ask("jobs.list")}
    states = {name: (one["state"], one["why"]) for name, one in found.items()}
    assert states == {
        "nightly": ("active", None),
        "hello": ("active", None),
        "broken-leg": ("active", None),
        "long": ("active", None),
        "line": ("active", None),
        "greet": ("active", None),
        "idle": ("disabled", "enabled: false in jobs.yaml"),
        "over": ("finished", "no moment is left"),
    }
    nightly = found["nightly"]
    assert (nightly["schedule"], nightly["timezone"]) == ("30 2 * * *", "Europe/London")
    assert (nightly["tags"], nightly["description"]) == (["home", "disk"], "Copies the documents")
    assert datetime.fromisoformat(nightly["next_at"]) > datetime.now(UTC)
    assert nightly["last"] is None
    assert found["long"]["schedule"] == "on request"


def test_the_list_builds_no_job(resting: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jarvis.core.job.JobSpec.model_validate", lambda *_: pytest.fail("a job was built"))
    assert len(resting.ask("jobs.list")) == 8


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        pytest.param({"match": "eet"}, ["greet"], id="a part of the name"),
        pytest.param({"match": "l*"}, ["line", "long"], id="a pattern"),
        pytest.param({"tags": ["home"]}, ["nightly"], id="a tag"),
        pytest.param({"tags": ["home", "garden"]}, [], id="a tag it has and one it has not"),
        pytest.param({"match": "zzz"}, [], id="nothing like it"),
    ],
)
def test_the_list_can_be_narrowed(resting: House, question: dict[str, Any], answer: list[str]) -> None:
    assert names(resting.ask("jobs.list", **question)) == answer


def test_a_run_shows_in_the_list_while_it_goes_on_and_after_it(house: House) -> None:
    run = house.start("long")
    (found,) = house.ask("jobs.list", match="long")
    assert (found["running"], found["last"]["status"]) == ([run], "running")
    assert house.ask("runs.cancel", id=run)["said"].startswith("told to stop")
    ended = house.ended(run)
    assert (ended["status"], ended["reason"]) == ("cancelled", "cancelled on request")
    (found,) = house.ask("jobs.list", match="long")
    assert (found["running"], found["last"]["status"]) == ([], "cancelled")


def test_a_waiting_run_says_why_and_in_which_place(house: House) -> None:
    first = house.start("line")
    second, third = (house.ask("jobs.run", name="line")["id"] for _ in range(2))
    house.until(lambda: (house.ask("runs.show", id=third)["waiting"] or {}).get("on"))
    waiting = [house.ask("runs.show", id=run)["waiting"] for run in (second, third)]
    assert [one["position"] for one in waiting] == [1, 2]
    assert {one["why"] for one in waiting} == {f"behind run {first} (overlap: queue)"}
    assert all(one["seconds"] >= 0 for one in waiting)
    (found,) = house.ask("jobs.list", match="line")
    assert found["waiting"] == 2
    assert [one["run"] for one in house.ask("status")["waiting_runs"]] == [second, third]
    for run in (third, second):
        assert house.ask("runs.cancel", id=run)["said"] == "it was waiting; it will not start"


def test_a_manual_run_takes_values_and_leaves_the_schedule_alone(house: House) -> None:
    before = house.ask("jobs.show", name="hello")["next_at"]
    ended = house.run("hello", whom="world")
    assert ended["status"] == "succeeded"
    assert ended["fire"].startswith("manual:")
    assert house.ask("runs.output", id=ended["id"])["text"] == "hello world\n"
    assert house.ask("jobs.show", name="hello")["next_at"] == before


def test_values_are_read_as_the_handler_s_types_ask_for(house: House) -> None:
    ended = house.run("greet", times="3")
    assert (ended["result"], ended["numbers"]) == ("greeted you", {"times": 3.0})
    assert ended["params"] == {"times": "3"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param({"tmies": 2}, "no parameter 'tmies' \\(did you mean 'times'\\?\\)", id="an unknown one"),
        pytest.param(
            {"times": "often"}, "'times': expected a whole number, not 'often'", id="one of another type"
        ),
        pytest.param(
            {"whom": {"$secret": "env:HOME"}}, "a secret's reference belongs into jobs.yaml", id="a secret"
        ),
    ],
)
def test_values_that_do_not_fit_are_refused_before_anything_is_queued(
    resting: House, values: dict[str, Any], said: str
) -> None:
    with pytest.raises(Misfit, match=said):
        resting.ask("jobs.run", name="greet", **{"with": values})
    assert resting.ask("runs.list") == []


def test_a_broken_job_says_why_it_cannot_run(house: House) -> None:
    (house.folder / "handlers" / "greet.py").write_text("def run(ctx, *, whom): return (\n")
    house.ask("reload")
    (found,) = house.ask("jobs.list", match="greet")
    assert found["state"] == "broken"
    assert "greet.py:1: '(' was never closed" in found["why"]
    with pytest.raises(Refused, match="greet cannot run: .*never closed"):
        house.ask("jobs.run", name="greet")


def test_a_paused_job_says_until_when(house: House) -> None:
    said = house.ask("jobs.pause", name="hello", **{"for": "2h"}, reason="the disk is being changed")
    (found,) = house.ask("jobs.list", match="hello")
    assert (found["state"], found["why"]) == ("paused", "the disk is being changed")
    assert found["paused_until_at"] == said["paused_until_at"] is not None
    house.ask("jobs.resume", name="hello")
    assert house.ask("jobs.list", match="hello")[0]["state"] == "active"
    with pytest.raises(Refused, match="hello is not paused"):
        house.ask("jobs.resume", name="hello")


@pytest.mark.parametrize(
    ("question", "said"),
    [
        pytest.param({"for": "2h", "until": "2999-01-01 00:00"}, "not both", id="both"),
        pytest.param({"for": "0s"}, "longer than 0s", id="no length"),
        pytest.param({"until": "2001-01-01 00:00"}, "is past", id="a past moment"),
        pytest.param({"for": "2"}, "'2' is not a duration", id="no unit"),
    ],
)
def test_a_pause_that_cannot_be_meant_is_refused(resting: House, question: dict[str, Any], said: str) -> None:
    with pytest.raises(Misfit, match=said):
        resting.ask("jobs.pause", name="hello", **question)


def test_a_job_is_switched_off_and_on(house: House) -> None:
    assert house.ask("jobs.disable", name="hello")["next_at"] is None
    assert house.ask("jobs.show", name="hello")["why"] == "switched off"
    assert house.ask("jobs.next", name="hello")["moments"] == []
    assert house.ask("jobs.enable", name="hello")["next_at"] is not None
    assert house.ask("jobs.enable", name="idle")["state"] == "active"


def test_one_job_tells_everything_about_itself(resting: House) -> None:
    found = resting.ask("jobs.show", name="nightly")
    assert found["english"] == "At 02:30 every day"
    assert (Path(found["file"]).name, found["line"]) == ("jobs.yaml", 4)
    assert found["definition"]["command"] == "echo done"
    assert found["rules"]["overlap"] == "skip"
    assert [datetime.fromisoformat(one["at"]) for one in found["upcoming"]] == sorted(
        datetime.fromisoformat(one["at"]) for one in found["upcoming"]
    )
    assert len(found["upcoming"]) == 3


def test_history_holds_runs_and_what_was_counted_together(house: House) -> None:
    run = house.run("hello")["id"]
    with house.app.database.write() as connection:
        from jarvis.core.run import Status
        from jarvis.core.settle import Span
        from jarvis.store import book

        span = Span(
            from_at=NOW.replace(year=2020), until_at=NOW, count=812, status=Status.MISSED, reason="asleep"
        )
        line = house.desk.line("hello")
        book.add_spans(connection, [("hello", line.definition or 0, 0, span)], NOW)
    newest, oldest = house.ask("jobs.history", name="hello")
    assert (newest["kind"], newest["id"]) == ("run", run)
    assert (oldest["kind"], oldest["count"], oldest["reason"]) == ("span", 812, "asleep")


def test_runs_are_listed_by_page_status_and_time(house: House) -> None:
    good, bad = house.run("hello")["id"], house.run("broken-leg")["id"]
    assert [one["id"] for one in house.ask("runs.list")] == [bad, good]
    assert [one["id"] for one in house.ask("runs.list", status=["failed", "lost"])] == [bad]
    assert [one["id"] for one in house.ask("runs.list", status=["succeeded"])] == [good]
    assert [one["id"] for one in house.ask("runs.list", limit=1)] == [bad]
    assert [one["id"] for one in house.ask("runs.list", limit=1, before=bad)] == [good]
    assert house.ask("runs.list", before=good) == []
    assert [one["id"] for one in house.ask("runs.list", job="hello", since="1h")] == [good]
    assert house.ask("runs.list", since="2999-01-01 00:00") == []


def test_a_failed_run_says_why(house: House) -> None:
    ended = house.run("broken-leg")
    assert (ended["status"], ended["exit_code"], ended["reason"]) == ("failed", 3, "exit code 3")
    (alert,) = house.ask("status")["alerts"]
    assert (alert["job"], alert["severity"]) == ("broken-leg", "high")


def test_all_attempts_of_a_fire_are_told(house: House) -> None:
    (house.folder / "jobs.yaml").write_text(
        'jobs: {again: {command: "exit 1", retry: {times: 1, wait: 10ms}}}\n'
    )
    house.ask("reload", confirm=True)
    first = house.run("again")
    attempts = house.until(
        lambda: len(found := house.ask("runs.show", id=first["id"])["attempts"]) == 2 and found
    )
    assert [one["attempt"] for one in attempts] == [1, 2]
    assert house.ended(attempts[1]["id"])["status"] == "failed"


@pytest.mark.parametrize(
    ("verb", "question", "kind", "said"),
    [
        pytest.param("jobs.show", {"name": "nigthly"}, NotFound, "no job 'nigthly' \\(did you mean", id="a job"),
        pytest.param("runs.show", {"id": 77}, NotFound, "no run 77 \\(there are none yet\\)", id="a run"),
        pytest.param("runs.list", {"job": "nigthly"}, NotFound, "did you mean 'nightly'", id="runs of a job"),
        pytest.param("handlers.show", {"name": "gret"}, NotFound, "did you mean 'greet'", id="a handler"),
        pytest.param("jobs.lst", {}, NotFound, "no verb 'jobs.lst' \\(did you mean 'jobs.list'", id="a verb"),
        pytest.param("jobs.show", {}, Misfit, "jobs.show: parameter 'name' is missing", id="no name"),
        pytest.param("jobs.run", {"name": "hello", "with": 3}, Misfit, "'with': expected a mapping", id="a keyword"),
        pytest.param("runs.list", {"limit": 0}, Misfit, "'limit': expected at least 1, not 0", id="too little"),
        pytest.param("runs.list", {"since": "soon"}, Misfit, "'soon' is neither a duration", id="no moment"),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_answered_says_so_in_words(
    resting: House, verb: str, question: dict[str, Any], kind: type[JarvisError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        resting.ask(verb, **question)


def test_a_run_that_has_ended_cannot_be_cancelled(house: House) -> None:
    run = house.run("hello")["id"]
    with pytest.raises(Refused, match=f"run {run} of hello has ended already: succeeded"):
        house.ask("runs.cancel", id=run)


def test_status_tells_how_it_is(house: House) -> None:
    house.run("hello")
    said = house.ask("status")
    assert said["running"] is True
    assert said["degraded"] is False
    assert said["jobs"] == {"total": 8, "active": 6, "disabled": 1, "finished": 1}
    assert said["next"]["job"] in ("hello", "broken-leg", "nightly")
    assert (said["last_24h"], said["run_count"]) == ({"succeeded": 1}, 1)
    assert said["uptime_seconds"] >= 0


def test_status_tells_what_is_wrong(house: House) -> None:
    house.app.troubles.note("ledger", "no space left", NOW)
    house.folder.joinpath("jobs.yaml").write_text("jobs: {a: {evry: 1m}}\n")
    house.app.look_again()
    said = house.ask("status")
    assert said["degraded"] is True
    assert said["troubles"][0]["why"] == "no space left"
    assert any("no field 'evry' (did you mean 'every'?)" in problem for problem in said["config_problems"])
    assert said["jobs"]["total"] == 8


def test_reload_says_what_changed(house: House) -> None:
    text = house.instance.config.read_text()
    house.instance.config.write_text(
        text.replace("echo done", "echo finished") + "  fresh: {every: 1h, command: 'true'}\n"
    )
    said = house.ask("reload")
    assert (said["added"], said["changed"], said["removed"], said["unchanged"]) == (
        ["fresh"],
        ["nightly"],
        [],
        7,
    )


def test_a_reload_that_takes_many_jobs_away_asks_for_a_word(house: House) -> None:
    house.instance.config.write_text("jobs: {hello: {every: 28d, command: 'true'}}\n")
    with pytest.raises(Refused, match="7 of 8 jobs would disappear"):
        house.ask("reload")
    assert len(house.ask("reload", confirm=True)["removed"]) == 7


def test_stop_ends_jarvis_and_leaves_the_runs(house: House) -> None:
    asked: list[bool] = []
    house.app.stop_asked = lambda: asked.append(True)
    run = house.start("long")
    said = house.ask("stop")
    assert (asked, [one["run"] for one in said["runs"]]) == ([True], [run])
    assert house.ask("runs.show", id=run)["status"] == "running"


def test_stop_can_end_the_runs_first(house: House) -> None:
    asked: list[bool] = []
    house.app.stop_asked = lambda: asked.append(True)
    running, waiting = house.start("line"), house.ask("jobs.run", name="line")["id"]
    house.ask("stop", stop_jobs=True)
    house.until(lambda: asked)
    assert [house.ask("runs.show", id=run)["status"] for run in (running, waiting)] == [
        "cancelled",
        "cancelled",
    ]


def test_the_ledger_is_audited(house: House) -> None:
    house.run("hello")
    said = house.ask("audit")
    assert (said["clean"], said["rows"], said["violations"]) == (True, 1, [])


# Output, byte by byte.


def test_output_is_read_while_it_is_written_and_until_its_end(house: House) -> None:
    run = house.start("long")
    said = house.until(lambda: (found := house.ask("runs.output", id=run))["text"] and found)
    assert (said["text"], said["next"], said["ended"]) == ("begun\n", 6, False)
    assert house.ask("runs.output", id=run, offset=6)["text"] == ""
    house.ask("runs.cancel", id=run)
    house.ended(run)
    said = house.ask("runs.output", id=run, offset=6)
    assert (said["text"], said["ended"]) == ("", True)


def test_output_can_be_read_in_pieces(house: House) -> None:
    run = house.run("hello", whom="zażółć")["id"]
    text, position = "", 0
    while not (said := house.ask("runs.output", id=run, offset=position, limit=5))["ended"]:
        text, position = text + said["text"], said["next"]
    assert position == len("hello zażółć\n".encode())


def test_secrets_are_hidden_in_every_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "open sesame")
    command = "echo $T; echo $T | cut -c1-5; exit 1"
    jobs = (
        f'jobs: {{tell: {{command: "{command}", env: {{T: !secret env:TOKEN}}, description: open sesame}}}}'
    )
    with House(tmp_path, jobs).open() as house:
        run = house.run("tell")["id"]
        assert house.ask("runs.output", id=run)["text"] == "[secret]\nopen \n"
        for verb, question in (
            ("jobs.list", {}),
            ("jobs.show", {"name": "tell"}),
            ("runs.show", {"id": run}),
            ("status", {}),
        ):
            said = str(house.ask(verb, **question))
            assert "sesame" not in said, verb
        assert house.ask("jobs.show", name="tell")["definition"]["env"] == {"T": {"$secret": "env:TOKEN"}}


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        pytest.param(b"nothing of it", 0, id="nothing"),
        pytest.param(b"here is op", 2, id="its beginning"),
        pytest.param(b"open sesam", 10, id="all but its end"),
        pytest.param(b"open sesame", 0, id="all of it"),
        pytest.param(b"", 0, id="empty"),
    ],
)
def test_the_beginning_of_a_secret_is_held_back_until_its_end_is_known(data: bytes, kept: int) -> None:
    hiding = Hiding()
    hiding.look(object(), [{"env": {"T": {"$secret": "env:T"}}}], {"T": "open sesame"})
    assert hiding.beginning(data) == kept


def test_a_secret_seen_once_stays_hidden_when_it_has_changed() -> None:
    hiding, body = Hiding(), {"env": {"T": {"$secret": "env:T"}}}
    hiding.look(object(), [body], {"T": "open sesame"})
    hiding.look(object(), [body], {"T": "shut sesame"})
    assert hiding({"text": "open sesame, shut sesame", "status": "open sesame"}) == {
        "text": "[secret], [secret]",
        "status": "open sesame",
    }


# Without a daemon.


def test_the_ledger_answers_alone(tmp_path: Path) -> None:
    house = House(tmp_path, JOBS)
    with house.open():
        run = house.run("broken-leg")["id"]
        house.ask("jobs.pause", name="hello")
    desk = Desk.alone(house.instance)
    found = {one["name"]: one for one in verbs.ask(desk, "jobs.list", {})}
    assert found["hello"]["state"] == "paused"
    assert found["broken-leg"]["last"]["status"] == "failed"
    assert verbs.ask(desk, "runs.show", {"id": run})["reason"] == "exit code 3"
    assert verbs.ask(desk, "runs.output", {"id": run})["text"] == "it hurts\n"
    said = verbs.ask(desk, "status", {})
    assert (said["running"], said["locked"], said["last_24h"]) == (False, False, {"failed": 1})


def test_before_the_first_start_jobs_yaml_answers(tmp_path: Path) -> None:
    desk = Desk.alone(House(tmp_path, JOBS).instance)
    found = {one["name"]: one for one in verbs.ask(desk, "jobs.list", {})}
    assert (found["nightly"]["state"], found["idle"]["state"]) == ("active", "disabled")
    assert verbs.ask(desk, "jobs.show", {"name": "hello"})["english"] == "Every 4 weeks"
    assert verbs.ask(desk, "status", {})["jobs"]["total"] == 8
    with pytest.raises(StoreError, match="there is no ledger at .* yet: start Jarvis with 'jarvis up'"):
        verbs.ask(desk, "runs.list", {})
    assert not desk.instance.state.exists()


@pytest.mark.parametrize("verb", [verb for verb in verbs.ALL if not verb.offline], ids=lambda verb: verb.name)
def test_what_needs_a_daemon_says_so(tmp_path: Path, verb: verbs.Verb) -> None:
    desk = Desk.alone(House(tmp_path, JOBS).instance)
    required = {one.name: "1" for one in verb.form.parameters if one.required}
    with pytest.raises(NotRunning, match="Jarvis is not running for .*jobs.yaml; start it with 'jarvis up'"):
        verbs.ask(desk, verb.name, required)


@pytest.mark.parametrize("verb", verbs.ALL, ids=lambda verb: verb.name)
def test_every_verb_says_what_it_is_for(verb: verbs.Verb) -> None:
    assert verb.help.endswith((".", "?"))
    assert verb.schema()["type"] == "object"
    assert all(not name.endswith("_") for name in verb.schema()["properties"])
    assert verb.reads or not verb.name.endswith(("list", "show"))


# What needs nobody.


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk.alone(House(tmp_path, JOBS).instance)


@pytest.mark.parametrize(
    ("expr", "kind", "english"),
    [
        pytest.param("0 9 * * 1-5", "cron", "At 09:00 on Monday through Friday", id="cron"),
        pytest.param("@daily", "cron", "At 00:00 every day", id="a macro"),
        pytest.param("15m", "every", "Every 15 minutes", id="a duration"),
        pytest.param("every 1h30m", "every", "Every 1 hour 30 minutes", id="a duration in words"),
        pytest.param("2999-12-24 18:00", "at", "Once at 2999-12-24 18:00 (Europe/Paris)", id="a moment"),
    ],
)
def test_a_schedule_is_said_in_english(desk: Desk, expr: str, kind: str, english: str) -> None:
    said = verbs.ask(desk, "next", {"expr": expr, "timezone": "Europe/Paris", "count": 2})
    assert (said["kind"], said["english"], said["timezone"]) == (kind, english, "Europe/Paris")
    assert len(said["moments"]) == (1 if kind == "at" else 2)


def test_a_doubtful_schedule_is_doubted(desk: Desk) -> None:
    said = verbs.ask(desk, "next", {"expr": "0 9 13 * 5"})
    assert any("one is enough" in doubt for doubt in said["warnings"])


@pytest.mark.parametrize(
    ("expr", "said"),
    [
        pytest.param("61 * * * *", "minute '61' is out of range", id="cron out of range"),
        pytest.param("500ms", "500ms|second", id="too short"),
        pytest.param("2999-13-01 00:00", "2999-13-01", id="no such month"),
        pytest.param("tomorrow", "cron needs five", id="a word"),
    ],
)
def test_a_schedule_that_cannot_be_meant_is_refused(desk: Desk, expr: str, said: str) -> None:
    with pytest.raises(Misfit, match=said):
        verbs.ask(desk, "next", {"expr": expr})


def test_check_finds_everything_that_is_wrong(desk: Desk, tmp_path: Path) -> None:
    said = verbs.ask(desk, "check", {})
    assert (said["ok"], said["total"]) == (True, 8)
    assert {one["name"]: one["english"] for one in said["jobs"]}["nightly"] == "At 02:30 every day"
    bad = tmp_path / "bad.yaml"
    bad.write_text("jobs: {a: {crn: '* * * * *', command: x}, b: {every: 5, command: y}}\n")
    said = verbs.ask(desk, "check", {"file": str(bad)})
    assert (said["ok"], len(said["problems"])) == (False, 2)
    assert said["problems"][0]["hint"] == "did you mean 'cron'?"


def test_check_doubts_a_channel_that_apprise_does_not_understand(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "channels.yaml"
    file.write_text(
        "jobs: {}\nalerts:\n  channels:\n    good: json://example.org/x\n    typo: tgramm://secretword/1\n"
        "    half: {url: 'mailto://nobody'}\n    hidden: {url: !secret env:NO_SUCH_URL}\n    desk: {journal: a.jsonl}\n"
    )
    said = verbs.ask(desk, "check", {"file": str(file)})
    doubts = [one["message"] for one in said["warnings"] if "Apprise" in one["message"]]
    assert doubts == [
        "channel typo: no such Apprise scheme 'tgramm://'",
        "channel half: Apprise does not understand this mailto:// URL",
    ]
    assert said["ok"] and "secretword" not in str(said)


def test_a_handler_is_tried_for_real(desk: Desk) -> None:
    said = verbs.ask(desk, "handlers.try", {"name": "greet", "with": {"whom": "Ann", "times": "2"}})
    assert (said["status"], said["result"], said["numbers"]) == ("ok", "greeted Ann", {"times": 2.0})
    assert said["output"] == "hello Ann\nhello Ann\n"
    assert said["alerts"][0]["text"] == "Ann was greeted"
    assert verbs.ask(desk, "handlers.try", {"name": "greet", "with": {"whom": ""}})["status"] == "skipped"


def test_a_program_handler_is_tried_for_real_and_ended_in_time(desk: Desk) -> None:
    said = verbs.ask(desk, "handlers.try", {"name": "command", "with": {"command": "echo hi; exit 4"}})
    assert (said["status"], said["exit_code"], said["output"]) == ("error", 4, "hi\n")
    said = verbs.ask(
        desk, "handlers.try", {"name": "command", "with": {"command": "sleep 30"}, "timeout": "200ms"}
    )
    assert said["status"] == "timed_out"
    assert said["seconds"] < 10


def test_handlers_tell_where_they_are_from_and_who_uses_them(desk: Desk) -> None:
    found = {one["name"]: one for one in verbs.ask(desk, "handlers.list", {})}
    assert (found["greet"]["origin"], found["command"]["origin"]) == ("user", "shipped")
    greet = verbs.ask(desk, "handlers.show", {"name": "greet"})
    assert greet["jobs"] == ["greet"]
    assert greet["form"]["properties"]["whom"]["description"] == "who is greeted"


def test_the_schema_knows_the_handlers(desk: Desk) -> None:
    assert "greet" in verbs.ask(desk, "schema", {})["$defs"]["JobSpec"]["properties"]["run"]["enum"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param({"cron": "0 9 * * *"}, "0 9 * * *", id="cron"),
        pytest.param({"every": {"period": "15m", "anchor": "epoch"}}, "every 15m", id="an anchored interval"),
        pytest.param({"start": "boot", "schedules": [{"every": "1h"}]}, "at boot; every 1h", id="two"),
        pytest.param({"at": "2026-12-24 18:00"}, "at 2026-12-24 18:00", id="a moment"),
        pytest.param({}, "on request", id="none"),
    ],
)
def test_a_schedule_is_shown_as_it_is_written(body: dict[str, Any], said: str) -> None:
    assert plain.schedule(body) == said
