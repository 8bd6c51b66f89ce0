"""Tell what is overdue and due, when it is too much, and when the day falls behind its target.

The tasks come from a copy of the task system's database or from that database itself, SQLite or PostgreSQL.
Dates and hours are those of the job's time zone. What is found is told once for each date (or date and hour).

Parameters:
    tasks: where they come from: cache, database, table, columns, query, active, max_age, timeout
    titles: how many titles a grouped alert names
    today_hours: the hours in which tasks due today are told
    tomorrow_hours: the hours in which tasks due tomorrow are told
    many: from so many active tasks on it is told; null never
    target: the points of a day; without it progress is not judged
    progress_from: the first hour in which progress is judged
    progress_until: the last hour in which progress is judged
    nothing_from: from this hour on nothing earned is told
    low_from: from this hour on less than low_percent is told
    low_percent: per cent of the target
    behind_from: from this hour on less than behind_percent is told, with high severity
    behind_percent: per cent of the target
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from jarvis import Context
from jarvis.core import tasks as thinking

from ._life import Tasklist, Worth, read, tell  # noqa: TID252 (a handler's folder is a package of its own)

Hour = Annotated[int, Field(ge=0, le=23)]
Percent = Annotated[float, Field(ge=0, le=100)]


def run(
    ctx: Context,
    *,
    tasks: Tasklist,
    titles: Annotated[int, Field(ge=0)] = 3,
    today_hours: list[Hour] = [9, 14],  # noqa: B006 (never changed; shown as the form's default)
    tomorrow_hours: list[Hour] = [18],  # noqa: B006
    many: Annotated[int, Field(ge=1)] | None = 10,
    target: Annotated[float, Field(gt=0)] | None = None,
    progress_from: Hour = 9,
    progress_until: Hour = 18,
    nothing_from: Hour = 12,
    low_from: Hour = 15,
    low_percent: Percent = 50,
    behind_from: Hour = 17,
    behind_percent: Percent = 75,
) -> tuple[str, dict[str, float]]:
    limits = thinking.Limits(
        titles=titles, today_hours=today_hours, tomorrow_hours=tomorrow_hours, many=many, target=target,
        progress_from=progress_from, progress_until=progress_until, nothing_from=nothing_from,
        low_from=low_from, low_percent=low_percent, behind_from=behind_from, behind_percent=behind_percent,
    )  # fmt: skip
    return judged(ctx, tasks, limits).or_skip()


def judged(ctx: Context, where: Tasklist, limits: thinking.Limits) -> Worth:
    """The tasks as they are now."""
    answer = read(ctx, where.sources(ctx.now), where.max_age)
    if answer.got is None:
        return Worth(skipped=answer.why_not())
    verdict = thinking.judge(answer.got.value, ctx.now, limits)
    numbers = verdict.numbers
    known = (
        f"{numbers['active']:g} active, {numbers['overdue']:g} overdue, {numbers['due_today']:g} due today"
    )
    return Worth(said=tell(ctx, verdict.findings, known, answer), numbers=numbers)
