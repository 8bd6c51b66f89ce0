"""How much of the machine may this process, and what it becomes, use?

Each function raises OSError or ValueError when that cannot be had.
"""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Mapping

from . import processes

_IOPRIO_SET = {
    "x86_64": 251,
    "i686": 289,
    "aarch64": 30,
    "riscv64": 30,
    "armv7l": 314,
    "ppc64le": 273,
    "s390x": 282,
}
_IO_CLASSES = {"realtime": 1, "best-effort": 2, "idle": 3}
_libc = ctypes.CDLL(None, use_errno=True)


def limit(limits: Mapping[str, int | str]) -> None:
    """What the kernel enforces: limits by their names (nofile, as, …), a number or unlimited."""
    for name, value in limits.items():
        number = getattr(resource, f"RLIMIT_{name.upper()}", None)
        if number is None:
            raise ValueError(f"this system has no limit {name!r}")
        amount = resource.RLIM_INFINITY if value == "unlimited" else int(value)
        try:
            resource.setrlimit(number, (amount, amount))
        except (OSError, ValueError):
            hard = resource.getrlimit(number)[1]
            raise ValueError(f"{name} {value} is above the limit this daemon itself has ({hard})") from None


def nice(value: int | None) -> None:
    """Its niceness, when one is wanted."""
    if value is not None:
        os.setpriority(os.PRIO_PROCESS, 0, value)


def io(wish: str | None) -> None:
    """Its disk priority: idle, best-effort or realtime, with a level if one is wanted (best-effort:7)."""
    if wish is None:
        return
    name, _, level = wish.partition(":")
    if processes.MACOS:
        # the disk policy of this process: 3 throttled, 1 important, 5 standard
        policy = {"idle": 3, "realtime": 1}.get(name, 5)
        failed = _libc.setiopolicy_np(0, 0, policy)
    elif os.uname().machine in _IOPRIO_SET:
        value = _IO_CLASSES[name] << 13 | int(level or (0 if name == "idle" else 4))
        failed = _libc.syscall(_IOPRIO_SET[os.uname().machine], 1, 0, value)
    else:
        raise ValueError(f"not known how on {os.uname().machine}; leave process.io out")
    if failed:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def cpu(wish: str | None) -> None:
    """Its scheduling class: normal, batch or idle."""
    if wish is None:
        return
    if processes.MACOS:
        # PRIO_DARWIN_PROCESS, PRIO_DARWIN_BG: what taskpolicy -b does; there is no batch class
        os.setpriority(4, 0, 0x1000 if wish == "idle" else 0)
        return
    policy = {"normal": os.SCHED_OTHER, "batch": os.SCHED_BATCH, "idle": os.SCHED_IDLE}[wish]
    os.sched_setscheduler(0, policy, os.sched_param(0))
