"""Which files belong to the project?"""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def files() -> tuple[Path, ...]:
    """Everything git tracks or would track; relative to the root."""
    told = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = told.stdout.decode().split("\0")
    return tuple(sorted(Path(name) for name in names if name and (ROOT / name).is_file()))


def texts() -> list[tuple[str, str]]:
    """Every file that is text, with its name."""
    found = []
    for file in files():
        content = (ROOT / file).read_bytes()
        if b"\0" not in content[:4096]:
            found.append((str(file), content.decode(errors="replace")))
    return found


def modules(*folders: str) -> list[Path]:
    """The Python files below these folders; relative to the root."""
    return [file for file in files() if file.suffix == ".py" and file.parts[0] in folders]


@cache
def parsed(module: Path) -> ast.Module:
    """A module as a syntax tree."""
    return ast.parse((ROOT / module).read_text(), filename=str(module))


def imports(module: Path) -> set[str]:
    """Full names of what a module imports, inside functions too, but not for type checking only."""
    found: set[str] = set()
    skipped: set[int] = set()
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            skipped |= {id(inner) for statement in node.body for inner in ast.walk(statement)}
    for node in ast.walk(parsed(module)):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found
