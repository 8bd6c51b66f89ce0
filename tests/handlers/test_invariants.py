"""`invariants`: what is so is seen, what cannot be seen is never taken for healthy, and tickets follow."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import pytest
from sqlalchemy import insert

from jarvis import testing
from jarvis.core.run import Run, Status
from jarvis.core.tickets import Hold
from jarvis.handling.stores import LazyStores
from jarvis.sources import probes
from jarvis.store import runs, sample_tables
from jarvis.store.database import Database
from jarvis.store.tickets import Tickets
from tests.postgres import postgres
from tests.rooms.launch_house import until

__all__ = ["postgres"]

CANNOT = "cannot_observe"


class Site(BaseHTTPRequestHandler):
    """/<status> answers with it; other pages by name."""

    down = False
    wait = 0.0
    asked: list[str]

    def do_GET(self):
        self.asked.append(self.path)
        time.sleep(self.wait)
        status = self.path.strip("/")[:3]
        code = 503 if self.down else int(status) if status.isdigit() else 200
        if self.path == "/hang":
            time.sleep(3)
        there = {"/loop": "/loop", "/inside": "/", "/away": "http://example.org/login?next=1"}.get(self.path)
        self.send_response(302 if there else code)
        if there:
            self.send_header("Location", there)
        self.end_headers()
        with contextlib.suppress(OSError):
            if self.path == "/endless":
                while True:
                    self.wfile.write(b"x" * 65_536)
            self.wfile.write(f"hello, {self.headers.get('X-Key', 'nobody')}".encode())

    def log_message(self, *_):
        """Not in the output of tests."""


@pytest.fixture
def site():
    kind = type("OneSite", (Site,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    kind.url = f"http://127.0.0.1:{server.server_port}"
    yield kind
    server.shutdown()
    server.server_close()


@pytest.fixture
def mute():
    """The address of something that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(512)
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def ledger(tmp_path):
    database = Database(tmp_path / "ledger.sqlite")
    database.open()
    yield database
    database.close()


@pytest.fixture
def check(tmp_path, ledger):
    """Run the handler; what it remembers is there at its next run, as in real life."""
    memory = {}

    def run(invariants, *, job="watch", fire="manual:1", secrets=None, **values):
        stores = LazyStores(ledger.url)
        ctx = testing.context(
            stores=stores, state=tmp_path, job=job, fire=fire, memory=memory, secrets=secrets
        )
        try:
            outcome = testing.run_handler("invariants", ctx, invariants=invariants, **values)
        finally:
            stores.close()
        assert outcome.status in ("ok", "error", "gave_up")
        memory.update(outcome.memory)
        for gone in outcome.forgotten:
            memory.pop(gone, None)
        return outcome

    return run


@pytest.fixture
def tickets(ledger):
    return Tickets(ledger)


def told(outcome):
    return {alert.key: alert for alert in outcome.alerts}


def state_of(outcome, name="it"):
    """holds, violated or not observed, as the alerts of a first check without grace tell it."""
    assert outcome.status == "ok", outcome.error
    keys = told(outcome)
    if f"{CANNOT}:{name}" in keys:
        return "not observed", keys[f"{CANNOT}:{name}"].text
    return ("violated", keys[name].text) if name in keys else ("holds", "")


