"""A Python handler in a process of its own: the payload in, the outcome out."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import jarvis
from jarvis.store.database import Database
from jarvis.store.events import Events

ROOT = Path(jarvis.__file__).parents[1]
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


class Child:
    """Starts the real child with a handler written for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = folder / "run"
        self.run.mkdir()
        self.file = folder / "sample.py"

    def payload(self, **more: object) -> bytes:
        run = {
            "id": 7,
            "job": "j",
            "fire": "manual:7",
            "attempt": 2,
            "scheduled_at": NOW.isoformat(),
            "params": {},
        }
        plain = {
            "handler": "sample", "file": str(self.file), "with": {}, "dir": str(self.run), "run": run, "memory": {},
            "deadline": None, "secrets": {}, "database": None, "now": None,
        }  # fmt: skip
        return json.dumps(plain | more).encode()

    def start(self, body: str) -> subprocess.Popen[bytes]:
        self.file.write_text("from jarvis import Context, GiveUp, Secret, Skip\n" + textwrap.dedent(body))
        return subprocess.Popen(
            [sys.executable, "-m", "jarvis.handling.child"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def call(self, body: str, **more: object) -> tuple[int, dict[str, object], str, str]:
        process = self.start(body)
        out, err = process.communicate(self.payload(**more), timeout=30)
        return process.returncode, self.outcome(), out.decode(), err.decode()

    def outcome(self) -> dict[str, object]:
        file = self.run / "outcome"
        return json.loads(file.read_text()) if file.exists() else {}


@pytest.fixture
def child(tmp_path):
    return Child(tmp_path)


def test_it_runs_the_handler_and_leaves_its_outcome(child):
    code, outcome, out, _ = child.call(
        """
        from datetime import timedelta
        def run(ctx, *, host: str, warn: timedelta):
            print("checking")
            ctx.alert("soon", key=host)
            ctx.memory["count"] = ctx.memory.get("count", 0) + 1
            del ctx.memory["old"]
            ctx.progress(1, 2, "half")
            return f"{host} {warn.days}d {ctx.run.job} {ctx.run.attempt}", {"n": 1}
        """,
        **{"with": {"host": "a", "warn": "21d"}, "memory": {"count": 4, "old": 1}},
    )
    assert (code, out) == (0, "checking\n")
    assert outcome == {
        "status": "ok", "result": "a 21d j 2", "numbers": {"n": 1.0}, "error": None, "forgotten": ["old"],
        "alerts": [{"text": "soon", "key": "a", "severity": "medium", "title": None}], "memory": {"count": 5},
        "resolved": [],
    }  # fmt: skip
    assert json.loads((child.run / "progress").read_text())["done"] == 1
    assert sorted(path.name for path in child.run.iterdir()) == ["outcome", "progress"]


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [("raise Skip('none')", 0, "skipped"), ("raise GiveUp('never')", 3, "gave_up"), ("1 / 0", 1, "error")],
)
def test_the_exit_code_says_how_it_ended(child, body, code, status):
    ended, outcome, _, _ = child.call(f"def run(ctx):\n    {body}\n")
    assert (ended, outcome["status"]) == (code, status)


def test_an_error_is_also_in_the_output(child):
    _, outcome, _, err = child.call(
        "def run(ctx):\n    ctx.log.info('begun', n=1)\n    raise ValueError('why')\n"
    )
    assert "INFO    begun n=1" in err and err.endswith("ValueError: why\n")
    assert outcome["error"] in err


def test_standard_input_is_empty_for_the_handler(child):
    _, outcome, _, _ = child.call("import sys\ndef run(ctx): return repr(sys.stdin.read())\n")
    assert outcome["result"] == "''"


def test_the_clock_the_deadline_and_the_zone_come_from_the_payload(child):
    _, outcome, _, _ = child.call(
        "def run(ctx): return f'{ctx.now.isoformat()} {ctx.deadline - ctx.now} {ctx.state}'\n",
        now=NOW.isoformat(),
        deadline=(NOW + timedelta(minutes=5)).isoformat(),
        timezone="Asia/Tokyo",
        database="sqlite:////somewhere/ledger.sqlite",
    )
    assert outcome["result"] == "2026-11-20T18:00:00+09:00 0:05:00 /somewhere"


def test_a_file_with_a_syntax_error_is_an_outcome_too(child):
    code, outcome, _, _ = child.call("def run(ctx:\n")
    assert (code, outcome["status"]) == (1, "error") and "sample.py:2:" in outcome["error"]


def test_a_file_that_is_gone_is_an_outcome_too(child):
    code, outcome, _, _ = child.call("def run(ctx): ...", file=str(child.folder / "gone.py"))
    assert code == 1 and "gone.py: cannot be read: No such file" in outcome["error"]


def test_values_that_do_not_fit_are_final(child):
    code, outcome, _, _ = child.call("def run(ctx, *, n: int): ...", **{"with": {"n": "many"}})
    assert (code, outcome["status"]) == (3, "gave_up") and "expected a whole number" in outcome["error"]


def test_no_secret_reaches_the_output_or_the_outcome(child):
    code, outcome, out, err = child.call(
        """
        import logging
        def run(ctx, *, token: Secret):
            ctx.log.info("using", token=token.reveal())
            logging.getLogger("some.library").warning("header %s", token.reveal())
            ctx.alert(f"bad {token.reveal()}")
            ctx.progress(1, text=token.reveal())
            raise ValueError(f"{token.reveal()} and {token}")
        """,
        **{"with": {"token": "canary-8d1f"}, "secrets": {"env:TOKEN": "canary-8d1f"}},
    )
    everything = json.dumps(outcome) + out + err + (child.run / "progress").read_text()
    assert code == 1 and "header [secret]" in err and "canary" not in everything


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_stop_signal_lets_the_handler_clean_up(child, number, kind):
    wait = "await asyncio.sleep(60)" if kind == "async def" else "time.sleep(60)"
    process = child.start(f"""
        import asyncio, time
        {kind} run(ctx):
            try:
                print("ready", flush=True)
                {wait}
            finally:
                ctx.memory["cleaned"] = True
        """)
    process.stdin.write(child.payload())
    process.stdin.close()
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    process.wait(timeout=20)
    outcome = child.outcome()
    assert process.returncode == 1 and outcome["memory"] == {"cleaned": True}
    assert outcome["error"] == f"stopped by {number.name}"
    process.stdout.close()
    process.stderr.close()


def test_a_second_signal_does_not_interrupt_the_cleaning_up(child):
    process = child.start("""
        import time
        def run(ctx):
            try:
                print("ready", flush=True)
                time.sleep(60)
            finally:
                print("cleaning", flush=True)
                time.sleep(0.05)
                ctx.memory["cleaned"] = True
        """)
    process.stdin.write(child.payload())
    process.stdin.close()
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    assert process.stdout.readline() == b"cleaning\n"
    process.terminate()
    process.wait(timeout=20)
    assert child.outcome()["memory"] == {"cleaned": True}
    process.stdout.close()
    process.stderr.close()


@pytest.mark.parametrize(
    ("text", "said"), [(b"", "cannot be used"), (b"[]", "expected an object"), (b"{}", "'file'")]
)
def test_a_payload_that_is_none_says_so_without_a_traceback(text, said):
    done = subprocess.run(
        [sys.executable, "-m", "jarvis.handling.child"],
        cwd=ROOT,
        input=text,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1 and said in done.stderr.decode() and b"Traceback" not in done.stderr


def test_an_outcome_that_cannot_be_written_is_a_failure(child):
    code, outcome, _, err = child.call("def run(ctx): return 'x'", dir=str(child.folder / "nowhere"))
    assert (code, outcome) == (1, {}) and "what the handler left could not be written" in err


def test_a_handler_that_ends_the_process_leaves_no_outcome(child):
    code, outcome, _, _ = child.call("import os\ndef run(ctx): os._exit(9)\n")
    assert (code, outcome) == (9, {})


def test_events_reach_the_ledger_from_the_child(child):
    database = Database(child.folder / "ledger.sqlite")
    database.open()
    code, _, _, err = child.call(
        "def run(ctx): ctx.events.add(source='a', event_type='b', payload={'n': 1}, received_at=ctx.now)\n",
        database=database.url,
        now=NOW.isoformat(),
    )
    assert code == 0, err
    (event,) = Events(database).pending()
    assert (event.source, event.event_type, event.payload, event.received_at) == ("a", "b", {"n": 1}, NOW)
    database.close()


def test_a_ledger_that_is_not_there_is_said_in_a_sentence(child):
    code, outcome, _, _ = child.call(
        "def run(ctx): ctx.ledger", database=f"sqlite:///{child.folder}/no.sqlite"
    )
    assert code == 1 and "there is no ledger at" in outcome["error"] and "Traceback" not in outcome["error"]
    assert not os.path.exists(child.folder / "no.sqlite")


def test_the_addresses_that_a_handler_asks_are_not_in_its_output(child, httpserver):
    httpserver.expect_request("/items").respond_with_json([])
    _, outcome, _, errors = child.call(
        """
        import httpx2
        def run(ctx, *, url: str):
            ctx.log.info("asked")
            return str(httpx2.get(url).status_code)
        """,
        **{"with": {"url": httpserver.url_for("/items?key=opensesame")}},
    )
    assert outcome["result"] == "200"
    assert "asked" in errors and "opensesame" not in errors
