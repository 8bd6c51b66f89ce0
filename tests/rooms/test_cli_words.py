"""Does the command line say things as a stranger would want them said?"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jarvis.cli import definition, following, show, state

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("all well", "all well"),
        ("3 evaluated\n  late: 1 match\n", "3 evaluated …"),
        ("\n\n", ""),
        ("a\x1b[2Jb", "a\ufffd[2Jb"),
    ],
    ids=["one line", "several lines", "nothing", "what a terminal would obey"],
)
def test_of_a_long_result_the_first_line_stands_in_a_table(text: str, said: str) -> None:
    assert show.headline(text) == said


def test_who_waits_for_a_run_reads_all_lines_of_its_result(capsys: pytest.CaptureFixture[str]) -> None:
    run = {"id": 2, "job": "rules", "status": "succeeded", "seconds": 1.2, "reason": None}
    following._ended(run | {"result": "1 triggered\nlate: 1 match"})
    assert capsys.readouterr().out == "Run 2 of rules succeeded in 1.2 s: 1 triggered\nlate: 1 match\n"


@pytest.mark.parametrize(
    ("english", "said"),
    [
        ("At 03:30 every day", "At 03:30 every day (Etc/UTC)"),
        ("Every minute on Monday", "Every minute on Monday (Etc/UTC)"),
        ("Every 30 seconds", "Every 30 seconds"),
        ("Event github/push", "Event github/push"),
        ("Once at 2026-12-24 18:00 (Etc/UTC)", "Once at 2026-12-24 18:00 (Etc/UTC)"),
    ],
)
def test_a_zone_is_named_where_there_is_a_time_or_a_day(english: str, said: str) -> None:
    assert show.due({"english": english, "timezone": "Etc/UTC"}) == said


def test_schedules_are_shown_as_they_stand_in_jobs_yaml() -> None:
    body = {"command": "a\nb", "schedules": [{"every": "1h"}, {"on": {"event": "x/y"}}], "env": {"A": "b"}}
    assert definition.lines(body) == [
        "command: |", "  a", "  b",
        "schedules:", "  - every: 1h", "  - on:", "      event: x/y",
        "env:", "  A: b",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("at", "said"),
    [("2026-11-20T12:00:30Z", "tick in 30 s"), ("2026-11-20T11:58:00Z", "tick was due 2 min ago")],
    ids=["to come", "past, because nobody runs it"],
)
def test_what_is_due_next_may_be_past_while_jarvis_does_not_run(at: str, said: str) -> None:
    assert state._next({"job": "tick", "at": at}, NOW) == said
