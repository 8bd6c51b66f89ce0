"""Did what asked for each run happen, and did each end and each event get the runs that are ``on:`` it?"""

from __future__ import annotations

from collections.abc import Callable

from jarvis.core import triggers
from jarvis.core.complaints import Complaints
from jarvis.core.evidence import Caused, Definition, Evidence, Frame
from jarvis.core.run import Status, instant

_STATUSES = frozenset(Status)


def judge(evidence: Evidence, frame: Frame, complaints: Complaints) -> None:
    """Every cause is there and asks for this job; every end and event that asks for it has its row."""
    for row in evidence.caused:
        if frame.restored(row.at):
            continue
        why = (
            _of_event(row, evidence, frame)
            if row.fire.startswith("event:")
            else _of_run(row, evidence, frame)
        )
        if why:
            complaints.say("cause", f"run {row.id} {why}", at=row.at, runs=(row.id,))
    for one in evidence.unanswered:
        if not (frame.doubtful(one.at) or frame.restored(one.at)):
            text = f"{one.what} at {instant(one.at)}, but the job, which is on: it, has no row for that"
            complaints.say("no-row", text, at=one.at)


def _of_run(row: Caused, evidence: Evidence, frame: Frame) -> str | None:
    number = row.fire[4:]
    if not number.isdecimal() or int(number) >= row.id:
        return f"says {row.fire}, which is no run before it"
    if not row.there:
        return None if frame.horizon else f"follows run {number}, which is not in the ledger"
    if row.status not in _STATUSES or not Status(row.status).ended:
        return f"follows run {number}, which is {row.status}"
    if row.again:
        return f"follows run {number}, which was tried again"
    definition = evidence.definitions.get(row.definition or 0)
    if definition is None or definition.job is None:
        return None
    ended = Status(row.status)
    if any(on.job == row.job and ended in triggers.statuses(on) for on in triggers.ons_of(definition.job)):
        return None
    return f"follows run {number} of {row.job}, which ended {ended.value}; its definition is not on: that"


def _of_event(row: Caused, evidence: Evidence, frame: Frame) -> str | None:
    number = row.fire[6:]
    if not number.isdecimal():
        return f"says {row.fire}, which is no event"
    if not row.there:
        pruned = int(number) <= frame.events_pruned
        return None if pruned else f"is for event {number}, which is not in the ledger"
    # A ledger that was restored does not know which jobs a lost event was for.
    if row.jobs not in (None, "[]") and f'"{evidence.job}"' not in (row.jobs or ""):
        return f"is for event {number}, which did not ask for this job"
    if row.fits is False and row.jobs != "[]":
        return f"is for event {number}, which its definition does not ask for"
    return None


def fits(
    definition: Definition | None, source: str, event_type: str, payload: Callable[[], object]
) -> bool | None:
    """Whether a definition asks for an event; None when that cannot be told. Raises ValueError for a bad payload."""
    if definition is None or definition.job is None:
        return None
    return any(triggers.matches(on, source, event_type, payload) for on in triggers.ons_of(definition.job))


def follows(definition: Definition) -> list[tuple[str, frozenset[Status]]]:
    """The jobs whose ends this definition is on, and which ends."""
    if definition.job is None:
        return []
    return [(on.job, triggers.statuses(on)) for on in triggers.ons_of(definition.job) if on.job is not None]


def listens(definition: Definition) -> bool:
    """Whether events ask for it."""
    return definition.job is not None and any(on.event for on in triggers.ons_of(definition.job))
