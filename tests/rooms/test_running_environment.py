"""Which environment does a job see? Asked of the job itself."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from jarvis.core.run import Status
from jarvis.running import environment
from tests.rooms.running_house import Running, running

JOBS = """
    jobs:
      plain: {command: env}
      own: {command: env, env: {COLOUR: blue, HOME: /elsewhere}}
      table: {command: env, env_file: table.env}
      files:
        command: env
        env_file: [first.env, second.env, -absent.env]
        env: {THIRD: by env}
      gone: {command: env, env_file: absent.env}
      searching: {command: env, process: {path: [/opt/first, ~/bin, /usr/bin, /bin]}}
      searching-own: {command: env, process: {path: [/opt/first]}, env: {PATH: /usr/bin:/bin}}
      secret:
        command: 'test "$TOKEN" = sesame && test "$WORD" = open && echo both'
        env: {TOKEN: !secret env:ROOM_TOKEN, WORD: !secret file:word}
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("environment")
    (folder / "word").write_text("open\n")
    (folder / "word").chmod(0o600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROOM_TOKEN", "sesame")
        patch.chdir(folder)
        with running(folder, JOBS) as opened:
            yield opened


def variables(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def test_a_job_gets_what_jarvis_has(house: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEATHER", "rain, with sun")
    found = variables(house.prints("plain"))
    assert (found["WEATHER"], found["HOME"], found["PATH"]) == (
        "rain, with sun",
        os.environ["HOME"],
        os.environ["PATH"],
    )


def test_a_job_gets_its_own_variables_over_those_of_jarvis(house: Running) -> None:
    found = variables(house.prints("own"))
    assert (found["COLOUR"], found["HOME"]) == ("blue", "/elsewhere")


def test_a_job_knows_its_run(house: Running) -> None:
    run = house.finish("plain")
    found = variables(house.said(run))
    assert {name: found[name] for name in found if name.startswith("JARVIS_")} == {
        "JARVIS_RUN_ID": str(run.id),
        "JARVIS_JOB": "plain",
        "JARVIS_FIRE": run.fire,
        "JARVIS_ATTEMPT": "1",
        "JARVIS_SCHEDULED_AT": run.scheduled_at.isoformat().replace("+00:00", "Z"),
        "JARVIS_RUN_DIR": str(house.instance.runs / "0" / str(run.id)),
    }


@pytest.mark.parametrize("name", environment.PRIVATE)
def test_what_belongs_to_the_daemon_alone_is_not_inherited(
    house: Running, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "0")
    assert name not in variables(house.prints("plain"))


def test_values_given_for_one_run_are_variables(house: Running) -> None:
    given = {"whom": "you & me", "max-age": 3, "only": ["a", "b"], "really": True, "nothing": None}
    found = variables(house.prints("plain", **given))
    assert {name: value for name, value in found.items() if name.startswith("JARVIS_WITH_")} == {
        "JARVIS_WITH_WHOM": "you & me",
        "JARVIS_WITH_MAX_AGE": "3",
        "JARVIS_WITH_ONLY": '["a", "b"]',
        "JARVIS_WITH_REALLY": "true",
        "JARVIS_WITH_NOTHING": "null",
    }


@pytest.mark.parametrize(
    ("line", "value"),
    [
        pytest.param("NAME=value", "value", id="plain"),
        pytest.param("NAME=two words", "two words", id="a space inside"),
        pytest.param('NAME="two words "', "two words ", id="double quotes"),
        pytest.param("NAME='two words '", "two words ", id="single quotes"),
        pytest.param('NAME="it\'s"', "it's", id="a quote inside quotes"),
        pytest.param("NAME='unbalanced", "'unbalanced", id="one quote only"),
        pytest.param("NAME='", "'", id="a quote alone"),
        pytest.param("export NAME=value", "value", id="as a shell exports it"),
        pytest.param("export\tNAME=value", "value", id="exported with a tab"),
        pytest.param("  NAME = value  ", "value", id="spaces around"),
        pytest.param("NAME=", "", id="empty"),
        pytest.param("NAME=a=b", "a=b", id="an equals sign in the value"),
        pytest.param("NAME=$HOME", "$HOME", id="nothing is expanded"),
        pytest.param("# NAME=comment\n\n   # another\nNAME=value", "value", id="comments and empty lines"),
        pytest.param("NAME=first\nNAME=second", "second", id="the last one counts"),
        pytest.param("NAME=value\r\nOTHER=1\r", "value", id="lines of Windows"),
        pytest.param("\ufeffNAME=value", "value", id="the byte order mark of Windows"),
        pytest.param("NAME=one\u2028line\x0c", "one\u2028line", id="only line feeds end a line"),
        pytest.param("NAME=żółć", "żółć", id="letters beyond ASCII"),
    ],
)
def test_a_line_of_an_env_file(house: Running, line: str, value: str) -> None:
    (house.folder / "table.env").write_bytes(line.encode())
    lines = dict(part.split("=", 1) for part in house.prints("table").split("\n") if "=" in part)
    assert lines["NAME"] == value


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"A=1\n# fine\nnot a line\n", "table.env:3: expected NAME=value", id="no equals sign"),
        pytest.param(b"2ND=1\n", "table.env:1: expected NAME=value", id="a name that is none"),
        pytest.param(b"A=1\n=x\n", "table.env:2: expected NAME=value", id="no name"),
        pytest.param(b"A=1\nB=\xff\n", "table.env: is not UTF-8", id="not UTF-8"),
        pytest.param(b"A=1\nB=x\0y\n", "table.env:2: a value cannot hold a NUL character", id="a NUL"),
    ],
)
def test_a_bad_line_of_an_env_file_is_named_with_its_number(house: Running, content: bytes, why: str) -> None:
    (house.folder / "table.env").write_bytes(content)
    run = house.finish("table")
    assert run.status is Status.FAILED
    assert run.reason is not None and run.reason.startswith(f"env_file {house.folder}/{why}")
    assert run.started_at is None


