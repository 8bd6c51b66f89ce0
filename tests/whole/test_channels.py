"""Does a person hear of it? A real daemon, real receivers, and a kill at every bad moment."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
from pytest_httpserver import HTTPServer

from tests.rooms import receivers
from tests.whole.daemon import Daemon, until

CANARY = "canary-9d11-channel"


def channels(daemon: Daemon, jobs: str, **named: str) -> None:
    listed = "".join(f"\n    {name}: {{{what}}}" for name, what in named.items())
    daemon.jobs(jobs, f"alerts:\n  channels:{listed}\n")


def bodies(server: HTTPServer) -> list[str]:
    return [json.loads(request.data)["message"] for request, _ in server.log]


def sent(daemon: Daemon) -> Counter[str]:
    return Counter(row["status"] for row in daemon.rows("SELECT * FROM deliveries"))


def test_a_result_reaches_a_web_hook_and_a_mailbox(daemon: Daemon, httpserver: HTTPServer) -> None:
    httpserver.expect_request(f"/{CANARY}", method="POST").respond_with_data("")
    with receivers.mail_server() as box:
        channels(
            daemon,
            "report: {command: 'echo 41 files $HOOK_URL', deliver: {to: [hook, mail]}}",
            hook="url: !secret env:HOOK_URL",
            mail=f"url: '{box.url()}'",
        )
        daemon.start(HOOK_URL=f"json://127.0.0.1:{httpserver.port}/{CANARY}")
        daemon.cli("jobs", "run", "report", "--wait")
        until(lambda: bodies(httpserver) == ["41 files"], "the web hook gets the result")
        until(lambda: [text.strip() for text in box.texts()] == ["41 files"], "the mailbox gets the result")
        assert box.mails[0]["Subject"] == "Scheduled task: report"
        until(lambda: sent(daemon) == {"sent": 2}, "both are noted as sent")
    listed = {one["name"]: one for one in daemon.cli("alerts", "channels", "--json")}
    assert (listed["hook"]["what"], listed["hook"]["sent"]) == ("!secret env:HOOK_URL", 1)
    assert daemon.stop() == 0
    told = [
        path for path in daemon.state.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()
    ]
    assert told == [] and CANARY not in daemon.output()


def test_a_receiver_that_is_down_and_then_up_gets_the_result_once_though_the_daemon_was_killed(
    daemon: Daemon, port: int
) -> None:
    hook = f"url: 'json://127.0.0.1:{port}/', rate: 0s"
    channels(daemon, "report: {command: 'echo 41 files', deliver: {to: hook}}", hook=hook)
    daemon.start()
    daemon.cli("jobs", "run", "report", "--wait")
    tried = until(lambda: daemon.rows("SELECT * FROM deliveries WHERE attempts > 0"), "a first attempt")
    assert "Connection refused" in tried[0]["error"]
    daemon.kill()
    with HTTPServer(port=port) as server:
        server.expect_request("/").respond_with_data("")
        daemon.start()
        until(lambda: sent(daemon) == {"sent": 1}, "it is sent after all", 40)
        time.sleep(0.3)
        assert bodies(server) == ["41 files"]


@pytest.mark.parametrize(("point", "times"), [
    ("outbox.before-send", 1), ("outbox.after-send", 2), ("outbox.after-note", 1),
])  # fmt: skip
def test_a_kill_between_any_two_lines_loses_no_message_and_repeats_at_most_one(
    daemon: Daemon, tmp_path: Path, point: str, times: int
) -> None:
    once = tmp_path / "once"
    jobs = "report: {start: daemon, command: 'echo $JARVIS_FIRE', deliver: {to: file}}"
    channels(daemon, jobs, file="journal: said.jsonl, rate: 0s")
    daemon.launch(JARVIS_CRASH_AT=point, JARVIS_CRASH_ONCE=str(once))
    assert daemon.ended() == -9
    daemon.start()
    until(lambda: len(daemon.runs("report", "succeeded")) == 2, "the job ran at both starts")
    until(lambda: sent(daemon) == {"sent": 2}, "both results are sent")
    said = Counter(
        json.loads(line)["body"] for line in (daemon.folder / "said.jsonl").read_text().splitlines()
    )
    assert sorted(said.values()) == sorted([1, times]), said


def test_a_receiver_that_stalls_keeps_neither_runs_nor_the_way_down(daemon: Daemon) -> None:
    with receivers.line(receivers.stalls) as line:
        channels(
            daemon,
            "tick: {every: 1s, command: 'true', deliver: {to: slow}}",
            slow=f"url: 'json://127.0.0.1:{line.port}/', timeout: 30s",
        )
        daemon.start()
        until(lambda: line.connections, "the receiver is asked")
        daemon.wait_for("tick", "succeeded", count=len(daemon.runs("tick", "succeeded")) + 3)
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < 5
        assert line.connections == 1


def test_a_channel_is_tested_from_the_command_line_with_and_without_a_daemon(
    daemon: Daemon, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/good").respond_with_data("")
    httpserver.expect_request("/bad").respond_with_data("", status=401)
    url = f"url: 'json://127.0.0.1:{httpserver.port}/%s'"
    channels(daemon, "quiet: {command: 'true'}", good=url % "good", bad=url % "bad")
    assert "from here because Jarvis is not running: HTTP 200 OK" in daemon.cli("alerts", "test", "good")
    daemon.start()
    assert "good accepted it in" in daemon.cli("alerts", "test", "good")
    refused = daemon.cli("alerts", "test", "bad", code=1)
    assert "bad did not accept it" in refused and "HTTP 401" in refused
    assert "did you mean 'good'?" in daemon.cli("alerts", "test", "god", code=1)


def test_dead_letters_are_listed_and_sent_again(daemon: Daemon, httpserver: HTTPServer) -> None:
    httpserver.expect_oneshot_request("/").respond_with_data("", status=410)
    httpserver.expect_request("/").respond_with_data("")
    hook = f"url: 'json://127.0.0.1:{httpserver.port}/', rate: 0s"
    channels(daemon, "report: {command: 'echo 41 files', deliver: {to: hook}}", hook=hook)
    daemon.start()
    daemon.cli("jobs", "run", "report", "--wait")

    def dead() -> Any:
        return daemon.cli("alerts", "dead", "--json")

    (letter,) = until(dead, "a dead letter")
    assert letter["subject"] == "Scheduled task: report" and "HTTP 410" in letter["error"]
    assert "1 message will be sent again now" in daemon.cli("alerts", "retry", str(letter["id"]))
    until(lambda: sent(daemon) == {"sent": 1}, "it is sent again")
    assert "was not given up: it is sent" in daemon.cli("alerts", "retry", str(letter["id"]), code=1)


def test_only_the_first_message_over_a_url_makes_the_daemon_larger(
    cold: Daemon, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/").respond_with_data("")
    hook = f"url: 'json://127.0.0.1:{httpserver.port}/'"
    channels(
        cold,
        "report: {command: 'echo x', deliver: {to: file}}",
        hook=hook,
        file="journal: said.jsonl, rate: 0s",
    )
    cold.start()
    cold.cli("jobs", "run", "report", "--wait")
    until(lambda: sent(cold) == {"sent": 1}, "the file gets the result")

    before = psutil.Process(cold.pid).memory_info().rss
    cold.cli("alerts", "test", "hook")
    assert psutil.Process(cold.pid).memory_info().rss - before > 5_000_000


def test_a_scheme_that_nobody_sends_to_is_said_by_check_and_after_an_edit(daemon: Daemon) -> None:
    daemon.jobs("calm: {every: 1d, command: 'true'}", "alerts: {channels: {phone: 'ntfy://x'}}\n").start()
    assert "doubt" not in daemon.cli("check")
    daemon.write(daemon.config.read_text().replace("ntfy:", "nfty:"))
    said = "channel phone: no such Apprise scheme 'nfty://' (did you mean ntfy://?)"
    assert said in daemon.cli("check")
    until(
        lambda: any(said in one for one in daemon.cli("status", "--json")["warnings"]), "status says so", 30
    )
