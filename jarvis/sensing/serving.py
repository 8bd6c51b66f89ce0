"""How does sampling go on and on? The loop, what people are told of it, and the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from jarvis.core.stress import Kind
from jarvis.sensing import clocks, powermetrics
from jarvis.sensing.forensics import Forensics
from jarvis.sensing.processes import Table
from jarvis.sensing.recorder import Entry, Recorder
from jarvis.sensing.sampler import Look, Pace, Sampler, Sensors, remembered
from jarvis.store.samples import Samples
from jarvis.store.stalls import Stall

LAST_WORDS = 0.8
"""Seconds for what is left to write when told to end."""
UNTOLD = timedelta(days=1)
STRESS = frozenset({"elevated", "critical"})
NORMAL = "normal"


class Tells(Protocol):
    """What is needed of a handler's context."""

    def wait(self, seconds: float) -> bool: ...

    def alert(
        self,
        text: str,
        *,
        key: str | None = None,
        severity: str = "medium",
        title: str | None = None,
        once: bool = False,
    ) -> None: ...

    def resolve(self, key: str) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What the job asked for. ``times``: end after so many samples; ``power``: the program to follow, if any."""

    pace: Pace
    suspects: Sequence[str] = ()
    forensics: bool = True
    notify: frozenset[str] = frozenset()
    power: str | None = None
    times: int | None = None


def serve(ctx: Tells, plan: Plan, samples: Samples, folder: Path) -> tuple[str, dict[str, float]]:
    """Sample until told to end; ``folder`` is where captures go. Returns what was done, in words and numbers."""
    stream = powermetrics.Stream(plan.pace.normal, plan.power) if plan.power else None
    telling, recorder = Telling(ctx, samples, plan.notify), Recorder(samples)
    captures = Forensics(samples, folder, done=telling.captured) if plan.forensics else None
    sampler = made(plan, samples, stream)
    for part in (stream, recorder, captures):
        if part is not None:
            part.start()
    try:
        telling.late()
        loop(ctx, sampler, recorder, captures, telling, plan.times)
    finally:
        sampler.sensors.close()
        if stream:
            stream.stop()
        if captures:
            captures.stop(LAST_WORDS)
        recorder.stop(LAST_WORDS)
    numbers = {"samples": recorder.written, "dropped": recorder.dropped, "pauses": telling.pauses}
    line = f"{recorder.written} samples, {telling.pauses} pauses"
    return line, {name: float(count) for name, count in numbers.items()}


def made(plan: Plan, samples: Samples, stream: powermetrics.Stream | None = None) -> Sampler:
    """A sampler that goes on where the last one ended."""
    newest = samples.newest()
    last_at = newest["at"] if newest else None
    baseline, mood = remembered(samples.noted(), last_at, datetime.now(UTC), clocks.awake())
    return Sampler(
        sensors=sensors(), table=Table(plan.suspects), pace=plan.pace, capture=plan.forensics,
        power=stream.latest if stream else None, baseline=baseline, mood=mood,
    )  # fmt: skip


def sensors() -> Sensors:
    """This system's."""
    if sys.platform == "darwin":
        from jarvis.sensing import macos

        return macos.Sensors()
    from jarvis.sensing import linux

    return linux.Sensors()


def single(ctx: Tells, plan: Plan, samples: Samples) -> tuple[str, dict[str, float]]:
    """Two looks a second apart (rates are differences); the second is the sample."""
    sampler = made(plan, samples)
    sampler.look()
    ctx.wait(1)
    look = sampler.look()
    sampler.sensors.close()
    sample = look.batch.sample
    assert sample is not None
    samples.keep(look.batch, sample.at)
    factors = {f"stress_{name}": points for name, points in sample.factors.dump().items()}
    known = {"stress": sample.factors.total, "cpu": sample.vitals.cpu, "load": sample.vitals.load, **factors}
    numbers = {name: float(value) for name, value in known.items() if value is not None}
    return f"stress {sample.factors.total}", numbers


