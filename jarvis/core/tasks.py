"""What is overdue, what is due, is it too much, and does the day get on? A list of tasks at a moment of a day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from jarvis.core.findings import Finding, entity


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One task. ``points``: what it counts towards the day's target once it is done."""

    title: str
    active: bool
    due: date | None = None
    milestone: bool = False
    points: float = 1.0
    created: date | None = None
    completed: date | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When something is told. Hours are those of the job's time zone; None (or no hours) is not watched."""

    titles: int = 3
    today_hours: Sequence[int] = (9, 14)
    tomorrow_hours: Sequence[int] = (18,)
    many: int | None = 10
    target: float | None = None
    progress_from: int = 9
    progress_until: int = 18
    nothing_from: int = 12
    low_from: int = 15
    low_percent: float = 50
    behind_from: int = 17
    behind_percent: float = 75


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What is to be told, and the counts behind it."""

    findings: tuple[Finding, ...]
    numbers: dict[str, float]


def judge(tasks: Iterable[Task], now: datetime, limits: Limits) -> Verdict:
    """``now`` is aware, in the zone whose hours and dates count."""
    known, today = list(tasks), now.date()
    active = [one for one in known if one.active]
    late = sorted((one for one in active if one.due and one.due < today), key=_oldest)
    soon = {days: _due(active, today + timedelta(days=days)) for days in (0, 1)}
    earned = sum(one.points for one in known if one.completed == today)
    numbers: dict[str, float] = {
        "active": len(active),
        "overdue": len(late),
        "due_today": len(soon[0]),
        "due_tomorrow": len(soon[1]),
        "earned": earned,
    }
    if limits.target:
        numbers["progress_percent"] = round(100 * earned / limits.target, 6)
    findings = [
        *_overdue(late, today, limits),
        *_soon(soon[0], now, limits.today_hours, "today", "medium", limits),
        *_soon(soon[1], now, limits.tomorrow_hours, "tomorrow", "low", limits),
        *_many(len(active), today, limits),
        *_progress(earned, now, limits),
    ]
    return Verdict(findings=tuple(findings), numbers=numbers)


def _oldest(task: Task) -> tuple[date, str]:
    return (task.due or date.max, task.title)


def _due(tasks: Iterable[Task], day: date) -> list[Task]:
    return sorted((one for one in tasks if one.due == day), key=lambda one: one.title)


def _overdue(late: Sequence[Task], today: date, limits: Limits) -> Iterator[Finding]:
    """A milestone is told alone and louder, so it is not in the group as well."""
    plain = [one for one in late if not one.milestone]
    if plain:
        yield Finding(
            key=f"overdue:{today}",
            severity="high",
            title=f"{_count(plain)} overdue",
            text=f"{_count(plain)} overdue: {_titles(plain, limits.titles)}",
        )
    for one in late:
        if one.milestone and one.due:
            days = (today - one.due).days
            yield Finding(
                key=f"milestone:{entity(one.title)}:{today}",
                severity="critical",
                title="A milestone is overdue",
                text=f"the milestone {one.title!r} was due on {one.due}, {_days(days)} ago",
            )


def _soon(
    due: Sequence[Task], now: datetime, hours: Sequence[int], word: str, severity: str, limits: Limits
) -> Iterator[Finding]:
    if due and now.hour in hours:
        said = f"{_count(due)} due {word}"
        yield Finding(
            key=f"due_{word}:{now.date()}:{now.hour:02}",
            severity=severity,
            title=said,
            text=f"{said}: {_titles(due, limits.titles)}",
        )


def _many(active: int, today: date, limits: Limits) -> Iterator[Finding]:
    if limits.many is not None and active >= limits.many:
        text = f"{active} tasks are active at once (from {limits.many} on this is told)"
        yield Finding(key=f"active:{today}", severity="medium", title="Many active tasks", text=text)


def _progress(earned: float, now: datetime, limits: Limits) -> Iterator[Finding]:
    """The day's progress: at most one finding at a time, the one of the latest hour that has come."""
    if not limits.target or not limits.progress_from <= now.hour <= limits.progress_until:
        return
    percent = round(100 * earned / limits.target, 6)
    stages = (
        (limits.behind_from, percent < limits.behind_percent, "high"),
        (limits.low_from, percent < limits.low_percent, "medium"),
        (limits.nothing_from, earned <= 0, "medium"),
    )
    for hour, behind, severity in stages:
        if now.hour >= hour and behind:
            yield Finding(
                key=f"progress:{now.date()}:{hour:02}",
                severity=severity,
                title="The day is behind its target",
                text=f"{earned:g} of {limits.target:g} points at {now:%H:%M} ({percent:.0f} %)",
            )
            return


def _titles(tasks: Sequence[Task], first: int) -> str:
    shown = ", ".join(one.title for one in tasks[:first])
    more = len(tasks) - first
    if more <= 0:
        return shown
    return f"{shown} and {more} more" if shown else f"{more} in all"


def _count(tasks: Sequence[Task]) -> str:
    return f"{len(tasks)} task" if len(tasks) == 1 else f"{len(tasks)} tasks"


def _days(days: int) -> str:
    return f"{days} day" if days == 1 else f"{days} days"
