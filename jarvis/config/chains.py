"""Do the jobs that follow others (``on: {job}``) name jobs there are, and does no chain come back to its beginning?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from jarvis.config import explain
from jarvis.config.explain import Finding
from jarvis.core import triggers
from jarvis.core.job import Job
from jarvis.core.when import On

Path = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """One ``on: {job}``: who follows whom, and where in the file it is written."""

    follower: str
    job: str
    path: Path


def links(jobs: Mapping[str, Job]) -> list[Link]:
    """Every ``on: {job}``."""
    return [
        Link(follower=name, job=on.job, path=("jobs", name, *path))
        for name, job in jobs.items()
        if job.spec.on or job.spec.schedules
        for path, on in _written(job)
        if on.job is not None
    ]


def _written(job: Job) -> Iterator[tuple[Path, On]]:
    if job.spec.on is not None:
        yield ("on",), job.spec.on
    for index, when in enumerate(job.spec.schedules):
        if when.on is not None:
            yield ("schedules", index, "on"), when.on


def mistakes(found: Iterable[Link], names: Iterable[str]) -> Iterator[tuple[str, Finding]]:
    """What is wrong with these links, with the job it is said of. ``names``: all jobs that are written anywhere."""
    known = frozenset(names)
    sound: list[Link] = []
    for link in found:
        path = (*link.path, "job")
        if link.job == link.follower:
            why = "on: a job cannot follow its own runs"
            advice = "write every: for a period, service: for one that runs all the time"
            yield link.follower, Finding(path, why, advice)
        elif link.job not in known:
            message, hint = explain.unknown(link.job, known - {link.follower}, what="job")
            yield link.follower, Finding(path, f"on: {message}", hint)
        else:
            sound.append(link)
    yield from _cycles(sound)


def _cycles(sound: list[Link]) -> Iterator[tuple[str, Finding]]:
    follows: dict[str, list[str]] = {}
    for link in sound:
        follows.setdefault(link.follower, []).append(link.job)
    for chain in triggers.cycles(follows):
        link = next(one for one in sound if (one.follower, one.job) == (chain[0], chain[-1]))
        told = " -> ".join((*chain, chain[0]))
        message = f"on: this chain comes back to its beginning and would never end: {told}"
        yield link.follower, Finding((*link.path, "job"), message, "take one of its links away")


def doubts(found: Iterable[Link], jobs: Mapping[str, Job]) -> Iterator[tuple[str, Finding]]:
    """Links to jobs that run only when somebody asks for them."""
    for link in found:
        job = jobs.get(link.job)
        if job is not None and not job.spec.enabled:
            message = f"on: the job {link.job!r} is not enabled, so that it ends only when it is run by hand"
            yield link.follower, Finding((*link.path, "job"), message, None)
