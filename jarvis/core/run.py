"""What became of a fire: statuses, the names of fires, and the run as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Where a run stands. The last four are always stored with a reason in words."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"
    SKIPPED = "skipped"
    MISSED = "missed"

    @property
    def ended(self) -> bool:
        return self not in (Status.QUEUED, Status.RUNNING)

    @property
    def bad(self) -> bool:
        """A person should hear about it."""
        return self in (Status.FAILED, Status.TIMED_OUT, Status.LOST)

    @property
    def retryable(self) -> bool:
        return self in (Status.FAILED, Status.TIMED_OUT)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One row of the ledger: one attempt at one fire of one job.

    ``scheduled_at`` is the due moment (for a manual, event or start fire: when it was asked for).
    ``not_before`` holds a retry or a jittered fire back. ``cause``: the event, run or change that asked for it
    (empty for moments of a schedule). Instants are aware UTC.
    """

    id: int
    job: str
    fire: str
    attempt: int
    status: Status
    scheduled_at: datetime
    queued_at: datetime
    not_before: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None
    definition: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    cause: Mapping[str, Any] = field(default_factory=dict)
    pid: int | None = None
    exit_code: int | None = None
    result: str | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    output_bytes: int = 0
    output_dropped: int = 0

    @property
    def manual(self) -> bool:
        return self.fire.startswith("manual:")

    @property
    def caused(self) -> bool:
        """An event or the end of another run asked for it: nothing asks again if it does not run."""
        return self.fire.startswith(("event:", "run:"))

    @property
    def scheduled(self) -> bool:
        return self.fire.startswith("schedule:")


def changed(run: Run, **changes: Any) -> Run:
    """dataclasses.replace for runs, ten times as fast: ten thousand of them may change within a second.

    This is why a run has no slots: its fields are copied as one dictionary.
    """
    new: Run = object.__new__(Run)
    new.__dict__.update(run.__dict__, **changes)
    return new


def instant(at: datetime) -> str:
    """The text of an instant in fire keys: UTC, to the second unless it has a fraction."""
    text = at.astimezone(UTC).isoformat()
    return text.replace("+00:00", "Z")


def schedule_fire(at: datetime, *, repeat: int = 1, era: int = 0) -> str:
    """``schedule:<instant>``, ``#2`` for a repeat of one instant, ``@1`` after a backward clock step."""
    key = f"schedule:{instant(at)}"
    if repeat > 1:
        key += f"#{repeat}"
    if era:
        key += f"@{era}"
    return key
