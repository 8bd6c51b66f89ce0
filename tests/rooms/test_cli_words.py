"""Does the command line say things as a stranger would want them said?"""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jarvis.cli import alerts, definition, following, main, pauses, show, state, tools

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
    run = {"id": 2, "job": "rules", "status": "succeeded", "seconds": 1.2, "reason": None, "numbers": {}}
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


HELD = {
    "id": 1, "title": "backup: failed", "verdict": "held", "why": "quiet hours: hold: quiet hours",
    "stages": [{"stage": "quiet hours", "answer": "hold", "reason": "quiet hours"}],
}  # fmt: skip


def test_what_is_held_says_for_how_long_and_what_becomes_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    held = {**HELD, "until_at": (now + timedelta(hours=9, minutes=5)).isoformat()}
    assert alerts._fate(held, now) == "held for another 9 h: quiet hours"
    alerts._why(held)
    assert capsys.readouterr().out.splitlines()[-1].startswith("Then, after ")


def test_what_is_held_until_now_is_held(capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    held = {**HELD, "until_at": (now - timedelta(seconds=5)).isoformat()}
    assert alerts._fate(held, now) == "held: quiet hours"
    alerts._why(held)
    assert "Then" not in capsys.readouterr().out


@pytest.mark.parametrize(("run", "said"), [
    ({"reason": "exit code 3"}, "exit code 3"),
    ({"result": "41 files", "numbers": {"files": 41.0}}, "41 files"),
    ({"numbers": {"percent": 12.345678, "free": 3e9}}, "percent 12.3457, free 3e+09"),
    ({"numbers": {f"n{number}": float(number) for number in range(9)}}, "n0 0, n1 1, n2 2, n3 3, n4 4 …"),
    ({}, ""),
], ids=["a reason", "a result", "numbers", "many numbers", "nothing"])  # fmt: skip
def test_a_run_without_words_shows_its_numbers(run: dict[str, Any], said: str) -> None:
    assert show.gist({"reason": None, "result": None, "numbers": {}} | run) == said


def test_a_job_that_cannot_run_is_counted_where_jobs_yaml_is_in_order(
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = {
        "name": "a",
        "handler": "h",
        "english": "On request only",
        "next_at": None,
        "timezone": None,
        "enabled": True,
        "broken": "h.py:2: no",
    }
    data = {"jobs": [job], "warnings": [], "problems": [], "ok": True, "file": "jobs.yaml", "total": 1}
    tools._checked(data)
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "broken: a: h.py:2: no", "jobs.yaml is in order: 1 job, 1 broken.",
    ]  # fmt: skip


class Terminal(io.StringIO):
    """Somebody looks at it."""

    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """One of 60 columns, without colours."""
    made = Terminal()
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout", made)
    monkeypatch.setattr(show, "dim", lambda text: text)
    return made


def test_what_is_wrong_has_room_beside_many_who_were_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = {
        "id": 1,
        "severity": "high",
        "since_at": "2026-11-20T12:00:00+00:00",
        "count": 1,
        "after": 1,
        "acked_at": None,
        "silenced": None,
        "told": ["cmd", "file", "hook", "mail"],
        "title": "the clock is off",
    }
    alerts._problems([problem])
    assert "cmd, file, hook, mail  the clock is off" in capsys.readouterr().out
    narrow = terminal(monkeypatch)
    alerts._problems([problem])
    assert narrow.getvalue().splitlines()[1].endswith("  cmd +3  the clock is off")


TICKETS = ("ticket", "key", "severity", "status", "job", "what")
TICKET = ("1", "site-up:docs", "critical", "acknowledged", "watch", "答 " + "connection refused " * 5)


def test_what_has_no_room_at_the_end_of_its_row_stands_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = terminal(monkeypatch)
    show.table(TICKETS, [TICKET, ("2", "b", "low", "open", "watch", "")], right=(0,))
    lines = narrow.getvalue().splitlines()
    assert lines[:2] == ["TICKET  KEY           SEVERITY  STATUS        JOB", "        WHAT"]
    assert lines[2].split() == ["1", "site-up:docs", "critical", "acknowledged", "watch"]
    assert lines[3].startswith("        答 connection refused") and lines[3].endswith("…")
    assert lines[4].split() == ["2", "b", "low", "open", "watch"]
    assert len(lines) == 5 and max(map(show.width, lines)) <= 60


def test_what_has_room_enough_stands_in_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = terminal(monkeypatch)
    show.table(("job", "what"), [("a", "w" * 200)])
    assert [show.width(line) for line in narrow.getvalue().splitlines()] == [9, 60]


def test_one_long_name_is_cut_before_all_rows_become_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = terminal(monkeypatch)
    show.table(("job", "next", "what"), [("j" * 64, "in 3 min", "exit code 1 " * 9), ("a", "now", "well")])
    assert [show.width(line) for line in narrow.getvalue().splitlines()] == [40, 60, 40]


def test_long_values_go_on_below_themselves_and_paths_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = terminal(monkeypatch)
    path = "/home/me/" + "x" * 70
    show.fields([("why", "only Jarvis stood still " * 4), ("directory", path), ("note", "short")])
    assert narrow.getvalue().splitlines() == [
        "why        only Jarvis stood still only Jarvis stood still",
        "           only Jarvis stood still only Jarvis stood still",
        f"directory  {path}",
        "note       short",
    ]


def test_of_a_pause_the_samples_before_it_are_shown_too() -> None:
    at = [f"2026-11-20T12:{minute:02}:{second:02}+00:00" for minute in range(2) for second in range(60)]
    shown = pauses._around({"until_at": at[60], "samples": [{"at": one} for one in at]})
    assert [one["at"] for one in shown] == at[45:75]
    late = pauses._around({"until_at": at[1], "samples": [{"at": one} for one in at]})
    assert [one["at"] for one in late] == at[:30]
    few = pauses._around({"until_at": at[60], "samples": [{"at": one} for one in at[:5]]})
    assert len(few) == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["samples", "history", "-H", "abc"], "'abc' is not a number;"),
        (["pauses", "list", "-n", "x"], "'x' is not a whole number;"),
    ],
)
def test_a_wrong_number_is_called_one(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(words) == 2
    assert said in capsys.readouterr().err
