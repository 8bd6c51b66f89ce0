"""What does a handler do when it is called once, by hand? In a process of its own, as a run would be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jarvis.config import zone
from jarvis.config.instance import Instance
from jarvis.handling import contract
from jarvis.handling.contract import Handler

SHELL = "/bin/sh"
GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""


def call(
    handler: Handler, values: Mapping[str, Any], *, instance: Instance, timeout: timedelta
) -> dict[str, Any]:
    """Call it to its end; what it left and what it wrote. Raises what naming its program raises."""
    with tempfile.TemporaryDirectory(prefix="jarvis-try-") as folder:
        payload = None
        if handler.kind == "program":
            path = os.environ.get("PATH", os.defpath)
            argv = contract.program(handler, values, path=path, shell=SHELL)
        else:
            argv = [sys.executable, "-m", "jarvis.handling.child"]
            payload = _payload(handler, values, instance, folder, timeout)
        began = time.monotonic()
        code, written, late = _run(argv, payload, instance.config.parent, timeout)
        took = round(time.monotonic() - began, 3)
        left = _outcome(Path(folder))
    status = "timed_out" if late else left.get("status") or ("ok" if code == 0 else "error")
    return {
        "handler": handler.name,
        "status": status,
        "exit_code": code,
        "seconds": took,
        "result": left.get("result"),
        "numbers": left.get("numbers", {}),
        "error": left.get("error"),
        "alerts": left.get("alerts", []),
        "memory": left.get("memory", {}),
        "output": written.decode("utf-8", "replace"),
    }


def _payload(
    handler: Handler, values: Mapping[str, Any], instance: Instance, folder: str, timeout: timedelta
) -> bytes:
    now = datetime.now(UTC)
    run = {
        "id": 0,
        "job": f"try-{handler.name}",
        "fire": "try",
        "attempt": 1,
        "scheduled_at": now.isoformat(),
        "params": {},
    }
    payload = {
        "handler": handler.name,
        "file": str(handler.path),
        "with": dict(values),
        "dir": folder,
        "run": run,
        "memory": {},
        "deadline": (now + timeout).isoformat(),
        "secrets": {},
        "database": f"sqlite:///{instance.ledger}",
        "state": str(instance.state),
        "timezone": zone.local(os.environ)[0],
        "now": None,
    }
    return json.dumps(payload).encode()


def _run(
    argv: list[str], payload: bytes | None, cwd: Path, timeout: timedelta
) -> tuple[int | None, bytes, bool]:
    """Exit code, output, and whether it had to be ended. Whatever happens, its process group ends with it."""
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as error:
        said = f"{argv[0]} could not be started: {error.strerror}\n"
        return 127 if isinstance(error, FileNotFoundError) else 126, said.encode(), False
    late = False
    try:
        written, _ = process.communicate(payload, timeout.total_seconds())
    except subprocess.TimeoutExpired:
        late = True
        _signal(process, signal.SIGTERM)
        try:
            written, _ = process.communicate(timeout=GRACE)
        except subprocess.TimeoutExpired:
            _signal(process, signal.SIGKILL)
            written, _ = process.communicate()
    finally:
        _signal(process, signal.SIGKILL)
    return process.returncode, written, late


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        return


def _outcome(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "outcome").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
