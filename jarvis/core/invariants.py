"""What does a person promise about the world? The invariants of a job as jobs.yaml writes them, ready to be checked.

An invariant watches one thing or several (its *entities*); each of them has a key of its own, ``invariant`` or
``invariant:entity``, under which a violation is known, alerted and ticketed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, StrictBool, StrictInt, StrictStr, model_validator

from jarvis.core.duration import Duration
from jarvis.core.fields import Command, Model
from jarvis.core.things import (
    ENTITY_LENGTH,
    Addresses,
    Codes,
    Commands,
    Database,
    Number,
    Query,
    Severity,
    Texts,
    Urls,
    Words,
)

LATENCY = timedelta(milliseconds=100)
LATENCY_GRACE = timedelta(seconds=60)
DISK = 70.0
SAMPLES = 5
WAYS = ("http", "tcp", "process", "command")


class Up(Model):
    """Something answers: exactly one of WAYS, for one thing, a list, or names with things."""

    http: Urls | None = None
    tcp: Addresses | None = None
    process: Texts | None = None
    command: Commands | None = None
    expect: Codes | list[Codes] = "2xx"
    contains: Words | None = None
    headers: dict[StrictStr, StrictStr] = Field(default_factory=dict)
    verify: StrictBool = True

    @model_validator(mode="after")
    def _one(self) -> Self:
        way = _exactly_one(self, WAYS)
        if odd := [
            one for one in ("expect", "headers", "verify") if one in self.model_fields_set and way != "http"
        ]:
            raise ValueError(f"{odd[0]} is about http, and this asks by {way}")
        if self.contains and way == "process":
            raise ValueError("contains is about what is answered, and a process answers nothing")
        return self

    @property
    def way(self) -> str:
        return _exactly_one(self, WAYS)


class Latency(Model):
    """How long the entities of an ``up`` invariant (``of``) take to answer: their 99th percentile."""

    of: StrictStr
    above: Duration = LATENCY
    samples: Annotated[StrictInt, Field(ge=1, le=1_000)] = SAMPLES


class Disk(Model):
    """How full file systems are, in per cent."""

    path: Texts = "/"
    above: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = DISK


class Limits(Model):
    """Between what a number must lie; exactly at a limit is healthy."""

    above: Number | None = None
    below: Number | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError("say above: or below:, the limit that must not be passed")
        if self.above is not None and self.below is not None and self.below > self.above:
            raise ValueError(f"no number is both at most {self.above:g} and at least {self.below:g}")
        return self


class Sql(Limits):
    """The first number that a query answers; asked read-only."""

    url: Database
    query: Query


class Measured(Limits):
    """The number that a command prints last."""

    run: Command


class Metric(Limits):
    """A number that runs of a job, or pause sampling, recorded: ``aggregate`` over ``window``."""

    job: StrictStr | None = None
    number: StrictStr | None = None
    sample: StrictStr | None = None
    aggregate: Literal["last", "mean", "min", "max", "sum", "count", "p50", "p95", "p99"] = "last"
    window: Duration = timedelta(minutes=10)

    @model_validator(mode="after")
    def _source(self) -> Self:
        if (self.sample is None) == (self.job is None and self.number is None):
            raise ValueError("say job: and number: (of its runs), or sample:")
        if self.sample is None and (self.job is None or self.number is None):
            raise ValueError(
                f"{'number' if self.number is None else 'job'} is missing: a run's number has both"
            )
        return self


KINDS = ("up", "latency", "disk", "sql", "command", "metric")
_SEVERE: Mapping[str, str] = {"up": "critical"}
_PATIENT: Mapping[str, timedelta] = {"latency": LATENCY_GRACE}


class Invariant(Model):
    """Exactly one of KINDS, and what holds for it. ``timeout``: for one observation."""

    up: Up | None = None
    latency: Latency | None = None
    disk: Disk | None = None
    sql: Sql | None = None
    command: Measured | None = None
    metric: Metric | None = None
    severity: Severity | None = None
    grace: Duration | None = None
    timeout: Duration | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        _exactly_one(self, KINDS)
        if self.timeout == timedelta(0):
            raise ValueError("timeout of zero: nothing can be observed in no time")
        return self

    @property
    def kind(self) -> str:
        return _exactly_one(self, KINDS)

    @property
    def how_bad(self) -> str:
        """Its severity: ``up`` is critical unless it says otherwise, everything else medium."""
        return self.severity or _SEVERE.get(self.kind, "medium")

    @property
    def patience(self) -> timedelta:
        """Its grace: a minute for ``latency`` unless it says otherwise, nothing for everything else."""
        return self.grace if self.grace is not None else _PATIENT.get(self.kind, timedelta(0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One thing to look at: an invariant and one of its entities (None: it has only one).

    ``what``: the URL, address, command, path ...; ``measured``: of a ``latency``, what is asked.
    """

    name: str
    entity: str | None
    what: Any
    invariant: Invariant
    measured: Target | None = None

    @property
    def key(self) -> str:
        return self.name if self.entity is None else f"{self.name}:{self.entity}"


