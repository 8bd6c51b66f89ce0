"""Sample this machine again and again: its stress, its pauses, and whose fault they were.

A service in a thread of the daemon. Every look is a row; a look that comes far too late is a pause, whose cause is
told apart and of which a directory of evidence is kept. What this machine does not tell stays unknown.

Parameters:
    interval: how often, while nothing is wrong
    elevated_interval: how often, while the stress is elevated
    processes: how often who works is written down, too
    suspects: patterns of process names that are always looked at, such as "*backup*"
    forensics: capture pauses and snapshots in the background
    notify: of what a person is told (pause, elevated, critical, forensics)
    powermetrics: also read macOS' powermetrics, where Jarvis runs as root
    powermetrics_program: where that program is
    once: take one sample and end; nothing counts as a pause
    times: end after so many samples, at least one
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from jarvis import Context, GiveUp

Notice = Literal["pause", "elevated", "critical", "forensics"]
LEAST = timedelta(seconds=0.1)


def _often(length: timedelta) -> timedelta:
    if length < LEAST:
        raise ValueError("give at least 100ms")
    return length


Often = Annotated[timedelta, AfterValidator(_often)]


def run(
    ctx: Context,
    *,
    interval: Often = timedelta(seconds=5),
    elevated_interval: Often = timedelta(seconds=1),
    processes: Often = timedelta(seconds=30),
    suspects: Sequence[str] = (),
    forensics: bool = True,
    notify: Sequence[Notice] = ("pause", "critical", "forensics"),
    powermetrics: bool = False,
    powermetrics_program: str = "/usr/bin/powermetrics",
    once: bool = False,
    times: Annotated[int, Field(ge=1)] | None = None,
) -> tuple[str, dict[str, float]]:
    # The daemon reads this file for its form; the database is loaded when it runs.
    from jarvis.sensing import serving
    from jarvis.sensing.sampler import Pace

    if ctx.deadline is not None and not once and times is None:
        raise GiveUp(
            "sampling goes on all the time: give the job 'service: {restart: always}' and 'in: thread' instead of a "
            "time or a timeout, or one sample with 'with: {once: true}'"
        )
    plan = serving.Plan(
        pace=Pace(normal=interval, elevated=elevated_interval, scan=processes, judge=not once),
        suspects=suspects,
        forensics=forensics and not once,
        notify=frozenset(notify),
        power=powermetrics_program if powermetrics else None,
        times=times,
    )
    if once:
        return serving.single(ctx, plan, ctx.samples)
    return serving.serve(ctx, plan, ctx.samples, ctx.state / "pauses")
