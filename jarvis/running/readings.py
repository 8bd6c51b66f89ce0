"""What do this machine's clocks say, and when was Jarvis last alive?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jarvis.core.clockfacts import Reading


def boot_id() -> str:
    """Something that is different after every boot of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        told = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "kern.boottime"], capture_output=True, text=True, check=False
        )
        return told.stdout.split(",")[0].strip("{ \n") or "unknown boot"


if sys.platform == "darwin":
    # Both count from boot; only the second one goes on while the machine sleeps.
    _AWAKE, _SINCE_BOOT = time.CLOCK_UPTIME_RAW, time.CLOCK_MONOTONIC_RAW
else:
    _AWAKE, _SINCE_BOOT = time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME


class Clocks:
    """The machine's three clocks, read together."""

    def __init__(self) -> None:
        self.boot_id = boot_id()

    def read(self) -> Reading:
        return Reading(
            wall_at=datetime.now(UTC),
            awake=timedelta(seconds=time.clock_gettime(_AWAKE)),
            since_boot=timedelta(seconds=time.clock_gettime(_SINCE_BOOT)),
            boot_id=self.boot_id,
        )


class Heartbeat:
    """The last pass, in a file: what ``status`` judges life by and the next start judges downtime by."""

    SIZE = 512

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def beat(self, reading: Reading, passes: int) -> None:
        """Overwrite the file in one write of fixed length."""
        said = json.dumps(
            {
                "wall": reading.wall_at.timestamp(),
                "awake": reading.awake.total_seconds(),
                "since_boot": reading.since_boot.total_seconds(),
                "boot_id": reading.boot_id,
                "pid": os.getpid(),
                "passes": passes,
            }
        )
        os.pwrite(self._fd, said.ljust(self.SIZE - 1).encode() + b"\n", 0)

    def close(self) -> None:
        os.close(self._fd)


def last_heartbeat(path: Path) -> Reading | None:
    """The reading in a heartbeat file; None when there is none or it cannot be read."""
    try:
        said = json.loads(path.read_text())
        return Reading(
            wall_at=datetime.fromtimestamp(said["wall"], UTC),
            awake=timedelta(seconds=said["awake"]),
            since_boot=timedelta(seconds=said["since_boot"]),
            boot_id=str(said["boot_id"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
