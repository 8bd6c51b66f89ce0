"""Which processes are there, and whose are they?

A process is named by its pid *and* its kernel start time: pids come round again, the pair does not (within
one boot). Start times are clock ticks since boot on Linux, microseconds since the epoch on macOS.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys
from collections.abc import Iterable
from typing import NamedTuple

MACOS = sys.platform == "darwin"
_SUBREAPER, _NAME = 36, 15
_BSDINFO, _BSDINFO_SIZE = 3, 136
_libc = ctypes.CDLL(None, use_errno=True)


class Seen(NamedTuple):
    """One process as the kernel shows it."""

    pid: int
    parent: int
    group: int
    session: int
    started: int
    zombie: bool


def look(pid: int) -> Seen | None:
    """The process with this pid, or None when there is none."""
    return _look_macos(pid) if MACOS else _look_linux(pid)


def everybody() -> list[Seen]:
    """Every process that can be seen now."""
    if MACOS:
        pids = [int(word) for word in _ps("-Axo", "pid=").split()]
    else:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [seen for pid in pids if (seen := look(pid)) is not None]


def started(pid: int) -> int:
    """The kernel start time of a process; 0 when it is gone."""
    seen = look(pid)
    return seen.started if seen else 0


def alive(pid: int, start: int) -> bool:
    """Is the very process that had this pid and start time still running? A zombie is not."""
    seen = look(pid)
    return seen is not None and seen.started == start and not seen.zombie


def boot() -> str:
    """What names this boot of the machine."""
    if not MACOS:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    size = ctypes.c_size_t(64)
    text = ctypes.create_string_buffer(64)
    _libc.sysctlbyname(b"kern.bootsessionuuid", text, ctypes.byref(size), None, ctypes.c_size_t(0))
    return text.value.decode("ascii", "replace")


def below(roots: Iterable[int], table: Iterable[Seen]) -> list[Seen]:
    """The descendants of ``roots`` in ``table``, zombies left out, roots not included."""
    children: dict[int, list[Seen]] = {}
    for seen in table:
        children.setdefault(seen.parent, []).append(seen)
    found: list[Seen] = []
    todo = list(roots)
    known = set(todo)
    while todo:
        for seen in children.get(todo.pop(), ()):
            if seen.pid not in known:
                known.add(seen.pid)
                todo.append(seen.pid)
                found.append(seen)
    return [seen for seen in found if not seen.zombie]


def marked(mark: str, table: Iterable[Seen]) -> list[Seen]:
    """The processes of ``table`` that were started with ``mark`` (``NAME=value``) in their environment.

    Only one's own processes can be read (root reads all).
    """
    if MACOS:
        return _marked_macos(mark, table)
    wanted = os.fsencode(mark)
    return [seen for seen in table if not seen.zombie and wanted in _environment(seen.pid)]


def send(number: int, targets: Iterable[Seen]) -> int:
    """Signal each target that still is the process that was seen; how many could be signalled."""
    count = 0
    for seen in targets:
        if alive(seen.pid, seen.started):
            try:
                os.kill(seen.pid, number)
                count += 1
            except (ProcessLookupError, PermissionError):
                continue
    return count


def send_group(number: int, group: int) -> None:
    """Signal a process group; stopped members are woken so that they can act on it."""
    for one in (number, signal.SIGCONT):
        try:
            os.killpg(group, one)
        except (ProcessLookupError, PermissionError):
            return


def adopt_orphans() -> bool:
    """Make this process the parent of its orphaned descendants (Linux); False where that is unknown."""
    return not MACOS and _libc.prctl(_SUBREAPER, 1, 0, 0, 0) == 0


def title(name: str) -> None:
    """The name ``ps`` and ``top`` show for this process (Linux; at most 15 letters)."""
    if not MACOS:
        _libc.prctl(_NAME, name.encode(), 0, 0, 0)


def _look_linux(pid: int) -> Seen | None:
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        text = os.read(fd, 1024)
    except ProcessLookupError:
        return None
    finally:
        os.close(fd)
    # the name in the parentheses may itself contain spaces and parentheses
    words = text[text.rindex(b")") + 2 :].split()
    zombie = words[0] in (b"Z", b"X")
    return Seen(pid, int(words[1]), int(words[2]), int(words[3]), int(words[19]), zombie)


def _look_macos(pid: int) -> Seen | None:
    buffer = ctypes.create_string_buffer(_BSDINFO_SIZE)
    if _libc.proc_pidinfo(pid, _BSDINFO, ctypes.c_uint64(0), buffer, _BSDINFO_SIZE) != _BSDINFO_SIZE:
        return None
    state, parent = struct.unpack_from("=I", buffer, 4)[0], struct.unpack_from("=I", buffer, 16)[0]
    group = struct.unpack_from("=I", buffer, 100)[0]
    seconds, micros = struct.unpack_from("=QQ", buffer, 120)
    try:
        session = os.getsid(pid)
    except OSError:
        session = 0
    return Seen(pid, parent, group, session, seconds * 1_000_000 + micros, state == 5)


def _environment(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def _marked_macos(mark: str, table: Iterable[Seen]) -> list[Seen]:
    pids = set()
    for line in _ps("-Eww", "-Axo", "pid=,command=").splitlines():
        pid, _, rest = line.strip().partition(" ")
        if f" {mark} " in f" {rest} ":
            pids.add(int(pid))
    return [seen for seen in table if seen.pid in pids]


def _ps(*words: str) -> str:
    """The output of ps, without the subprocess module: it would triple the size of every supervisor."""
    reader, writer = os.pipe()
    pid = os.posix_spawn(
        "/bin/ps", ["ps", *words], {"PATH": "/bin:/usr/bin"}, file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)]
    )
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return text.decode("utf-8", "replace")
