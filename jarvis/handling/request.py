"""What is asked of a supervisor, and what is heard back?"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from jarvis.handling import rundir
from jarvis.handling.lean import frames, record, veil


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """Where one of a job's output streams goes; ``path`` for append and truncate (absolute, or below cwd)."""

    kind: Literal["capture", "discard", "append", "truncate"] = "capture"
    path: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StepRequest:
    """A program to run before or after the job's own."""

    argv: tuple[str, ...]
    ignore_failure: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One run, ready to start: nothing left to look up.

    ``payload`` (for a Python handler) and ``stdin`` reach the program's standard input and no disk; without
    either it is /dev/null. ``cause`` (JSON) is written to ``cause.json`` in the run's folder, which
    JARVIS_CAUSE_FILE names. ``hidden`` are the values of secrets: they reach no disk either, and are replaced by
    ``[secret]``, in whatever form a program writes them, before its output is stored. ``cwd`` None: the job's HOME.
    ``cap`` in bytes. ``success_codes`` decide whether after steps run; the caller judges the run by them.
    JARVIS_RUN_DIR is added to ``env``: the run's own folder.
    """

    run: int
    job: str
    fire: str
    attempt: int = 1
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str | None = None
    payload: str | None = None
    cause: str | None = None
    stdin: str | None = None
    hidden: tuple[str, ...] = field(default=(), repr=False)
    before: tuple[StepRequest, ...] = ()
    after: tuple[StepRequest, ...] = ()
    success_codes: tuple[int, ...] = (0,)
    timeout: timedelta | None = None
    stop_signal: int = signal.SIGTERM
    stop_after: timedelta = timedelta(seconds=10)
    detach: bool = False
    stdout: Stream = Stream()
    stderr: Stream = Stream()
    cap: int = 10_000_000
    umask: int | None = None
    nice: int | None = None
    io: str | None = None
    cpu: str | None = None
    limits: Mapping[str, int | Literal["unlimited"]] = field(default_factory=dict)
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None

    def frame(self, runs: Path) -> bytes:
        """The request as it travels to its supervisor."""
        body: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        folder = os.fspath(rundir.folder(runs, self.run))
        own = {"JARVIS_RUN_DIR": folder}
        if self.cause is not None:
            own["JARVIS_CAUSE_FILE"] = os.path.join(folder, "cause.json")
        body |= {
            "hidden": [value for value in self.hidden if len(value) >= veil.SHORTEST],
            "env": {**self.env, **own},
            "before": [_step(step) for step in self.before],
            "after": [_step(step) for step in self.after],
            "timeout": None if self.timeout is None else self.timeout.total_seconds(),
            "stop_signal": int(self.stop_signal),
            "stop_after": self.stop_after.total_seconds(),
            "stdout": {"kind": self.stdout.kind, "path": self.stdout.path},
            "stderr": {"kind": self.stderr.kind, "path": self.stderr.path},
            "limits": dict(self.limits),
        }
        return frames.pack(self.run, record.encode(body).encode())


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Something became known about a run.

    ``started``: its first program runs (``pid``). Finally, exactly once: ``ended`` (the result can be read) or
    ``gone`` (there is no result and nobody is working on one; ``reason`` when it is known why).
    """

    kind: Literal["started", "ended", "gone"]
    run: int
    pid: int | None = None
    at: datetime | None = None
    reason: str | None = None


_PLAIN = (
    *("run", "job", "fire", "attempt", "argv", "cwd", "payload", "cause", "stdin", "success_codes", "detach"),
    *("cap", "umask", "nice", "io", "cpu", "uid", "gid", "groups"),
)


def _step(step: StepRequest) -> dict[str, Any]:
    return {"argv": step.argv, "ignore_failure": step.ignore_failure}
