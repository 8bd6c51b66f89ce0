"""What does jobs.yaml say about one job?

``JobSpec`` is the job as written (its fields are the schema of jobs.yaml); ``JobSpec.resolve`` makes the
``Job`` the rest of the house works with: shorthands expanded, defaults that depend on the kind of handler
filled in, nothing left to guess. Field names and defaults: docs/jobs.md.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr

from jarvis.core.duration import Duration
from jarvis.core.fields import NAME, Command, Env, Model, Text
from jarvis.core.localtime import Moment
from jarvis.core.parts import Condition, Output, Process, Retry, Service, Step, Stop
from jarvis.core.telling import AlertRule, Deliver
from jarvis.core.when import KINDS, CatchUp, Every, Jitter, On, Start, Watch, When

HANDLER_TIMEOUT = timedelta(minutes=5)

# What most jobs leave as it is: one for all of them, which of thousands of jobs is most of their memory.
_STOP, _PROCESS, _OUTPUT, _RETRY = Stop(), Process(), Output(), Retry()
_CATCH_UP = {kind: CatchUp(run=kind) for kind in ("once", "all", "none")}


class JobSpec(Model):
    """A job as jobs.yaml writes it."""

    run: StrictStr | None = None
    with_: dict[StrictStr, Any] = Field(default_factory=dict, alias="with")
    command: Command | None = None
    cwd: StrictStr | None = None
    env: Env = Field(default_factory=dict)
    env_file: StrictStr | list[StrictStr] = Field(default_factory=list)
    in_: Literal["process", "thread"] = Field(default="process", alias="in")
    before: list[Step] = Field(default_factory=list)
    after: list[Step] = Field(default_factory=list)
    service: Service | None = None

    cron: StrictStr | None = None
    every: Duration | Every | None = None
    at: Moment | None = None
    start: Start | None = None
    watch: Watch | None = None
    on: On | None = None
    schedules: list[When] = Field(default_factory=list)
    timezone: StrictStr | None = None
    dst: Literal["once", "exact", "skip"] = "once"
    jitter: Duration | Jitter | None = None
    from_: Moment | None = Field(default=None, alias="from")
    until: Moment | None = None
    enabled: StrictBool = True

    misfire_grace: Duration | None = None
    catch_up: Literal["once", "all", "none"] | CatchUp = "once"
    overlap: Literal["skip", "queue", "replace", "allow"] = "skip"
    max_instances: Annotated[StrictInt, Field(ge=1, le=1000)] = 1
    lock: Annotated[StrictStr, Field(pattern=NAME)] | None = None
    min_spacing: Duration | None = None
    condition: Condition | None = None
    timeout: Duration | Literal["none"] | None = None
    stop: Stop = Field(default_factory=lambda: _STOP)
    on_lost: Literal["fail", "rerun"] = "fail"
    detach: StrictBool = False
    retry: Retry | Literal["none"] | None = None
    priority: Annotated[StrictInt, Field(ge=-100, le=100)] = 0

    process: Process = Field(default_factory=lambda: _PROCESS)
    stdin: Text | None = None
    success_codes: list[Annotated[StrictInt, Field(ge=0, le=255)]] = Field(default_factory=lambda: [0])
    keep_awake: StrictBool = False
    output: Output = Field(default_factory=lambda: _OUTPUT)
    alert: AlertRule | None = None
    deliver: Deliver | None = None

    description: StrictStr | None = None
    tags: list[StrictStr] = Field(default_factory=list)

    def when(self) -> tuple[When, ...]:
        """All schedules, shorthand ones first."""
        short = [When(**{kind: getattr(self, kind)}) for kind in KINDS if getattr(self, kind) is not None]
        return (*short, *self.schedules)

    def resolve(self, name: str, *, timezone: str, python: bool) -> Job:
        """The job to work with. ``python``: the handler is a Python function (not a program); see Job."""
        timeout, retry = self.timeout, self.retry
        brief = python and self.service is None
        if timeout is None:
            timeout = HANDLER_TIMEOUT if brief else "none"
        if retry is None:
            retry = _RETRY if brief else "none"
        run, form = self.run, dict(self.with_)
        if self.command is not None:
            run, form = "command", {**form, "command": self.command}
        return Job(
            name=name,
            python=python,
            run=run or "command",
            with_=form,
            spec=self,
            when=self.when(),
            timezone=self.timezone or timezone,
            timeout=None if timeout == "none" else timeout,
            retry=None if retry == "none" else retry,
            catch_up=_CATCH_UP[self.catch_up] if isinstance(self.catch_up, str) else self.catch_up,
            jitter=Jitter(max=self.jitter) if isinstance(self.jitter, timedelta) else self.jitter,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job with nothing left to guess.

    Fields that need no resolving are read from ``spec`` (``job.spec.overlap``). ``timeout`` and ``retry`` are None
    when there is none. ``python``: its handler is a Python function, not a program. ``origin``: ``file``
    (jobs.yaml) or ``store`` (added by a verb).
    """

    name: str
    run: str
    with_: dict[str, Any]
    spec: JobSpec
    when: tuple[When, ...]
    timezone: str
    timeout: timedelta | None
    retry: Retry | None
    catch_up: CatchUp
    jitter: Jitter | None
    python: bool = False
    origin: Literal["file", "store"] = "file"

    @property
    def thread(self) -> bool:
        return self.spec.in_ == "thread"

    @property
    def service(self) -> bool:
        """It is meant to run all the time."""
        return self.spec.service is not None

    def dump(self) -> dict[str, Any]:
        """The definition as data: what ``load`` reads back, JSON types only, secrets as references."""
        body = self.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return body | {"timezone": self.timezone}

    def text(self) -> str:
        """``dump`` as one line of JSON, the same for the same job."""
        return json.dumps(self.dump(), sort_keys=True, separators=(",", ":"))

    def fingerprint(self) -> str:
        """Same text, same job: 16 hex digits over the definition."""
        return fingerprint(self.text())


def fingerprint(text: str) -> str:
    """What ``Job.fingerprint`` makes of ``Job.text``."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def load(name: str, body: dict[str, Any], *, python: bool) -> Job:
    """A Job from a stored definition (``Job.dump``)."""
    spec = JobSpec.model_validate(body)
    return spec.resolve(name, timezone=spec.timezone or "UTC", python=python)
