"""What is kept of a moment that was wrong? One directory, written beside and renamed when it is whole."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jarvis.core.vitals import Counters, growth, lapse
from jarvis.sensing import pmset, processes, programs
from jarvis.sensing.processes import Process
from jarvis.store.samples import Workers
from jarvis.store.stalls import Stall

PART = ".part"
BEFORE, AFTER = timedelta(seconds=60), timedelta(seconds=30)
METADATA = "metadata.json"
DIFFERENCES = (
    "stall_cpu", "stall_memory", "stall_memory_full", "stall_io", "stall_io_full", "own_cpu", "own_wait", "busy",
    "steal", "disk_read", "disk_written", "net_received", "net_sent", "faults", "swapped_in", "swapped_out",
    "killed", "quota_hits", "throttles",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """What the sampler knows of it: the row, the looks before and after, who worked before and after.

    ``tasks``: the busiest that powermetrics named.
    """

    stall: Stall
    before: Counters | None
    after: Counters
    workers_before: Workers | None
    found: tuple[Process, ...] = ()
    tasks: Sequence[Mapping[str, Any]] = ()


@dataclass(slots=True)
class Folder:
    """A directory being written. ``left``: bytes it may still grow by; ``missing``: what could not be captured, why."""

    path: Path
    left: int
    captured: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    def write(self, name: str, content: Any) -> None:
        """JSON, as long as there is room."""
        data = (json.dumps(content, indent=1, default=said) + "\n").encode()
        if len(data) > self.left:
            self.missing[name] = f"no room: {len(data)} bytes, {self.left} left"
            return
        try:
            put(self.path / name, data)
        except OSError as error:
            self.missing[name] = error.strerror or str(error)
            return
        self.left -= len(data)
        self.captured.append(name)

    def run(self, program: programs.Program, limit: timedelta, ending: threading.Event) -> None:
        """Let a program write its file. It may fill half of the room: the next one and the samples need some, too."""
        if limit <= timedelta(0):
            self.missing[program.file] = "no time was left"
            return
        try:
            why = programs.run(program, self.path, limit, self.left // 2, ending)
        except OSError as error:
            why = error.strerror or str(error)
        if why:
            self.missing[program.file] = why
        file = self.path / program.file
        if file.exists():
            self.left -= file.stat().st_size
            self.captured.append(program.file)


def said(value: object) -> Any:
    """Instants and lengths in JSON."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return round(value.total_seconds(), 6)
    raise TypeError(f"{value!r} cannot be said in JSON")


def put(path: Path, data: bytes) -> None:
    """Write a file of one's own, and let it reach the disk."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def name(folder: Path, at: datetime) -> str:
    """``2026-11-20_09-00-00``, with ``_2`` and so on where that is taken; local time."""
    first = at.astimezone().strftime("%Y-%m-%d_%H-%M-%S")
    wanted, count = first, 1
    while (folder / wanted).exists() or (folder / (wanted + PART)).exists():
        count += 1
        wanted = f"{first}_{count}"
    return wanted


def metadata(stall: Stall) -> dict[str, Any]:
    """What is known from the row alone."""
    return {
        "id": stall.id,
        "kind": stall.kind,
        "timestamp": stall.until_at,
        "from": stall.from_at,
        "duration": stall.gap,
        "expected": stall.expected,
        "surplus": stall.surplus,
        "ratio": stall.ratio,
        "cause": stall.cause,
        "why": stall.why,
        "evidence": stall.evidence,
        "stress": stall.stress,
        "factors": stall.factors,
    }


def differences(before: Counters | None, after: Counters) -> dict[str, Any]:
    """By how much each counter grew between the looks before and after: bytes, counts and seconds."""
    if before is None:
        return {}
    found: dict[str, Any] = {}
    for each in DIFFERENCES:
        first, last = getattr(before, each), getattr(after, each)
        if isinstance(last, timedelta):
            found[each] = lapse(first, last)
        else:
            found[each] = growth(first, last)
    return found


def immediate(folder: Folder, moment: Moment, running: Iterable[Mapping[str, Any]]) -> None:
    """What can be written at once: who worked, who is to blame, what the counters did, what Jarvis ran."""
    before = moment.workers_before
    everybody = [Process(**one) for one in before.processes] if before else list(moment.found)
    factors = dict(moment.stall.factors or {})
    folder.write(
        "stress.json",
        {
            "factors": factors,
            "culprits": processes.culprits(everybody, factors),
            "workers_at": before.at if before else moment.stall.until_at,
        },
    )
    folder.write(
        "processes.json",
        {
            "before": before and {"at": before.at, "processes": list(before.processes)},
            "after": [one.dump() for one in processes.top(moment.found)],
            "powermetrics": list(moment.tasks),
        },
    )
    folder.write("counters.json", differences(moment.before, moment.after))
    folder.write("jobs.json", list(running))


def explain(folder: Folder, stall: Stall) -> None:
    """When the machine slept and woke around it, where the log of pmset was captured."""
    try:
        log = (folder.path / "pmset.log").read_bytes()
    except OSError:
        return
    turns = pmset.around(log, stall.from_at - BEFORE, stall.until_at)
    folder.write("power.json", [{"at": one.at, "kind": one.kind, "text": one.text} for one in turns])


def finish(folder: Folder, about: Mapping[str, Any], samples: Iterable[Mapping[str, Any]]) -> Path:
    """The samples around it, what was captured and what not; then the directory gets its name."""
    folder.write("samples.json", list(samples))
    final = {**about, "captured": sorted(folder.captured), "not_captured": folder.missing}
    put(folder.path / METADATA, (json.dumps(final, indent=1, default=said) + "\n").encode())
    target = folder.path.with_name(folder.path.name.removesuffix(PART))
    folder.path.rename(target)
    handle = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return target


def begin(folder: Path, called: str, about: Mapping[str, Any], room: int) -> Folder:
    """The directory with its metadata, so that whatever happens it says what it is of."""
    part = folder / (called + PART)
    part.mkdir(mode=0o700, parents=True)
    made = Folder(path=part, left=room)
    put(part / METADATA, (json.dumps(about, indent=1, default=said) + "\n").encode())
    return made


def resume(part: Path, room: int) -> tuple[Folder, dict[str, Any]] | None:
    """A directory that was being written when Jarvis was killed; None when not even its metadata was."""
    try:
        about = json.loads((part / METADATA).read_text())
    except (OSError, ValueError):
        shutil.rmtree(part, ignore_errors=True)
        return None
    found = [file.name for file in part.iterdir() if file.name != METADATA]
    folder = Folder(path=part, left=room, captured=found)
    folder.missing["the rest"] = "Jarvis was ended while it captured this"
    return folder, about