def targets(invariants: Mapping[str, Invariant]) -> Iterator[Target]:
    """Everything to look at, in the order of jobs.yaml.

    Raises ValueError for a ``latency`` of nothing, and for two things that would share a key.
    """
    keys = set()
    for name, invariant in invariants.items():
        for entity, what in _entities(name, invariant, invariants):
            asked = None
            if invariant.latency is not None:
                of = invariant.latency.of
                asked = Target(name=of, entity=entity, what=what, invariant=invariants[of])
            target = Target(name=name, entity=entity, what=what, invariant=invariant, measured=asked)
            if target.key in keys:
                raise ValueError(
                    f"{target.key} would be two things: give each a name, such as {{one: …, two: …}}"
                )
            keys.add(target.key)
            yield target


def promised(invariants: dict[str, Invariant]) -> dict[str, Invariant]:
    """The same, when they make sense together. Raises ValueError (see ``targets``)."""
    if not invariants:
        raise ValueError("there is nothing to check: name at least one invariant")
    for _ in targets(invariants):
        continue
    return invariants


def _entities(
    name: str, invariant: Invariant, known: Mapping[str, Invariant]
) -> Iterator[tuple[str | None, Any]]:
    if invariant.latency is not None:
        measured = known.get(invariant.latency.of)
        if measured is None or measured.up is None or measured.up.way == "process":
            up = [one for one, it in known.items() if it.up is not None and it.up.way != "process"]
            there = f"there is {', '.join(up)}" if up else "there is none"
            raise ValueError(f"{name}: latency of {invariant.latency.of!r}: no such 'up' invariant ({there})")
        yield from _entities(invariant.latency.of, measured, known)
        return
    what: Any = None
    if invariant.up is not None:
        what = getattr(invariant.up, invariant.up.way)
        if invariant.up.way == "command" and not isinstance(what, dict):
            what = {None: what}
    elif invariant.disk is not None:
        what = invariant.disk.path
    if isinstance(what, dict):
        yield from what.items()
    elif isinstance(what, list):
        yield from ((_short(one), one) for one in what)
    else:
        yield None, what


def _short(text: str) -> str:
    """The entity of one thing in a list: the thing, without a URL's user, password and question."""
    if text.startswith(("http://", "https://")):
        parts = urlsplit(text)
        text = f"{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
    return text[:ENTITY_LENGTH]


def _exactly_one(model: Model, names: tuple[str, ...]) -> str:
    given = [name for name in names if getattr(model, name) is not None]
    if len(given) != 1:
        found = f"not {' and '.join(given)}" if given else "there is none"
        raise ValueError(f"say exactly one of {', '.join(names)}; {found}")
    return given[0]
