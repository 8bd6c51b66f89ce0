"""How long after its moment does a run with jitter start?"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from jarvis.core.when import Jitter

_RANGE = 1 << 64


def delay(job_name: str, at: datetime, jitter: Jitter) -> timedelta:
    """Between 0 and ``jitter.max``, always the same for a job and moment (``fixed``: for a job)."""
    text = job_name if jitter.fixed else f"{job_name} {at.astimezone(UTC).isoformat()}"
    drawn = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    whole = jitter.max // timedelta(microseconds=1)
    return timedelta(microseconds=drawn * (whole + 1) // _RANGE)
