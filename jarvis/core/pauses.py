"""Was there a pause between two looks at the machine, and whose fault was it?

A pause: the next look came after twice the expected time or more, and two seconds late or more. The causes are asked
in a fixed order and the first that fits is the answer. What cannot be seen here (None) never fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from jarvis.core.clockfacts import ASLEEP, STEPPED
from jarvis.core.duration import spell
from jarvis.core.vitals import ZERO, Counters, growth, lapse

RATIO = 2.0
SURPLUS = timedelta(seconds=2)
OWN = 0.6
"""Of the surplus: own processor time, own waiting, time that nobody accounted for."""
STALLED = 0.3
"""Of the gap: time in which everybody waited for memory or disks."""
CRITICAL_PRESSURE = 4
HICCUP = timedelta(seconds=0.1)
BOUNDS = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Lower bounds of the histogram of what was late and no pause, in seconds."""

Kind = Literal["pause", "sleep", "step"]
KNOWN = (
    "sleep", "clock step", "own fault", "cpu starvation", "memory stall", "io stall", "virtual machine", "stopped",
    "unknown",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What two looks say about a gap between them; None is unknown.

    ``gap`` counts sleep, ``awake`` does not. ``missing``: time of the whole machine that no processor accounts for,
    of one processor.
    """

    gap: timedelta
    expected: timedelta
    awake: timedelta
    slept: timedelta
    stepped: timedelta
    own_cpu: timedelta | None
    own_wait: timedelta | None
    quota_hits: int | None
    memory_full: timedelta | None
    io_full: timedelta | None
    pressure_level: int | None
    steal: timedelta | None
    missing: timedelta | None

    @property
    def surplus(self) -> timedelta:
        return max(self.gap - self.expected, ZERO)

    def of_surplus(self, length: timedelta | None) -> float | None:
        return None if length is None or not self.surplus else length / self.surplus

    def dump(self) -> dict[str, float | None]:
        """Seconds (and counts), as stored."""
        return {name: _plain(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something happened to time. Only kind ``pause`` is one; sleep and a set clock are noted."""

    kind: Kind
    cause: str
    why: str
    evidence: Evidence


def weigh(before: Counters, after: Counters, expected: timedelta) -> Evidence:
    """What is known of the time between two looks that were meant to be ``expected`` apart."""
    first, last = before.clocks, after.clocks
    gap, awake = last.since_boot - first.since_boot, last.awake - first.awake
    accounted = lapse(before.accounted, after.accounted)
    return Evidence(
        gap=gap,
        expected=expected,
        awake=awake,
        slept=max(gap - awake, ZERO),
        stepped=(last.wall_at - first.wall_at) - gap,
        own_cpu=lapse(before.own_cpu, after.own_cpu),
        own_wait=lapse(before.own_wait, after.own_wait),
        quota_hits=growth(before.quota_hits, after.quota_hits),
        memory_full=lapse(before.stall_memory_full, after.stall_memory_full),
        io_full=lapse(before.stall_io_full, after.stall_io_full),
        pressure_level=after.pressure_level,
        steal=_each(lapse(before.steal, after.steal), after.cores),
        missing=None if accounted is None else max(awake - accounted / after.cores, ZERO),
    )


def _each(length: timedelta | None, cores: int) -> timedelta | None:
    return None if length is None else length / cores


def late(gap: timedelta, expected: timedelta) -> bool:
    """Twice the expected time and two seconds more than it: both, at least."""
    return gap >= RATIO * expected and gap - expected >= SURPLUS


def find(evidence: Evidence) -> Finding | None:
    """What happened, or None when nothing worth a word did.

    1. Sleep is noted and is no pause.
    2. Nor is a clock that was set: it only looks like one.
    3. Anything else that is late enough is a pause; its cause is the first that fits.
    """
    if evidence.slept > ASLEEP:
        return Finding(
            kind="sleep",
            cause="sleep",
            why=f"the machine slept for {_said(evidence.slept)}",
            evidence=evidence,
        )
    if not late(evidence.gap, evidence.expected):
        if evidence.stepped >= STEPPED and late(evidence.gap + evidence.stepped, evidence.expected):
            why = f"the clock was set forward by {_said(evidence.stepped)}"
            return Finding(kind="step", cause="clock step", why=why, evidence=evidence)
        return None
    cause, why = next(_causes(evidence))
    return Finding(kind="pause", cause=cause, why=why, evidence=evidence)


def _causes(seen: Evidence) -> Iterator[tuple[str, str]]:
    for ask in _ORDER:
        if found := ask(seen):
            yield found
    yield "unknown", _unexplained(seen)


def _unexplained(seen: Evidence) -> str:
    parts = {"Jarvis itself was busy for": seen.own_cpu, "it waited for a processor for": seen.own_wait}
    known = [f"{what} {_said(length)}" for what, length in parts.items() if length and length >= SURPLUS / 4]
    if not known:
        return "nothing that can be seen here explains it"
    return f"{' and '.join(known)}, and nothing that can be seen here explains the rest"


def _own_fault(seen: Evidence) -> tuple[str, str] | None:
    if _reaches(seen.of_surplus(seen.own_cpu), OWN):
        return "own fault", f"Jarvis itself was busy for {_said(seen.own_cpu)} of it"
    return None


def _starved(seen: Evidence) -> tuple[str, str] | None:
    if not _reaches(seen.of_surplus(seen.own_wait), OWN):
        return None
    quota = ", its control group had used up its CPU quota" if seen.quota_hits else ""
    return "cpu starvation", f"Jarvis waited for a processor for {_said(seen.own_wait)} of it{quota}"


def _stalled(seen: Evidence) -> tuple[str, str] | None:
    shares = {
        "memory": None if seen.memory_full is None else seen.memory_full / seen.gap,
        "io": None if seen.io_full is None else seen.io_full / seen.gap,
    }
    known = {name: value for name, value in shares.items() if value is not None and value >= STALLED}
    if known:
        worst = max(known, key=lambda name: known[name])
        what = {"memory": "memory", "io": "disks"}[worst]
        return f"{worst} stall", f"everything waited for {what} during {known[worst]:.0%} of it"
    if seen.pressure_level is not None and seen.pressure_level >= CRITICAL_PRESSURE:
        return "memory stall", "memory pressure was critical"
    return None


def _virtual(seen: Evidence) -> tuple[str, str] | None:
    if _reaches(seen.of_surplus(seen.steal), OWN):
        return (
            "virtual machine",
            f"the host gave this virtual machine no processor for {_said(seen.steal)} of it",
        )
    if _reaches(seen.of_surplus(seen.missing), OWN):
        said = _said(seen.missing)
        return (
            "virtual machine",
            f"no processor accounts for {said} of it: the host or the firmware paused all",
        )
    return None


def _stopped(seen: Evidence) -> tuple[str, str] | None:
    """The machine went on, and most of the time Jarvis neither worked nor waited for a processor."""
    if seen.missing is None or seen.own_cpu is None or seen.own_wait is None:
        return None
    if not _reaches(seen.of_surplus(seen.surplus - seen.own_cpu - seen.own_wait), OWN):
        return None
    return (
        "stopped",
        "only Jarvis stood still (stopped by a signal, frozen, or held up by one of its own threads)",
    )


_ORDER: tuple[Callable[[Evidence], tuple[str, str] | None], ...] = (
    _own_fault, _starved, _stalled, _virtual, _stopped,
)  # fmt: skip


def _reaches(share: float | None, limit: float) -> bool:
    return share is not None and share >= limit


def bucket(surplus: timedelta) -> float | None:
    """The lower bound, in seconds, of the histogram's bucket for what was late and no pause."""
    if surplus < HICCUP:
        return None
    return max(bound for bound in BOUNDS if surplus >= timedelta(seconds=bound))


def _plain(value: timedelta | float | None) -> float | None:
    return round(value.total_seconds(), 6) if isinstance(value, timedelta) else value


def _said(length: timedelta | None) -> str:
    seconds = (length or ZERO).total_seconds()
    return f"{seconds:.1f} s" if seconds < 120 else spell(timedelta(seconds=round(seconds)))
