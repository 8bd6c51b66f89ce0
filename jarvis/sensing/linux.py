"""What does Linux say about itself right now?

Files of /proc and /sys are opened once and read again from their beginning. A file that is not there (a container
without pressure stall information, a sandbox) leaves its values unknown.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from jarvis.core.vitals import Counters
from jarvis.sensing import clocks

T = TypeVar("T")
NOTHING: Mapping[str, Any] = {}
SECTOR = 512
SMALL, LARGE = 8_192, 262_144
AT_MOST = 4
"""Sensors of one kind that are read each time."""
NO_DISK = ("loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd")
NO_NET = ("lo", "veth", "docker", "br-", "virbr", "cni", "cali", "tun", "tap")
PROCESSOR = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal", "x86_pkg_temp", "soc_thermal")


class _File:
    """A file that is read again and again."""

    def __init__(self, path: Path, size: int = SMALL) -> None:
        self._size = size
        try:
            self._fd: int | None = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._fd = None

    def read(self) -> bytes | None:
        """Its content; None where there is none, or none any more."""
        if self._fd is None:
            return None
        try:
            return os.pread(self._fd, self._size, 0) or None
        except OSError:
            return None

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class Sensors:
    """Everything that is read each time; to be made and used by one thread, whose waiting it measures."""

    def __init__(self, proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> None:
        self._sys = sys
        self._tick = os.sysconf("SC_CLK_TCK")
        self._cores = os.cpu_count() or 1
        self._wholes: dict[bytes, bool] = {}
        self._pressure = {name: _File(proc / "pressure" / name) for name in ("cpu", "memory", "io")}
        self._stat = _File(proc / "stat", LARGE)
        self._vmstat = _File(proc / "vmstat", SMALL * 2)
        self._memory = _File(proc / "meminfo")
        self._load = _File(proc / "loadavg")
        self._own = _File(proc / "thread-self" / "schedstat")
        self._disks = _File(proc / "diskstats", LARGE)
        self._net = _File(proc / "self" / "net" / "dev", LARGE)
        self._quota = [_File(group / "cpu.stat") for group in _known(lambda: _groups(proc, sys), [sys])]
        self._heat = _files(_thermometers(sys))
        self._speed = _files(sorted(sys.glob("devices/system/cpu/cpufreq/policy*/scaling_cur_freq")))
        self._slowed = _files(sorted(sys.glob("devices/system/cpu/cpu*/thermal_throttle/*_throttle_count")))
        self._gpu = _files(sorted(sys.glob("class/drm/card*/device/gpu_busy_percent")))

    def read(self) -> Counters:
        """One look. Costs about a third of a millisecond."""
        return Counters(
            clocks=clocks.read(),
            cores=self._cores,
            own_cpu=timedelta(seconds=time.process_time()),
            own_wait=_known(self._waited, None),
            **_known(self._processors, NOTHING),
            load=_known(lambda: _first(self._load.read()), None),
            **_memory(self._memory.read()),
            **_known(self._written, NOTHING),
            **_known(lambda: _sent(self._net.read()), NOTHING),
            temperature=_highest(self._heat, 0.001),
            frequency=_mean(self._speed, 0.001),
            throttles=_sum(self._slowed),
            gpu=_highest(self._gpu, 1),
            quota_hits=_known(self._used_up, None),
            **_known(self._stalls, NOTHING),
            **_paging(self._vmstat.read()),
        )

    def close(self) -> None:
        """Give the files back."""
        for value in vars(self).values():
            for each in (
                value.values() if isinstance(value, dict) else value if isinstance(value, list) else (value,)
            ):
                if isinstance(each, _File):
                    each.close()

    def _waited(self) -> timedelta | None:
        """How long this thread was ready to run and had no processor."""
        words = (self._own.read() or b"").split()
        return timedelta(microseconds=int(words[1]) / 1000) if len(words) > 1 else None

    def _used_up(self) -> int | None:
        """How often a CPU quota was used up: its own group's, or that of a group around it."""
        counts = [_after(file.read(), b"nr_throttled ") for file in self._quota]
        known = [count for count in counts if count is not None]
        return sum(known) if known else None

    def _processors(self) -> Mapping[str, Any]:
        line = (self._stat.read() or b"").partition(b"\n")[0].split()
        if len(line) < 9 or line[0] != b"cpu":
            return {}
        ticks = [int(word) for word in line[1:9]]  # what guests used is in the first two already
        whole = sum(ticks)
        seconds = (whole - ticks[3] - ticks[4], whole, ticks[7])
        busy, accounted, steal = (timedelta(seconds=each / self._tick) for each in seconds)
        return {"busy": busy, "accounted": accounted, "steal": steal}

    def _written(self) -> Mapping[str, Any]:
        data = self._disks.read()
        if data is None:
            return {}
        read = written = 0
        for line in data.splitlines():
            words = line.split()
            if len(words) > 9 and self._whole(words[2]):
                read += int(words[5])
                written += int(words[9])
        return {"disk_read": read * SECTOR, "disk_written": written * SECTOR}

    def _whole(self, name: bytes) -> bool:
        """A disk of its own: not a part of one, and not made of others (their bytes would count twice)."""
        if (known := self._wholes.get(name)) is None:
            text = os.fsdecode(name)
            known = not text.startswith(NO_DISK) and (self._sys / "block" / text).exists()
            self._wholes[name] = known
        return known

    def _stalls(self) -> Mapping[str, Any]:
        cpu, memory, io = (self._pressure[name].read() for name in ("cpu", "memory", "io"))
        return {
            "stall_cpu": _stalled(cpu, b"some"),
            "stall_memory": _stalled(memory, b"some"),
            "stall_memory_full": _stalled(memory, b"full"),
            "stall_io": _stalled(io, b"some"),
            "stall_io_full": _stalled(io, b"full"),
        }


