"""Does docs/behaviours.md name only what there is?"""

from __future__ import annotations

import ast
import re

import pytest

from tests.house import tree

TEXT = (tree.ROOT / "docs" / "behaviours.md").read_text()
ROWS = [
    line
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith(("| behaviour", "|--"))
]
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)", TEXT)))
PLACES = sorted(set(re.findall(r"`((?:jarvis|handlers)/[\w/]+\.py)`", TEXT)))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[2:60])
def test_every_behaviour_has_a_place_and_a_test(row: str) -> None:
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip("|"))]
    assert len(cells) == 4 and all(cells), row
    assert "::test_" in cells[3], f"no test: {row}"


@pytest.mark.parametrize(("file", "name"), TESTS, ids=lambda one: one.rpartition("/")[2])
def test_every_test_that_is_named_exists(file: str, name: str) -> None:
    path = tree.ROOT / file
    assert path.is_file(), file
    defined = {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert name in defined, f"{file} has no {name}"


@pytest.mark.parametrize("place", PLACES)
def test_every_place_that_is_named_exists(place: str) -> None:
    assert (tree.ROOT / place).is_file()
