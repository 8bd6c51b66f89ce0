"""Which volumes are mounted, and when does that change?

Linux: the kernel wakes whoever polls /proc/self/mountinfo. Elsewhere (macOS): the list is asked for again when
something happens in /Volumes.
"""

from __future__ import annotations

import os
import re
import select
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

MOUNTINFO = Path("/proc/self/mountinfo")
VOLUMES = "/Volumes"

KERNEL = frozenset({
    "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devfs", "devpts", "devtmpfs",
    "efivarfs", "fusectl", "fuse.gvfsd-fuse", "fuse.portal", "hugetlbfs", "mqueue", "nsfs", "nullfs", "overlay",
    "proc", "pstore", "ramfs", "rpc_pipefs", "securityfs", "selinuxfs", "squashfs", "sysfs", "tracefs",
})  # fmt: skip
"""File systems that are the system's own business; no volume of anybody."""

OWN = ("/proc", "/sys", "/dev", "/run", "/snap", "/var/snap", "/var/lib/docker", "/var/lib/containers")
"""Where the system mounts for itself, except below ``/run/media`` (volumes of people)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Volume:
    """One mounted volume. ``id``: the same for as long as it is mounted."""

    id: str
    path: str
    source: str
    type: str


def mounted() -> dict[str, Volume]:
    """The volumes that are mounted now, by id. Raises OSError when that cannot be said."""
    if MOUNTINFO.exists():
        return parse(MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape"))
    found = (
        Volume(id=f"{one.device} {one.mountpoint}", path=one.mountpoint, source=one.device, type=one.fstype)
        for one in psutil.disk_partitions(all=True)
    )
    return {volume.id: volume for volume in found if _counts(volume)}


def parse(table: str) -> dict[str, Volume]:
    """Volumes from the lines of /proc/<pid>/mountinfo (proc_pid_mountinfo(5))."""
    found = {}
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        own, more = before.split(), after.split()
        if len(own) < 6 or len(more) < 2:
            continue
        path, source = _plain(own[4]), _plain(more[1])
        volume = Volume(id=f"{own[0]} {own[2]} {path}", path=path, source=source, type=more[0])
        if _counts(volume):
            found[volume.id] = volume
    return found


def _plain(text: str) -> str:
    """``\\040`` is a space."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _counts(volume: Volume) -> bool:
    if volume.type in KERNEL or volume.path == "/":
        return False
    return volume.path.startswith("/run/media/") or not f"{volume.path}/".startswith(
        tuple(f"{place}/" for place in OWN)
    )


class MountEar:
    """Calls ``changed`` whenever the kernel's table of mounts changed, in a thread of its own (Linux)."""

    def __init__(self, changed: Callable[[], None], table: Path = MOUNTINFO) -> None:
        self._changed = changed
        self._table = os.open(table, os.O_RDONLY | os.O_CLOEXEC)
        self._ended, self._end = os.pipe()
        self._thread = threading.Thread(target=self._loop, name="jarvis-mounts", daemon=True)
        self._thread.start()

    def _loop(self) -> None:
        poll = select.poll()
        poll.register(self._table, select.POLLPRI | select.POLLERR)
        poll.register(self._ended, select.POLLIN | select.POLLHUP)
        while True:
            if any(descriptor == self._ended for descriptor, _event in poll.poll()):
                return
            self._changed()

    def close(self) -> None:
        os.close(self._end)
        self._thread.join(2)
        os.close(self._ended)
        os.close(self._table)


def cause(volume: Volume) -> Mapping[str, str]:
    """What a run is told of the volume it was started for."""
    return {
        "mount": volume.path.encode("utf-8", "backslashreplace").decode(),
        "source": volume.source.encode("utf-8", "backslashreplace").decode(),
        "type": volume.type,
    }
