"""Do the spans count what the schedules give, each moment once, and is their fate the right one?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from operator import attrgetter

from jarvis.core.complaints import Complaints, stretch
from jarvis.core.due import Due
from jarvis.core.evidence import TICK, Counted, Evidence, Frame
from jarvis.core.run import Status, instant
from jarvis.core.settle import Pause

_FATES = (Status.MISSED, Status.SKIPPED)


def judge(evidence: Evidence, frame: Frame, due: Due, complaints: Complaints) -> None:
    """Judge every span of the job by itself and beside its neighbours."""
    ordered = sorted(evidence.spans, key=attrgetter("era", "definition", "from_at", "until_at"))
    for span in ordered:
        _judge(span, evidence, frame, due, complaints)
    for earlier, later in pairwise(ordered):
        same = (earlier.era, earlier.definition) == (later.era, later.definition)
        if same and later.from_at < earlier.until_at:
            end = min(earlier.until_at, later.until_at)
            if twice := due.count(later.era, later.definition, later.from_at, end):
                text = f"spans {earlier.id} and {later.id} both account for {twice} moments"
                complaints.say("twice", f"{text} from {instant(later.from_at)}", at=later.from_at)


def _judge(span: Counted, evidence: Evidence, frame: Frame, due: Due, complaints: Complaints) -> None:
    name = f"span {span.id} ({stretch(span.from_at, span.until_at)})"
    if span.status not in _FATES:
        text = f"{name} has the status {span.status!r}; a span is missed or skipped"
        complaints.say("span", text, at=span.from_at)
    if not span.reason.strip():
        complaints.say("reason", f"{name} is {span.status} without a reason", at=span.from_at)
    definition = evidence.definitions.get(span.definition)
    if definition is None:
        text = f"{name} is under definition {span.definition}, which is not known"
        complaints.say("definition", text, at=span.from_at)
        return
    if definition.job is None or (frame.horizon is not None and span.from_at < frame.horizon):
        return
    found = due.count(span.era, span.definition, span.from_at, span.until_at)
    if found != span.count:
        text = f"{name} counts {span.count} moments, but definition {span.definition} gives {found} there"
        complaints.say("span", text, at=span.from_at)
    if not frame.doubtful(span.from_at, span.until_at) and not frame.restored(span.from_at):
        _judge_fate(span, name, evidence.pauses, due, complaints)


def _judge_fate(span: Counted, name: str, pauses: Sequence[Pause], due: Due, complaints: Complaints) -> None:
    """Moments of a pause are skipped, and a span is skipped only for a pause."""
    surely = possibly = 0
    for pause in pauses:
        end = span.until_at if pause.until_at is None else pause.until_at
        if end < span.from_at or span.until_at <= pause.from_at:
            continue
        low = max(pause.from_at + TICK, span.from_at)
        surely += due.count(span.era, span.definition, low, min(end, span.until_at))
        # Resuming at the very instant of a moment comes too late for it.
        possibly += due.count(span.era, span.definition, low, min(end + TICK, span.until_at))
    if span.status == Status.SKIPPED and possibly < span.count:
        text = f"{name} is skipped, but the job was not paused all that time"
        complaints.say("pause", text, at=span.from_at)
    if span.status == Status.MISSED and surely:
        text = f"{name} is missed, but {surely} of its moments were in a pause"
        complaints.say("pause", text, at=span.from_at)
