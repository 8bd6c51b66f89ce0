"""Is anybody kept waiting, and is anything lost or shown that must not be, whatever a receiver does with a message?"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.rooms import receivers
from tests.whole.beside import OnTime
from tests.whole.daemon import SECOND, Daemon, until
from tests.whole.shifting import Shifted

FILE = "file: {journal: told.jsonl, rate: 10ms}"
TOKEN = "canary-51d0-token"
PASSWORD = "canary-51d0-password"
FREE = "ghp_canary51d0freeandunknown"
"""Looks like a secret, but belongs to no job: what an event brings is kept as it came."""


class Endpoint:
    """A receiver that can be down, slow or out of order, and mended. ``got``: what it accepted."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.fault = ""
        self.got: list[dict[str, Any]] = []
        self.asked = 0
        self.over = threading.Event()
        self.server: HTTPServer | None = None

    def up(self) -> None:
        self.server = HTTPServer(port=self.port, threaded=True)
        self.server.expect_request("/").respond_with_handler(self._answer)
        self.server.start()

    def _answer(self, request: Request) -> Response:
        self.asked += 1
        if self.fault == "500":
            return Response(status=500)
        if self.fault == "slow":
            self.over.wait(30)
            return Response(status=504)
        self.got.append(json.loads(request.data))
        return Response(status=200)

    def close(self) -> None:
        self.over.set()
        if self.server is not None:
            self.server.stop()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/"


@pytest.fixture
def endpoint(port: int) -> Iterator[Endpoint]:
    made = Endpoint(port)
    yield made
    made.close()


@pytest.fixture
def shifted(daemons: Callable[..., Daemon]) -> Shifted:
    made = daemons(Shifted)
    assert isinstance(made, Shifted)
    return made


@pytest.mark.needs("cc")
@pytest.mark.parametrize("fault", ["down", "slow", "500"])
def test_an_endpoint_at_fault_keeps_no_run_waiting_and_gets_everything_once_it_is_mended(
    shifted: Shifted, endpoint: Endpoint, fault: str, on_time: OnTime
) -> None:
    endpoint.fault = fault
    if fault != "down":
        endpoint.up()
    shifted.jobs(
        "report: {every: 1s, overlap: allow, catch_up: all, command: 'echo fire $JARVIS_FIRE.', deliver: {to: hook}}",
        f"alerts: {{channels: {{hook: {{url: '{endpoint.url}', rate: 0s, timeout: 1s}}}}}}\n",
    ).start()
    shifted.wait_for("report", "succeeded", count=5)
    tried = until(lambda: shifted.rows("SELECT * FROM deliveries WHERE attempts > 0"), "it was tried")
    assert all(row["not_before"] - row["created_at"] >= 15 * SECOND for row in tried), (
        "and waits to be tried again"
    )

    def circuit() -> str:
        return next((one["state"] for one in shifted.cli("status", "--json")["circuits"]), "none")

    until(lambda: circuit() == "open", "after three failures it is left alone", 30)
    asked = endpoint.asked
    known = len(shifted.runs("report", "succeeded"))
    shifted.wait_for("report", "succeeded", count=known + 2)
    assert endpoint.asked == asked, "while the circuit is open nobody asks"
    on_time(shifted, "report", within=3)
    status = shifted.cli("status", "--json")
    assert status["messages"]["queued"] >= 5 and status["messages"]["dead"] == 0

    endpoint.fault = ""
    if fault == "down":
        endpoint.up()
    shifted.cli("jobs", "pause", "report")
    until(lambda: not shifted.runs("report", "queued", "running"), "the last run has ended")
    shifted.step(timedelta(minutes=2))
    until(lambda: not shifted.rows("SELECT id FROM deliveries WHERE status = 'queued'"), "all is sent", 40)
    said = "\n".join(one["message"] for one in endpoint.got)
    fires = [row["fire"] for row in shifted.runs("report", "succeeded")]
    assert {fire: said.count(f"fire {fire}.") for fire in fires} == dict.fromkeys(fires, 1)
    assert circuit() == "closed"


