"""What should a person hear of missed moments? One notice for all of them, and what jobs ask for themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from jarvis.core.alert import Wanted
from jarvis.core.run import Run, Status
from jarvis.running.telling import alarms
from jarvis.running.timetable import Decisions, Line
from jarvis.store.journal import Note

JOBS_SHOWN = 50


def notes(decisions: Decisions, now: datetime) -> list[Note]:
    """The notice that names every job with how much it missed, and alerts of jobs with ``alert: {on: [missed]}``."""
    counts: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    lines: dict[str, Line] = {}
    for line, count, reason in _missed(decisions):
        counts[line.name] += count
        reasons.setdefault(line.name, reason)
        lines[line.name] = line
    if not counts:
        return []
    asked = [
        note
        for name, line in lines.items()
        if "missed" in (line.entry.body.get("alert") or {}).get("on", ())
        for note in alarms.outcome(_run(line, reasons[name], now), line.job, now, times=counts[name])
    ]
    return [_notice(counts, reasons, now), *asked]


def _missed(decisions: Decisions) -> Iterable[tuple[Line, int, str]]:
    for line, span in decisions.spans:
        if span.status is Status.MISSED:
            yield line, span.count, span.reason
    for line, fire in decisions.fires:
        if fire.status is Status.MISSED:
            yield line, 1, fire.reason or ""


def _notice(counts: Counter[str], reasons: dict[str, str], now: datetime) -> Note:
    total, jobs = sum(counts.values()), len(counts)
    what = "1 moment was" if total == 1 else f"{total:,} moments were"
    whose = f"of {next(iter(counts))}" if jobs == 1 else f"of {jobs:,} jobs"
    said = [f"{name}: {count:,} ({reasons[name]})" for name, count in counts.most_common(JOBS_SHOWN)]
    if jobs > JOBS_SHOWN:
        rest = counts.most_common()[JOBS_SHOWN:]
        said.append(f"and {len(rest):,} more jobs: {sum(count for _, count in rest):,}")
    return Note(
        at=now,
        severity="info",
        kind="notice",
        title=f"{what} missed {whose}",
        text="\n".join(said),
        wanted=Wanted(root="missed"),
    )


def _run(line: Line, reason: str, now: datetime) -> Run:
    """What stands for the missed moments of a job; it is no row of the ledger."""
    return Run(
        id=0, job=line.name, fire="", attempt=1, status=Status.MISSED, scheduled_at=now, queued_at=now,
        reason=reason,
    )  # fmt: skip
