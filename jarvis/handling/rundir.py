"""What does a run's directory say about it?

The format is described in docs/architecture.md. Everything here only reads, except ``ask_to_stop`` and ``burn``.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jarvis.handling.lean import processes, record


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """Who took the run. ``children``: (pid, kernel start time) of each program it started."""

    run: int
    job: str
    fire: str
    attempt: int
    pid: int
    started: int
    boot: str
    at: datetime
    children: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """How a run ended, as its supervisor saw it.

    Exactly one of ``exit_code``, ``signal`` and ``error`` (why it could not start; then with an exit code as
    a shell would give) says how, unless a process could not even be killed (``unkillable``: pids) or nothing was
    started before it was ``cancelled``. ``step`` names the before or after step that decided the run. ``survivors``
    counts processes that were still there after the job's own had ended and were ended too. ``max_rss_kb``
    is never below that of a supervisor: the kernel counts the moment before a program replaces its parent.
    """

    run: int
    started_at: datetime
    ended_at: datetime
    exit_code: int | None
    signal: int | None
    timed_out: bool
    cancelled: str | None
    error: str | None
    step: str | None
    output_bytes: int
    output_dropped: int
    output_problem: str | None
    survivors: int
    unkillable: tuple[int, ...]
    max_rss_kb: int
    cpu: timedelta
    oom: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class NeverStarted:
    """There is no claim: nothing was ever started for this run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alive:
    """Its supervisor is looking after it."""

    claim: Claim


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """It ended and that is recorded."""

    result: Result


@dataclass(frozen=True, kw_only=True, slots=True)
class Dead:
    """It was claimed, its supervisor is gone and left no result. A claim that was cut short has pid 0."""

    claim: Claim


Finding = NeverStarted | Alive | Finished | Dead


def folder(runs: Path, run: int) -> Path:
    """Where a run keeps its files."""
    return Path(record.folder(str(runs), run))


def find(runs: Path, run: int) -> Finding:
    """What the directory says now; a process that merely got the supervisor's pid is not taken for it."""
    result = read_result(runs, run)
    if result is not None:
        return Finished(result=result)
    claim = read_claim(runs, run)
    if claim is None:
        return NeverStarted()
    if claim.pid and claim.boot == processes.boot() and processes.alive(claim.pid, claim.started):
        return Alive(claim=claim)
    # it may have recorded its end and gone between the two looks
    result = read_result(runs, run)
    return Dead(claim=claim) if result is None else Finished(result=result)


def read_claim(runs: Path, run: int) -> Claim | None:
    """The claim of a run, None when nobody took it."""
    path = folder(runs, run) / "claim"
    try:
        lines = [_parse(line) for line in path.read_bytes().splitlines()]
        written_at = path.stat().st_mtime
    except FileNotFoundError:
        return None
    head = lines[0] if lines and "pid" in lines[0] else {}
    return Claim(
        run=run,
        job=str(head.get("job", "")),
        fire=str(head.get("fire", "")),
        attempt=int(head.get("attempt", 1)),
        pid=int(head.get("pid", 0)),
        started=int(head.get("started", 0)),
        boot=str(head.get("boot", "")),
        at=_instant(head.get("at", written_at)),
        children=tuple(
            (int(line["child"]), int(line.get("child_started", 0))) for line in lines[1:] if "child" in line
        ),
    )


def read_result(runs: Path, run: int) -> Result | None:
    """The recorded end of a run, None while there is none."""
    body = read_body(folder(runs, run) / "result")
    if not body:
        return None
    return Result(
        run=run,
        started_at=_instant(body["started"]),
        ended_at=_instant(body["ended"]),
        exit_code=body["exit_code"],
        signal=body["signal"],
        timed_out=body["timed_out"],
        cancelled=body["cancelled"],
        error=body["error"],
        step=body["step"],
        output_bytes=body["output_bytes"],
        output_dropped=body["output_dropped"],
        output_problem=body["output_problem"],
        survivors=body["survivors"],
        unkillable=tuple(body["unkillable"]),
        max_rss_kb=body["max_rss_kb"],
        cpu=timedelta(seconds=body["cpu"]),
        oom=body["oom"],
    )


def read_outcome(runs: Path, run: int) -> dict[str, Any] | None:
    """What a Python handler left, None when it left nothing that can be read."""
    return read_body(folder(runs, run) / "outcome") or None


def read_progress(runs: Path, run: int) -> dict[str, Any] | None:
    """How far the run says it is, None when it has not said."""
    return read_body(folder(runs, run) / "progress") or None


def ask_to_stop(runs: Path, run: int, reason: str) -> None:
    """Leave the reason where the supervisor looks for it, before and after it is signalled."""
    place = folder(runs, run)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = place / f"stop.{os.getpid()}"
    draft.write_text(reason or "stopped", encoding="utf-8")
    draft.rename(place / "stop")


def burn(runs: Path, run: int) -> bool:
    """Take the run so that nobody can start it any more; False when somebody has it."""
    place = folder(runs, run)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(place / "claim", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True


def read_body(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a run, empty when there is none (yet)."""
    try:
        return _parse(path.read_bytes())
    except FileNotFoundError:
        return {}


def _parse(text: bytes) -> dict[str, Any]:
    """A JSON object, empty when the text is cut short or something else."""
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _instant(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)
