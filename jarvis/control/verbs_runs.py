"""What can be asked about runs? Which there were, what one did and wrote; and it can be ended."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from jarvis.control import plain
from jarvis.control.desk import Desk
from jarvis.core import causes, triggers
from jarvis.core.run import Run
from jarvis.errors import NotFound, Refused
from jarvis.handling import rundir, transcript
from jarvis.store import bulletin, events, queries, runs

Word = Literal[
    "queued", "running", "succeeded", "failed", "timed_out", "cancelled", "lost", "skipped", "missed"
]
Limit = Annotated[int, Field(ge=1, le=10_000)]
Size = Annotated[int, Field(ge=1, le=4_194_304)]
LONGEST_CHAIN = 20
Number = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""A run's number, or a byte's: what the ledger and files can count to."""


def listing(
    desk: Desk,
    *,
    job: str | None = None,
    status: list[Word] | None = None,
    since: str | None = None,
    limit: Limit = 50,
    before: Number | None = None,
) -> list[dict[str, Any]]:
    """Runs, the newest moment first.

    Parameters:
        job: only this job's
        status: only these
        since: only moments after this, such as 2h (ago) or '2026-11-20 09:00'
        before: only what follows this run in the list: the next page
    """
    from_at = plain.past(since, desk.now()) if since else None
    with desk.database.read() as connection:
        found = queries.page(
            connection, job=job, statuses=status or (), since=from_at, before=before, limit=limit
        )
    if not found and job is not None and before is None and job not in desk.lines:
        desk.line(job)
    why = {queued.held.run.id: queued for queued in desk.queue()}
    return [plain.run(one) | {"waits": why[one.id].held.why if one.id in why else None} for one in found]


def show(desk: Desk, *, id: Number) -> dict[str, Any]:
    """One run: how far it is, why it waits, how it ended, its other attempts, and where its result went."""
    run = _run(desk, id)
    with desk.database.read() as connection:
        attempts = queries.attempts(connection, run)
        delivered = bulletin.results(connection, id)
    active = next((one for one in desk.active() if one.run.id == id), None)
    queued = next((one for one in desk.queue() if one.held.run.id == id), None)
    waiting = None
    if queued:
        waiting = {
            "why": queued.held.why,
            "on": queued.held.on,
            "position": queued.position,
            "seconds": plain.seconds(desk.now() - queued.held.since_at),
        }
    return plain.run(run) | {
        "params": dict(run.params),
        "cause": dict(run.cause),
        "because": _because(desk, run),
        "asked_for": _asked_for(desk, run),
        "pid": run.pid,
        "error": run.error,
        "waiting": waiting,
        "stopping": active.stopping if active else None,
        "progress": None if run.status.ended else rundir.read_progress(desk.instance.runs, id),
        "attempts": [
            {"id": one.id, "attempt": one.attempt, "status": one.status.value, "reason": one.reason,
             "not_before": plain.instant(one.not_before)}
            for one in attempts
        ],
        "delivered": [
            one | {"created_at": plain.instant(one["created_at"]), "sent_at": plain.instant(one["sent_at"])}
            for one in delivered
        ],
    }  # fmt: skip


def _because(desk: Desk, run: Run) -> list[str]:
    """What asked for the run, and what asked for that, back to the beginning of the chain."""
    found: list[str] = []
    one: Run | None = run
    while one is not None and len(found) < LONGEST_CHAIN and (said := causes.said(one.cause)):
        found.append(said)
        before = one.cause.get("run")
        with desk.database.read() as connection:
            one = runs.get(connection, before) if isinstance(before, int) else None
    return found


def _asked_for(desk: Desk, run: Run) -> list[dict[str, Any]]:
    """The runs of jobs that are on: this run's end."""
    if not run.status.ended:
        return []
    followers = [name for name, line in desk.lines.items() if triggers.written(line.entry.body)]
    with desk.database.read() as connection:
        found = events.caused(connection, f"run:{run.id}", followers) if followers else []
    return [{"id": one.id, "job": one.job, "attempt": one.attempt, "status": one.status} for one in found]


def _run(desk: Desk, number: int) -> Run:
    with desk.database.read() as connection:
        found = runs.get(connection, number)
        newest = queries.runs_ever(connection)
    if found is None:
        gone = (
            "was pruned"
            if number <= newest
            else f"the newest is {newest}"
            if newest
            else "there are none yet"
        )
        raise NotFound(f"no run {number} ({gone})")
    return found


def output(desk: Desk, *, id: Number, offset: Number = 0, limit: Size = 1_048_576) -> dict[str, Any]:
    """What a run has written, from a byte on. Ask again from ``next`` until ``ended``.

    Parameters:
        offset: the byte to begin at
        limit: at most about so many bytes
    """
    run = _run(desk, id)
    data, position = transcript.read(desk.instance.runs, id, offset, limit)
    # A run may end between the two looks; what it wrote last is then asked for once more.
    ended = run.status.ended and not data
    if data and (kept := desk.hide.beginning(data)) and not _at_end(desk, id, position):
        data, position = data[: len(data) - kept], position - kept
    data, cut = _whole(data) if not run.status.ended else (data, 0)
    return {
        "run": id,
        "offset": offset,
        "next": position - cut,
        "ended": ended,
        "status": run.status.value,
        "gone": ended and offset == 0 and run.output_bytes > 0,
        "text": desk.hide.redactor.data(data).decode("utf-8", "replace"),
    }


def _at_end(desk: Desk, number: int, position: int) -> bool:
    """Nothing can follow: the run has ended and everything was read."""
    result = rundir.read_result(desk.instance.runs, number)
    return result is not None and position >= result.output_bytes


def _whole(data: bytes) -> tuple[bytes, int]:
    """Without the first bytes of a character whose rest is still to come, and how many those are."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return (data[:-back], back) if needed > back else (data, 0)
        if byte < 0x80:
            break
    return data, 0


def cancel(desk: Desk, *, id: Number, reason: str = "") -> dict[str, Any]:
    """End a run that waits or is running; it is not tried again."""
    app = desk.daemon()
    run = _run(desk, id)
    if run.status.ended:
        raise Refused(f"run {id} of {run.job} has ended already: {run.status.value.replace('_', ' ')}")
    said = app.conductor.cancel(id, reason or "cancelled on request")
    return {"id": id, "job": run.job, "said": said}
