"""Which habits of the last days deserve a word? Postponing, worries, energy, focus, sleep, too many tasks.

Each part is judged from its own data alone; a part without data is not judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from jarvis.core.findings import Finding, entity


@dataclass(frozen=True, kw_only=True, slots=True)
class Noted:
    """Something that was written down about a day. ``count``: how often it was said."""

    text: str
    day: date
    count: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A value of a day: energy on any scale above zero, or hours of sleep."""

    day: date
    value: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """How many tasks were created and completed on a day."""

    day: date
    created: int = 0
    completed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Habits:
    """What is known; None is not known and not judged, an empty tuple is known to be nothing."""

    postponed: tuple[Noted, ...] | None = None
    worries: tuple[Noted, ...] | None = None
    energy: tuple[Measured, ...] | None = None
    nights: tuple[Measured, ...] | None = None
    flow: tuple[Flow, ...] | None = None
    focus_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """From where on something is told; None is not watched."""

    days: int = 7
    postponed: int | None = 3
    focus_days: int | None = 7
    mentions: int | None = 3
    worries: int | None = 5
    energy_percent: float | None = 20
    created_per_completed: float | None = 1.5
    sleep_hours: float | None = 7
    sleep_nights: int = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """``unknown``: the parts that could not be judged although there was a source, each a few words."""

    findings: tuple[Finding, ...]
    numbers: dict[str, float]
    unknown: tuple[str, ...]


@dataclass(slots=True)
class _Draft:
    today: date
    findings: list[Finding] = field(default_factory=list)
    numbers: dict[str, float] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def tell(self, key: str, title: str, text: str, severity: str = "medium") -> None:
        self.findings.append(Finding(key=f"{key}:{self.today}", severity=severity, title=title, text=text))


def judge(habits: Habits, now: datetime, limits: Limits) -> Verdict:
    """``now`` is aware, in the zone whose dates count. The last N days are today and the N - 1 days before it."""
    draft = _Draft(now.date())
    if habits.postponed is not None:
        _postponed(draft, _recent(habits.postponed, draft.today, limits.days), limits)
    if habits.worries is not None:
        _worries(draft, _recent(habits.worries, draft.today, limits.days), limits)
    if habits.energy is not None:
        _energy(draft, habits.energy, limits)
    if habits.flow is not None:
        _flow(draft, _recent(habits.flow, draft.today, limits.days), limits)
    if habits.nights is not None:
        _sleep(draft, habits.nights, limits)
    if habits.focus_at is not None:
        _focus(draft, now - habits.focus_at, limits)
    return Verdict(findings=tuple(draft.findings), numbers=draft.numbers, unknown=tuple(draft.unknown))


def _recent(entries: Iterable[Noted | Flow], today: date, days: int) -> list:  # type: ignore[type-arg]
    return [one for one in entries if today - timedelta(days=days) < one.day <= today]


def _totals(entries: Iterable[Noted]) -> Mapping[str, tuple[str, int]]:
    """By what was said, whatever its case: how it was written first, and how often."""
    found: dict[str, tuple[str, int]] = {}
    for one in entries:
        written, count = found.get(one.text.casefold(), (one.text, 0))
        found[one.text.casefold()] = (written, count + one.count)
    return found


def _postponed(draft: _Draft, entries: list[Noted], limits: Limits) -> None:
    totals = _totals(entries)
    draft.numbers["postponed_most"] = max((count for _, count in totals.values()), default=0)
    for key, (item, count) in totals.items():
        if limits.postponed is not None and count >= limits.postponed:
            text = f"{item!r} was postponed {count} times in {limits.days} days"
            draft.tell(f"postponed:{entity(key)}", "Postponed again and again", text)


def _worries(draft: _Draft, entries: list[Noted], limits: Limits) -> None:
    totals = _totals(entries)
    draft.numbers["worries"] = len(totals)
    for key, (worry, count) in totals.items():
        if limits.mentions is not None and count >= limits.mentions:
            text = f"{worry!r} was mentioned {count} times in {limits.days} days"
            draft.tell(f"worry:{entity(key)}", "A worry that comes back", text)
    if limits.worries is not None and len(totals) >= limits.worries:
        draft.tell("worries", "Many worries", f"{len(totals)} worries in {limits.days} days")


def _energy(draft: _Draft, entries: Iterable[Measured], limits: Limits) -> None:
    """The newest day against the oldest of the last N days and the one N days ago, each day by its mean."""
    by_day: dict[date, list[float]] = {}
    for one in entries:
        if draft.today - timedelta(days=limits.days) <= one.day <= draft.today:
            by_day.setdefault(one.day, []).append(one.value)
    days = sorted(by_day)
    if len(days) < 2:
        draft.unknown.append(f"energy of {len(days)} of the last {limits.days} days (2 needed)")
        return
    first, last = (_mean(by_day[one]) for one in (days[0], days[-1]))
    if first <= 0:
        draft.unknown.append(f"energy of {days[0]} is not above zero")
        return
    drop = round(100 * (first - last) / first, 6)
    draft.numbers["energy_change"] = -drop
    if limits.energy_percent is not None and drop >= limits.energy_percent:
        text = f"energy fell {drop:.0f} % from {first:g} ({days[0]}) to {last:g} ({days[-1]})"
        draft.tell("energy", "Energy is going down", text, "high")


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _flow(draft: _Draft, entries: list[Flow], limits: Limits) -> None:
    """Nothing completed counts as one, so that a single new task is no trouble."""
    created = sum(one.created for one in entries)
    completed = sum(one.completed for one in entries)
    draft.numbers |= {"created": created, "completed": completed}
    if limits.created_per_completed is None:
        return
    if created > limits.created_per_completed * max(completed, 1):
        text = f"{created} tasks created, {completed} completed in {limits.days} days"
        draft.tell("flow", "More tasks than get done", text)


def _sleep(draft: _Draft, nights: Iterable[Measured], limits: Limits) -> None:
    """The nights must follow one another, up to the last one that is known: this morning's or the one before."""
    known = {one.day: one.value for one in nights}
    if limits.sleep_hours is None:
        return
    last = next((day for day in _back(draft.today, 2) if day in known), None)
    run = list(_back(last, limits.sleep_nights)) if last else []
    if not run or any(day not in known for day in run):
        draft.unknown.append(f"sleep of the last {limits.sleep_nights} nights is not complete")
        return
    hours = [known[day] for day in run]
    draft.numbers["sleep_mean"] = round(_mean(hours), 6)
    if all(value < limits.sleep_hours for value in hours):
        said = ", ".join(f"{value:.1f} h" for value in reversed(hours))
        text = f"{limits.sleep_nights} nights below {limits.sleep_hours:g} h: {said}"
        draft.tell("sleep_debt", "Sleep debt", text)


def _back(day: date, count: int) -> Sequence[date]:
    return [day - timedelta(days=one) for one in range(count)]


def _focus(draft: _Draft, age: timedelta, limits: Limits) -> None:
    draft.numbers["focus_days"] = round(max(age, timedelta()) / timedelta(days=1), 3)
    if limits.focus_days is not None and age >= timedelta(days=limits.focus_days):
        draft.tell("focus", "The focus file is old", f"it was not touched for {age.days} days")


def flows(created: Iterable[date | None], completed: Iterable[date | None]) -> Iterator[Flow]:
    """One Flow for each task's creation and completion."""
    yield from (Flow(day=day, created=1) for day in created if day)
    yield from (Flow(day=day, completed=1) for day in completed if day)
