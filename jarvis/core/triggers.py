"""Which jobs does an event ask for, and which the end of another job's run? (``on:`` in docs/jobs.md)"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from jarvis.core.job import Job
from jarvis.core.run import Status
from jarvis.core.when import On

Path = tuple[str | int, ...]
Finding = tuple[Path, str, str | None]
"""Where inside ``on``, what is wrong, what to do."""

OPERATORS = ("not", "exists", "above", "below")
CYCLES_AT_MOST = 20
_MISSING: Final = object()
_ENDED = frozenset(status for status in Status if status.ended)
_GROUPS = {"bad": frozenset(status for status in Status if status.bad), "ended": _ENDED}


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A job that is asked for, and under which definition it would run."""

    job: str
    definition: int | None
    ons: tuple[On, ...] = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Triggers:
    """Every ``on:`` that is in force. ``followers``: by the job they wait for."""

    listeners: tuple[Asked, ...] = ()
    followers: Mapping[str, tuple[Asked, ...]] = field(default_factory=dict)

    def for_event(self, source: str, event_type: str, payload: Callable[[], Any]) -> list[Asked]:
        """The jobs that this event asks for, each once. ``payload`` is asked only where a condition needs it."""
        return [
            one for one in self.listeners if any(matches(on, source, event_type, payload) for on in one.ons)
        ]

    def for_end(self, job: str, status: Status) -> list[Asked]:
        """The jobs that follow a run of this job that ended so, each once."""
        return [
            one
            for one in self.followers.get(job, ())
            if any(on.job == job and status in statuses(on) for on in one.ons)
        ]


NOTHING: Final = Triggers()


def gather(jobs: Iterable[tuple[Job, int | None]]) -> Triggers:
    """From jobs and the ids of their definitions."""
    listeners: list[Asked] = []
    followers: dict[str, list[Asked]] = {}
    for job, definition in jobs:
        ons = tuple(ons_of(job))
        if events := tuple(on for on in ons if on.event is not None):
            listeners.append(Asked(job=job.name, definition=definition, ons=events))
        for name in dict.fromkeys(on.job for on in ons if on.job is not None):
            same = tuple(on for on in ons if on.job == name)
            followers.setdefault(name, []).append(Asked(job=job.name, definition=definition, ons=same))
    return Triggers(
        listeners=tuple(listeners), followers={name: tuple(some) for name, some in followers.items()}
    )


def ons_of(job: Job) -> Iterator[On]:
    """What the job is ``on``."""
    return (when.on for when in job.when if when.on is not None)


def written(body: Mapping[str, Any]) -> bool:
    """Whether a stored definition has an ``on:`` at all: asked of every job, so without building it."""
    return "on" in body or any("on" in when for when in body.get("schedules", ()))


def statuses(on: On) -> frozenset[Status]:
    """The ends that ``on: {job}`` waits for."""
    names = (on.status,) if isinstance(on.status, str) else on.status
    return frozenset().union(*(_GROUPS.get(name) or {Status(name)} for name in names))


# Events.


def fits(pattern: str, source: str, event_type: str) -> bool:
    """Does ``source/type`` fit a pattern such as ``github/*``? A star stands for anything, also for a slash."""
    return fnmatchcase(f"{source}/{event_type}", pattern)


def matches(on: On, source: str, event_type: str, payload: Callable[[], Any]) -> bool:
    """Does the event's ``source/type`` fit the pattern, and its payload every condition?"""
    if on.event is None or not fits(on.event, source, event_type):
        return False
    return not on.where or all(holds(wanted, at(payload(), path)) for path, wanted in on.where.items())


