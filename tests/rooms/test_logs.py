"""Does the log stay small, private, and free of lines that stand there twice?"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from jarvis.alerts.channels import Channels
from jarvis.alerts.message import Message
from jarvis.control import lines, logs
from jarvis.core.telling import Alerts

log = logging.getLogger("jarvis.test")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in list(root.handlers):
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)


def test_the_log_rotates_at_ten_megabytes_and_five_old_ones_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "jarvis-daemon.log"
    before = os.umask(0o022)
    try:
        logs.set_up(file, level="info", as_json=False, foreground=False)
        for number in range(750):
            log.info("%d %s", number, "x" * 100_000)
    finally:
        os.umask(before)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "jarvis-daemon.log", *(f"jarvis-daemon.log.{number}" for number in range(1, 6)),
    ]  # fmt: skip
    for old in range(1, 6):
        size = (tmp_path / f"jarvis-daemon.log.{old}").stat().st_size
        assert 10_000_000 <= size < 10_101_000
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize("same", [True, False], ids=["stderr is the log", "stderr is another file"])
def test_no_line_stands_twice_in_one_file(tmp_path: Path, same: bool) -> None:
    file, other = tmp_path / "jarvis-daemon.log", tmp_path / "stderr"
    say = (
        "import sys, logging; from pathlib import Path; from jarvis.control import logs;"
        "logs.set_up(Path(sys.argv[1]), level='info', as_json=False, foreground=True);"
        "logging.getLogger('jarvis.x').info('only once')"
    )
    with (file if same else other).open("ab") as stderr:
        subprocess.run(
            [sys.executable, "-c", say, str(file)], stderr=stderr, check=True, cwd=Path(__file__).parents[2]
        )
    assert file.read_text().count("only once") == 1
    assert same or other.read_text().count("only once") == 1


@pytest.mark.parametrize("level", ["info", "debug"])
def test_the_token_in_the_address_of_a_channel_is_in_no_log(
    tmp_path: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    monkeypatch.setattr(logging.getLogger("werkzeug"), "disabled", True)  # the receiver, in this process
    httpserver.expect_request(re.compile("/.*"), method="POST").respond_with_data("{}")
    server = f"127.0.0.1:{httpserver.port}"
    bot = {"telegram": {"token": "71:telegrams", "chat": "1", "api": f"http://{server}"}}
    wanted = Alerts.model_validate({"channels": {"bot": bot, "hook": f"json://{server}/T0/hooktoken"}})
    channels = Channels.of(wanted, folder=tmp_path, environ={})
    file = tmp_path / "jarvis-daemon.log"
    logs.set_up(file, level=level, as_json=False, foreground=False)
    for name in ("bot", "hook"):
        channels.send(name, Message(title="t", body="b", at=datetime.now(UTC), severity="high"))
    log.info("sent")
    paths = [request.path for request, _ in httpserver.log]
    assert paths == ["/bot71:telegrams/sendMessage", "/T0/hooktoken"]
    said = file.read_text()
    assert "sent" in said and "telegrams" not in said and "hooktoken" not in said


@pytest.mark.needs("linux")
def test_a_full_disk_costs_log_lines_and_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    full = logs._File("/dev/full", maxBytes=1, delay=True)
    full.stream = open("/dev/full", "w", buffering=1)  # noqa: SIM115 (the handler closes it)
    full.handle(logging.makeLogRecord({"msg": "x" * 10_000}))
    assert "Traceback" not in capfd.readouterr().err
    with contextlib.suppress(OSError):
        full.stream.close()


def record(level: int, said: str, *words: object, **fields: object) -> logging.LogRecord:
    """What a logger makes, at a moment that is known."""
    made = log.makeRecord("jarvis.test", level, "test.py", 1, said, words, None, extra=fields)
    made.created = 1_772_350_200.0
    return made


def test_a_line_for_people_says_when_how_bad_what_and_its_fields() -> None:
    at = datetime.fromtimestamp(1_772_350_200).isoformat(timespec="microseconds")  # noqa: DTZ006 (a log's time is local)
    line = lines.Text(colours=False).format(
        record(logging.WARNING, "%s waits", "a job", slot="disk", tries=2)
    )
    assert line == f"{at} [warning] a job waits slot='disk' tries=2"
    coloured = lines.Text(colours=True).format(record(logging.INFO, "up"))
    assert re.sub("\033\\[\\d+m", "", coloured) == f"{at} [info] up" != coloured


def test_a_line_for_programs_is_json_whatever_its_fields_are() -> None:
    said = json.loads(lines.Json().format(record(logging.ERROR, "it\nbroke", where=Path("/x"), tries=2)))
    assert said.pop("timestamp").startswith("2026-03-01T")
    assert said == {"event": "it\nbroke", "level": "error", "tries": 2, "where": repr(Path("/x"))}


@pytest.mark.parametrize(
    "form", [lines.Text(colours=False), lines.Json()], ids=["for people", "for programs"]
)
def test_an_error_is_logged_with_its_traceback_and_no_local_variable(form: logging.Formatter) -> None:
    password = "hunter" + str(2)
    try:
        raise ValueError("of no use")
    except ValueError:
        failed = record(logging.ERROR, "it broke")
        failed.exc_info = sys.exc_info()
    line = form.format(failed)
    assert "Traceback (most recent call last)" in line and "ValueError: of no use" in line
    assert password not in line
