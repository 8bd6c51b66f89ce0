"""Does the ledger account for everything that was due? (docs/audit.md)

What was due is computed again from the definitions, terms and pauses, and compared with what the ledger says became
of it. Every broken promise is a ``Violation``; a ledger that was tampered with gives violations, never a crash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

from jarvis.core import counted, provenance
from jarvis.core.complaints import Complaints, Violation
from jarvis.core.conduct import Conduct, Together
from jarvis.core.coverage import Coverage
from jarvis.core.due import Due
from jarvis.core.evidence import Damaged, Evidence, Frame, Row
from jarvis.core.run import instant

__all__ = ["Report", "Violation", "audit", "audit_job"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What was checked and what was wrong. ``untold``: further violations of jobs that have very many."""

    violations: tuple[Violation, ...] = ()
    untold: int = 0
    jobs: int = 0
    moments: int = 0
    rows: int = 0
    spans: int = 0

    @property
    def clean(self) -> bool:
        return not self.violations

    def __str__(self) -> str:
        parts = [("moment", self.moments), ("job", self.jobs), ("row", self.rows), ("span", self.spans)]
        moments, jobs, rows, spans = (f"{count} {one}{'' if count == 1 else 's'}" for one, count in parts)
        checked = f"{moments} of {jobs} in {rows} and {spans}"
        if self.clean:
            return f"{checked}: every one is accounted for"
        found = len(self.violations) + self.untold
        return f"{checked}: {found} {'violation' if found == 1 else 'violations'}"


@dataclass(slots=True)
class _Total:
    violations: list[Violation] = field(default_factory=list)
    untold: int = 0
    jobs: int = 0
    moments: int = 0
    rows: int = 0
    spans: int = 0


def audit(jobs: Iterable[Evidence], frame: Frame) -> Report:
    """Judge every job; each is read once and then forgotten."""
    total = _Total()
    for evidence in jobs:
        found = audit_job(evidence, frame)
        total.violations += found.violations
        total.jobs += 1
        for name in ("untold", "moments", "rows", "spans"):
            setattr(total, name, getattr(total, name) + getattr(found, name))
    return Report(
        violations=tuple(total.violations),
        untold=total.untold,
        jobs=total.jobs,
        moments=total.moments,
        rows=total.rows,
        spans=total.spans,
    )


def audit_job(evidence: Evidence, frame: Frame) -> Report:
    """Judge one job: its moments, its rows, its starts, and how many ran together."""
    complaints = Complaints(evidence.job)
    for damaged in evidence.damaged:
        complaints.say("unreadable", damaged.what, runs=() if damaged.run is None else (damaged.run,))
    due, conduct = Due(evidence, frame, complaints), Conduct(evidence, frame, complaints)
    counted.judge(evidence, frame, due, complaints)
    coverage = Coverage(evidence, frame, due, complaints)
    asked, rows = _Starts(evidence, frame, complaints), 0
    for at, same in groupby(_readable(evidence.rows, complaints), key=attrgetter("scheduled_at")):
        group = list(same)
        rows += len(group)
        conduct.fires(group)
        first = [row for row in group if row.attempt == 1]
        if scheduled := [row for row in first if row.of_schedule]:
            coverage.rows(at, scheduled)
        asked.rows(first)
    coverage.finish()
    asked.finish()
    provenance.judge(evidence, frame, complaints)
    together = Together(evidence, frame, complaints)
    for begun in evidence.begun:
        together.began(begun)
    return Report(
        violations=tuple(complaints.told),
        untold=complaints.untold,
        jobs=1,
        moments=coverage.moments,
        rows=rows,
        spans=len(evidence.spans),
    )


def _readable(rows: Iterable[Row | Damaged], complaints: Complaints) -> Iterator[Row]:
    for row in rows:
        if isinstance(row, Damaged):
            complaints.say("unreadable", row.what, runs=() if row.run is None else (row.run,))
        else:
            yield row


class _Starts:
    """``start: daemon`` and ``start: boot``: one row for every start of the daemon, or the first one of a boot."""

    def __init__(self, evidence: Evidence, frame: Frame, complaints: Complaints) -> None:
        self._say = complaints.say
        self._frame = frame
        self._wanted = dict(self._expected(evidence))
        self._begun = {f"start:{name}" for start in frame.starts for name in (start.daemon, start.boot)}
        self._found: dict[str, Row] = {}

    def _expected(self, evidence: Evidence) -> Iterator[tuple[str, str]]:
        """Fires that must be there, each with what it is in words."""
        boots: set[str] = set()
        for number, start in enumerate(self._frame.starts):
            if self._frame.doubtful(start.at) or self._frame.restored(start.at):
                continue
            kinds = {
                kind
                for term in evidence.terms
                if term.from_at <= start.at and (term.until_at is None or start.at < term.until_at)
                if (definition := evidence.definitions.get(term.definition))
                for kind in definition.starts()
            }
            asked = self._frame.begin is None or start.at >= self._frame.begin
            if "daemon" in kinds and asked:
                yield f"start:{start.daemon}", f"daemon {start.daemon} started at {instant(start.at)}"
            # Of the boot that was under way when the ledger was pruned the first start is not known any more.
            known = self._frame.horizon is None or any(
                earlier.boot != start.boot for earlier in self._frame.starts[:number]
            )
            if "boot" in kinds and asked and known and start.boot not in boots:
                yield (
                    f"start:{start.boot}",
                    f"the first start after boot {start.boot} was at {instant(start.at)}",
                )
            if "boot" in kinds:
                boots.add(start.boot)

    def rows(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if row.kind != "start" or row.fire.startswith("start:mount:"):
                continue  # of a mount only the row itself is evidence
            known = self._frame.begin is None and not self._frame.restored(row.scheduled_at)
            if known and row.fire not in self._begun:
                text = f"run {row.id} says {row.fire}, but no such start of a daemon is known"
                self._say("row-not-due", text, at=row.scheduled_at, runs=(row.id,))
            self._found[row.fire] = row

    def finish(self) -> None:
        for fire, why in self._wanted.items():
            if fire not in self._found:
                self._say("no-row", f"{why}, but there is no row {fire}")
