"""What does the control socket answer, whoever asks, and whatever they send?"""

from __future__ import annotations

import http.client
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvis.config.instance import Instance
from jarvis.control import api, client, verbs
from jarvis.errors import ConfigError, JarvisError, NotFound, NotRunning, Refused, StoreBusy
from tests.rooms.control_house import JOBS, PATIENCE, House


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("api"), JOBS).open() as opened:
        yield opened


def http_(
    house: House, method: str, target: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """One request by Python's own client: not the one that the command line uses."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(PATIENCE)
    connection.sock.connect(str(house.instance.socket))
    with closing(connection):
        connection.request(method, target, body, headers or {})
        answer = connection.getresponse()
        assert answer.headers["Content-Type"] == "application/json"
        return answer.status, json.loads(answer.read())


def test_only_its_owner_can_reach_the_socket(house: House) -> None:
    mode = house.instance.socket.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


def test_a_verb_is_asked_with_post_and_a_reading_one_with_get_too(house: House) -> None:
    status, said = http_(house, "POST", "/v1/jobs/list", b'{"match": "greet"}')
    assert (status, [one["name"] for one in said]) == (200, ["greet"])
    status, said = http_(house, "GET", "/v1/jobs/list?match=l*&tags=home&tags=disk")
    assert (status, said) == (200, [])
    status, said = http_(house, "GET", "/v1/jobs/list?tags=home&tags=disk")
    assert (status, [one["name"] for one in said]) == (200, ["nightly"])
    status, said = http_(house, "GET", "/v1/jobs/next?name=nightly&count=2")
    assert (status, len(said["moments"])) == (200, 2)
    status, said = http_(house, "POST", "/v1/status")
    assert (status, said["running"]) == (200, True)


def test_health_is_told_as_a_status(house: House) -> None:
    status, said = http_(house, "GET", "/healthz")
    assert (status, said["ok"], said["jobs"]) == (200, True, 8)


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "said"),
    [
        pytest.param("GET", "/v1/jobs/run?name=hello", None, 405, "ask it with POST", id="a change with GET"),
        pytest.param("POST", "/v1/jobs/histroy", b"{}", 404, "did you mean /v1/jobs/history?", id="an unknown verb"),
        pytest.param("GET", "/etc/passwd", None, 404, "nothing answers at /etc/passwd", id="another path"),
        pytest.param("POST", "/v1/jobs/show", b'{"name": "nope"}', 404, "no job 'nope'", id="an unknown job"),
        pytest.param("POST", "/v1/jobs/show", b'{"nmae": "x"}', 400, "did you mean 'name'?", id="an unknown parameter"),
        pytest.param("POST", "/v1/jobs/show", b'{"name": ["x"]}', 400, "'name': expected a text", id="another type"),
        pytest.param("POST", "/v1/jobs/list", b"[1]", 400, "not list", id="no object"),
        pytest.param("POST", "/v1/jobs/list", b'{"match": ', 400, "is not JSON", id="broken JSON"),
        pytest.param("POST", "/v1/jobs/list", b"\xff\xfe", 400, "is not JSON", id="no text"),
        pytest.param("POST", "/v1/jobs/list", b"[" * 100_000, 400, "is not JSON", id="endlessly nested JSON"),
        pytest.param("POST", "/v1/jobs/list", b" " * 1_000_001, 400, "longer than 1,000,000 bytes", id="a long body"),
        pytest.param("POST", "/v1/jobs/resume", b'{"name": "hello"}', 409, "hello is not paused", id="refused"),
        pytest.param("GET", "/v1/runs/show?id=9%00", None, 400, "'id': expected a whole number", id="a NUL"),
        pytest.param("POST", "/v1/runs/show", b'{"id": 99999999999999999999999}', 400, "at most", id="a huge number"),
    ],
)  # fmt: skip
def test_a_bad_question_is_answered_in_words(
    house: House, method: str, target: str, body: bytes | None, status: int, said: str
) -> None:
    answered, error = http_(house, method, target, body)
    assert (answered, error["exit_code"] in (1, 2)) == (status, True), error
    assert said in error["error"]
    assert "Traceback" not in error["error"]


def test_a_jobs_yaml_that_cannot_be_used_is_told_problem_by_problem(tmp_path: Path) -> None:
    with House(tmp_path, JOBS).open() as house:
        house.instance.config.write_text("jobs: {a: {evry: 1m, command: x}, b: {command: y, crn: x}}\n")
        status, said = http_(house, "POST", "/v1/reload")
        assert (status, said["kind"], said["exit_code"], len(said["problems"])) == (422, "ConfigError", 2, 2)
        assert said["problems"][0]["hint"] == "did you mean 'every'?"
        with pytest.raises(ConfigError) as caught:
            client.call(house.instance, "reload")
        assert [problem.job for problem in caught.value.problems] == ["a", "b"]


def test_what_fails_inside_is_logged_and_not_told(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a secret of the house")

    monkeypatch.setattr("jarvis.control.verbs_jobs._last", fail)
    status, said = http_(house, "POST", "/v1/jobs/list")
    assert (status, said["exit_code"]) == (500, 1)
    assert said["error"] == "jobs.list failed inside Jarvis (RuntimeError); the log says more: 'jarvis logs'"
    assert "a secret of the house" in caplog.text


@settings(max_examples=150)
@given(
    verb=st.sampled_from([one for one in verbs.ALL if one.reads and one.name not in ("schema", "check", "audit")]),
    values=st.dictionaries(
        st.sampled_from(["name", "id", "limit", "count", "since", "before", "status", "match", "offset", "expr", "x"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.text(max_size=5)),
        max_size=4,
    ),
)  # fmt: skip
def test_no_question_makes_it_fail(house: House, verb: verbs.Verb, values: dict[str, Any]) -> None:
    status, said = http_(house, "POST", "/v1/" + verb.name.replace(".", "/"), json.dumps(values).encode())
    assert status in (200, 400, 404, 409), said


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=200))
def test_no_body_makes_it_fail(house: House, body: bytes) -> None:
    status, said = http_(house, "POST", "/v1/jobs/list", body)
    assert status in (200, 400), said


def test_it_is_described_as_openapi(house: House) -> None:
    status, said = http_(house, "GET", "/openapi.json")
    assert status == 200
    assert set(said["paths"]) == {"/v1/" + name.replace(".", "/") for name in verbs.VERBS}
    pause = said["paths"]["/v1/jobs/pause"]["post"]
    form = pause["requestBody"]["content"]["application/json"]["schema"]
    assert set(form["properties"]) == {"name", "for", "until", "reason"}
    assert (form["required"], pause["x-scope"]) == (["name"], "control")


def test_many_may_ask_at_once(house: House) -> None:
    answers: list[Any] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(client.call(house.instance, "status", within=PATIENCE)["running"])
        )
        for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 50


def test_half_a_request_keeps_nobody_waiting(house: House) -> None:
    with socket.socket(socket.AF_UNIX) as slow:
        slow.connect(str(house.instance.socket))
        slow.sendall(b"POST /v1/jobs/list HTTP/1.1\r\nContent-Le")
        assert client.call(house.instance, "health")["ok"] is True


# The client.


@pytest.mark.parametrize(
    ("verb", "values", "kind", "code"),
    [
        pytest.param("jobs.show", {"name": "nope"}, NotFound, 1, id="not found"),
        pytest.param("jobs.resume", {"name": "hello"}, Refused, 1, id="refused"),
        pytest.param("jobs.show", {}, JarvisError, 2, id="a question that cannot be meant"),
    ],
)
def test_an_error_arrives_as_it_was_raised(
    house: House, verb: str, values: dict[str, Any], kind: type[JarvisError], code: int
) -> None:
    with pytest.raises(kind) as caught:
        client.call(house.instance, verb, values)
    assert caught.value.exit_code == code


def test_a_ledger_that_is_held_by_somebody_is_told_as_such(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise StoreBusy("another process holds the ledger")

    monkeypatch.setattr("jarvis.control.verbs_jobs._last", busy)
    with pytest.raises(StoreBusy, match="another process") as caught:
        client.call(house.instance, "jobs.list")
    assert caught.value.exit_code == 5


def instance(folder: Path) -> Instance:
    return Instance(name="x", config=folder / "jobs.yaml", state=folder)


def test_no_socket_is_no_daemon(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="Jarvis is not running for .*jobs.yaml; start it with 'jarvis up'"):
        client.call(instance(tmp_path), "status")
    assert not client.alive(instance(tmp_path))


def test_a_socket_that_nobody_listens_at_is_no_daemon(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "control.sock"))
    with pytest.raises(NotRunning, match="is not running"):
        client.call(instance(tmp_path), "status")


def test_a_daemon_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "control.sock"))
        deaf.listen()
        with pytest.raises(NotRunning, match="did not answer within 0.05 s; see 'jarvis status'"):
            client.call(instance(tmp_path), "status", within=0.05)


def test_a_command_waits_five_seconds_for_the_answer(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "control.sock"))
        deaf.listen()
        began = time.monotonic()
        with pytest.raises(NotRunning, match="did not answer within 5 s"):
            client.call(instance(tmp_path), "status")
        assert time.monotonic() - began >= 5


def test_a_daemon_that_goes_away_in_the_middle_is_told_as_such(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as leaving:
        leaving.bind(str(tmp_path / "control.sock"))
        leaving.listen()

        def leave() -> None:
            connection, _ = leaving.accept()
            connection.recv(65_536)
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"runn')
            connection.close()

        thread = threading.Thread(target=leave)
        thread.start()
        with pytest.raises(NotRunning, match="went away in the middle of its answer"):
            client.call(instance(tmp_path), "status")
        thread.join()


# Beginning and end.


def test_a_stale_socket_is_replaced_and_none_is_left(tmp_path: Path) -> None:
    house = House(tmp_path, JOBS)
    house.instance.state.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(house.instance.socket))
    with house.open():
        assert client.alive(house.instance, within=PATIENCE)
    assert not house.instance.socket.exists()


def test_an_answer_that_takes_long_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, begun, never = House(tmp_path, JOBS), threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        begun.set()
        never.wait()

    monkeypatch.setattr("jarvis.control.verbs_jobs._last", hang)

    def given_up() -> None:
        with pytest.raises(NotRunning):
            client.call(house.instance, "jobs.list")

    with house.open():
        asking = threading.Thread(target=given_up)
        asking.start()
        assert begun.wait(PATIENCE)
    asking.join(PATIENCE)
    assert not asking.is_alive()
    left = [thread for thread in threading.enumerate() if thread.name == "jarvis-verb-jobs.list"]
    assert all(thread.daemon for thread in left)
    never.set()


def test_a_socket_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        path = tmp_path / "missing" / "control.sock"
    else:
        tmp_path.chmod(0o500)
        path = tmp_path / "control.sock"
    with pytest.raises(JarvisError, match="the control socket .* cannot be opened"):
        api._bound(path)
