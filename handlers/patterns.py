"""Tell habits of the last days: postponing, worries, falling energy, an old focus, sleep debt, too many tasks.

What was noted comes from patterns.json, the focus is a file that somebody keeps (CurrentFocus.md). Sleep comes from a
wearable and tasks from a task system when they are given, or else from patterns.json. Each part is judged alone; a
part without data is not judged. What is found is told once for each item and date.

Parameters:
    file: patterns.json
    focus: the file whose last change is the last time somebody looked at their focus
    tasks: where tasks come from: cache, database, table, columns, query, active, max_age, timeout
    wearable: where nights come from: token, url, cache, table, columns, query, max_age, timeout, tries
    days: how many days are looked at, today included
    postponed: from so many postponements of one item on it is told; null never
    focus_days: from so many days without a change on the focus is told; null never
    mentions: from so many mentions of one worry on it is told; null never
    worries: from so many different worries on it is told; null never
    energy_percent: per cent of fall from which on energy is told, with high severity; null never
    created_per_completed: above so many tasks created for each one completed it is told; null never
    sleep_hours: nights below so many hours are a debt; null is not watched
    sleep_nights: how many such nights in a row
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field

from jarvis import Context, GiveUp, Skip
from jarvis.core import patterns as thinking
from jarvis.core.patterns import Flow, Habits, Measured

from ._life import Tasklist, Wearable, mend, read, told  # noqa: TID252 (a handler's folder is a package of its own)

T = TypeVar("T")
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]


@dataclass
class Sources:
    """What was asked: what was used, and what gave nothing and why."""

    used: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)


def check(
    *, file: Path | None, focus: Path | None, tasks: Tasklist | None, wearable: Wearable | None
) -> None:
    if file is None and focus is None and tasks is None and wearable is None:
        raise GiveUp("there is nothing to look at: give file, focus, tasks or wearable")


def run(
    ctx: Context,
    *,
    file: Path | None = None,
    focus: Path | None = None,
    tasks: Tasklist | None = None,
    wearable: Wearable | None = None,
    days: Count = 7,
    postponed: Count | None = 3,
    focus_days: Count | None = 7,
    mentions: Count | None = 3,
    worries: Count | None = 5,
    energy_percent: Positive | None = 20,
    created_per_completed: Positive | None = 1.5,
    sleep_hours: Positive | None = 7,
    sleep_nights: Count = 3,
) -> tuple[str, dict[str, float]]:
    limits = thinking.Limits(
        days=days, postponed=postponed, focus_days=focus_days, mentions=mentions, worries=worries,
        energy_percent=energy_percent, created_per_completed=created_per_completed,
        sleep_hours=sleep_hours, sleep_nights=sleep_nights,
    )  # fmt: skip
    asked = Sources()
    habits = collect(ctx, asked, file, focus, tasks, wearable, limits)
    verdict = thinking.judge(habits, ctx.now, limits)
    missing = [*asked.without, *verdict.unknown]
    if not asked.used:
        raise Skip("; ".join(missing))
    said = [*(told(ctx, verdict.findings) or ["nothing to tell"]), f"from {', '.join(asked.used)}"]
    return "; ".join(said + ([f"not judged: {'; '.join(missing)}"] if missing else [])), verdict.numbers


def collect(
    ctx: Context,
    asked: Sources,
    file: Path | None,
    focus: Path | None,
    tasks: Tasklist | None,
    wearable: Wearable | None,
    limits: thinking.Limits,
) -> Habits:
    """Everything that can be had; each source alone."""
    from jarvis.sources import statefiles

    zone = ctx.now.tzinfo
    assert zone is not None
    noted = attempt(ctx, asked, file, lambda path: statefiles.patterns(path, zone)) if file else None
    touched = attempt(ctx, asked, focus, statefiles.touched) if focus else None
    if file and noted:
        asked.used.append(file.name)
        asked.without += noted.odd
        if noted.odd:
            mend(ctx, str(file), "; ".join(noted.odd[:3]))
    if focus and touched:
        asked.used.append(focus.name)
    nights = slept(ctx, asked, wearable, limits) if wearable else noted.nights if noted else None
    flow = counted(ctx, asked, tasks) if tasks else noted.flow if noted else None
    return Habits(
        postponed=noted.postponed if noted else None,
        worries=noted.worries if noted else None,
        energy=noted.energy if noted else None,
        nights=nights,
        flow=flow,
        focus_at=touched,
    )


def attempt(ctx: Context, asked: Sources, path: Path, look: Callable[[Path], T]) -> T | None:
    """What a file says, or None with the reason noted."""
    from jarvis.sources.fallback import NeedsMending, Unavailable

    try:
        return look(path)
    except Unavailable as error:
        ctx.log.warning("%s", error)
        asked.without.append(str(error))
        if isinstance(error, NeedsMending):
            mend(ctx, str(path), str(error))
        return None


def slept(
    ctx: Context, asked: Sources, wearable: Wearable, limits: thinking.Limits
) -> tuple[Measured, ...] | None:
    """The hours of the last nights, of those that are known."""
    answer = read(ctx, wearable.sources(ctx.now, limits.sleep_nights + 1), wearable.max_age)
    if answer.got is None:
        asked.without.append(answer.why_not())
        return None
    asked.used.append(answer.used.removeprefix("from "))
    return tuple(Measured(day=one.day, value=one.sleep) for one in answer.got.value if one.sleep is not None)


def counted(ctx: Context, asked: Sources, tasks: Tasklist) -> tuple[Flow, ...] | None:
    """When tasks were created and completed."""
    answer = read(ctx, tasks.sources(ctx.now), tasks.max_age)
    if answer.got is None:
        asked.without.append(answer.why_not())
        return None
    asked.used.append(answer.used.removeprefix("from "))
    known = answer.got.value
    return tuple(thinking.flows((one.created for one in known), (one.completed for one in known)))
