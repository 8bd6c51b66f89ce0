"""What can be asked about this machine's pauses and stress? And what a person says to a pause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from jarvis.control import plain
from jarvis.control.desk import Desk
from jarvis.store import samples as samples_module
from jarvis.store import stalls
from jarvis.store.samples import Samples
from jarvis.store.stalls import Stall

Review = Literal["unreviewed", "reviewed", "pinned", "dismissed"]
Limit = Annotated[int, Field(ge=1, le=10_000)]
Number = Annotated[int, Field(ge=0, le=2**63 - 1)]
Hours = Annotated[float, Field(gt=0, le=24 * 366)]

FRESH = timedelta(seconds=30)
"""A sampler that has not looked for so long is not at work."""
DAY = timedelta(hours=24)
MEANS = (
    "cpu", "load", "memory_available", "swap", "disk_read", "disk_written", "net_received", "net_sent", "temperature",
    "stall_cpu", "stall_memory_full", "stall_io_full",
)  # fmt: skip


def listing(
    desk: Desk,
    *,
    review: list[Review] | None = None,
    everything: bool = False,
    since: str | None = None,
    limit: Limit = 50,
) -> list[dict[str, Any]]:
    """Pauses and snapshots, the newest first.

    Parameters:
        review: only these
        everything: also sleeps and set clocks, which are only noted
        since: only what ended after this, such as 2h (ago) or '2026-11-20 09:00'
    """
    kinds = (*stalls.EVENTS, "sleep", "step") if everything else stalls.EVENTS
    from_at = plain.past(since, desk.now()) if since else None
    found = Samples(desk.database).stalls.newest(
        kinds=kinds, reviews=review or (), since=from_at, limit=limit
    )
    return [_said(desk, stall) for stall in found]


def show(desk: Desk, *, id: Number) -> dict[str, Any]:
    """One pause: why, what the machine was like around it, and where its evidence is."""
    store = Samples(desk.database)
    stall = store.stalls.get(id)
    around = store.between(stall.from_at - timedelta(seconds=60), stall.until_at + timedelta(seconds=30))
    return _said(desk, stall) | {
        "evidence": dict(stall.evidence or {}),
        "samples": [_row(one) for one in around],
        "files": _files(_folder(desk, stall)),
    }


def mark(desk: Desk, *, id: Number, review: Review, note: str | None = None) -> dict[str, Any]:
    """Say what you made of a pause. Reviewed and dismissed ones are forgotten after 90 days, others never.

    Parameters:
        note: a word about it; an empty one takes the old away
    """
    return _said(desk, Samples(desk.database).stalls.mark(id, review, note, desk.now()))


def status(desk: Desk) -> dict[str, Any]:
    """Is the machine being sampled, how is it, and what does it not tell?"""
    if not desk.began:
        return _nothing() | {"last_sample_at": None, "missing": [], "small_delays": [], "unreviewed": 0}
    store = Samples(desk.database)
    now, last = desk.now(), store.newest()
    noted = store.noted()
    missing, _ = noted.get("missing", ([], now))
    unreviewed = store.stalls.newest(reviews=("unreviewed",), limit=10_000)
    return sampled(desk, now) | {
        "sampling": _fresh(last, now),
        "last_sample_at": plain.instant(last["at"]) if last else None,
        "missing": missing,
        "unreviewed": len(unreviewed),
        "small_delays": [
            {"hour_at": plain.instant(one["hour_at"]), "from_seconds": one["bound"], "count": one["count"],
             "longest_seconds": round(one["longest"], 3)}
            for one in store.hiccups(now - DAY)
        ],
    }  # fmt: skip


def sampled(desk: Desk, now: datetime) -> dict[str, Any]:
    """What ``status`` of all of Jarvis says about sampling."""
    if not desk.began:
        return _nothing()
    store = Samples(desk.database)
    last = store.newest()
    if last is None and not store.stalls.count():
        return _nothing()
    mood, _ = store.noted().get("mood", ({}, now))
    fresh = _fresh(last, now)
    return {
        "sample_count": store.count(),
        "event_count": store.stalls.count(),
        "current_stress": last["stress"] if fresh and last else None,
        "elevated_since": _utc(mood.get("since")) if fresh and mood.get("elevated") else None,
    }


def _nothing() -> dict[str, Any]:
    return {"sample_count": 0, "event_count": 0, "current_stress": None, "elevated_since": None}


def _utc(text: str | None) -> str | None:
    return plain.instant(datetime.fromisoformat(text)) if text else None


def _fresh(last: Mapping[str, Any] | None, now: datetime) -> bool:
    return last is not None and abs(now - last["at"]) < FRESH + 3 * timedelta(seconds=last["interval"] or 0)


def history(desk: Desk, *, hours: Hours = 24, every: float | None = None) -> list[dict[str, Any]]:
    """Samples of the last hours, oldest first.

    Parameters:
        every: so many seconds in one line, with means (stress: also the highest); without it every sample
    """
    now = desk.now()
    from_at = now - timedelta(hours=hours)
    found = Samples(desk.database).between(from_at, now)
    if every is None:
        return [_row(one) for one in found]
    length = timedelta(seconds=max(every, 1.0))
    return [_mean(at, some) for at, some in samples_module.buckets(found, from_at, length)]


def _row(sample: Mapping[str, Any]) -> dict[str, Any]:
    return {"at": plain.instant(sample["at"])} | {
        name: value for name, value in sample.items() if name not in ("id", "at")
    }


def _mean(at: datetime, some: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    known = [sample["stress"] for sample in some if sample["stress"] is not None]
    means = {name: _middle([sample[name] for sample in some if sample[name] is not None]) for name in MEANS}
    return {
        "at": plain.instant(at),
        "samples": len(some),
        "stress": _middle(known),
        "stress_highest": max(known, default=None),
        **means,
        "throttled": any(sample["throttled"] for sample in some)
        if any(sample["throttled"] is not None for sample in some)
        else None,
    }


def _middle(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 2) if values else None


def _said(desk: Desk, stall: Stall) -> dict[str, Any]:
    folder = _folder(desk, stall)
    return {
        "id": stall.id,
        "kind": stall.kind,
        "from_at": plain.instant(stall.from_at),
        "until_at": plain.instant(stall.until_at),
        "seconds": plain.seconds(stall.gap),
        "expected_seconds": plain.seconds(stall.expected),
        "surplus_seconds": plain.seconds(stall.surplus),
        "ratio": stall.ratio,
        "cause": stall.cause,
        "why": stall.why,
        "stress": stall.stress,
        "factors": dict(stall.factors or {}),
        "capture": stall.capture,
        "capture_why": stall.capture_why,
        "directory": str(folder) if folder else None,
        "review": stall.review,
        "note": stall.note,
        "reviewed_at": plain.instant(stall.reviewed_at),
    }


def _folder(desk: Desk, stall: Stall) -> Path | None:
    return desk.instance.state / "pauses" / stall.directory if stall.directory else None


def _files(folder: Path | None) -> list[dict[str, Any]]:
    if folder is None or not folder.is_dir():
        return []
    return [{"name": file.name, "bytes": file.stat().st_size} for file in sorted(folder.iterdir())]
