"""What are the parts of a job's definition? How it is tried, stopped, limited, kept alive, and where output goes."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr

from jarvis.core.duration import Duration
from jarvis.core.fields import Command, Model

_SIZES = {"B": 1, "kB": 1_000, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}


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


class Service(Model):
    """A job that is meant to run all the time: started again when it ends, waiting ``wait`` doubling to ``max_wait``.

    After ``tries`` ends in a row, none of which ran for ``healthy_after``, it is left alone and a person is told.
    ``while_path``: it runs only while this path exists.
    """

    restart: Literal["always", "on-failure", "on-success"] = "always"
    while_path: StrictStr | None = None
    wait: Duration = timedelta(seconds=10)
    max_wait: Duration = timedelta(minutes=5)
    healthy_after: Duration = timedelta(seconds=60)
    tries: Annotated[StrictInt, Field(ge=1, le=1000)] = 10
