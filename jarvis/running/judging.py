"""What became of a run? From what the supervisor and the handler left to the row that is stored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from jarvis.core import wording
from jarvis.core.duration import spell
from jarvis.core.job import Job
from jarvis.core.run import Run, Status, changed
from jarvis.handling.contract import Outcome
from jarvis.handling.launch import Result
from jarvis.running import retrying
from jarvis.running.telling import alarms
from jarvis.store.journal import Note

ERROR_KEPT = 64 * 1024
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]{0,99}(: |$)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Everything that is stored together when a run ends."""

    run: Run
    retry_at: datetime | None = None
    rerun: bool = False
    notes: tuple[Note, ...] = ()
    memory: Mapping[str, Any] = field(default_factory=dict)
    forgotten: tuple[str, ...] = ()
    delivers: Job | None = None
    output: str = ""
    """The job, when it wants its result delivered, and the end of what its program wrote."""


def supervised(run: Run, job: Job, result: Result, outcome: Outcome | None, now: datetime) -> Verdict:
    """A run with a result file; ``outcome`` is what a Python handler left."""
    status, reason = _status(job, result, outcome)
    changes = {
        "status": status,
        "started_at": result.started_at,
        "ended_at": result.ended_at,
        "exit_code": result.exit_code if result.signal is None else -result.signal,
        "output_bytes": result.output_bytes,
        "output_dropped": result.output_dropped,
        "error": _clean(result.output_problem),
    }
    return _verdict(run, reason, changes, job, outcome, now)


def threaded(
    run: Run,
    job: Job,
    outcome: Outcome,
    started_at: datetime,
    ended_at: datetime,
    stopping: str | None = None,
) -> Verdict:
    """A run of a handler in one of the daemon's threads; ``stopping``: why it was told to end."""
    status, reason = _left(outcome)
    if stopping and status is Status.SUCCEEDED:
        status, reason = Status.CANCELLED, stopping
    changes = {"status": status, "started_at": started_at, "ended_at": ended_at}
    return _verdict(run, reason, changes, job, outcome, ended_at)


def overdue(run: Run, job: Job, now: datetime) -> Verdict:
    """A thread that outlives its timeout: it cannot be ended, but the run can."""
    why = "over its timeout; its thread cannot be ended and keeps its slot until it returns"
    return _verdict(run, why, {"status": Status.TIMED_OUT, "ended_at": now}, job, None, now)


def lost(run: Run, job: Job, why: str, now: datetime) -> Verdict:
    """Nobody can say how it ended. Repeated only when the job asks for it."""
    judged = _verdict(run, why, {"status": Status.LOST, "ended_at": now}, job, None, now)
    if job.service and job.thread:  # it ended with the daemon, and begins with it
        return replace(judged, notes=())
    return replace(judged, retry_at=now, rerun=True) if job.spec.on_lost == "rerun" else judged


def needs_output(judged: Verdict, job: Job) -> bool:
    """Whether what the run wrote is to be delivered, or says more about its end than Jarvis can."""
    return (judged.delivers is not None and not job.python) or any(map(_wordless, judged.notes))


def with_output(judged: Verdict, output: str) -> Verdict:
    """With the end of what the run wrote: for its delivery, and in the alert that it ended badly."""
    words = wording.last_words(_clean(output) or "")
    notes = tuple(replace(note, text=words) if _wordless(note) else note for note in judged.notes)
    return replace(judged, output=output, notes=notes)


def _wordless(note: Note) -> bool:
    return note.key == alarms.key(note.job) and not note.text


def closed(run: Run, status: Status, why: str, now: datetime) -> Run:
    """The run with an end that nobody saw."""
    return replace(run, status=status, reason=why, ended_at=now)


def refused(run: Run, job: Job | None, now: datetime) -> Verdict:
    """A run that never started. A failure to start is told; a skip or a miss if the job asks for it."""
    return Verdict(run=run, notes=alarms.outcome(run, job, now), delivers=_delivers(job))


