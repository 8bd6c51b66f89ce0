"""patterns.json and the focus file as people (and crashes) leave them."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jarvis.core.patterns import Flow, Measured, Noted
from jarvis.sources import statefiles
from jarvis.sources.fallback import NeedsMending, Unavailable

DAY = date(2026, 11, 20)
WHOLE = {
    "postponements": [
        {"item": "Tax return", "at": "2026-11-20T09:00:00Z"},
        {"item": "Gym", "day": "2026-11-20", "count": 2},
    ],
    "worries": [{"text": "money", "at": "2026-11-20", "mentions": 3}],
    "energy": [{"level": 6.5, "at": "2026-11-20T08:00:00Z"}],
    "sleep": [{"hours": 6, "day": "2026-11-20"}],
    "tasks": [{"day": "2026-11-20", "created": 4, "completed": 3}, {"day": "2026-11-20", "created": 1}],
    "version": 3,
}


def read(tmp_path: Path, content: Any) -> statefiles.Patterns:
    path = tmp_path / "patterns.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return statefiles.patterns(path, UTC)


def test_a_whole_file(tmp_path: Path) -> None:
    assert read(tmp_path, WHOLE) == statefiles.Patterns(
        postponed=(Noted(text="Tax return", day=DAY), Noted(text="Gym", day=DAY, count=2)),
        worries=(Noted(text="money", day=DAY, count=3),),
        energy=(Measured(day=DAY, value=6.5),),
        nights=(Measured(day=DAY, value=6),),
        flow=(Flow(day=DAY, created=4, completed=3), Flow(day=DAY, created=1)),
    )


def test_what_is_not_in_it_is_not_known_and_an_empty_list_is(tmp_path: Path) -> None:
    assert read(tmp_path, {}) == statefiles.Patterns()
    assert read(tmp_path, {"worries": [], "energy": None}) == statefiles.Patterns(worries=())


def test_a_moment_belongs_to_its_day_in_the_zone(tmp_path: Path) -> None:
    path = tmp_path / "patterns.json"
    path.write_text(json.dumps({"worries": [{"text": "a", "at": "2026-11-19T22:00:00Z"}]}))
    found = statefiles.patterns(path, ZoneInfo("Asia/Tokyo")).worries
    assert found == (Noted(text="a", day=DAY),)


def test_a_byte_order_mark_is_no_harm(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbf{}") == statefiles.Patterns()


BROKEN = [
    (
        "half-written",
        b'{"worries": [{"text": "mo',
        r"is not JSON \(Unterminated .*line 1, column 23\): was it",
    ),
    ("empty", b"", "is not JSON"),
    ("not UTF-8", b'{"worries": "\xff"}', r"is not UTF-8 \(byte 13\): write it anew"),
    ("a list", [], "holds a list, not an object with postponements"),
    ("a text", "x", "holds a text, not an object"),
    ("a number", 5, "holds 5, not an object"),
    ("nothing", None, "holds nothing, not an object"),
    ("nested too deep", b"[" * 200_000, "is not JSON"),
    ("too big", b" " * 16_000_001, "is bigger than 16 MB"),
]


@pytest.mark.parametrize(("content", "why"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_file_that_cannot_be_used_is_said_in_a_sentence(tmp_path: Path, content: Any, why: str) -> None:
    with pytest.raises(NeedsMending, match=f"patterns.json {why}"):
        read(tmp_path, content)


ODD = [
    ("a part that is no list", {"worries": {}}, "worries is an object, not a list"),
    ("an entry that is no object", {"worries": ["money"]}, "worries[0] is a text, not an object"),
    ("an entry without its text", {"worries": [{"at": "2026-11-20"}]}, "worries[0]: it has no 'text'"),
    (
        "an entry without its day",
        {"worries": [{"text": "a"}]},
        "worries[0]: it has no 'at' (a moment) or 'day'",
    ),
    ("a day that is none", {"energy": [{"level": 1, "at": "soon"}]}, "energy[0]: 'soon' is no moment"),
    (
        "a level that is none",
        {"energy": [{"level": "high", "at": "2026-11-20"}]},
        "energy[0]: 'high' is no number",
    ),
    ("no hours", {"sleep": [{"day": "2026-11-20"}]}, "sleep[0]: it has no 'hours'"),
    (
        "a count that is none",
        {"tasks": [{"day": "2026-11-20", "created": True}]},
        "tasks[0]: True is no number",
    ),
]


@pytest.mark.parametrize(("content", "why"), [row[1:] for row in ODD], ids=[row[0] for row in ODD])
def test_a_part_of_the_wrong_type_is_said_with_its_place_and_not_known(
    tmp_path: Path, content: Any, why: str
) -> None:
    found = read(tmp_path, content | {"postponements": []})
    assert len(found.odd) == 1 and why in found.odd[0] and "patterns.json: " in found.odd[0]
    assert found.postponed == () and (found.worries, found.energy, found.nights, found.flow) == (None,) * 4


def test_one_bad_entry_leaves_the_others(tmp_path: Path) -> None:
    found = read(tmp_path, {"worries": [{"text": "a", "at": "2026-11-20"}, 3]})
    assert found.worries == (Noted(text="a", day=DAY),) and "worries[1] is 3, not an object" in found.odd[0]


def test_files_that_are_not_there_or_no_files(tmp_path: Path) -> None:
    for look in (lambda path: statefiles.patterns(path, UTC), statefiles.touched):
        with pytest.raises(Unavailable, match="there is no file") as missing:
            look(tmp_path / "no")
        assert not isinstance(missing.value, NeedsMending)
        with pytest.raises(NeedsMending):
            look(tmp_path)
        if not (pipe := tmp_path / "pipe").exists():
            os.mkfifo(pipe)
        with pytest.raises(NeedsMending, match="is no file"):
            look(pipe)
        with pytest.raises(NeedsMending, match="cannot be"):
            look(Path("/dev/null/x"))


def test_when_a_file_was_touched(tmp_path: Path) -> None:
    path = tmp_path / "CurrentFocus.md"
    path.write_text("the book")
    at = datetime(2026, 11, 13, 12, tzinfo=UTC)
    os.utime(path, (at.timestamp(), at.timestamp()))
    assert statefiles.touched(path) == at
