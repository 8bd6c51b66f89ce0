"""How does a handler's file become something that can be called?

Each folder is mounted as a package of its own (so ``from ._shared import …`` works in it), outside
sys.path. What is executed is exactly the bytes that were read: bytecode left by an earlier save in the
same second is never used.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import linecache
import re
import sys
import types
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, Literal

from jarvis.handling import agreement, contract, form
from jarvis.handling.contract import Broken, Handler

_KIND = re.compile(r"^(?:async\s+)?def\s+(run|argv)\b", re.MULTILINE)


def digest(source: bytes) -> str:
    """The name of a file's content."""
    return hashlib.sha256(source).hexdigest()[:16]


def load(
    path: Path, *, name: str | None = None, origin: str = "user", source: bytes | None = None
) -> Handler:
    """The handler in a file. Raises Broken with the file, the line and the reason."""
    name = name or path.stem
    if source is None:
        source = read(path)
    module = _execute(path, source)
    function = _entry(module, path)
    doc = inspect.cleandoc(module.__doc__ or function.__doc__ or "")
    try:
        shape = form.read(name, function, doc)
        shape.agreement = agreement.of(module, [one.name for one in shape.parameters])
    except Broken as error:
        raise Broken(f"{path}:{function.__code__.co_firstlineno}: {error}") from error
    first, _, rest = doc.partition("\n")
    return Handler(
        name=name,
        path=path,
        origin=origin,
        kind="program" if function.__name__ == "argv" else "python",
        digest=digest(source),
        description=first.strip(),
        doc=rest.strip(),
        function=function,
        form=shape,
    )


def broken(path: Path, reason: str, *, name: str, origin: str, source: bytes) -> Handler:
    """The record of a file that cannot be used; its kind is read from the text: jobs keep their rules."""
    return Handler(
        name=name, path=path, origin=origin, kind=kind(source), digest=digest(source), broken=reason
    )


def kind(source: bytes) -> Literal["python", "program"]:
    """Which function a file defines, also when it does not compile."""
    found = _KIND.search(source.decode("utf-8", "replace"))
    return "program" if found and found[1] == "argv" else "python"


def read(path: Path) -> bytes:
    """The file's content. Raises Broken."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Broken(f"{path}: cannot be read: {error.strerror}") from error


def _execute(path: Path, source: bytes) -> types.ModuleType:
    try:
        code = compile(source, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise Broken(f"{path}:{error.lineno or 1}: {error.msg}") from error
    except ValueError as error:
        raise Broken(f"{path}:1: {error}") from error
    package = _package(path.parent)
    module = types.ModuleType(f"{package}.{re.sub(r'[^A-Za-z0-9_]', '_', path.stem)}")
    module.__file__ = str(path)
    module.__package__ = package
    module.__spec__ = ModuleSpec(module.__name__, None, origin=str(path))
    sys.modules[module.__name__] = module
    linecache.checkcache(str(path))
    try:
        exec(code, module.__dict__)
    except KeyboardInterrupt:
        raise
    except contract.Stopped:
        raise
    except BaseException as error:
        raise Broken(f"{path}:{_line(error, path)}: {_importing(error)}") from error
    return module


def _package(folder: Path) -> str:
    """The package a folder is mounted as; made on first use."""
    name = f"jarvis_mounted_{digest(str(folder.absolute()).encode())[:8]}"
    if name not in sys.modules:
        package = types.ModuleType(name)
        package.__spec__ = ModuleSpec(name, None, origin=str(folder), is_package=True)
        package.__spec__.submodule_search_locations = [str(folder)]
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    return name


def forget(folder: Path) -> None:
    """Make the files that handlers of a folder share be read again at their next import."""
    package = _package(folder)
    for name in [name for name in sys.modules if name.startswith(f"{package}.")]:
        del sys.modules[name]
    importlib.invalidate_caches()


def _line(error: BaseException, path: Path) -> int:
    """The last line of the file that was being executed."""
    line, frame = 1, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == str(path):
            line = frame.tb_lineno
        frame = frame.tb_next
    return line


def _importing(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"importing it ended the program (exit code {error.code})"
    if isinstance(error, ModuleNotFoundError):
        return f"{error}: install it into the Python that runs Jarvis ({sys.executable})"
    return f"importing it raised {type(error).__name__}: {error}"


def _entry(module: types.ModuleType, path: Path) -> Callable[..., Any]:
    """``run`` or ``argv``, whichever there is."""
    found = [
        function for name in ("run", "argv") if inspect.isfunction(function := getattr(module, name, None))
    ]
    if not found:
        raise Broken(f"{path}:1: has no function run or argv; write def run(ctx, *, …)")
    if len(found) > 1:
        raise Broken(f"{path}:{found[1].__code__.co_firstlineno}: has both run and argv; keep one")
    function = found[0]
    line = function.__code__.co_firstlineno
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise Broken(f"{path}:{line}: {function.__name__}() yields; return the result instead")
    if function.__name__ == "argv" and inspect.iscoroutinefunction(function):
        raise Broken(f"{path}:{line}: argv() is async; it only names a program, so make it a plain def")
    return function