def loop(
    ctx: Tells,
    sampler: Sampler,
    recorder: Recorder,
    captures: Forensics | None,
    telling: Telling,
    times: int | None,
) -> None:
    """Look, hand over what was seen, wait for the next; until told to end."""
    while True:
        look = sampler.look()
        assert look.batch.sample is not None
        calm = telling.open and look.batch.sample.state == NORMAL
        after = telling.after(look, captures) if look.due or look.moments or calm else None
        recorder.put(Entry(batch=look.batch, at=look.batch.sample.at, after=after))
        if sampler.taken == times or ctx.wait(sampler.rest(clocks.awake())):
            return


@dataclass
class Telling:
    """Tells people, and notes what they were told. Used by the threads that write and capture.

    ``open``: stress that people may have been told of, by an earlier run, too; it is over when the machine is calm.
    """

    ctx: Tells
    samples: Samples
    wanted: frozenset[str]
    pauses: int = 0
    open: frozenset[str] = STRESS

    def after(self, look: Look, captures: Forensics | None) -> Callable[[Sequence[int]], None]:
        """What to do once a look is written: tell, note that it was told, and have it captured."""

        def follow(numbers: Sequence[int]) -> None:
            written = [
                replace(stall, id=number) for stall, number in zip(look.batch.stalls, numbers, strict=True)
            ]
            for stall in written:
                self.pauses += stall.kind == "pause"
                if stall.kind == "pause" and stall.told_at is None:
                    self.pause(stall)
            assert look.batch.sample is not None
            for kind in look.due:
                self.stress(kind, look.batch.sample.factors.total)
            if look.batch.sample.state == NORMAL:
                self.calm()
            by_kind = {stall.kind: stall for stall in written}
            for moment in look.moments:
                if captures:
                    captures.ask(replace(moment, stall=by_kind[moment.stall.kind]))

        return follow

    def pause(self, stall: Stall) -> None:
        """A pause, unless nobody wants to know."""
        if "pause" in self.wanted and stall.gap and stall.surplus and stall.expected:
            text = (
                f"At {stall.until_at.astimezone():%H:%M:%S} the next look came after {said(stall.gap)} instead of "
                f"{said(stall.expected)}: {stall.why}. 'jarvis pauses show {stall.id}' knows more."
            )
            self.ctx.alert(
                text,
                key="pause",
                severity="medium",
                title=f"Pause of {said(stall.surplus)}: {stall.cause}",
                once=True,
            )
        self.samples.stalls.told(stall.id, datetime.now(UTC))

    def stress(self, kind: Kind, points: int | None) -> None:
        """Stress that is elevated or critical: a problem until the machine is calm."""
        if kind in STRESS & self.wanted:
            self.open |= {kind}
        if kind == "elevated" and "elevated" in self.wanted:
            self.ctx.alert(
                f"Stress is {points} of 100.",
                key="elevated",
                severity="low",
                title=f"Stress is elevated: {points}",
            )
        if kind == "critical" and "critical" in self.wanted:
            self.ctx.alert(
                f"Stress has been 60 and more for half a minute; it is {points} of 100 now. "
                "'jarvis pauses list' shows what was captured.",
                key="critical",
                severity="high",
                title=f"Stress is critical: {points}",
            )

    def calm(self) -> None:
        """The machine is as it should be: whatever stress was told is over."""
        for kind in sorted(self.open):
            self.ctx.resolve(kind)
        self.open = frozenset()

    def captured(self, stall: Stall, folder: Path) -> None:
        """A capture is complete."""
        if "forensics" in self.wanted:
            self.ctx.alert(
                f"What was seen around {stall.kind} {stall.id} ({stall.why}) is in {folder}.",
                key="forensics",
                severity="info",
                once=True,
                title=f"Captured: {stall.kind} {stall.id}",
            )

    def late(self) -> None:
        """Pauses that were written and not told: Jarvis was killed in between."""
        for stall in self.samples.stalls.untold(datetime.now(UTC) - UNTOLD):
            self.pause(stall)


def said(length: timedelta) -> str:
    return f"{length.total_seconds():.1f} s"