def _verdict(
    run: Run, reason: str | None, changes: dict[str, Any], job: Job, outcome: Outcome | None, now: datetime
) -> Verdict:
    """The row with the handler's words, whether it is tried again, and what a person should hear."""
    if outcome is not None:
        changes |= {
            "result": _clean(outcome.result),
            "numbers": outcome.numbers,
            "error": "\n\n".join(filter(None, (_clean(outcome.error), changes.get("error")))) or None,
        }
    # What was said when it was queued (a retry after ..., a rerun) stays, unless its end has a reason of its own.
    run = changed(run, **changes, reason=_clean(reason) or run.reason)
    gave_up = outcome is not None and outcome.status == "gave_up"
    retry_at = None if gave_up else retrying.next_attempt_at(run, job.retry, now)
    alerts = outcome.alerts if outcome else ()
    notes = [alarms.raised(run, job, alert, now) for alert in alerts]
    notes += [alarms.resolved(run, key, now) for key in (outcome.resolved if outcome else ())]
    if retry_at is None:
        notes += alarms.outcome(run, job, now)
    return Verdict(
        run=run,
        retry_at=retry_at,
        notes=tuple(notes),
        memory=outcome.memory if outcome else {},
        forgotten=outcome.forgotten if outcome else (),
        delivers=_delivers(job),
    )


def _delivers(job: Job | None) -> Job | None:
    return job if job is not None and job.spec.deliver is not None else None


def _status(job: Job, result: Result, outcome: Outcome | None) -> tuple[Status, str | None]:
    if result.cancelled:
        return Status.CANCELLED, result.cancelled
    if result.timed_out:
        limit = f" after {spell(job.timeout)}" if job.timeout else ""
        return Status.TIMED_OUT, f"stopped{limit} (its timeout)" + _unstarted(result) + _survivors(result)
    if result.error:
        return Status.FAILED, result.error
    if result.step:
        return Status.FAILED, f"step {result.step} failed: {_exit(result)}"
    if outcome is not None and result.signal is None:
        return _left(outcome)
    if job.python and result.signal is None:
        return (
            Status.FAILED,
            f"the handler ended its process ({_exit(result)}) without saying what became of it",
        )
    if result.signal is None and result.exit_code in job.spec.success_codes and outcome is None:
        return Status.SUCCEEDED, None
    return Status.FAILED, _exit(result)


def _left(outcome: Outcome) -> tuple[Status, str | None]:
    if outcome.status == "ok":
        return Status.SUCCEEDED, None
    if outcome.status == "skipped":
        return Status.SKIPPED, outcome.result
    return Status.FAILED, ("gave up: " if outcome.status == "gave_up" else "") + _in_short(outcome.error)


def _in_short(error: str | None) -> str:
    """One line of an error: of a traceback the line that names the exception, not what its message goes on with."""
    lines = (error or "failed without a word").strip().splitlines()
    if not lines[0].startswith("Traceback"):
        return lines[-1][:500]
    innermost = max((number for number, line in enumerate(lines) if line.startswith('  File "')), default=0)
    return next((line for line in lines[innermost:] if _EXCEPTION.match(line)), lines[-1])[:500]


def _exit(result: Result) -> str:
    if result.oom:
        return "killed by signal 9 (probably out of memory)"
    if result.signal is not None:
        return f"killed by signal {result.signal}"
    return f"exit code {result.exit_code}"


def _unstarted(result: Result) -> str:
    return f"; {result.error}" if result.error else ""


def _survivors(result: Result) -> str:
    return f"; {result.survivors} of its processes had to be killed" if result.survivors else ""


def _clean(text: str | None) -> str | None:
    """Text that any database takes: no NUL, no lone surrogates, at most 64 KB."""
    if text is None:
        return None
    return text.replace("\0", "�").encode("utf-8", "replace").decode()[:ERROR_KEPT]