def _known(ask: Callable[[], T], otherwise: T) -> T:
    """What a file says; nothing when it is not written as it should be: then it is unknown."""
    try:
        return ask()
    except (ValueError, IndexError):
        return otherwise


def _files(paths: Iterable[Path]) -> list[_File]:
    return [_File(path, 64) for path in list(paths)[:AT_MOST]]


def _groups(proc: Path, sys: Path) -> list[Path]:
    """The folders of this process' control group for processors and of all groups around it."""
    root = sys / "fs" / "cgroup"
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return [root]
    own = next((line[3:] for line in lines if line.startswith("0::")), "/")
    for line in sorted(lines, reverse=True):  # version 1's, where there is one, has the quota
        _, controllers, path = line.split(":", 2)
        if "cpu" in controllers.split(","):
            root, own = root / "cpu", path
            break
    inner = Path(own.lstrip("/"))
    return [root / inner, *(root / outer for outer in inner.parents)]


def _thermometers(sys: Path) -> list[Path]:
    """The processor's own where there are any, else every zone's."""
    found = [
        path
        for chip in sorted(sys.glob("class/hwmon/hwmon*"))
        if _text(chip / "name") in PROCESSOR
        for path in sorted(chip.glob("temp*_input"))
    ]
    zones = sorted(sys.glob("class/thermal/thermal_zone*"))
    near = [zone / "temp" for zone in zones if _text(zone / "type") in PROCESSOR]
    return found or near or [zone / "temp" for zone in zones]


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def _first(data: bytes | None) -> float | None:
    return float(data.split(None, 1)[0]) if data else None


def _after(data: bytes | None, name: bytes) -> int | None:
    """The number behind a name at the beginning of a line."""
    if data is None:
        return None
    place = 0 if data.startswith(name) else data.find(b"\n" + name) + 1
    if not place and not data.startswith(name):
        return None
    found = re.compile(rb"\s*(\d+)").match(data, place + len(name))
    return int(found[1]) if found else None


def _kilobytes(data: bytes | None, name: bytes) -> int | None:
    found = _after(data, name)
    return None if found is None else found * 1024


def _memory(data: bytes | None) -> dict[str, Any]:
    swap, free = _kilobytes(data, b"SwapTotal:"), _kilobytes(data, b"SwapFree:")
    return {
        "memory_total": _kilobytes(data, b"MemTotal:"),
        "memory_available": _kilobytes(data, b"MemAvailable:"),
        "swap_total": swap,
        "swap_used": None if swap is None or free is None else swap - free,
    }


def _sent(data: bytes | None) -> Mapping[str, Any]:
    if data is None:
        return {}
    received = sent = 0
    for line in data.splitlines()[2:]:
        name, _, counts = line.decode(errors="replace").partition(":")
        words = counts.split()
        if len(words) > 8 and not name.strip().startswith(NO_NET):
            received += int(words[0])
            sent += int(words[8])
    return {"net_received": received, "net_sent": sent}


def _stalled(data: bytes | None, line: bytes) -> timedelta | None:
    """The total of a line of pressure stall information."""
    for each in (data or b"").splitlines():
        if each.startswith(line):
            return timedelta(microseconds=int(each.rpartition(b"total=")[2]))
    return None


def _paging(data: bytes | None) -> dict[str, Any]:
    names = {
        "faults": b"pgmajfault ",
        "swapped_in": b"pswpin ",
        "swapped_out": b"pswpout ",
        "killed": b"oom_kill ",
    }
    return {field: _after(data, name) for field, name in names.items()}


def _numbers(files: list[_File]) -> list[int]:
    found = ((file.read() or b"").strip() for file in files)
    return [int(text) for text in found if text.lstrip(b"-").isdigit()]


def _highest(files: list[_File], unit: float) -> float | None:
    return max((round(number * unit, 1) for number in _numbers(files)), default=None)


def _mean(files: list[_File], unit: float) -> float | None:
    known = _numbers(files)
    return round(sum(known) * unit / len(known), 1) if known else None


def _sum(files: list[_File]) -> int | None:
    known = _numbers(files)
    return sum(known) if known else None
