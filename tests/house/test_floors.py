"""Does every room import only what it may? (Between rooms: `scripts/check` asks import-linter.)"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import tree

DATA_MODULES = {
    "__future__", "abc", "bisect", "calendar", "collections", "copy", "dataclasses", "datetime", "decimal",
    "difflib", "enum", "fnmatch", "functools", "graphlib", "hashlib", "heapq", "itertools", "json", "math",
    "numbers", "operator", "re", "statistics", "string", "textwrap", "types", "typing", "unicodedata",
    "urllib", "zlib", "zoneinfo",
}  # fmt: skip
"""What thinking may use of the standard library: no clock, disk, environment, randomness, logging."""

ONLY_IN = {
    "apprise": ["jarvis/alerts"],
    "watchfiles": ["jarvis/running"],
    "pybreaker": ["jarvis/store", "jarvis/alerts", "jarvis/sources"],
    "apscheduler": ["jarvis/running"],
    "sqlalchemy": ["jarvis/store", "jarvis/running", "jarvis/alerts"],
    "alembic": ["jarvis/store"],
    "yaml": ["jarvis/config"],
    "starlette": ["jarvis/control"],
    "uvicorn": ["jarvis/control"],
    "click": ["jarvis/cli"],
    "rich": ["jarvis/cli"],
    "humanize": ["jarvis/cli"],
}
HEAVY = [
    "alembic",
    "apscheduler",
    "pydantic",
    "rich",
    "sqlalchemy",
    "starlette",
    "uvicorn",
    "yaml",
]


@pytest.mark.parametrize("module", [m for m in tree.modules("jarvis") if m.parts[1] == "core"], ids=str)
def test_the_core_takes_values_and_returns_values(module: Path) -> None:
    allowed = DATA_MODULES | {"pydantic", "pydantic_core", "cronsim"}
    foreign = {
        name
        for name in tree.imports(module)
        if name.partition(".")[0] not in allowed
        and not (f"{name}.").startswith(("jarvis.core.", "jarvis.errors."))
    }
    assert foreign - {"jarvis"} == set(), f"{module} must stay a matter of values"


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_known_in_one_room(library: str) -> None:
    knowing = [
        str(module)
        for module in tree.modules("jarvis")
        if any(f"{name}.".startswith(f"{library}.") for name in tree.imports(module))
    ]
    strangers = [module for module in knowing if not module.startswith(tuple(ONLY_IN[library]))]
    assert strangers == [], f"{library} belongs to {', '.join(ONLY_IN[library])}"


def test_of_the_database_running_and_alerts_know_only_the_type_of_a_transaction() -> None:
    known = {
        f"{node.module}.{alias.name}"
        for module in tree.modules("jarvis")
        if module.parts[1] in ("running", "alerts")
        for node in ast.walk(tree.parsed(module))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy")
        for alias in node.names
    }
    assert known <= {"sqlalchemy.Connection"}


def loaded_by(statement: str) -> set[str]:
    """Top-level modules in memory after a statement, in a Python of its own."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=tree.ROOT, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    return set(told.stdout.split())


def test_the_command_line_starts_light() -> None:
    assert loaded_by("import jarvis.cli.main") & set(HEAVY) == set()


def test_a_handler_s_process_does_not_load_the_daemon() -> None:
    assert loaded_by("from jarvis import Context, GiveUp, Secret, Skip") & {
        "alembic", "apscheduler", "click", "rich", "sqlalchemy", "starlette", "uvicorn",
    } == set()  # fmt: skip


def test_the_daemon_loads_what_channels_need_when_the_first_message_is_sent() -> None:
    assert loaded_by("import jarvis.app") & {"apprise", "httpx2", "pybreaker", "requests"} == set()


def test_the_errors_cost_nothing() -> None:
    assert loaded_by("import jarvis.errors") & {*HEAVY, "logging", "subprocess"} == set()
