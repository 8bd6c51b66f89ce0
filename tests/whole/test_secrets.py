"""Does a secret ever come to rest or to light? Its value is looked for in every file, process list and answer."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.whole.daemon import PATIENCE, Daemon, until

CANARY = "canary-7f3a91c5-sings"
FILED = "canary-2b8e44d0-file"
JOBS = """
by-env:
  every: 1s
  overlap: allow
  env: {PASSWORD: !secret env:CANARY}
  command: 'test "$PASSWORD" = %(canary)s && sleep 0.3'
by-file:
  every: 1s
  env: {PASSWORD: !secret "file:%(file)s"}
  command: 'test -n "$PASSWORD"'
told:
  every: 2s
  run: tell
  retry: none
  with: {token: !secret env:CANARY}
told-in-thread:
  every: 2s
  run: tell
  in: thread
  retry: none
  with: {token: !secret env:CANARY}
fails:
  every: 2s
  run: spill
  retry: none
  with: {token: !secret env:CANARY}
fed:
  every: 2s
  command: 'cat > /dev/null'
  stdin: !secret env:CANARY
missing:
  every: 2s
  env: {PASSWORD: !secret env:NOBODY_SET_THIS}
  command: 'true'
"""
TELL = '''
"""Use a token, and name it where a person reads."""
import logging
from jarvis import Context

def run(ctx: Context, *, token: str) -> str:
    ctx.log.info("logged in with %s", token)
    ctx.alert(f"token {token} expires", key=f"token-{token}")
    ctx.progress(1, 2, f"half of {token}")
    return f"used {token}"
'''
SPILL = '''
"""Goes wrong with a secret in its hands."""
from jarvis import Context

def run(ctx: Context, *, token: str) -> None:
    raise RuntimeError(f"cannot log in with {token}")
'''


@pytest.fixture
def daemon(daemon: Daemon) -> Daemon:
    secret = daemon.folder / "password"
    secret.write_text(FILED + "\n")
    secret.chmod(0o600)
    check = "$(cat expected)"
    (daemon.folder / "expected").write_text(CANARY)
    daemon.handler("tell", TELL)
    daemon.handler("spill", SPILL)
    daemon.jobs(JOBS % {"canary": check, "file": secret})
    return daemon


def seen_in(path: Path) -> bool:
    try:
        data = path.read_bytes()
    except OSError:
        return False
    return any(canary.encode() in data for canary in (CANARY, FILED))


def test_a_secret_is_in_no_file_no_process_list_and_no_answer(daemon: Daemon) -> None:
    daemon.env = {"CANARY": CANARY}
    daemon.start()
    leaks: set[str] = set()
    seen: set[str] = set()
    give_up = time.monotonic() + PATIENCE
    wanted = {"by-env", "by-file", "told", "told-in-thread", "fails", "fed", "missing"}
    while wanted - seen and time.monotonic() < give_up:
        for process in daemon.processes():
            try:
                words = " ".join(process.cmdline())
            except psutil.Error:
                continue
            leaks |= {f"ps: {words}"} if CANARY in words or FILED in words else set()
        leaks |= {
            f"while running: {path}" for path in daemon.state.rglob("*") if path.is_file() and seen_in(path)
        }
        seen = {row["job"] for row in daemon.runs(None, "succeeded", "failed")}
        time.sleep(0.02)
    assert seen >= wanted
    assert {row["status"] for row in daemon.runs("by-env")} <= {"succeeded", "running", "queued"}
    (missing, *_) = daemon.runs("missing", "failed")
    assert "NOBODY_SET_THIS" in missing["reason"]
    leaks |= answers_that_leak(daemon)
    assert daemon.stop() == 0
    leaks |= {str(path) for path in daemon.state.rglob("*") if path.is_file() and seen_in(path)}
    assert CANARY not in daemon.output()
    assert leaks == set()


def call(daemon: Daemon, target: str, body: Any) -> str:
    """One request over the control socket; the whole answer."""
    connection = http.client.HTTPConnection("localhost", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(daemon.state / "control.sock"))
    with closing(connection):
        connection.request("POST", f"/v1/{target}", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
    assert answer.status == 200, f"{target}: {answer.status} {text}"
    return text


def answers_that_leak(daemon: Daemon) -> set[str]:
    """Everything the API and the command line say about these jobs."""
    names = sorted(daemon.job_rows())
    asked: list[tuple[str, Any]] = [
        (one, {}) for one in ("status", "logs", "jobs/list", "runs/list", "audit", "check")
    ]
    asked += [(verb, {"name": name}) for name in names for verb in ("jobs/show", "jobs/history")]
    asked += [(verb, {"id": row["id"]}) for row in daemon.runs() for verb in ("runs/show", "runs/output")]
    said = {f"{target} {body}": call(daemon, target, body) for target, body in asked}
    said |= {
        words: str(daemon.cli(*words.split(), code=None)) for words in ("status", "jobs show told", "logs")
    }
    return {f"answer to {what}" for what, answer in said.items() if CANARY in answer or FILED in answer}


def test_a_secret_that_is_printed_by_a_command_is_stars_in_what_people_see(daemon: Daemon) -> None:
    daemon.env = {"CANARY": CANARY}
    daemon.jobs(
        "printer: {start: daemon, env: {PASSWORD: !secret env:CANARY}, command: 'echo $PASSWORD'}"
    ).start()
    (row,) = daemon.wait_for("printer", "succeeded")
    output = daemon.cli("runs", "output", str(row["id"]))
    assert CANARY not in json.dumps(output)
    assert os.stat(daemon.state / "runs" / "0" / str(row["id"]) / "output").st_mode & 0o077 == 0


def test_a_secret_reaches_no_other_job(daemon: Daemon) -> None:
    daemon.env = {"CANARY": CANARY}
    daemon.jobs(
        "other: {start: daemon, command: 'env > seen'}\n"
        "owner: {start: daemon, env: {PASSWORD: !secret env:CANARY}, command: 'env > owned'}"
    ).start()
    daemon.wait_for("other", "succeeded")
    daemon.wait_for("owner", "succeeded")
    until(lambda: (daemon.folder / "owned").exists(), "it ran")
    assert f"PASSWORD={CANARY}" in (daemon.folder / "owned").read_text()
    assert "PASSWORD" not in (daemon.folder / "seen").read_text()


def test_a_variable_that_is_one_jobs_secret_reaches_no_other(daemon: Daemon) -> None:
    daemon.env = {"CANARY": CANARY, "PLAIN": "seen"}
    daemon.jobs(
        "other: {start: daemon, command: 'env > seen'}\n"
        "owner: {start: daemon, env: {PASSWORD: !secret env:CANARY}, command: 'true'}"
    ).start()
    daemon.wait_for("other", "succeeded")
    seen = (daemon.folder / "seen").read_text()
    assert "PLAIN=seen" in seen and CANARY not in seen
