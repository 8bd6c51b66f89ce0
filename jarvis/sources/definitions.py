"""Which functions and classes does a Python file define? Read, never run."""

from __future__ import annotations

import ast
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def of(path: Path) -> dict[str, Any]:
    """``{"doc", "definitions": [{"name", "kind", "line", "end", "signature", "doc"}]}``, or ``{"error", "line"}``.

    Names are dotted: ``House.open``. ``doc`` is the first line of the docstring.
    """
    try:
        with tokenize.open(path) as file:
            text = file.read()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes are for its author to hear of
            tree = ast.parse(text, filename=str(path))
        return {"doc": _doc(tree), "definitions": list(_inside(tree, ""))}
    except SyntaxError as error:
        return {"error": error.msg, "line": error.lineno or 0}
    except (ValueError, LookupError, RecursionError, MemoryError) as error:
        return {"error": str(error) or type(error).__name__, "line": 0}


def _inside(node: ast.AST, prefix: str) -> Iterator[dict[str, Any]]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _inside(child, prefix)
            continue
        name = f"{prefix}{child.name}"
        yield {
            "name": name, "kind": "class" if isinstance(child, ast.ClassDef) else "function",
            "line": child.lineno, "end": child.end_lineno, "signature": _signature(child), "doc": _doc(child),
        }  # fmt: skip
        yield from _inside(child, f"{name}.")


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in [*node.bases, *node.keywords])
        return f"class {node.name}({bases})" if bases else f"class {node.name}"
    how = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    back = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{how} {node.name}({ast.unparse(node.args)}){back}"


def _doc(node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    return (ast.get_docstring(node) or "").partition("\n")[0]
