"""Has the kernel killed something for want of memory?"""

from __future__ import annotations

import os


def counter(root: str = "/sys/fs/cgroup", own: str = "/proc/self/cgroup") -> int:
    """An open file that counts such kills: in our control group, else in the machine; -1 without one."""
    for path in _candidates(root, own):
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
    return -1


def kills(counter: int) -> int:
    """How often it has happened by now; 0 when nobody counts."""
    if counter < 0:
        return 0
    for line in os.pread(counter, 16_384, 0).splitlines():
        name, _, value = line.partition(b" ")
        if name == b"oom_kill":
            return int(value)
    return 0


def _candidates(root: str, own: str) -> list[str]:
    try:
        with open(own, encoding="utf-8") as file:
            entries = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return []
    found = [f"{root}{path}/memory.events" for _, kinds, path in entries if not kinds]
    found += [f"{root}/memory{path}/memory.oom_control" for _, kinds, path in entries if kinds == "memory"]
    return [*found, "/proc/vmstat"]
