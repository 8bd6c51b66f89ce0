"""Is the code written the way the house is written?"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import jarvis
from tests.house import tree

LONGEST_MODULE = 300
LONGEST_FUNCTION = 50
SPEAKS_FOR_ITSELF = 8
LONGER_FOR_A_REASON: dict[str, str] = {}
"""Modules that may be longer, each with the reason."""

FORBIDDEN_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "base",
    "manager",
    "managers",
    "misc",
    "shared",
}
PUBLIC = ["Context", "GiveUp", "Secret", "Skip"]

CODE = tree.modules("jarvis", "handlers")
MIGRATIONS = Path("jarvis/store/migrations")
"""A step of the schema is one list of tables, never touched again; alembic asks for the names of its functions."""

WRITTEN = [module for module in CODE if not module.is_relative_to(MIGRATIONS)]


@pytest.mark.parametrize("module", CODE, ids=str)
def test_a_module_can_be_read_in_one_go(module: Path) -> None:
    lines = len((tree.ROOT / module).read_text().splitlines())
    assert lines <= LONGEST_MODULE or str(module) in LONGER_FOR_A_REASON, (
        f"{module} has {lines} lines; split it"
    )


def test_no_exception_outlives_its_reason() -> None:
    for name in LONGER_FOR_A_REASON:
        assert len((tree.ROOT / name).read_text().splitlines()) > LONGEST_MODULE, f"{name} fits again"


@pytest.mark.parametrize("module", WRITTEN, ids=str)
def test_no_function_is_longer_than_a_screen(module: Path) -> None:
    long = [
        f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for node in ast.walk(tree.parsed(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert long == [], f"{module}: split {', '.join(long)}"


@pytest.mark.parametrize("module", [*CODE, *tree.modules("tests")], ids=str)
def test_a_module_is_named_after_what_it_is_about(module: Path) -> None:
    assert {module.stem, *module.parts[:-1]} & FORBIDDEN_NAMES == set()


@pytest.mark.parametrize("module", [m for m in CODE if (tree.ROOT / m).stat().st_size], ids=str)
def test_a_module_says_first_which_question_it_answers(module: Path) -> None:
    said = ast.get_docstring(tree.parsed(module))
    assert said, f"{module} has no docstring"
    first = said.split("\n\n")[0].split("\n")[0]
    assert len(first) > 10
    assert first[0].isupper() or not first[0].isalpha()
    assert re.search(r"[.?:]( |$)", said.split("\n\n")[0]), f"{module}: {first!r} is no sentence"


@pytest.mark.parametrize("module", WRITTEN, ids=str)
def test_what_others_may_call_says_what_it_does(module: Path) -> None:
    """A function of a few lines may speak for itself."""
    silent = [
        node.name
        for node in tree.parsed(module).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
        and (isinstance(node, ast.ClassDef) or (node.end_lineno or 0) - node.lineno > SPEAKS_FOR_ITSELF)
        and not (module.parts[0] == "handlers" and node.name in ("run", "argv"))
    ]
    assert silent == []


def test_the_public_names_are_these_four() -> None:
    assert jarvis.__all__ == PUBLIC
    assert dir(jarvis) == PUBLIC
    assert all(hasattr(jarvis, name) for name in PUBLIC)
    with pytest.raises(AttributeError, match="public are Context, GiveUp, Secret, Skip"):
        jarvis.Daemon  # noqa: B018


@pytest.mark.parametrize("module", CODE, ids=str)
def test_no_error_disappears_without_a_word(module: Path) -> None:
    """`except Exception: pass` hides everything; a named error that does not matter may be passed over."""
    hidden = [
        f"line {handler.lineno}"
        for handler in ast.walk(tree.parsed(module))
        if isinstance(handler, ast.ExceptHandler)
        and (handler.type is None or ast.unparse(handler.type) in ("Exception", "BaseException"))
        and all(isinstance(statement, ast.Pass) for statement in handler.body)
    ]
    assert hidden == []
