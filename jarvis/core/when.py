"""When is a job due? Its schedules as jobs.yaml writes them, and how its moments are treated."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StrictBool, StrictStr, model_validator

from jarvis.core import changes
from jarvis.core.duration import Duration
from jarvis.core.fields import NAME, Model
from jarvis.core.localtime import Moment

KINDS = ("cron", "every", "at", "start", "watch", "on")
Start = Literal["daemon", "boot", "mount"]
Ended = Literal["succeeded", "failed", "timed_out", "lost", "skipped", "cancelled", "missed", "bad", "ended"]
"""How a run ended; ``bad``: failed, timed_out or lost; ``ended``: in whatever way."""


_KERNEL = re.compile(r"/[./]*((proc|sys)(/.*)?)?")
"""The root and what the kernel shows as files."""
Pattern = Annotated[StrictStr, Field(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")]


class Every(Model):
    """A period, anchored: moments are ``anchor + k * period`` (the anchor is the epoch unless given)."""

    period: Duration
    anchor: Literal["epoch"] | Moment = "epoch"


Glob = Annotated[Pattern, AfterValidator(changes.readable)]


class Watch(Model):
    """Files that make a job due: after a change (``modified``), or while a path ``exists`` or is ``not_empty``.

    Changes within ``debounce`` of each other are one fire, which comes after ``max_wait`` at the latest.
    """

    paths: Pattern | Annotated[list[Pattern], Field(min_length=1)]
    globs: list[Glob] = Field(default_factory=list)
    ignore: list[Glob] = Field(default_factory=list)
    when: Literal["modified", "exists", "not_empty"] = "modified"
    recursive: StrictBool = True
    initial: StrictBool = True
    debounce: Duration = timedelta(seconds=2)
    max_wait: Duration = timedelta(seconds=30)

    @model_validator(mode="after")
    def _of_files(self) -> Self:
        paths = [self.paths] if isinstance(self.paths, str) else self.paths
        for path in paths if self.when == "modified" else ():
            if _KERNEL.fullmatch(path):
                raise ValueError(
                    f"{path} is not a folder of files only: its kernel changes things there all the time, untold; "
                    "name the folders that matter"
                )
        return self


class On(Model):
    """An event (a pattern on ``source/type``, with conditions on its payload), or the end of another job's run."""

    event: Annotated[StrictStr, Field(min_length=1, max_length=400)] | None = None
    where: dict[StrictStr, Any] = Field(default_factory=dict)
    job: Annotated[StrictStr, Field(pattern=NAME)] | None = None
    status: Ended | Annotated[list[Ended], Field(min_length=1)] = "succeeded"

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.event is None) == (self.job is None):
            raise ValueError(
                "it has exactly one of event and job; write event: 'github/push', or job: backup"
            )
        if self.job is not None and self.where:
            raise ValueError("where asks about an event's payload; on: job has none")
        if self.event is not None and "status" in self.model_fields_set:
            raise ValueError("status is about a job's run; on: event has none")
        return self


class When(Model):
    """One schedule: exactly one of the fields."""

    cron: StrictStr | None = None
    every: Duration | Every | None = None
    at: Moment | None = None
    start: Start | None = None
    watch: Watch | None = None
    on: On | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            found = f"not {' and '.join(given)}" if given else "this one has none"
            raise ValueError(f"a schedule has exactly one of cron, every, at, start, watch and on; {found}")
        return self


class Jitter(Model):
    """A run starts up to ``max`` after its moment; ``fixed`` keeps one delay per job."""

    max: Duration
    fixed: StrictBool = False


class CatchUp(Model):
    """What to run of the moments missed; ``after: sleep`` catches up after sleep only, not after downtime."""

    run: Literal["once", "all", "none"] = "once"
    after: Literal["any", "sleep"] = "any"
