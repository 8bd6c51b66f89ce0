"""What does jobs.yaml say besides its jobs?

``FileSpec`` is the file as written; its fields, and those of ``job.JobSpec``, are the schema of jobs.yaml.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictInt, StrictStr

from jarvis.core.duration import Duration
from jarvis.core.fields import NAME, Model
from jarvis.core.job import JobSpec
from jarvis.core.telling import Alerts
from jarvis.core.when import KINDS

NOT_DEFAULTS = ("run", "with", "command", "service", *KINDS, "schedules")
"""What a job does and when it is due belong to the job alone."""
MERGED = ("env", "process", "output", "retry", "stop", "alert")
"""Mappings whose entries are merged with the defaults'; any other field of a job replaces the default."""
MAIN_ONLY = ("version", "slots", "store", "settings", "alerts")
"""Keys of the main file that an included file may not have."""


def _a_second(length: timedelta) -> timedelta:
    if length < timedelta(seconds=1):
        raise ValueError("at least one second (1s)")
    return length


class Slots(Model):
    """How many runs may be at work at once, by where they run."""

    process: Annotated[StrictInt, Field(ge=1, le=10_000)] = 32
    thread: Annotated[StrictInt, Field(ge=1, le=1_000)] = 64


class Settings(Model):
    """How the daemon itself behaves. Each can be overruled by the environment (``JARVIS_NAME``) and a flag."""

    state: Annotated[StrictStr, Field(min_length=1)] | None = None
    handlers: list[StrictStr] = Field(default_factory=list)
    heartbeat: Annotated[Duration, AfterValidator(_a_second)] = timedelta(seconds=60)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_json: StrictBool = False
    auto_start: StrictBool = False
    nice: Annotated[StrictInt, Field(ge=-20, le=19)] = 0


class FileSpec(Model):
    """A whole jobs.yaml."""

    version: Literal[1] = 1
    defaults: JobSpec | None = None
    include: StrictStr | list[StrictStr] = Field(default_factory=list)
    jobs: dict[Annotated[StrictStr, Field(pattern=NAME)], JobSpec] | None = None
    alerts: Alerts = Field(default_factory=Alerts)
    slots: Slots = Field(default_factory=Slots)
    store: Annotated[StrictStr, Field(min_length=1)] | None = None
    settings: Settings = Field(default_factory=Settings)


def merge(defaults: dict[str, object], body: dict[str, object]) -> dict[str, object]:
    """A job's fields over the defaults; the fields in MERGED entry by entry. A null takes a default away."""
    merged = {**defaults, **body}
    for name in MERGED:
        ours, theirs = body.get(name), defaults.get(name)
        if isinstance(ours, dict) and isinstance(theirs, dict):
            merged[name] = {**theirs, **ours}
    return {name: value for name, value in merged.items() if value is not None}