def test_env_files_are_read_in_order_at_each_start_and_the_job_s_own_win(house: Running) -> None:
    (house.folder / "first.env").write_text("FIRST=1\nSECOND=by first\nTHIRD=by first\n")
    (house.folder / "second.env").write_text("SECOND=by second\n")
    found = variables(house.prints("files"))
    assert (found["FIRST"], found["SECOND"], found["THIRD"]) == ("1", "by second", "by env")
    (house.folder / "second.env").write_text("SECOND=changed\n")
    assert variables(house.prints("files"))["SECOND"] == "changed"


def test_an_env_file_that_is_missing_is_named_with_the_way_out(house: Running) -> None:
    run = house.finish("gone")
    path = house.folder / "absent.env"
    assert run.status is Status.FAILED
    assert run.reason == f"env_file {path}: No such file or directory; write '-{path}' if it may be missing"


def test_a_dash_forgives_a_missing_file_only(house: Running) -> None:
    (house.folder / "first.env").write_text("FIRST=1\n")
    (house.folder / "second.env").write_text("SECOND=2\n")
    optional = house.folder / "absent.env"
    optional.mkdir()
    try:
        run = house.finish("files")
    finally:
        optional.rmdir()
    assert (run.status, run.reason) == (Status.FAILED, f"env_file {optional}: Is a directory")


def test_the_search_path_is_the_job_s(house: Running) -> None:
    home = os.environ["HOME"]
    assert variables(house.prints("searching"))["PATH"] == f"/opt/first:{home}/bin:/usr/bin:/bin"
    assert variables(house.prints("searching-own"))["PATH"] == "/usr/bin:/bin"


def test_secrets_are_read_when_a_run_is_launched(house: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    assert house.prints("secret") == "both\n"
    monkeypatch.setenv("ROOM_TOKEN", "changed")
    assert house.finish("secret").status is Status.FAILED


def test_a_secret_that_is_missing_fails_the_run_in_words(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ROOM_TOKEN")
    run = house.finish("secret")
    assert run.status is Status.FAILED
    assert run.reason is not None and "ROOM_TOKEN" in run.reason and "sesame" not in run.reason
    assert run.started_at is None
    (note,) = [note for note in house.notes() if note.run_id == run.id]
    assert (note.severity, note.job) == ("high", "secret")
