"""What do this machine's clocks say, the one that sleeps with it and the one that does not?"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta

from jarvis.core.clockfacts import Reading

if sys.platform == "darwin":
    AWAKE, SINCE_BOOT = time.CLOCK_UPTIME_RAW, time.CLOCK_MONOTONIC_RAW
else:
    AWAKE, SINCE_BOOT = time.CLOCK_MONOTONIC, time.CLOCK_BOOTTIME

AT_ONCE = 0.05


def read() -> Reading:
    """All three, one right after the other. They are compared within one process only, so no boot is named."""
    while True:
        first = time.clock_gettime(AWAKE)
        wall_at, since_boot = datetime.now(UTC), time.clock_gettime(SINCE_BOOT)
        # Stopped in between, their difference would look like sleep.
        if time.clock_gettime(AWAKE) - first < AT_ONCE:
            return Reading(
                wall_at=wall_at,
                awake=timedelta(seconds=first),
                since_boot=timedelta(seconds=since_boot),
                boot_id="",
            )


def awake() -> timedelta:
    """Time awake since boot."""
    return timedelta(seconds=time.clock_gettime(AWAKE))
