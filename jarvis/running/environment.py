"""Which environment does a job get? Jarvis' own, the job's files and variables over it, secrets resolved."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from jarvis.config import secrets
from jarvis.core import causes
from jarvis.core.job import Job
from jarvis.core.run import Run, instant
from jarvis.errors import LaunchError

PRIVATE = ("JARVIS_CRASH_AT", "JARVIS_CRASH_ONCE", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""Variables of the daemon itself that no job inherits."""


def build(
    run: Run, job: Job, folder: Path, withheld: Set[str] = frozenset()
) -> tuple[dict[str, str], dict[str, str]]:
    """The job's whole environment, and of it (and of ``with``) the secret values by name.

    ``withheld``: variables that are some job's secret; a job gets one only by naming it.
    """
    spec = job.spec
    env = {name: value for name, value in os.environ.items() if name not in PRIVATE and name not in withheld}
    if spec.process.path is not None:
        env["PATH"] = os.pathsep.join(os.path.expanduser(part) for part in spec.process.path)
    files = [spec.env_file] if isinstance(spec.env_file, str) else spec.env_file
    for file in files:
        env |= _env_file(
            folder / Path(os.path.expanduser(file.removeprefix("-"))), optional=file.startswith("-")
        )
    known = hidden(job, os.environ)
    env |= {name: value if isinstance(value, str) else known[name] for name, value in spec.env.items()}
    env |= {f"JARVIS_WITH_{_variable(key)}": _plain(value) for key, value in run.params.items()}
    env |= {
        "JARVIS_RUN_ID": str(run.id),
        "JARVIS_JOB": run.job,
        "JARVIS_FIRE": run.fire,
        "JARVIS_ATTEMPT": str(run.attempt),
        "JARVIS_SCHEDULED_AT": instant(run.scheduled_at),
    }
    env.pop("JARVIS_CAUSE", None)
    if run.cause:
        env["JARVIS_CAUSE"] = causes.environment(run.cause)
    return env, known


def hidden(job: Job, environ: Mapping[str, str]) -> dict[str, str]:
    """The job's secrets: those of ``env`` by their variable, those of ``with`` by their reference.

    Raises SecretError for one that cannot be read.
    """
    if not job.spec.env and not job.with_:
        return {}
    found = {
        name: secrets.resolve(ref.secret, environ)
        for name, ref in job.spec.env.items()
        if not isinstance(ref, str)
    }
    return found | {ref: secrets.resolve(ref, environ) for ref in secrets.references(job.with_)}


def _variable(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", key).upper()


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _env_file(path: Path, *, optional: bool) -> dict[str, str]:
    """``NAME=value`` lines, # comments, quotes around a value taken off; ``-`` before the name: may be missing."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        if optional:
            return {}
        raise LaunchError(
            f"env_file {path}: {error.strerror}; write '-{path}' if it may be missing"
        ) from error
    except OSError as error:
        raise LaunchError(f"env_file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise LaunchError(f"env_file {path}: is not UTF-8; save it as UTF-8 text") from error
    found = {}
    for number, line in enumerate(text.split("\n"), 1):
        if pair := _pair(line.strip(), f"env_file {path}:{number}"):
            found[pair[0]] = pair[1]
    return found


def _pair(line: str, where: str) -> tuple[str, str] | None:
    """Name and value of one line; None when it says nothing."""
    if not line or line.startswith("#"):
        return None
    name, equals, value = re.sub(r"^export\s+", "", line).partition("=")
    name, value = name.strip(), value.strip()
    if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise LaunchError(f"{where}: expected NAME=value")
    if "\0" in value:
        raise LaunchError(f"{where}: a value cannot hold a NUL character")
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return name, value