@pytest.fixture
def refused():
    """A port that is taken by somebody who does not listen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize(
    ("page", "more", "state", "said"),
    [
        pytest.param("/", {}, "holds", "", id="200"),
        pytest.param("/204", {}, "holds", "", id="204"),
        pytest.param("/500", {}, "violated", "answered 500, expected 2xx", id="500"),
        pytest.param("/404", {"expect": [200, 404]}, "holds", "", id="404 is expected"),
        pytest.param(
            "/", {"expect": "201-299"}, "violated", "answered 200, expected 201-299", id="200 is not"
        ),
        pytest.param("/inside", {}, "holds", "", id="a redirect on the same host"),
        pytest.param(
            "/away", {}, "violated", "it points to http://example.org/login", id="a redirect elsewhere"
        ),
        pytest.param("/loop", {}, "violated", "more than 10 redirects", id="round and round"),
        pytest.param("/", {"contains": "hello"}, "holds", "", id="the right text"),
        pytest.param("/", {"contains": "bye"}, "violated", "but without the text 'bye'", id="the wrong text"),
        pytest.param(
            "/", {"contains": "jarvis", "headers": {"X-Key": "jarvis"}}, "holds", "", id="with a header"
        ),
        pytest.param("/endless", {}, "holds", "", id="an endless answer"),
        pytest.param(
            "/endless", {"contains": "y"}, "violated", "without the text 'y'", id="an endless search"
        ),
        pytest.param("/hang", {}, "violated", "no answer within 0.3 s", id="a slow server"),
    ],
)
def test_a_web_server_is_up_when_it_answers_as_expected(site, check, page, more, state, said):
    limit = {"timeout": "300ms"} if page == "/hang" else {}
    found = state_of(check({"it": {"up": {"http": site.url + page, **more}, **limit}}))
    assert found[0] == state
    assert said in found[1]


def test_a_refused_connection_is_a_violation(check, refused):
    for way in ({"tcp": f"127.0.0.1:{refused}"}, {"http": f"http://127.0.0.1:{refused}/"}):
        state, text = state_of(check({"it": {"up": way}}, job=next(iter(way))))
        assert (state, "connection refused" in text) == ("violated", True)


def test_tls_that_fails_is_a_violation(site, check):
    state, text = state_of(check({"it": {"up": {"http": site.url.replace("http", "https")}}}))
    assert (state, "TLS failed" in text) == ("violated", True)


@pytest.mark.needs("openssl")
def test_a_certificate_that_nobody_vouches_for_is_a_violation_unless_it_is_not_asked_for(
    tmp_path, check, certified
):
    asked = {"up": {"http": certified}}
    state, text = state_of(check({"it": asked}))
    assert (state, "its certificate is not valid: self-signed" in text) == ("violated", True)
    asked["up"]["verify"] = False
    assert state_of(check({"it": asked}))[0] == "holds"


@pytest.fixture
def certified(tmp_path):
    """A server with a certificate of its own making."""
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "key",
        "-out",
        "cert",
        "-days",
        "2",
    ]
    subprocess.run([*made, "-subj", "/CN=localhost"], cwd=tmp_path, check=True, capture_output=True)
    kind = type("OneSite", (Site,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_a_port_is_up_when_it_takes_the_connection_and_says_what_it_should(check, mute):
    assert state_of(check({"it": {"up": {"tcp": mute}}}))[0] == "holds"
    silent = {"it": {"up": {"tcp": mute, "contains": "SSH-"}, "timeout": "200ms"}}
    state, text = state_of(check(silent))
    assert (state, "no answer within 0.2 s" in text) == ("violated", True)


@pytest.mark.parametrize(
    ("greeting", "state"), [(b"SSH-2.0-x\r\n", "holds"), (b"HTTP/1.1 400\r\n", "violated")]
)
def test_a_port_that_greets_is_known_by_its_greeting(check, greeting, state):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet():
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    connection.sendall(greeting)

        threading.Thread(target=greet, daemon=True).start()
        where = f"127.0.0.1:{server.getsockname()[1]}"
        assert state_of(check({"it": {"up": {"tcp": where, "contains": "SSH-"}}}))[0] == state


def test_a_process_is_up_while_it_runs(tmp_path, check):
    program = tmp_path / f"tick{os.getpid()}"
    shutil.copy(shutil.which("sleep"), program)
    by_name = {"it": {"up": {"process": f"tick{os.getpid()}*"}}, "line": {"up": {"process": f"{program} 60"}}}
    with subprocess.Popen([program, "60"]) as running:
        assert told(check(by_name)) == {}
        running.kill()
    after = told(check(by_name))
    assert list(after) == ["it", "line"]
    assert f"no process 'tick{os.getpid()}*' is running" in after["it"].text


@pytest.mark.parametrize(
    ("command", "state", "said"),
    [
        pytest.param("true", "holds", "", id="exit code 0"),
        pytest.param(
            ["sh", "-c", "echo it hurts; exit 3"], "violated", "exit code 3: it hurts", id="exit code 3"
        ),
        pytest.param("kill -9 $$", "violated", "killed by signal 9", id="a signal"),
        pytest.param("sleep 30", "violated", "no answer within 0.4 s", id="no end"),
        pytest.param("yes", "violated", "no answer within 0.4 s", id="endless output"),
        pytest.param(["/nowhere/at/all"], "not observed", "cannot be started", id="no such program"),
        pytest.param("nowhere-at-all", "not observed", "no such program", id="none the shell knows"),
    ],
)
def test_a_command_is_up_when_it_ends_well(check, command, state, said):
    began = time.monotonic()
    limit = {"timeout": "400ms"} if command in ("sleep 30", "yes") else {}
    found = state_of(check({"it": {"up": {"command": command}, **limit}}))
    assert found[0] == state
    assert said in found[1]
    assert time.monotonic() - began < 25


def test_what_a_command_leaves_behind_is_ended(tmp_path, check):
    left = "sleep 60 & echo $! > pid; exit 0"
    assert state_of(check({"it": {"up": {"command": f"cd {tmp_path}; {left}"}}}))[0] == "holds"
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not alive(pid))


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:  # it ended, or there is no /proc here
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not os.path.exists("/proc/self/stat")


@pytest.mark.parametrize(
    ("says", "limits", "state"),
    [
        ("echo first; echo 5", {"above": 5}, "holds"),
        ("echo 5.001", {"above": 5}, "violated"),
        ("echo 5", {"below": 5}, "holds"),
        ("echo 4.999", {"below": 5}, "violated"),
        ("echo five", {"above": 5}, "not observed"),
        ("true", {"above": 5}, "not observed"),
        ("echo nan", {"above": 5}, "not observed"),
        ("echo 9; exit 1", {"above": 5}, "not observed"),
    ],
)
def test_the_last_line_of_a_command_is_a_number_within_its_limits(check, says, limits, state):
    assert state_of(check({"it": {"command": {"run": says, **limits}}}))[0] == state


def test_a_disk_is_looked_at_for_real(check, tmp_path):
    full = os.statvfs(tmp_path)
    used = full.f_blocks - full.f_bfree
    per_cent = 100 * used / (used + full.f_bavail)
    assert state_of(check({"it": {"disk": {"path": str(tmp_path), "above": 100}}}))[0] == "holds"
    tight = {"it": {"disk": {"path": str(tmp_path), "above": max(0, per_cent - 3)}}}
    state, text = state_of(check(tight))
    assert (state, f"{tmp_path} is" in text, "% full, more than" in text) == ("violated", True, True)
    state, text = state_of(check({"it": {"disk": {"path": "/no/such/place"}}}))
    assert (state, "No such file" in text) == ("not observed", True)


@pytest.mark.needs("linux")
def test_a_file_system_without_a_size_cannot_be_told(check):
    state, text = state_of(check({"it": {"disk": {"path": "/proc"}}}))
    assert (state, "has no size" in text) == ("not observed", True)


@pytest.fixture
def queue(tmp_path):
    path = tmp_path / "queue.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE jobs (name TEXT)")
        connection.executemany("INSERT INTO jobs VALUES (?)", [("a",), ("b",), ("c",)])
    return path


@pytest.mark.parametrize(
    ("query", "limits", "state", "said"),
    [
        ("SELECT count(*) AS waiting FROM jobs", {"above": 3}, "holds", ""),
        ("SELECT count(*) AS waiting FROM jobs", {"above": 2.9}, "violated", "waiting is 3, more than 2.9"),
        ("SELECT count(*) AS waiting FROM jobs", {"below": 4}, "violated", "waiting is 3, less than 4"),
        ("SELECT name FROM jobs", {"above": 3}, "not observed", "which is no number"),
        ("SELECT max(rowid) FROM jobs WHERE 0", {"above": 3}, "not observed", "which is no number"),
        ("SELECT 1 FROM jobs WHERE 0", {"above": 3}, "not observed", "no row"),
        ("SELECT 1 FROM nowhere", {"above": 3}, "not observed", "no such table"),
        ("WITH x AS (SELECT 1) DELETE FROM jobs", {"above": 3}, "not observed", "does more than read"),
        ("SELECT load_extension('x')", {"above": 3}, "not observed", "not authorized"),
        ("WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n FROM x) SELECT count(*) FROM x", {"above": 3},
         "not observed", "0.5 s"),
    ],
    ids=["at the limit", "above", "below", "a text", "null", "no row", "no table", "writes", "loads code", "no end"],
)  # fmt: skip
def test_a_database_is_asked_read_only(check, queue, query, limits, state, said):
    timeout = "500ms" if said == "0.5 s" else "20s"
    asked = {"sql": {"url": f"sqlite:///{queue}", "query": query, **limits}, "timeout": timeout}
    found = state_of(check({"it": asked}))
    assert found[0] == state, found
    assert said in found[1]
    with contextlib.closing(sqlite3.connect(queue)) as connection:
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (3,)


def test_a_database_that_cannot_be_reached_is_not_observed(check, tmp_path, refused):
    state, text = state_of(
        check({"it": {"sql": {"url": f"sqlite:///{tmp_path}/no", "query": "SELECT 1", "above": 0}}})
    )
    assert (state, "there is no database file" in text) == ("not observed", True)
    server = f"postgresql://me:hush-hush@127.0.0.1:{refused}/db"
    asked = {"sql": {"url": server, "query": "SELECT 1", "above": 0}, "timeout": "20s"}
    state, text = state_of(check({"it": asked}))
    assert (state, "hush-hush" in text, "db at 127.0.0.1" in text) == ("not observed", False, True)


@pytest.mark.parametrize(
    ("query", "limits", "state", "said"),
    [
        pytest.param("SELECT count(*) AS waiting FROM jobs", {"above": 3}, "holds", "", id="at the limit"),
        pytest.param(
            "SELECT avg(size) AS size FROM jobs", {"above": 2}, "violated", "size is 2.5, more than 2", id="a decimal"
        ),
        pytest.param(
            "WITH gone AS (DELETE FROM jobs RETURNING 1) SELECT count(*) FROM gone", {"above": 0}, "not observed",
            "data-modifying", id="writes",
        ),
        pytest.param("SELECT 1 FROM pg_sleep(30)", {"above": 3}, "not observed", "within 0.5 s", id="slow"),
    ],
)  # fmt: skip
def test_a_server_s_database_is_asked_read_only(check, postgres, query, limits, state, said):
    url = postgres.database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE jobs AS SELECT * FROM (VALUES (1.0), (2.5), (4.0)) AS v(size)")
    timeout = "500ms" if said == "within 0.5 s" else "20s"
    found = state_of(check({"it": {"sql": {"url": url, "query": query, **limits}, "timeout": timeout}}))
    assert (found[0], said in found[1]) == (state, True), found
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (3,)


def test_numbers_that_were_recorded_are_judged(check, ledger):
    now = datetime.now(UTC)
    with ledger.write() as connection:
        rows = []
        for number, (minutes, megabytes) in enumerate([(20, 900.0), (5, 10.0), (4, 30.0), (3, 20.0)], 1):
            ended = now - timedelta(minutes=minutes)
            rows.append(
                Run(
                    id=number, job="backup", fire=f"manual:{number}", attempt=1, status=Status.SUCCEEDED,
                    scheduled_at=ended, queued_at=ended, started_at=ended, ended_at=ended,
                    numbers={"megabytes": megabytes},
                )
            )  # fmt: skip
        runs.insert(connection, rows)
        runs.close(connection, rows)
        connection.execute(
            insert(sample_tables.samples),
            [
                {"at": now - timedelta(seconds=each), "cpu": each, "state": "normal"}
                for each in (1.0, 2.0, 3.0)
            ],
        )
    of_runs = {"job": "backup", "number": "megabytes"}
    cases = {
        "last": (of_runs, 20), "mean": (of_runs, 20), "max": (of_runs, 30), "min": (of_runs, 10), "count": (of_runs, 3),
    }  # fmt: skip
    at_limit = {
        how: {"metric": {**source, "aggregate": how, "above": value}}
        for how, (source, value) in cases.items()
    }
    assert told(check(at_limit)) == {}
    beyond = {
        how: {"metric": {**source, "aggregate": how, "above": value - 0.001}}
        for how, (source, value) in cases.items()
    }
    assert list(told(check(beyond, job="other"))) == list(cases)
    wide = {"it": {"metric": {**of_runs, "aggregate": "max", "above": 30, "window": "30m"}}}
    assert "max of megabytes of backup is 900, more than 30" in state_of(check(wide))[1]
    assert (
        state_of(check({"it": {"metric": {"sample": "cpu", "aggregate": "p99", "above": 2.9}}}))[0]
        == "violated"
    )
    assert "did you mean 'cpu'?" in state_of(check({"it": {"metric": {"sample": "cqu", "above": 1}}}))[1]
    assert state_of(check({"it": {"metric": {"job": "no", "number": "x", "above": 1}}}))[0] == "not observed"


def test_what_nobody_could_have_recorded_yet_is_waited_for_and_then_missing(ledger, check):
    it = {"it": {"metric": {"job": "health", "number": "free", "below": 5, "window": "3s"}}}
    sampled = {"it": {"metric": {"sample": "cpu", "aggregate": "count", "below": 1, "window": "3s"}}}
    with ledger.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO definitions (id, job, fingerprint, body, python, created_at)"
            " VALUES (1, 'health', 'x', '{}', 1, 0)"
        )
        connection.exec_driver_sql(
            "INSERT INTO jobs (name, definition_id, origin, state, era) VALUES ('health', 1, 'file', 'active', 0)"
        )
    begun = time.monotonic()
    for invariants, job in ((it, "watch"), (sampled, "other")):
        outcome = check(invariants, job=job)
        assert (outcome.status, told(outcome)) == ("ok", {})
        assert "0 violated, 1 not observed" in outcome.result
    while told(outcome := check(it)) == {}:
        assert time.monotonic() - begun < 30
        time.sleep(0.1)
    assert time.monotonic() - begun >= 3
    assert state_of(outcome)[0] == "not observed", "nothing came within its window"
    with ledger.write() as connection:
        now = datetime.now(UTC)
        run = Run(
            id=1, job="health", fire="manual:1", attempt=1, status=Status.SUCCEEDED, scheduled_at=now, queued_at=now,
            started_at=now, ended_at=now, numbers={"other": 1.0},
        )  # fmt: skip
        runs.insert(connection, [run])
        runs.close(connection, [run])
    assert state_of(check(it, job="third"))[0] == "not observed", (
        "it ran and did not say that number: told at once"
    )


def test_latency_is_asked_of_what_is_up_with_so_many_samples(site, check):
    site.wait = 0.03
    known = {
        "web": {"up": {"http": {"slow": site.url + "/", "down": site.url + "/500"}}},
        "fast": {"latency": {"of": "web", "above": "5s", "samples": 3}, "grace": "0s"},
        "slow": {"latency": {"of": "web", "above": "10ms", "samples": 4}, "grace": "0s"},
    }
    outcome = check(known)
    assert list(told(outcome)) == ["web:down", "slow:slow"]
    assert "p99 of 4 samples is" in told(outcome)["slow:slow"].text
    assert sorted(site.asked) == [*["/"] * (1 + 3 + 4), "/500"]
    assert outcome.result.startswith("3 invariants: 0 hold, 2 violated, 1 not observed, 2 tickets opened")


def test_latency_has_a_minute_of_grace(site, check):
    site.wait = 0.02
    known = {
        "web": {"up": {"http": site.url}},
        "slow": {"latency": {"of": "web", "above": "1ms", "samples": 1}},
    }
    outcome = check(known)
    assert (told(outcome), outcome.result) == (
        {}, "2 invariants: 1 holds, 1 violated, 0 not observed, 1 within its grace",
    )  # fmt: skip


# What is seen and what is not.


def test_an_open_ticket_survives_a_failed_observation_and_goes_on_being_told(check, tickets, tmp_path):
    flag = tmp_path / "number"
    known = {"it": {"command": {"run": f"cat {flag}", "above": 5}}}
    flag.write_text("9")
    assert list(told(check(known))) == ["it"]
    flag.unlink()
    blind = check(known)
    assert list(told(blind)) == ["it", f"{CANNOT}:it"]
    assert "cat: exit code" not in told(blind)["it"].text.partition(";")[0]
    assert {one.key: one.status for one in tickets.listing()} == {"it": "open", f"{CANNOT}:it": "open"}
    assert blind.result.startswith("1 invariant: 0 hold, 0 violated, 1 not observed")
    flag.write_text("5")
    healthy = check(known)
    assert (told(healthy), tickets.listing()) == ({}, [])
    assert healthy.result == "1 invariant: 1 holds, 0 violated, 0 not observed, 2 resolved"


@pytest.mark.parametrize(
    ("error", "blind"),
    [
        pytest.param(ConnectionRefusedError(errno.ECONNREFUSED, "no"), False, id="refused"),
        pytest.param(OSError(errno.EHOSTUNREACH, "no"), False, id="the host does not answer"),
        pytest.param(OSError(errno.ENETUNREACH, "no"), True, id="no network"),
        pytest.param(OSError(errno.EMFILE, "no"), True, id="no file handles left"),
        pytest.param(socket.gaierror(socket.EAI_AGAIN, "no"), True, id="the name server does not answer"),
        pytest.param(ExceptionGroup("all", [OSError(errno.ENETUNREACH, "no")]), True, id="several addresses"),
    ],
)
def test_a_failure_of_this_machine_says_nothing_about_the_other(error, blind):
    if blind:
        with pytest.raises(probes.Blind):
            probes.failed("it", error, "127.0.0.1")
    else:
        assert not probes.failed("it", error, "127.0.0.1").up


@pytest.mark.needs("linux", "root", "unshare")
def test_without_any_network_what_is_elsewhere_is_not_observed(tmp_path):
    code = """
