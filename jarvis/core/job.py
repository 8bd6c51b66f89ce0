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
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator

from jarvis.core.duration import Duration
from jarvis.core.localtime import Moment

NAME = r"^[A-Za-z0-9._-]{1,64}$"
HANDLER_TIMEOUT = timedelta(minutes=5)


class Model(BaseModel):
    """Unknown fields are errors; values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class SecretRef(Model):
    """``!secret env:NAME`` or ``!secret file:PATH``: a reference; the value is read at launch, never stored."""

    secret: Annotated[StrictStr, Field(pattern=r"^(env|file):.+$", alias="$secret")]


Text = StrictStr | SecretRef
Env = dict[Annotated[StrictStr, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Text]
Word = Annotated[StrictStr, Field(max_length=120_000)]
Argv = Annotated[list[Word], Field(min_length=1)]
Command = Annotated[StrictStr, Field(min_length=1, max_length=120_000)] | Argv
"""A text for the shell or a list of words without one; the kernel takes at most 128 KiB a word."""

_SIZES = {"B": 1, "kB": 1_000, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}


class Every(Model):
    """A period, anchored: moments are ``anchor + k * period`` (the anchor is the epoch unless given)."""

    period: Duration
    anchor: Literal["epoch"] | Moment = "epoch"


KINDS = ("cron", "every", "at", "start")


class When(Model):
    """One schedule: exactly one of the fields."""

    cron: StrictStr | None = None
    every: Duration | Every | None = None
    at: Moment | None = None
    start: Literal["daemon", "boot"] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            found = f"not {' and '.join(given)}" if given else "this one has none"
            raise ValueError(f"a schedule has exactly one of cron, every, at and start; {found}")
        return self


class Jitter(Model):
    """A run starts up to ``max`` after its moment; ``fixed`` keeps one delay per job."""

    max: Duration
    fixed: StrictBool = False


class CatchUp(Model):
    """What to run of the moments missed; ``after: sleep`` catches up after sleep only, not after downtime."""

    run: Literal["once", "all", "none"] = "once"
    after: Literal["any", "sleep"] = "any"


class Retry(Model):
    """``times`` further attempts; the wait grows ``wait * backoff ** n`` up to ``max_wait``, plus 0..jitter."""

    times: Annotated[StrictInt, Field(ge=0, le=100)] = 2
    wait: Duration = timedelta(seconds=30)
    backoff: Annotated[float, Field(strict=True, ge=1, le=10, allow_inf_nan=False)] = 2
    max_wait: Duration = timedelta(minutes=30)
    jitter: Duration = timedelta(0)


class Stop(Model):
    """How a run is ended: this signal to its group, then SIGKILL to everything ``after`` that."""

    signal: Literal["TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "KILL"] = "TERM"
    after: Duration = timedelta(seconds=10)


class Condition(Model):
    """All given must hold when the run would start; otherwise it is skipped with the reason."""

    on_ac: StrictBool | None = None
    path_exists: StrictStr | None = None
    glob: StrictStr | None = None
    not_empty: StrictStr | None = None
    executable: StrictStr | None = None
    network: StrictBool | None = None
    idle: StrictBool | None = None
    exec: Command | None = None


class Step(Model):
    """A command before the job's own, or after it succeeded."""

    command: Command
    ignore_failure: StrictBool = False


class Process(Model):
    """Who the process is and what it may use. ``user`` and ``group`` other than one's own need root."""

    user: StrictStr | None = None
    group: StrictStr | None = None
    umask: Annotated[StrictStr, Field(pattern=r"^0?[0-7]{3}$")] | None = None
    nice: Annotated[StrictInt, Field(ge=-20, le=19)] | None = None
    io: Annotated[StrictStr, Field(pattern=r"^(idle|best-effort(:[0-7])?|realtime(:[0-7])?)$")] | None = None
    cpu: Literal["normal", "batch", "idle"] | None = None
    limits: dict[
        Literal["as", "core", "cpu", "data", "fsize", "memlock", "nofile", "nproc", "rss", "stack"],
        Annotated[StrictInt, Field(ge=0)] | Literal["unlimited"],
    ] = Field(default_factory=dict)
    path: list[StrictStr] | None = None
    login_shell: StrictBool = False
    shell: StrictStr | None = None


class Output(Model):
    """Where output goes: ``capture``, ``discard``, ``append:PATH`` or ``truncate:PATH``; how much is kept."""

    stdout: Annotated[StrictStr, Field(pattern=r"^(capture|discard|(append|truncate):.+)$")] = "capture"
    stderr: Annotated[StrictStr, Field(pattern=r"^(capture|discard|(append|truncate):.+)$")] = "capture"
    cap: Annotated[StrictStr, Field(pattern=r"^\d+(\.\d+)?(B|kB|KB|MB|GB)$")] = "10MB"
    keep: Duration = timedelta(days=30)

    @property
    def cap_bytes(self) -> int:
        """``cap`` as a number of bytes."""
        number = self.cap.rstrip("BkKMG")
        return int(float(number) * _SIZES[self.cap[len(number) :]])


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

    cron: StrictStr | None = None
    every: Duration | Every | None = None
    at: Moment | None = None
    start: Literal["daemon", "boot"] | None = None
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
    stop: Stop = Field(default_factory=Stop)
    on_lost: Literal["fail", "rerun"] = "fail"
    detach: StrictBool = False
    retry: Retry | Literal["none"] | None = None
    priority: Annotated[StrictInt, Field(ge=-100, le=100)] = 0

    process: Process = Field(default_factory=Process)
    stdin: Text | None = None
    success_codes: list[Annotated[StrictInt, Field(ge=0, le=255)]] = Field(default_factory=lambda: [0])
    keep_awake: StrictBool = False
    output: Output = Field(default_factory=Output)

    description: StrictStr | None = None
    tags: list[StrictStr] = Field(default_factory=list)

    def when(self) -> tuple[When, ...]:
        """All schedules, shorthand ones first."""
        short = [When(**{kind: getattr(self, kind)}) for kind in KINDS if getattr(self, kind) is not None]
        return (*short, *self.schedules)

    def resolve(self, name: str, *, timezone: str, python: bool) -> Job:
        """The job to work with. ``python``: the handler is a Python function (not a program); see Job."""
        timeout, retry = self.timeout, self.retry
        if timeout is None:
            timeout = HANDLER_TIMEOUT if python else "none"
        if retry is None:
            retry = Retry() if python else "none"
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
            catch_up=CatchUp(run=self.catch_up) if isinstance(self.catch_up, str) else self.catch_up,
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
