"""How should the daemon behave: what do the file, the environment and the flags say, in this order?

A flag beats the environment, the environment beats the file. Names in the environment are ``JARVIS_`` and the
setting's name in capitals; ``DAEMON_TICK_INTERVAL_SECONDS`` is another name for ``JARVIS_HEARTBEAT``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jarvis.config import explain
from jarvis.core.config import Settings
from jarvis.errors import Problem

PREFIX = "JARVIS_"
TICK = "DAEMON_TICK_INTERVAL_SECONDS"
_SWITCH = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def _length(text: str) -> Any:
    return f"{int(text)}s" if text.isascii() and text.isdigit() else text


def _switch(text: str) -> Any:
    return _SWITCH.get(text.lower(), text)


def _number(text: str) -> Any:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 10 else text


def _folders(text: str) -> list[str]:
    return [part for part in text.split(os.pathsep) if part]


_READ: dict[str, Callable[[str], Any]] = {
    "state": str,
    "handlers": _folders,
    "heartbeat": _length,
    "log_level": str.lower,
    "log_json": _switch,
    "auto_start": _switch,
    "nice": _number,
}


def resolve(
    file: Mapping[str, Any], environ: Mapping[str, str], flags: Mapping[str, Any] | None = None
) -> tuple[Settings, list[Problem]]:
    """The settings in force, and what is wrong with the environment and the flags.

    ``file``: the mapping under ``settings:``, already found right, its paths absolute. ``flags``: by
    setting's name; None means not given; texts are read as in the environment.
    """
    problems: list[Problem] = []
    values = dict(file)
    for name, variable, text in _variables(environ):
        if variable == TICK and not (text.isascii() and text.isdigit() and int(text) > 0):
            message = f"expected a positive whole number of seconds, not {explain.quote(text)}"
            problems.append(Problem(file=TICK, message=message))
        else:
            values |= _layer(name, _READ[name](text), variable, problems)
    for name, value in (flags or {}).items():
        if value is not None:
            read = _READ[name](value) if isinstance(value, str) else value
            values |= _layer(name, read, "--" + name.replace("_", "-"), problems)
    return _home(Settings.model_validate(values), environ), problems


def absolute(values: Mapping[str, Any], base: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """The file's settings with paths made absolute: they are relative to the file."""
    result = dict(values)
    if isinstance(result.get("state"), str):
        result["state"] = _path(result["state"], base, environ)
    if isinstance(result.get("handlers"), list):
        result["handlers"] = [_path(folder, base, environ) for folder in result["handlers"]]
    return result


def unfit(name: str, value: Any) -> bool:
    """Whether a setting is unknown or has a value that it cannot have."""
    try:
        Settings.model_validate({name: value})
    except ValidationError:
        return True
    return False


def _variables(environ: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(setting, variable, text) of every variable that is set and not empty, the stronger ones later."""
    pairs = [("heartbeat", TICK), *((name, PREFIX + name.upper()) for name in Settings.model_fields)]
    return [(name, variable, environ[variable]) for name, variable in pairs if environ.get(variable)]


def _layer(name: str, value: Any, where: str, problems: list[Problem]) -> dict[str, Any]:
    try:
        Settings.model_validate({name: value})
    except ValidationError as error:
        for finding in explain.findings(error.errors(include_url=False), {name: value}, Settings):
            problems.append(Problem(file=where, message=finding.message, hint=finding.hint))
        return {}
    return {name: value}


def _home(settings: Settings, environ: Mapping[str, str]) -> Settings:
    here = Path.cwd()
    state = _path(settings.state, here, environ) if settings.state else None
    return settings.model_copy(
        update={"state": state, "handlers": [_path(folder, here, environ) for folder in settings.handlers]}
    )


def _path(text: str, base: Path, environ: Mapping[str, str]) -> str:
    home = environ.get("HOME")
    if home and (text == "~" or text.startswith("~/")):
        text = home + text[1:]
    return os.path.normpath(base / os.path.expanduser(text))
