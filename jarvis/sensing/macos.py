"""What does macOS say about itself right now, to somebody who is not root?

Memory pressure and thermal level come from the kernel and the notification centre, the rest from psutil. Nobody
tells a process there how long it waited for a processor, so that stays unknown.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from jarvis.core.vitals import Counters
from jarvis.sensing import clocks

PRESSURE = b"kern.memorystatus_vm_pressure_level"
AVAILABLE = b"kern.memorystatus_level"
THERMAL = b"com.apple.system.thermalpressurelevel"
NOMINAL = 0

Ask = Callable[[bytes], int | None]


class Sensors:
    """``number`` asks the kernel for a number by its name, ``thermal`` for the thermal level (0 is nominal)."""

    def __init__(self, number: Ask | None = None, thermal: Callable[[], int | None] | None = None) -> None:
        library = None if number and thermal else _library()
        self._number = number or Sysctl(library)
        self._thermal = thermal or Notified(library, THERMAL)
        self._cores = os.cpu_count() or 1

    def read(self) -> Counters:
        """One look."""
        level = self._thermal()
        return Counters(
            clocks=clocks.read(),
            cores=self._cores,
            own_cpu=timedelta(seconds=time.process_time()),
            load=os.getloadavg()[0],
            throttled=None if level is None else level > NOMINAL,
            pressure_level=self._number(PRESSURE),
            **_processors(),
            **self._memory(),
            **_traffic(),
        )

    def close(self) -> None:
        """There is nothing to give back."""

    def _memory(self) -> dict[str, Any]:
        """The kernel's own per cent of what is available, where it says one."""
        import psutil

        found, swap = psutil.virtual_memory(), psutil.swap_memory()
        level = self._number(AVAILABLE)
        available = found.available if level is None else found.total * level // 100
        return {
            "memory_total": found.total,
            "memory_available": available,
            "swap_total": swap.total,
            "swap_used": swap.used,
        }


def _processors() -> dict[str, Any]:
    import psutil

    times = psutil.cpu_times()
    whole = sum(times)
    return {
        "busy": timedelta(seconds=whole - times.idle - getattr(times, "iowait", 0.0)),
        "accounted": timedelta(seconds=whole),
    }


def _traffic() -> dict[str, Any]:
    import psutil

    disks, nets = psutil.disk_io_counters(), psutil.net_io_counters(pernic=True)
    real = [count for name, count in nets.items() if not name.startswith(("lo", "utun", "bridge", "awdl"))]
    return {
        "disk_read": disks.read_bytes if disks else None,
        "disk_written": disks.write_bytes if disks else None,
        "net_received": sum(count.bytes_recv for count in real),
        "net_sent": sum(count.bytes_sent for count in real),
    }


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


class Sysctl:
    """Numbers of the kernel by name; None where it has none of that name."""

    def __init__(self, library: ctypes.CDLL | None) -> None:
        self._ask = getattr(library, "sysctlbyname", None)

    def __call__(self, name: bytes) -> int | None:
        if self._ask is None:
            return None
        value, size = ctypes.c_int(), ctypes.c_size_t(ctypes.sizeof(ctypes.c_int))
        failed = self._ask(name, ctypes.byref(value), ctypes.byref(size), None, ctypes.c_size_t(0))
        return None if failed else value.value


class Notified:
    """The state that a notification carries; None where it cannot be registered for."""

    def __init__(self, library: ctypes.CDLL | None, name: bytes) -> None:
        self._state = getattr(library, "notify_get_state", None)
        register = getattr(library, "notify_register_check", None)
        self._token = ctypes.c_int(-1)
        if register is None or register(name, ctypes.byref(self._token)) != 0:
            self._state = None

    def __call__(self) -> int | None:
        if self._state is None:
            return None
        value = ctypes.c_uint64()
        return None if self._state(self._token, ctypes.byref(value)) else value.value
