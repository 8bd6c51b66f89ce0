"""What does jobs.yaml say? Text in, Config out, or everything that is wrong with it at once.

1. A text that was read before, and did not change, is answered from a cache without a YAML parser.
2. Gather: the file and what it includes, read safely, parsed, ``${VAR}`` expanded.
3. The file's own keys: version, store, slots, settings, defaults; then each job, defaults merged in.
4. Raise ConfigError with every problem in file order, or answer with a Config and its warnings.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jarvis.config import cache as caches
from jarvis.config import documents, zone
from jarvis.config import settings as settings_of
from jarvis.config.configuration import Config, Jobs, Reading, doubts
from jarvis.config.filling import Filling
from jarvis.config.jobs import Handlers
from jarvis.core.config import Settings
from jarvis.core.telling import Alerts
from jarvis.errors import ConfigError, Problem, Unsafe

__all__ = ["Config", "Handlers", "read"]


@dataclass(frozen=True, kw_only=True, slots=True)
class _World:
    """Everything outside the files that a reading depends on."""

    environ: Mapping[str, str]
    zone: str
    zone_doubt: str | None
    now: datetime | None
    flags: Mapping[str, Any] = field(default_factory=dict)


def read(
    path: Path,
    *,
    handlers: Handlers,
    environ: Mapping[str, str],
    local_zone: str | None = None,
    now: datetime | None = None,
    flags: Mapping[str, Any] | None = None,
    cache: Path | None = None,
    mark: str = "",
) -> Config:
    """Read a configuration.

    ``local_zone``: the zone of jobs that name none (default: this machine's). ``now`` decides which moments
    are past; without it nobody is warned of them. ``flags``: settings given on the command line. ``cache``: a
    file that makes the next reading of the same text fast; ``mark`` must differ whenever a handler did (their
    fingerprint). Raises ConfigError (Unsafe where others can write a file) with all problems, in file order.
    """
    name, doubt = (local_zone, None) if local_zone else zone.local(environ)
    world = _World(environ=environ, zone=name, zone_doubt=doubt, now=now, flags=flags or {})
    key = caches.key(path, zone=name, mark=mark) if cache else ""
    if cache and (kept := caches.recall(cache, key, environ)):
        return _from_cache(path, kept, world)
    with _uncollected():
        found = documents.gather(path, environ)
        filling = Filling(gathering=found, handlers=handlers, zone=name, uid=os.geteuid())
        filling.fill()
    reading = filling.reading
    jobs = Jobs(reading, filling.jobs)
    settings, more = settings_of.resolve(reading.file_settings, environ, world.flags)
    problems = [*found.problems, *more]
    if problems:
        raise (Unsafe if found.unsafe else ConfigError)(_in_order(problems, found.order))
    strangers = list(found.doubts)
    if cache:
        strangers += caches.remember(cache, key, found, reading)
    print_ = caches.fingerprint((document.digest for document in found.documents), found.used)
    files = tuple(document.path for document in found.documents)
    warnings = _warnings(reading, strangers, world, found.order)
    return _config(path, reading, jobs, settings, warnings, files, tuple(found.folders), print_)


def _from_cache(path: Path, kept: caches.Kept, world: _World) -> Config:
    settings, problems = settings_of.resolve(kept.reading.file_settings, world.environ, world.flags)
    if problems:
        raise ConfigError(problems)
    order = {str(file): index for index, file in enumerate(kept.files)}
    warnings = _warnings(kept.reading, kept.doubts, world, order)
    jobs = Jobs(kept.reading)
    return _config(path, kept.reading, jobs, settings, warnings, kept.files, kept.folders, kept.fingerprint)


def _config(
    path: Path,
    reading: Reading,
    jobs: Jobs,
    settings: Settings,
    warnings: tuple[Problem, ...],
    files: tuple[Path, ...],
    folders: tuple[Path, ...],
    fingerprint: str,
) -> Config:
    return Config(
        path=path,
        jobs=jobs,
        slots=reading.slots,
        alerts=Alerts.model_validate(reading.alerts),
        settings=settings,
        store=reading.store,
        warnings=warnings,
        broken=MappingProxyType(reading.broken),
        files=files,
        folders=folders,
        fingerprint=fingerprint,
        fingerprints=MappingProxyType(reading.fingerprints),
        lines=MappingProxyType(reading.lines),
        schemes=tuple(seed for seed in reading.seeds if seed.kind == "scheme"),
    )


def _warnings(
    reading: Reading, more: list[Problem], world: _World, order: Mapping[str, int]
) -> tuple[Problem, ...]:
    found = [*more, *reading.doubts, *doubts(reading.seeds, world.environ, world.now)]
    if world.zone_doubt:
        found.append(Problem(file="environment", message=world.zone_doubt, hint=f"{world.zone} is used"))
    return _in_order(found, order)


def _in_order(problems: list[Problem], order: Mapping[str, int]) -> tuple[Problem, ...]:
    """By file as read, then by line; what belongs to no file of the configuration comes last. Each once."""
    last = len(order)
    distinct = dict.fromkeys(problems)
    return tuple(sorted(distinct, key=lambda one: (order.get(one.file, last), one.line, one.column)))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the cycle collector, which would walk a growing heap of live nodes again and again."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
