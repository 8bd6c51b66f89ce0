"""Forget old history: runs, their output, the journal, events.

Parameters:
    runs: how long the rows of runs are kept
    output: how long the output of runs is kept
    journal: how long alerts that were judged, problems that are over and messages are kept
    events: how long events that were dealt with are kept
    samples: how long samples of this machine, its sleeps and small delays are kept
    pauses: how long pauses that were reviewed or dismissed are kept (the others stay)
    tickets: how long resolved tickets are kept
    memory: how long delegations and decisions that are over are kept
"""

from __future__ import annotations

from datetime import timedelta

from jarvis import Context, GiveUp


def run(
    ctx: Context,
    *,
    runs: timedelta = timedelta(days=90),
    output: timedelta = timedelta(days=30),
    journal: timedelta = timedelta(days=180),
    events: timedelta = timedelta(days=30),
    samples: timedelta = timedelta(days=30),
    pauses: timedelta = timedelta(days=90),
    tickets: timedelta = timedelta(days=180),
    memory: timedelta = timedelta(days=730),
) -> tuple[str, dict[str, float]]:
    keep = {
        "runs": runs,
        "output": output,
        "journal": journal,
        "events": events,
        "tickets": tickets,
        "samples": samples,
        "pauses": pauses,
        "memory": memory,
    }
    for name, length in keep.items():
        if length < timedelta(hours=1):
            raise GiveUp(f"{name} would be kept for less than an hour: give at least 1h")
    counts = ctx.ledger.prune(before={name: ctx.now - length for name, length in keep.items()})
    said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return f"removed {said}" if said else "nothing to remove", {
        name: float(count) for name, count in counts.items()
    }