@pytest.mark.needs("cc")
def test_what_no_try_of_a_day_could_deliver_is_a_dead_letter_that_people_see_and_can_send_again(
    shifted: Shifted, endpoint: Endpoint
) -> None:
    endpoint.fault = "500"
    endpoint.up()
    shifted.jobs(
        "tick: {every: 1s, command: 'true'}\nreport: {command: 'echo 41 files', deliver: {to: hook}}",
        f"alerts: {{to: file, channels: {{hook: {{url: '{endpoint.url}', rate: 0s}}, {FILE}}}}}\n",
    ).start()
    shifted.cli("jobs", "run", "report", "--wait")
    for tries, later in ((1, timedelta(hours=25)), (2, timedelta(minutes=2)), (3, timedelta(0))):
        attempts = f"SELECT * FROM deliveries WHERE channel = 'hook' AND attempts >= {tries}"
        until(partial(shifted.rows, attempts), f"try {tries}")
        shifted.step(later)
    status = shifted.cli("status", "--json")
    assert status["messages"]["dead"] == status["alerting"]["dead"] == 1
    assert "given up" in str(shifted.cli("status"))
    told = shifted.folder / "told.jsonl"
    until(lambda: told.exists() and "hook" in told.read_text(), "another channel is told")
    (letter,) = shifted.cli("alerts", "dead", "--json")
    assert "HTTP 500" in letter["error"]
    endpoint.fault = ""
    shifted.step(timedelta(minutes=2))
    shifted.cli("alerts", "retry", str(letter["id"]))
    until(lambda: endpoint.got, "it is sent after all")
    until(lambda: shifted.cli("status", "--json")["messages"]["dead"] == 0, "nothing is dead any more")
    assert [one["message"].strip() for one in endpoint.got] == ["41 files"]


SPILL = '''
"""Say what must not be said, and a megabyte."""
from jarvis import Context

def run(ctx: Context, *, token: str) -> None:
    title = f"cannot log in with {token} <b>at all</b> & *more* [x](http://y)"
    ctx.alert(f"{title}\\n<b>at all</b> " + "long " * 200_000, key="login")
'''
JOBS = """
spill: {run: spill, with: {token: !secret env:TOKEN}, in: IN, retry: none}
shout:
  command: 'echo "wrong password $SECRET" >&2; exit 3'
  env: {SECRET: !secret env:PASSWORD}
  deliver: {to: [hook, file]}
hear: {on: {event: "outside/*"}, command: 'cat "$JARVIS_CAUSE_FILE"', deliver: {to: [hook, file]}}
"""


@pytest.mark.parametrize("where", ["process", "thread"])
def test_what_is_told_shows_no_secret_no_markup_that_works_and_no_megabyte(
    daemon: Daemon, httpserver: HTTPServer, where: str
) -> None:
    httpserver.expect_request("/").respond_with_data("")
    daemon.env = {"TOKEN": TOKEN, "PASSWORD": PASSWORD}
    daemon.handler("spill", SPILL)
    with receivers.mail_server() as box:
        named = f"hook: {{url: 'json://127.0.0.1:{httpserver.port}/', rate: 0s}}, {FILE}"
        mail = f"mail: {{url: '{box.url('&format=html')}', rate: 0s}}"
        daemon.jobs(JOBS.replace("IN", where), f"alerts: {{channels: {{{named}, {mail}}}}}\n").start()
        daemon.cli("jobs", "run", "spill", "--wait")
        daemon.cli("jobs", "run", "shout", "--wait", code=1)
        daemon.cli("events", "publish", "outside/push", "--payload", json.dumps({"token": FREE}))
        daemon.wait_for("hear", "succeeded")
        sent = "SELECT channel, status FROM deliveries"
        until(lambda: len(daemon.rows(sent)) == 10, "messages for all")
        until(lambda: {row["status"] for row in daemon.rows(sent)} == {"sent"}, "all is sent")
        parts = [part for mail in box.mails for part in mail.walk() if not part.is_multipart()]
        mails = "\n".join(box.texts())
    html = "\n".join(
        bytes(part.get_payload(decode=True)).decode()
        for part in parts
        if part.get_content_type() == "text/html"
    )
    posts = "\n".join(request.data.decode() for request, _ in httpserver.log)
    lines = (daemon.folder / "told.jsonl").read_text()
    for said in (posts, lines):
        assert "cannot log in with [secret]" in said and "wrong password [secret]" in said
        assert FREE in said, "an event's payload is nobody's secret"
    assert "&lt;b&gt;at&nbsp;all&lt;/b&gt;" in html and "<b>" not in html
    assert max(len(request.data) for request, _ in httpserver.log) < 40_000
    assert daemon.stop() == 0
    leaks = [
        str(path)
        for path in daemon.state.rglob("*")
        if path.is_file() and any(one.encode() in path.read_bytes() for one in (TOKEN, PASSWORD))
    ]
    assert leaks == []
    assert not [one for one in (TOKEN, PASSWORD) if one in posts + lines + mails + daemon.output()]
