"""Check what must always be so, and keep a ticket for everything that is not.

Each invariant is looked at, all of them side by side. One that is violated for as long as its grace has a ticket and
an alert, both under the key ``invariant`` or ``invariant:entity``, until it holds again. What could not be observed
is neither healthy nor violated: its ticket stays as it is, and ``cannot_observe`` is raised for it.

Parameters:
    invariants: what must be so, by name; each is one of up, latency, disk, sql, command, metric
    timeout: for one observation
    within: for all of them together
    at_once: so many are looked at side by side
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from jarvis import Context
from jarvis.core import invariants as promises
from jarvis.core.invariants import Invariant, Metric, Target
from jarvis.core.things import Name

if TYPE_CHECKING:
    from jarvis.core.checked import Followed
    from jarvis.core.observation import Verdict

Invariants = Annotated[dict[Name, Invariant], AfterValidator(promises.promised)]

RESERVE = timedelta(seconds=5)
"""Before the run's own deadline: time to write down what was seen."""


def run(
    ctx: Context,
    *,
    invariants: Invariants,
    timeout: timedelta = timedelta(seconds=5),
    within: timedelta = timedelta(seconds=25),
    at_once: Annotated[int, Field(ge=1, le=1000)] = 50,
) -> tuple[str, dict[str, float]]:
    from jarvis.core import checked, observation

    verdicts = observe(ctx, list(promises.targets(invariants)), timeout, within, at_once)
    # A check is of the moment when it was made: it may have had to wait, and another one may have come before it.
    kept = ctx.tickets.check(
        checked.findings(verdicts),
        scope=ctx.run.job,
        batch=f"{ctx.run.job}:{ctx.run.id}",
        now=datetime.now(UTC),
        keep=ctx.run.fire != "try",
    )
    tell(ctx, kept.followed, kept.numbers)
    for verdict in verdicts:
        if verdict.state != "holds":
            ctx.log.warning(verdict.state.replace("_", " "), key=verdict.target.key, why=verdict.message)
    return summary(verdicts, kept.followed, len(kept.numbers), observation.summary(verdicts))


def observe(
    ctx: Context, targets: Sequence[Target], timeout: timedelta, within: timedelta, at_once: int
) -> list[Verdict]:
    """A verdict for each target, in their order; messages hold no secrets.

    A number that nobody could have recorded yet, as at a first start, is waited for as long as its window.
    """
    from dataclasses import replace
    from functools import partial

    from jarvis.core import observation
    from jarvis.sources import observing

    if ctx.deadline is not None:
        within = max(timedelta(seconds=1), min(within, ctx.deadline - datetime.now(UTC) - RESERVE))

    awaited: dict[str, str] = {}

    def recorded(metric: Metric) -> list[float]:
        since = ctx.now - metric.window
        if metric.sample is not None:
            values, begun = ctx.metrics.of_samples(metric.sample, since), ctx.metrics.sampled
        else:
            values = ctx.metrics.of_runs(str(metric.job), str(metric.number), since)
            begun = partial(ctx.metrics.begun, str(metric.job))
        source = metric.sample or f"{metric.number} of {metric.job}"
        first_at = min(datetime.fromisoformat(known.get(source, ctx.now.isoformat())), ctx.now)
        if not values and ctx.now - first_at < metric.window and not begun():
            awaited[source] = first_at.isoformat()
            raise observing.NotYet(
                f"{source} was not recorded yet; it is waited for since {first_at:%H:%M:%S}"
            )
        return values

    async def look() -> Mapping[str, observation.Reading]:
        return await observing.look(targets, each=timeout, within=within, at_once=at_once, metrics=recorded)

    known = dict(ctx.memory.get("awaited", {}))
    readings = asyncio.run(look())
    if awaited != known:
        ctx.memory["awaited"] = awaited
    judged = [observation.judge(target, readings[target.key]) for target in targets]
    return [replace(one, message=ctx.hidden(one.message)) for one in judged]


def tell(ctx: Context, followed: Followed, numbers: Mapping[str, int]) -> None:
    """Problems for as long as they are there; flapping, what is held and what is no longer checked once.

    That it was told is remembered together with the alert itself: neither can be lost without the other.
    """
    for one in followed.told:
        number = numbers.get(one.key)
        ticket = f" (ticket {number}: jarvis tickets show {number})" if number else ""
        ctx.alert(one.text + ticket, key=one.key, severity=one.severity, title=one.title)
    once = {"flapping": followed.flapping, "unchecked": followed.unchecked, "held": followed.held}
    for kind, news in once.items():
        known = list(ctx.memory.get(kind, []))
        for key, sentence in news.items():
            if key not in known:
                ctx.alert(
                    sentence, key=f"{kind}:{key}", severity="low" if kind == "held" else "medium", once=True
                )
        if (now := sorted(news)) != known:
            ctx.memory[kind] = now


def summary(
    verdicts: Sequence[Verdict], followed: Followed, tickets: int, counts: Mapping[str, int]
) -> tuple[str, dict[str, float]]:
    """The heartbeat line and its numbers."""
    from jarvis.core import observation

    opened = sum(step.what == "opened" for step in followed.steps)
    resolved = sum(step.what == "resolved" for step in followed.steps)
    news = [f"{opened} ticket{'' if opened == 1 else 's'} opened"] if opened else []
    news += [f"{resolved} resolved"] if resolved else []
    news += [
        f"{len(followed.pending)} within {'its' if len(followed.pending) == 1 else 'their'} grace"
    ] * bool(followed.pending)
    line = ", ".join([observation.heartbeat(counts), *news])
    numbers = {name: float(count) for name, count in counts.items()}
    return line, numbers | {
        "checks": float(len(verdicts)), "tickets": float(tickets), "opened": float(opened), "resolved": float(resolved),
        "flapping": float(len(followed.flapping)),
    }  # fmt: skip
