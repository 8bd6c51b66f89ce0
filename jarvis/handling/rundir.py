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

from jarvis.handling.lean import output, processes, record


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
    body = _body(folder(runs, run) / "result")
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
    return _body(folder(runs, run) / "outcome") or None


def read_progress(runs: Path, run: int) -> dict[str, Any] | None:
    """How far the run says it is, None when it has not said."""
    return _body(folder(runs, run) / "progress") or None


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


def read_output(runs: Path, run: int, position: int = 0, limit: int = 1_048_576) -> tuple[bytes, int]:
    """Output from ``position`` on (counted in bytes the job wrote), and the position to go on from.

    Works while the run is going on, after it, and after its supervisor died. Where bytes are not kept, one line
    says how many. Nothing new: empty bytes. At most about ``limit`` bytes.
    """
    place = folder(runs, run)
    body = _body(place / "result")
    if body:
        return _read_final(place, body, position, limit)
    ring = _Ring.open(place / "output.tail")
    if ring is None:
        data = _part(place / "output", position, limit)
        return data, position + len(data)
    try:
        if position < ring.head:
            data = _part(place / "output", position, min(limit, ring.head - position))
            return data, position + len(data)
        return ring.read(position, limit)
    finally:
        os.close(ring.fd)


def _read_final(place: Path, body: dict[str, Any], position: int, limit: int) -> tuple[bytes, int]:
    """The finished file is head, a line for what is missing, tail: find ``position`` in it."""
    head, total = body["output_head"], body["output_bytes"]
    if position >= total:
        return b"", position
    if position < head:
        data = _part(place / "output", position, min(limit, head - position))
        return data, position + len(data) if data else total
    first = head + body["output_dropped"]
    skipped = first - position
    data = b""
    if skipped > 0:
        data, position = output.gap(skipped), first
    if position >= total:
        return data, total
    size = (place / "output").stat().st_size
    kept = _part(place / "output", size - (total - position), limit)
    return data + kept, position + len(kept)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ring:
    """The last part of the output of a run that goes on."""

    fd: int
    total: int
    head: int
    size: int

    @classmethod
    def open(cls, path: Path) -> _Ring | None:
        try:
            fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        numbers = _header(fd)
        if not numbers:
            os.close(fd)
            return None
        return cls(fd=fd, total=numbers[0], head=numbers[1], size=numbers[2])

    def read(self, position: int, limit: int) -> tuple[bytes, int]:
        oldest = max(self.head, self.total - self.size)
        start = max(position, oldest)
        data = self._copy(start, min(limit, self.total - start))
        # what the writer has meanwhile overtaken is not what was asked for
        safe = max(self.head, (_header(self.fd) or (self.total,))[0] - self.size)
        if safe > start:
            data, start = data[safe - start :], min(safe, start + len(data))
        said = output.gap(start - position) if start > position else b""
        return said + data, start + len(data)

    def _copy(self, start: int, count: int) -> bytes:
        data = b""
        while count > 0:
            place = (start - self.head) % self.size
            part = os.pread(self.fd, min(count, self.size - place), output.RING_HEADER + place)
            if not part:
                break
            data, start, count = data + part, start + len(part), count - len(part)
        return data


def _header(fd: int) -> tuple[int, int, int] | None:
    raw = os.pread(fd, 24, 0)
    if len(raw) < 24:
        return None
    return tuple(int.from_bytes(raw[at : at + 8], "little") for at in (0, 8, 16))  # type: ignore[return-value]


def _part(path: Path, start: int, count: int) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    try:
        return os.pread(fd, count, start)
    finally:
        os.close(fd)


def _body(path: Path) -> dict[str, Any]:
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