def at(payload: Any, path: str) -> Any:
    """The value a dotted path leads to; a key that has dots in it is found too. ``_MISSING`` when there is none."""
    if isinstance(payload, Mapping):
        if path in payload:
            return payload[path]
        for cut in (index for index, letter in enumerate(path) if letter == "."):
            if path[:cut] in payload and (found := at(payload[path[:cut]], path[cut + 1 :])) is not _MISSING:
                return found
    if isinstance(payload, list):
        first, _, rest = path.partition(".")
        if first.isdecimal() and int(first) < len(payload):
            return at(payload[int(first)], rest) if rest else payload[int(first)]
    return _MISSING


def holds(wanted: Any, found: Any) -> bool:
    """One condition. Text is a pattern; a list holds if one of its entries does; so does a list in the payload."""
    if isinstance(wanted, Mapping):
        return all(_operator(name, value, found) for name, value in wanted.items())
    if isinstance(wanted, list):
        return any(holds(one, found) for one in wanted)
    if isinstance(found, list):
        return any(holds(wanted, one) for one in found)
    if isinstance(wanted, str):
        return isinstance(found, str) and fnmatchcase(found, wanted)
    if wanted is None or isinstance(wanted, bool):
        return found is wanted
    return _number(found) and bool(found == wanted)


def _operator(name: str, value: Any, found: Any) -> bool:
    if name == "not":
        return not holds(value, found)
    if name == "exists":
        return (found is not _MISSING) is value
    if isinstance(found, list):
        return any(_operator(name, value, one) for one in found)
    return _number(found) and bool(found > value if name == "above" else found < value)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# What is wrong with an ``on:``, as jobs.yaml writes it.


_SPECIAL = frozenset("[]?!")


def mistakes(on: On) -> Iterator[Finding]:
    """What can never match, or cannot be understood."""
    if on.event is not None and "/" not in on.event and "*" not in on.event:
        example = "github/push" if _SPECIAL & {*on.event} else f"{on.event}/*"
        hint = f"write source/type, such as '{example}'"
        yield ("event",), f"event: {on.event!r} fits no event; an event is named source/type", hint
    for path, wanted in on.where.items():
        if not path.strip("."):
            yield ("where", path), "where: a condition needs the name of a field", None
        for more, message, advice in _condition(wanted):
            yield ("where", path, *more), f"where: {path}: {message}", advice


def _condition(wanted: Any) -> Iterator[Finding]:
    if isinstance(wanted, Mapping):
        yield from _operators(wanted)
    elif isinstance(wanted, list):
        if not wanted:
            yield (), "an empty list never holds", "name at least one value"
        for index, one in enumerate(wanted):
            for more, message, hint in _condition(one):
                yield (index, *more), message, hint


def _operators(wanted: Mapping[str, Any]) -> Iterator[Finding]:
    if not wanted:
        yield (), "an empty mapping asks nothing", "name a value"
    for name, value in wanted.items():
        if name not in OPERATORS:
            hint = f"there are {', '.join(OPERATORS)}; dots lead inside a field: write where: {{a.b: 1}}"
            yield (name,), f"no operator {name!r}", hint
        elif name == "exists" and not isinstance(value, bool):
            yield (name,), "exists is true or false", None
        elif name in ("above", "below") and not _number(value):
            yield (name,), f"{name} needs a number", None
        elif name == "not":
            for more, message, advice in _condition(value):
                yield (name, *more), message, advice


def cycles(follows: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """Chains that come back to where they began, each from its first job on. ``follows``: job -> jobs it is on.

    At most CYCLES_AT_MOST; jobs that are on themselves are left out.
    """
    edges = {job: {one for one in others if one != job} for job, others in follows.items()}
    found: list[tuple[str, ...]] = []
    while len(found) < CYCLES_AT_MOST:
        try:
            TopologicalSorter(edges).prepare()
            return found
        except CycleError as error:
            names: list[str] = error.args[1]
            begin = names.index(min(names))
            chain = [*names[begin:-1], *names[:begin]]
            found.append(tuple(chain))
            # graphlib lists each job before the one that is on it; one edge less, and the others are seen too
            edges[chain[0]].discard(chain[-1])
    return found