import asyncio, json
from datetime import timedelta
from jarvis.core import invariants as i, observation as o
from jarvis.sources import observing
known = {name: i.Invariant.model_validate({"up": way}) for name, way in {
    "web": {"http": "http://192.0.2.7/"}, "port": {"tcp": "192.0.2.7:80"}, "name": {"http": "http://example.org"},
    "here": {"command": "true"}}.items()}
found = list(i.targets(known))
async def look():
    return await observing.look(found, each=timedelta(seconds=5), within=timedelta(seconds=20), at_once=9, metrics=None)
seen = asyncio.run(look())
print(json.dumps({one.key: o.judge(one, seen[one.key]).state for one in found}))
"""
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    if "unshare" in done.stderr:
        pytest.skip(f"no network namespaces here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "web": "not_observed", "port": "not_observed", "name": "not_observed", "here": "holds",
    }  # fmt: skip


def test_two_hundred_invariants_are_checked_side_by_side(site, check, mute, tickets):
    known = {f"ok{number}": {"up": {"http": f"{site.url}/n{number}"}} for number in range(120)}
    known |= {
        f"hang{number}": {"up": {"tcp": mute, "contains": "x"}, "timeout": "500ms"} for number in range(60)
    }
    known |= {f"disk{number}": {"disk": {"path": "/", "above": 100}} for number in range(20)}
    began = time.monotonic()
    outcome = check(known)
    assert outcome.result.startswith("200 invariants: 140 hold, 60 violated, 0 not observed")
    assert time.monotonic() - began < 29, "60 that hang for half a second each, one after the other, are 30 s"
    assert len(tickets.listing(limit=300)) == 60


def test_what_there_was_no_time_for_is_not_observed(check, mute):
    known = {f"hang{number}": {"up": {"tcp": mute, "contains": "x"}} for number in range(4)}
    known["disk"] = {"disk": {"above": 100}}
    outcome = check(known, timeout="20s", within="300ms", at_once=2)
    assert outcome.result.startswith("5 invariants: 0 hold, 0 violated, 5 not observed")
    assert "the check was over after 0.3 s" in told(outcome)[f"{CANNOT}:hang0"].text


# Tickets.


def test_a_ticket_has_everything_that_is_known(check, tickets, site):
    site.down = True
    check({"web": {"up": {"http": {"shop": site.url}}}})
    (ticket,) = tickets.listing()
    assert (ticket.key, ticket.invariant, ticket.entity, ticket.scope) == ("web:shop", "web", "shop", "watch")
    assert (ticket.status, ticket.held, ticket.batch, ticket.count) == ("open", False, "watch:1", 1)
    assert (ticket.severity, ticket.message) == ("critical", f"{site.url} answered 503, expected 2xx")
    assert (ticket.snapshot["up"], ticket.snapshot["milliseconds"] > 0) == (0, True)
    assert (ticket.resolved_at, ticket.diagnosis) == (None, None)
    assert abs(ticket.first_seen_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_two_jobs_never_resolve_each_other_s_tickets(check, tickets, site):
    known = {"web": {"up": {"http": site.url}}}
    site.down = True
    check(known, job="one")
    check(known, job="two")
    site.down = False
    check(known, job="two")
    assert [(one.scope, one.key) for one in tickets.listing()] == [("one", "web")]
    check({"other": {"disk": {"above": 100}}}, job="two")
    assert [(one.scope, one.key) for one in tickets.listing()] == [("one", "web")]


def test_an_invariant_that_is_no_longer_checked_keeps_its_ticket_and_is_said_once(check, tickets, site):
    site.down = True
    check({"web": {"up": {"http": site.url}}})
    rest = {"disk": {"disk": {"above": 100}}}
    first, second = check(rest), check(rest)
    assert [(one.key, one.once) for one in first.alerts] == [("unchecked:web", True)]
    assert second.alerts == ()
    (ticket,) = tickets.listing()
    assert (ticket.status, ticket.unchecked_at is not None) == ("open", True)
    assert [one.what for one in tickets.history(ticket.id)] == ["opened", "unchecked"]


def test_that_a_held_violation_is_not_over_is_said_once(check, tickets, site):
    known = {"web": {"up": {"http": site.url}}}
    site.down = True
    check(known)
    tickets.move(1, Hold("not before monday"), datetime.now(UTC))
    (notice,) = check(known).alerts
    assert (notice.key, notice.once, notice.severity) == ("held:web", True, "low")
    assert notice.text.startswith("web is not over, it is held and goes on unsaid: ")
    assert check(known).alerts == ()
    site.down = False
    assert check(known).alerts == ()
    assert tickets.get(1).status == "open"


def test_flapping_is_flagged_and_told_once(check, tickets, site):
    known = {"web": {"up": {"http": site.url}}}
    notices = []
    for _ in range(5):
        site.down = True
        notices += [one for one in check(known).alerts if one.once]
        site.down = False
        notices += [one for one in check(known).alerts if one.once]
    (notice,) = notices
    assert notice.key == "flapping:web"
    assert notice.text.startswith("web is flapping: reopened 3 times in 5 min")
    flags = [one.flapping for one in reversed(tickets.listing(statuses=["resolved"]))]
    assert flags == [False, False, False, True, True]


def test_it_can_run_in_a_thread_of_the_daemon(check):
    known = {
        "cmd": {"up": {"command": "exit 3"}},
        "name": {"up": {"tcp": "localhost:1"}},
        "disk": {"disk": {"above": 100}},
    }
    done = []
    thread = threading.Thread(target=lambda: done.append(check(known)))
    thread.start()
    thread.join()
    assert list(told(done[0])) == ["cmd", "name"]


def test_a_secret_is_in_no_ticket(check, tickets):
    known = {"it": {"up": {"command": "echo the key is s3cr3t-k3y; exit 1"}}}
    check(known, secrets={"KEY": "s3cr3t-k3y"})
    (ticket,) = tickets.listing()
    assert ticket.message.endswith("exit code 1: the key is [secret]")


def test_a_trial_keeps_no_ticket(check, tickets):
    outcome = check({"it": {"up": {"command": "false"}}}, fire="try")
    assert (list(told(outcome)), tickets.listing()) == (["it"], [])


def test_a_check_that_cannot_be_stored_fails_and_changes_nothing(check, tickets, ledger):
    known = {"a": {"up": {"command": "false"}}, "b": {"up": {"command": "false"}}}
    with ledger.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER no BEFORE INSERT ON tickets WHEN NEW.key = 'b' BEGIN SELECT RAISE(ABORT, 'not b'); END"
        )
    outcome = check(known)
    assert (outcome.status, "not b" in outcome.error, "Traceback" in outcome.error) == ("error", True, False)
    assert (tickets.listing(), outcome.alerts) == ([], ())
    with ledger.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM violations").scalar() == 0
