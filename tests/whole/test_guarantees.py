"""Does docs/guarantees.md speak of tests and crash points that exist, and of all of the points?"""

from __future__ import annotations

import re

from tests.whole.daemon import ROOT
from tests.whole.test_crash_points import points

PAGE = (ROOT / "docs" / "guarantees.md").read_text()


def test_every_test_the_page_names_exists() -> None:
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 40
    assert named - there == set()


def test_every_crash_point_is_on_the_page_and_every_point_on_the_page_exists() -> None:
    listed = re.findall(r"^\| `([a-z.-]+)` \|", PAGE, re.MULTILINE)
    assert sorted(listed) == points()


def test_every_fault_has_a_test() -> None:
    rows = re.findall(r"^\| (F[\d–F]+ )?\| (.*)\|$", PAGE, re.MULTILINE)
    assert len(rows) > 40
    assert [row for row in rows[1:] if "`test_" not in row[1]] == []
