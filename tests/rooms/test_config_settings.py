"""Which setting wins: file, environment or flag, and what is said about a bad one?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jarvis.config import settings, zone
from jarvis.core.config import Settings


def resolve(
    file: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None, **flags: Any
) -> tuple[Settings, list[str]]:
    found, problems = settings.resolve(file or {}, environ or {}, flags)
    return found, [str(problem) for problem in problems]


def test_a_flag_beats_the_environment_which_beats_the_file() -> None:
    file, environ = {"log_level": "debug", "nice": 1}, {"JARVIS_LOG_LEVEL": "error", "JARVIS_NICE": "2"}
    assert resolve(file)[0].log_level == "debug"
    assert resolve(file, environ)[0].log_level == "error"
    found, problems = resolve(file, environ, log_level="warning", nice=None)
    assert (found.log_level, found.nice, problems) == ("warning", 2, [])


@pytest.mark.parametrize(
    ("environ", "length"),
    [
        ({}, 60),
        ({"DAEMON_TICK_INTERVAL_SECONDS": "30"}, 30),
        ({"JARVIS_HEARTBEAT": "45"}, 45),
        ({"JARVIS_HEARTBEAT": "2m"}, 120),
        ({"JARVIS_HEARTBEAT": ""}, 60),
        ({"DAEMON_TICK_INTERVAL_SECONDS": "30", "JARVIS_HEARTBEAT": "45s"}, 45),
    ],
)
def test_the_heartbeat_has_two_names(environ: dict[str, str], length: int) -> None:
    assert resolve(environ=environ) == (Settings(heartbeat=timedelta(seconds=length)), [])


@pytest.mark.parametrize("text", ["0", "-5", "1.5", "abc", "1m", "²", "00"])
def test_the_old_name_takes_positive_whole_seconds_only(text: str) -> None:
    _, problems = resolve(environ={"DAEMON_TICK_INTERVAL_SECONDS": text})
    assert problems == [
        f"DAEMON_TICK_INTERVAL_SECONDS: expected a positive whole number of seconds, not {text!r}"
    ]


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("JARVIS_HEARTBEAT", "0", "heartbeat: at least one second (1s)"),
        (
            "JARVIS_HEARTBEAT",
            "soon",
            "heartbeat: 'soon' is not a duration; write for example 90s, 15m, 2h, 1d or 1h30m",
        ),
        ("JARVIS_LOG_JSON", "perhaps", "log_json: expected true or false, not 'perhaps'"),
        (
            "JARVIS_LOG_LEVEL",
            "warn",
            "log_level: expected debug, info, warning or error, not 'warn' (did you mean warning?)",
        ),
        ("JARVIS_NICE", "many", "nice: expected a whole number, not 'many'"),
        ("JARVIS_NICE", "20", "nice: expected at most 19, not the number 20"),
    ],
)
def test_a_bad_variable_is_named_and_the_rest_still_counts(variable: str, text: str, message: str) -> None:
    found, problems = resolve({"auto_start": True}, {variable: text})
    assert problems == [f"{variable}: {message}"]
    assert found == Settings(auto_start=True)


def test_a_bad_flag_is_named_as_it_is_typed() -> None:
    assert resolve(log_level="loud")[1] == [
        "--log-level: log_level: expected debug, info, warning or error, not 'loud'"
    ]


@pytest.mark.parametrize(("text", "value"), [("1", True), ("YES", True), ("off", False), ("False", False)])
def test_a_switch_in_the_environment_may_be_said_in_several_ways(text: str, value: bool) -> None:
    assert resolve(environ={"JARVIS_AUTO_START": text})[0].auto_start is value


def test_paths_of_the_file_are_relative_to_it_others_to_where_one_is(tmp_path: Path) -> None:
    kept = settings.absolute({"state": "s", "handlers": ["h", "~/h", "/h"]}, tmp_path, {"HOME": "/home/me"})
    assert kept == {"state": f"{tmp_path}/s", "handlers": [f"{tmp_path}/h", "/home/me/h", "/h"]}
    environ = {"JARVIS_HANDLERS": os.pathsep.join(["x", "/y"]), "JARVIS_STATE": "~/s", "HOME": "/home/me"}
    found, _ = resolve(kept, environ)
    assert (found.state, found.handlers) == ("/home/me/s", [str(Path.cwd() / "x"), "/y"])


class TestZone:
    @pytest.mark.parametrize(
        ("tz", "name"),
        [
            ("Asia/Tokyo", "Asia/Tokyo"),
            (":Asia/Tokyo", "Asia/Tokyo"),
            (":/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo"),
            ("UTC", "UTC"),
        ],
    )
    def test_tz_names_it(self, tz: str, name: str) -> None:
        assert zone.local({"TZ": tz}) == (name, None)

    def test_without_tz_the_system_does(self) -> None:
        name, _ = zone.local({})
        assert zone.known(name)

    @pytest.mark.parametrize("tz", ["Mars/Base", "../../etc/passwd", "EST5EDT4,M3.2.0,M11.1.0", "\0"])
    def test_a_tz_nobody_knows_is_utc_with_a_doubt(self, tz: str) -> None:
        assert zone.local({"TZ": tz}) == ("UTC", f"TZ={tz} names no time zone")
