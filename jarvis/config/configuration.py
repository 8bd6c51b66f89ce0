"""What has been read: the jobs and everything else a daemon needs to know about its file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from jarvis.config import secrets
from jarvis.core import job as job_model
from jarvis.core.config import Settings, Slots
from jarvis.core.job import Job
from jarvis.core.telling import Alerts
from jarvis.errors import Problem

Line = tuple[str, int]


class Jobs(Mapping[str, Job]):
    """Jobs by name, each built from its text when it is first asked for."""

    def __init__(self, reading: Reading, built: Mapping[str, Job] | None = None) -> None:
        self._texts, self._python = reading.texts, reading.python
        self._built = dict(built or {})

    def __getitem__(self, name: str) -> Job:
        built = self._built.get(name)
        if built is None:
            body = json.loads(self._texts[name])
            built = self._built[name] = job_model.load(name, body, python=name in self._python)
        return built

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def __contains__(self, name: object) -> bool:
        return name in self._texts

    def forget(self) -> None:
        """Keep the texts alone: a job is ten times its text."""
        self._built = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """A configuration that can be used.

    ``store`` is the path of an SQLite file, or None for the one in the state folder. ``broken``: jobs whose
    handler cannot be used right now, with the reason; they keep their schedule. ``files`` were read and are
    to be watched, and so are ``folders``, where a new file would be read too. ``fingerprints``: name ->
    ``Job.fingerprint()``, known without building the job. ``lines``: where each job is defined. ``schemes``: of the
    URLs of channels, which only Apprise can judge.
    """

    path: Path
    jobs: Jobs
    slots: Slots
    alerts: Alerts
    settings: Settings
    store: str | None
    warnings: tuple[Problem, ...]
    broken: Mapping[str, str]
    files: tuple[Path, ...]
    folders: tuple[Path, ...]
    fingerprint: str
    fingerprints: Mapping[str, str]
    lines: Mapping[str, Line]
    schemes: tuple[Seed, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seed:
    """Something to look at again: a secret's reference, a moment that may be past, or the scheme of a channel's URL.

    ``text``: the reference, the moment in ISO 8601, or the channel's name and the scheme.
    """

    kind: Literal["secret", "at", "until", "scheme"]
    text: str
    file: str
    line: int
    column: int
    job: str | None


def doubts(seeds: Iterable[Seed], environ: Mapping[str, str], now: datetime | None) -> list[Problem]:
    """What is doubtful at this moment in this environment."""
    return [
        Problem(file=seed.file, line=seed.line, column=seed.column, job=seed.job, message=message, hint=hint)
        for seed in seeds
        if seed.kind != "scheme"  # who sends messages knows those
        for message, hint in _doubt(seed, environ, now)
    ]


def _doubt(seed: Seed, environ: Mapping[str, str], now: datetime | None) -> Iterator[tuple[str, str | None]]:
    if seed.kind == "secret":
        found = secrets.doubt(seed.text, environ)
        if found:
            yield found
        return
    at = datetime.fromisoformat(seed.text)
    if now is None or at > now:
        return
    if seed.kind == "at":
        yield (
            f"at: {at:%Y-%m-%d %H:%M} UTC is in the past",
            "it runs only if it was known before that and still due",
        )
    else:
        yield (
            f"until: {at:%Y-%m-%d %H:%M} UTC is in the past, so the job is not due again",
            "remove the job, or until",
        )


@dataclass(kw_only=True, slots=True)
class Reading:
    """A configuration in parts, as the loader makes it and the cache keeps it.

    ``file_settings`` and ``alerts``: the mappings under ``settings:`` and ``alerts:``.
    ``texts``: each job as ``Job.text()``; ``python``: the
    names whose handler is a Python function. ``doubts`` are those that depend on nothing but the files.
    """

    store: str | None = None
    slots: Slots = field(default_factory=Slots)
    alerts: dict[str, Any] = field(default_factory=dict)
    file_settings: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    python: set[str] = field(default_factory=set)
    fingerprints: dict[str, str] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    doubts: list[Problem] = field(default_factory=list)
    seeds: list[Seed] = field(default_factory=list)
