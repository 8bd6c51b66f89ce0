"""How much is this machine strained, and what follows from it?

Five factors make the stress, 0 to 100. At 30 the machine is ELEVATED and looked at more often until it is calm
again; at 60 a snapshot is taken, and a person is told when that lasts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from typing import Literal

from jarvis.core.vitals import Vitals

LOAD, MEMORY, THERMAL, LATENCY, IO = 40, 30, 20, 30, 20
"""The most that each factor can add."""
MEMORY_LOW = 20
"""Per cent available, below which memory counts."""
LATE = 1.5
SPIKE = 10
FLOOD = 100_000_000
"""Bytes a second that are much on any machine."""

FIRST_BASELINE = 10_000_000
LEAST_BASELINE = 1_000_000
"""Below a megabyte a second nothing is usual: a quiet machine may read a file without alarm."""
LEARNING = 60
FAST = (0.3, 0.1)
SLOW = (0.1, 0.001)
"""Weights of a new sample while learning, and afterwards."""

ELEVATED, CALM, CALM_SAMPLES, CRITICAL = 30, 20, 5, 60
CRITICAL_AFTER = timedelta(seconds=30)
COOL_DOWN = timedelta(seconds=60)

FACTORS = ("load", "memory", "thermal", "latency", "io")
COLUMNS = (
    "at", "interval", "gap", *(each.name for each in fields(Vitals)),
    "stress", *(f"stress_{name}" for name in FACTORS), "state",
)  # fmt: skip
"""Of a sample, in the order in which it is told."""
Kind = Literal["elevated", "snapshot", "critical", "pause"]
OWED: tuple[Kind, ...] = ("elevated", "snapshot", "critical")


@dataclass(frozen=True, kw_only=True, slots=True)
class Factors:
    """Points of each cause; None where it could not be seen."""

    load: int | None = None
    memory: int | None = None
    thermal: int | None = None
    latency: int | None = None
    io: int | None = None

    @property
    def total(self) -> int | None:
        """All that are known together, 100 at most; None when none is."""
        known = [points for points in self.dump().values() if points is not None]
        return min(100, sum(known)) if known else None

    def dump(self) -> dict[str, int | None]:
        return {name: getattr(self, name) for name in FACTORS}


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """What this machine usually reads and writes in a second.

    Two running means: ``fast`` follows what it does now, so that a long copy stops being a spike; ``slow`` remembers
    what is usual, so that a quiet minute does not make ordinary work one. The larger of the two counts.
    """

    fast: float = FIRST_BASELINE
    slow: float = FIRST_BASELINE
    samples: int = 0

    @property
    def rate(self) -> float:
        return max(self.fast, self.slow, LEAST_BASELINE)

    def learn(self, rate: float | None) -> Baseline:
        """With one more sample."""
        if rate is None:
            return self
        later = self.samples >= LEARNING
        fast, slow = FAST[later], SLOW[later]
        return Baseline(
            fast=(1 - fast) * self.fast + fast * rate,
            slow=(1 - slow) * self.slow + slow * rate,
            samples=self.samples + 1,
        )

    def dump(self) -> dict[str, float]:
        return {"fast": self.fast, "slow": self.slow, "samples": self.samples}


def factors(vitals: Vitals, *, cores: int, late: float | None, baseline: Baseline) -> Factors:
    """The points of each factor. ``late``: the real interval as a multiple of the expected one."""
    return Factors(
        load=_load(vitals.load, cores),
        memory=None
        if vitals.memory_available is None
        else _points((MEMORY_LOW - vitals.memory_available) * 1.5, MEMORY),
        thermal=None if vitals.throttled is None else THERMAL * vitals.throttled,
        latency=None if late is None else _points((late - 1) * 20, LATENCY) * (late > LATE),
        io=None if vitals.io is None else IO * (vitals.io > SPIKE * baseline.rate or vitals.io > FLOOD),
    )


def _load(load: float | None, cores: int) -> int | None:
    return None if load is None else _points((load / cores - 1) * 20, LOAD)


def _points(value: float, most: int) -> int:
    """Cut to whole points; what only floating point took away is given back first."""
    return min(max(int(round(value, 9)), 0), most)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mood:
    """Where the machine stands. Times are of the clock that stands still in sleep.

    ``since`` and ``critical_since``: when the state, and the stress of 60 and more, began. ``owed``: kinds that this
    stretch still owes; ``told``: when each kind was last given.
    """

    elevated: bool = False
    since: timedelta | None = None
    calm: int = 0
    critical_since: timedelta | None = None
    owed: frozenset[Kind] = frozenset()
    told: Mapping[Kind, timedelta] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return "elevated" if self.elevated else "normal"

    def next(self, stress: int | None, now: timedelta) -> tuple[Mood, tuple[Kind, ...]]:
        """The mood after a sample, and what is due because of it.

        1. At 30 and more ELEVATED at once; back after five samples below 20 in a row.
        2. A snapshot when 60 is reached, a critical notice when that has lasted for 30 seconds: once a stretch.
        3. No kind within a minute of its last one: it waits, while its stretch lasts.

        A sample without stress changes nothing.
        """
        if stress is None:
            return self, ()
        mood = self._state(stress, now)._critical(stress, now)
        due = tuple(kind for kind in OWED if mood._ready(kind, now))
        return mood.gave(*due, now=now), due

    def _state(self, stress: int, now: timedelta) -> Mood:
        if stress >= ELEVATED:
            if self.elevated:
                return replace(self, calm=0)
            return replace(self, elevated=True, since=now, calm=0, owed=self.owed | {"elevated"})
        calm = self.calm + 1 if self.elevated and stress < CALM else 0
        if calm < CALM_SAMPLES:
            return replace(self, calm=calm)
        return replace(self, elevated=False, since=None, calm=0, owed=self.owed - {"elevated"})

    def _critical(self, stress: int, now: timedelta) -> Mood:
        if stress < CRITICAL:
            return replace(self, critical_since=None, owed=self.owed - {"snapshot", "critical"})
        if self.critical_since is None:
            return replace(self, critical_since=now, owed=self.owed | {"snapshot", "critical"})
        return self

    def _ready(self, kind: Kind, now: timedelta) -> bool:
        if kind not in self.owed or not self.cool(kind, now):
            return False
        return kind != "critical" or (
            self.critical_since is not None and now - self.critical_since >= CRITICAL_AFTER
        )

    def cool(self, kind: Kind, now: timedelta) -> bool:
        """The last one of this kind was a minute ago or more."""
        last = self.told.get(kind)
        return last is None or now - last >= COOL_DOWN

    def gave(self, *kinds: Kind, now: timedelta) -> Mood:
        """With these noted as given."""
        if not kinds:
            return self
        return replace(self, owed=self.owed - set(kinds), told={**self.told, **dict.fromkeys(kinds, now)})
