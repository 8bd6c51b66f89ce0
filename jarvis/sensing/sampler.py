"""What does one look at the machine lead to? A sample, perhaps a pause or a snapshot, and when to look again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from jarvis.core import pauses, stress, vitals
from jarvis.core.pauses import Finding
from jarvis.core.stress import Baseline, Factors, Kind, Mood
from jarvis.core.vitals import Counters
from jarvis.sensing import processes
from jarvis.sensing.capture import Moment
from jarvis.sensing.powermetrics import Power
from jarvis.store.samples import Batch, Sample, Workers
from jarvis.store.stalls import EVENTS, Stall

RISE = 10
"""Points more than at the last look: who works is looked at, too."""
SCAN_AGAIN = timedelta(seconds=5)
LEARNED = timedelta(minutes=1)
"""How often what was learned is written."""
FRESH = timedelta(minutes=1)
NAMES = {
    "stall_cpu": "pressure stall information", "own_wait": "own waiting for a processor", "accounted": "processor time",
    "steal": "time stolen by the host", "load": "load", "memory_available": "memory", "disk_read": "disk traffic",
    "net_received": "network traffic", "temperature": "temperature", "frequency": "frequency", "gpu": "gpu",
    "quota_hits": "CPU quota",
}  # fmt: skip
"""What a machine can be silent about, as a person says it."""


class Sensors(Protocol):
    """What looks at the machine."""

    def read(self) -> Counters: ...

    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How often the machine is looked at, and how often who works on it."""

    normal: timedelta = timedelta(seconds=5)
    elevated: timedelta = timedelta(seconds=1)
    scan: timedelta = timedelta(seconds=30)
    judge: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What a look gave: what to write, what to capture, what to tell, and how long until the next one."""

    batch: Batch
    moments: Sequence[Moment] = ()
    due: Sequence[Kind] = ()
    next_in: timedelta = timedelta(0)


@dataclass(slots=True)
class Sampler:
    """Remembers the last look. For one thread."""

    sensors: Sensors
    table: processes.Table
    pace: Pace
    capture: bool = True
    power: Callable[[], Power | None] | None = None
    baseline: Baseline = field(default_factory=Baseline)
    mood: Mood = field(default_factory=Mood)
    last: Counters | None = None
    factors: Factors = field(default_factory=Factors)
    workers: Workers | None = None
    tasks: Sequence[Mapping[str, Any]] = ()
    taken: int = 0
    _expected: timedelta = timedelta(0)
    _scanned: timedelta | None = None
    _learned: timedelta | None = None

    def look(self) -> Look:
        """Look at the machine:

        1. What happened to time since the last look, and how the machine was.
        2. The stress of that, and the mood that follows.
        3. Who works, when that is due, the stress rose, or there was a pause.
        4. Everything to write, in one batch.
        """
        now, before = self._read(), self.last
        finding, late = self._judge(before, now)
        sample, before_it = self._sample(before, now), self.factors
        mood, due = self.mood.next(sample.factors.total, now.clocks.awake)
        due = (
            (*due, "pause")
            if finding and finding.kind == "pause" and mood.cool("pause", now.clocks.awake)
            else due
        )
        turned = mood.elevated != self.mood.elevated or before is None
        self.mood = mood.gave("pause", now=now.clocks.awake) if "pause" in due else mood
        sample = replace(sample, state=self.mood.name)
        found, table = self._scan(now, finding, sample.factors.total, before_it.total)
        stalls = [
            *self._pause(finding, before, now, before_it, due),
            *self._snapshot(due, now, sample.factors),
        ]
        moments = [
            Moment(
                stall=stall,
                before=before,
                after=now,
                workers_before=self.workers,
                found=tuple(found),
                tasks=self.tasks,
            )
            for stall in stalls
            if stall.kind in EVENTS
        ]
        notes = self._notes(now, turned)
        self._remember(now, sample, table)
        return Look(
            batch=Batch(
                sample=sample, workers=[table] if table else [], stalls=stalls, late=late, notes=notes
            ),
            moments=moments,
            due=due,
            next_in=self._expected,
        )

    def _read(self) -> Counters:
        now = self.sensors.read()
        if self.power is None or (more := self.power()) is None:
            self.tasks = ()
            return now
        self.tasks = more.tasks[: processes.MOST_CPU]
        return replace(
            now,
            frequency=now.frequency if more.frequency is None else more.frequency,
            gpu=now.gpu if more.gpu is None else more.gpu,
            throttled=now.throttled if more.throttled is None else more.throttled,
        )

    def _judge(
        self, before: Counters | None, now: Counters
    ) -> tuple[Finding | None, tuple[float, timedelta] | None]:
        if before is None or not self.pace.judge:
            return None, None
        evidence = pauses.weigh(before, now, self._expected)
        finding = pauses.find(evidence)
        bound = None if finding else pauses.bucket(evidence.surplus)
        return finding, None if bound is None else (bound, evidence.surplus)

    def _sample(self, before: Counters | None, now: Counters) -> Sample:
        seen = vitals.between(before, now)
        gap = None if before is None else now.clocks.since_boot - before.clocks.since_boot
        late = None
        if before is not None and self._expected:
            late = (now.clocks.awake - before.clocks.awake) / self._expected
        factors = stress.factors(seen, cores=now.cores, late=late, baseline=self.baseline)
        return Sample(
            at=now.clocks.wall_at,
            interval=None if before is None else self._expected,
            gap=gap,
            vitals=seen,
            factors=factors,
            state=self.mood.name,
        )

    def _scan(
        self, now: Counters, finding: Finding | None, points: int | None, before: int | None
    ) -> tuple[list[processes.Process], Workers | None]:
        awake = now.clocks.awake
        passed = None if self._scanned is None else awake - self._scanned
        if finding and finding.kind == "pause":
            why = "pause"
        elif passed is None or passed >= self.pace.scan:
            why = "due"
        elif points is not None and points >= (before or 0) + RISE and passed >= SCAN_AGAIN:
            why = "stress"
        else:
            return [], None
        found = self.table.scan()
        self._scanned = awake
        if passed is None:  # the first one has nothing to compare with
            return found, None
        top = [one.dump() for one in processes.top(found)]
        return found, Workers(at=now.clocks.wall_at, why=why, processes=top)

    def _pause(
        self,
        finding: Finding | None,
        before: Counters | None,
        now: Counters,
        factors: Factors,
        due: Sequence[Kind],
    ) -> list[Stall]:
        if finding is None or before is None:
            return []
        event = finding.kind == "pause"
        return [
            Stall(
                kind=finding.kind,
                from_at=min(before.clocks.wall_at, now.clocks.wall_at),
                until_at=now.clocks.wall_at,
                gap=finding.evidence.gap,
                expected=finding.evidence.expected,
                surplus=finding.evidence.surplus,
                cause=finding.cause,
                why=finding.why,
                evidence=finding.evidence.dump(),
                stress=factors.total,
                factors=factors.dump(),
                capture="wanted" if event and self.capture else "none",
                told_at=None if event and "pause" in due else now.clocks.wall_at,
                review="unreviewed" if event else "none",
            )
        ]

    def _snapshot(self, due: Sequence[Kind], now: Counters, factors: Factors) -> list[Stall]:
        if "snapshot" not in due:
            return []
        at = now.clocks.wall_at
        named = ", ".join(f"{name} {points}" for name, points in factors.dump().items() if points)
        return [
            Stall(
                kind="snapshot", from_at=at, until_at=at, why=f"stress reached {factors.total} ({named})",
                stress=factors.total, factors=factors.dump(), capture="wanted" if self.capture else "none",
                told_at=at,
            )
        ]  # fmt: skip

    def _notes(self, now: Counters, turned: bool) -> Mapping[str, Any]:
        awake = now.clocks.awake
        notes: dict[str, Any] = {}
        if turned:
            since = None if self.mood.since is None else now.clocks.wall_at - (awake - self.mood.since)
            notes["mood"] = {"elevated": self.mood.elevated, "since": since and since.isoformat()}
        if self.taken == 1:
            notes["missing"] = missing(now)
        if self._learned is None or awake - self._learned >= LEARNED:
            notes["baseline"] = self.baseline.dump()
            self._learned = awake
        return notes

    def _remember(self, now: Counters, sample: Sample, table: Workers | None) -> None:
        self.baseline = self.baseline.learn(sample.vitals.io)
        self.last, self.factors = now, sample.factors
        self.workers = table or self.workers
        self.taken += 1
        self._expected = self.pace.elevated if self.mood.elevated else self.pace.normal

    def rest(self, now: timedelta) -> float:
        """Seconds until the next look. It is meant to come one interval after the last, not after its work."""
        assert self.last is not None
        return max((self.last.clocks.awake + self._expected - now).total_seconds(), 0.0)


def missing(now: Counters) -> list[str]:
    """What this machine does not tell."""
    silent = [said for name, said in NAMES.items() if getattr(now, name) is None]
    if now.throttles is None and now.throttled is None:
        silent.append("throttling")
    return silent


def remembered(
    noted: Mapping[str, tuple[Any, datetime]], last_at: datetime | None, now: datetime, awake: timedelta
) -> tuple[Baseline, Mood]:
    """What an earlier process had learned, and its mood if its last sample is of the last minute."""
    known, _ = noted.get("baseline", ({}, now))
    baseline = Baseline(**known) if known else Baseline()
    mood, _ = noted.get("mood", ({}, now))
    if not mood.get("elevated") or last_at is None or not timedelta(0) <= now - last_at < FRESH:
        return baseline, Mood()
    since = awake - (now - datetime.fromisoformat(mood["since"]))
    return baseline, Mood(elevated=True, since=since)
