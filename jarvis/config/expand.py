"""What do ``${VAR}`` and ``${VAR:-default}`` stand for?

Every text is expanded except commands: those belong to the shell, which does its own. ``$${`` writes a
literal ``${``. A variable that is unset (or empty, where a default is given) takes the default; without one
it is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_MARK = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}$]*))?\}|\$\{")
LEFT_ALONE = frozenset({"command", "exec"})
"""Keys whose values are commands."""

Path = tuple[str | int, ...]


@dataclass(kw_only=True, slots=True)
class Expansion:
    """Expands values and remembers what it saw: variables used, paths changed, problems as (path, message, hint)."""

    environ: Mapping[str, str]
    used: dict[str, str | None] = field(default_factory=dict)
    changed: set[Path] = field(default_factory=set)
    problems: list[tuple[Path, str, str | None]] = field(default_factory=list)

    def value(self, value: Any, path: Path = ()) -> Any:
        """The value with every text in it expanded."""
        if isinstance(value, str):
            return self._text(value, path) if "${" in value else value
        if isinstance(value, dict):
            names = LEFT_ALONE if path != ("jobs",) else frozenset()
            return {
                name: part if name in names else self.value(part, (*path, name))
                for name, part in value.items()
            }
        if isinstance(value, list):
            return [self.value(part, (*path, index)) for index, part in enumerate(value)]
        return value

    def _text(self, text: str, path: Path) -> str:
        self.changed.add(path)
        return _MARK.sub(lambda found: self._one(found, path), text)

    def _one(self, found: re.Match[str], path: Path) -> str:
        if found.group() == "$${":
            return "${"
        name, default = found["name"], found["default"]
        if name is None:
            self.problems.append(
                (path, "'${' begins no variable", "write ${NAME} or ${NAME:-default}; $${ for a plain ${")
            )
            return ""
        value = self.environ.get(name)
        self.used[name] = value
        if value is None or (not value and default is not None):
            if default is None:
                self.problems.append(
                    (
                        path,
                        f"the environment variable {name} is not set",
                        f"the template's own is written $${{{name}}}, or ${name}"
                        if "deliver" in path
                        else f"set it, or write ${{{name}:-default}}",
                    )
                )
            return default or ""
        if not value.isprintable() and not _clean(value):
            self.problems.append(
                (path, f"the environment variable {name} holds bytes that are no text", None)
            )
            return ""
        return value


def _clean(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def meant(text: str, wanted: str) -> Any:
    """What an expanded text says where a number or a switch is wanted; the text itself if it says neither.

    ``wanted``: ``int``, ``float`` or ``bool``.
    """
    try:
        if wanted == "int":
            return int(text)
        if wanted == "float":
            return float(text)
    except ValueError:
        return text
    return {"true": True, "false": False}.get(text.lower(), text)
