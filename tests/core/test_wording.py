"""How are alerts said? What a message has to hold for somebody who reads it on a telephone at night."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jarvis.core import wording
from jarvis.core.alert import Alert, Wanted

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def alert(number: int = 1, job: str = "backup", **fields: Any) -> Alert:
    plain: dict[str, Any] = {
        "id": number, "at": NOW, "kind": "problem", "severity": "high", "title": f"{job}: failed: exit code 3",
        "key": f"run:{job}", "job": job, "run_id": number,
    }  # fmt: skip
    return Alert(**plain | fields)


def test_a_message_has_the_last_words_of_the_run_and_where_to_look() -> None:
    assert wording.alert([alert(text="tar: no space left")], None, NOW) == (
        "backup: failed: exit code 3",
        "tar: no space left\n\njarvis runs show 1",
    )


def test_a_message_says_nothing_twice() -> None:
    full = "/ is 91 % full\n\nThe largest folder is /var/log."
    assert wording.alert([alert(title="disk: / is 91 % full", text=full)], None, NOW)[1] == (
        "The largest folder is /var/log.\n\njarvis runs show 1"
    )
    assert wording.alert([alert(text="exit code 3")], None, NOW)[1] == "jarvis runs show 1"


def test_what_was_silenced_says_when_it_began() -> None:
    late, again = NOW + timedelta(hours=3), Wanted(times=0)
    began = "3h ago (2026-11-20 12:00:00 UTC), while it was silenced"
    assert wording.alert([alert(wanted=again)], None, late)[1] == f"It began {began}.\n\njarvis runs show 1"
    both = [alert(wanted=again), alert(2, "sync")]
    assert wording.alert(both, None, late)[1].splitlines() == [
        f"- backup: failed: exit code 3 ({began})",
        "- sync: failed: exit code 3",
    ]


def test_jobs_in_one_message_each_have_their_last_line() -> None:
    group = [alert(1, text="a\nno space left"), alert(2, "sync"), alert(3, "mail", text="exit code 3")]
    assert wording.alert(group, None, NOW) == (
        "3 jobs: failed: exit code 3",
        "- backup: failed: exit code 3\n  no space left\n- sync: failed: exit code 3\n- mail: failed: exit code 3",
    )


LONG = "x" * 3_000


@pytest.mark.parametrize(("output", "words"), [
    ("", ""),
    ("\n\nno space left  \n\n", "no space left"),
    ("\033[1;31mbad\033[0m\033[K\n", "bad"),
    ("".join(f"{line}\n" for line in range(100)), "\n".join(map(str, range(85, 100)))),
    ("one\r\ntwo\r\n", "one\ntwo"),
    ("\ufffdcut in a character", "cut in a character"),
    (f"first\n{LONG}\nlast", "last"),
    (LONG, "…" + "x" * 1_499),
], ids=["none", "one", "colours", "many", "of Windows", "cut", "a long one above", "a long one"])  # fmt: skip
def test_the_last_words_of_a_program(output: str, words: str) -> None:
    assert wording.last_words(output) == words
