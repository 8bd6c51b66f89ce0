"""A folder with a jobs.yaml in it, and the handlers the tests of the configuration know."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jarvis.config import load
from jarvis.config.load import Config
from jarvis.errors import ConfigError

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FORM = {"host": "text", "port": "number", "warn": "duration", "nested": "anything", "token": "secret"}


_JOB = """\
  job-{index}:
    cron: "{minute} {hour} * * *"
    command: backup ~/Documents/{index} && echo done
    env: {{TARGET: "disk", LEVEL: two}}
    timeout: 2h
    retry: {{times: 3, wait: 1m}}
    tags: [a, b]
"""


class Known:
    """``certificate`` (Python, a form), ``command`` (a program), ``torn`` (its file cannot be used)."""

    def __init__(self) -> None:
        self.asked = 0

    def names(self) -> list[str]:
        return ["certificate", "command", "torn"]

    def is_python(self, name: str) -> bool:
        return {"certificate": True, "command": False}[name]

    def why_broken(self, name: str) -> str | None:
        return "handlers/torn.py:3: invalid syntax" if name == "torn" else None

    def check(
        self, name: str, values: Mapping[str, Any]
    ) -> list[tuple[tuple[str | int, ...], str, str | None]]:
        self.asked += 1
        found: list[tuple[tuple[str | int, ...], str, str | None]] = []
        if name == "certificate":
            found = [
                ((key,), f"no parameter {key!r}", "did you mean 'host'?") for key in values if key not in FORM
            ]
            nested = values.get("nested")
            if isinstance(nested, dict) and "deep" in nested:
                found.append((("nested", "deep", 1), "'nested.deep.1': expected a number, not 'x'", None))
        return found

    def form_schema(self, name: str) -> dict[str, Any]:
        if name != "certificate":
            return {"type": "object"}
        return {
            "type": "object",
            "$defs": {"Port": {"type": "integer", "minimum": 1}},
            "properties": {
                "host": {"type": "string"},
                "port": {"$ref": "#/$defs/Port"},
                "token": {"type": "string"},
                "warn": {"type": "string"},
            },
            "required": ["host"],
            "additionalProperties": False,
        }


def write(folder: Path, text: str | bytes, name: str = "jobs.yaml") -> Path:
    """A file only its owner can write, whatever the umask."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o644)
    for parent in (path.parent, folder):
        parent.chmod(0o755)
    return path


def read(folder: Path, text: str | bytes, environ: Mapping[str, str] | None = None, **options: Any) -> Config:
    """Write jobs.yaml and read it, in London, at noon of 20 November 2026 (UTC)."""
    return again(write(folder, text), environ, **options)


def again(path: Path, environ: Mapping[str, str] | None = None, **options: Any) -> Config:
    options = {"handlers": Known(), "local_zone": "Europe/London", "now": NOW, **options}
    return load.read(path, environ={} if environ is None else environ, **options)


def problems(
    folder: Path, text: str | bytes, environ: Mapping[str, str] | None = None, **options: Any
) -> list[str]:
    """What is said about a file, without the folder's name; empty if it can be used."""
    try:
        read(folder, text, environ, **options)
    except ConfigError as error:
        return said(folder, error)
    return []


def said(folder: Path, error: ConfigError) -> list[str]:
    return [str(problem).replace(f"{folder}/", "") for problem in error.problems]


def many(count: int) -> str:
    """A file of ordinary jobs."""
    jobs = "".join(_JOB.format(index=index, minute=index % 60, hour=index % 24) for index in range(count))
    return f"defaults: {{timezone: Europe/London}}\njobs:\n{jobs}"
