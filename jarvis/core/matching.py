"""What does a rule match, and who hears of it now? Rows in, matches out; ``today`` and ``now`` are given."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from string import Template
from typing import Any

from jarvis.core.duration import spell
from jarvis.core.rules import (
    JobRule,
    MetricRule,
    OverdueDelegation,
    SqlRule,
    StaleBackup,
    StaleDecision,
    UpcomingDeadline,
)

KEPT = 20
"""So many matches of one key are spelled out; all are counted."""
AHEAD = timedelta(days=1)
"""A backup that claims to be from further ahead than this is no proof of a backup."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delegation:
    """What somebody else was asked to do, as far as rules look at it."""

    task: str
    delegated_to: str
    due_date: date | None
    status: str = "active"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What was decided, as far as rules look at it."""

    decision: str
    created_at: datetime
    status: str = "pending_execution"


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """What the ledger knows of a job. ``failing_since``: the first of the ``failures`` in a row (fires, not attempts).

    ``took``: how long its last run took; ``running_since``: its oldest run that is at work.
    """

    job: str
    known_since: datetime
    succeeded_at: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    took: timedelta | None = None
    running_since: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """One thing a rule found. Matches of one ``key`` cool down together."""

    text: str
    key: str = ""


@dataclass(kw_only=True, slots=True)
class Found:
    """All matches of a rule: counted, and the first of each key in words."""

    count: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)

    def words(self, keys: Iterable[str], most: int = KEPT) -> list[str]:
        """The matches of these keys, one line each; the last line says how many more there are."""
        chosen = list(keys)
        lines = [text for key in chosen for text in self.texts[key]][:most]
        more = sum(self.counts[key] for key in chosen) - len(lines)
        return [*lines, f"and {more} more"] if more else lines


@dataclass(frozen=True, kw_only=True, slots=True)
class Telling:
    """Who hears of what now: the ``fresh`` keys; ``told`` is what has to be remembered with the alert."""

    fresh: tuple[str, ...]
    told: Mapping[str, datetime]


def gather(matches: Iterable[Match]) -> Found:
    """Count matches without keeping them all."""
    found = Found()
    for match in matches:
        found.count += 1
        known = found.counts.get(match.key, 0)
        found.counts[match.key] = known + 1
        if known < KEPT:
            found.texts.setdefault(match.key, []).append(match.text)
    return found


def telling(found: Found, told: Mapping[str, datetime], cooldown: timedelta, now: datetime) -> Telling:
    """A key is told unless it was told less than ``cooldown`` ago; one told in the future was told by a wrong clock."""
    cooling = {key: at for key, at in told.items() if timedelta(0) <= now - at < cooldown}
    fresh = tuple(key for key in found.counts if key not in cooling)
    return Telling(fresh=fresh, told=cooling | dict.fromkeys(fresh, now))


def overdue(rows: Iterable[Delegation], rule: OverdueDelegation, today: date) -> Iterator[Match]:
    """Active, due before today, at least so many whole days late."""
    for row in rows:
        if (
            row.status == "active"
            and row.due_date
            and (late := (today - row.due_date).days) >= rule.days_overdue
        ):
            yield Match(text=f"{_whose(row)}: {_days(late)} late, due {row.due_date}")


def upcoming(rows: Iterable[Delegation], rule: UpcomingDeadline, today: date) -> Iterator[Match]:
    """Active, due from today to so many days from now, both included."""
    for row in rows:
        if (
            row.status == "active"
            and row.due_date
            and 0 <= (left := (row.due_date - today).days) <= rule.within_days
        ):
            when = "today" if left == 0 else "tomorrow" if left == 1 else f"in {_days(left)}"
            yield Match(text=f"{_whose(row)}: due {when}, {row.due_date}")


def stale(rows: Iterable[Decision], rule: StaleDecision, today: date, zone: tzinfo | None) -> Iterator[Match]:
    """To be executed, and made strictly before today minus so many days."""
    horizon = today - timedelta(days=rule.days_stale)
    for row in rows:
        made = row.created_at.astimezone(zone).date()
        if row.status == "pending_execution" and made < horizon:
            yield Match(text=f"{row.decision}: not executed since {made} ({_days((today - made).days)})")


def backup(value: str | None, rule: StaleBackup, now: datetime) -> Iterator[Match]:
    """Nobody noted a success, what was noted is no moment, or it is too long ago. Without a zone: that of ``now``."""
    if value is None:
        yield Match(text=f"nobody noted a backup: there is no fact {rule.fact}")
        return
    try:
        at = datetime.fromisoformat(value.strip())
    except ValueError:
        yield Match(text=f"the fact {rule.fact} is no moment: {value[:80]!r}")
        return
    age = now - (at if at.tzinfo else at.replace(tzinfo=now.tzinfo))
    if age > timedelta(hours=rule.max_age_hours):
        yield Match(
            text=f"the last backup is {_long(age)} old ({value.strip()}), {rule.max_age_hours:g} h are allowed"
        )
    elif age < -AHEAD:
        yield Match(text=f"the fact {rule.fact} lies in the future: {value.strip()}")


def job(history: History, rule: JobRule, now: datetime) -> Iterator[Match]:
    """What is wrong with a job; nothing for conditions that were not given."""
    since = history.succeeded_at or history.known_since
    if rule.not_succeeded_for and now - since >= rule.not_succeeded_for:
        never = "" if history.succeeded_at else ", and never before"
        yield Match(text=f"{history.job} has not succeeded for {_long(now - since)}{never}")
    failing = history.failing_since
    if rule.failing_for and failing and now - failing >= rule.failing_for:
        yield Match(text=f"{history.job} has been failing for {_long(now - failing)}")
    if rule.consecutive_failures and history.failures >= rule.consecutive_failures:
        often = "once" if history.failures == 1 else f"{history.failures} times in a row"
        yield Match(text=f"{history.job} failed {often}")
    running = now - history.running_since if history.running_since else None
    if rule.duration_above and running and running > rule.duration_above:
        yield Match(text=f"{history.job} has been running for {_long(running)}")
    elif rule.duration_above and history.took and history.took > rule.duration_above:
        yield Match(text=f"{history.job} took {_long(history.took)}")


def sql(rows: Iterable[Mapping[str, Any]], rule: SqlRule) -> Iterator[Match]:
    """Every row. Raises ValueError when a template names a column that the query does not return."""
    for row in rows:
        spelled = {name: "" if value is None else str(value) for name, value in row.items()}
        text = _filled(rule.message, spelled, "message") if rule.message else _plainly(spelled)
        yield Match(text=text, key=_filled(rule.key, spelled, "key")[:200] if rule.key else "")


def metric(values: Sequence[float], rule: MetricRule) -> Iterator[Match]:
    """The aggregate strictly above or below its limit. Raises ValueError when there is nothing to judge."""
    if not values and rule.aggregate != "count":
        raise ValueError(f"there is no reading of {rule.metric} in the last {spell(rule.window)}")
    value = aggregate(values, rule.aggregate)
    said = f"{rule.metric}: {rule.aggregate} of {spell(rule.window)} is {value:g}"
    if rule.above is not None and value > rule.above:
        yield Match(text=f"{said}, above {rule.above:g}")
    if rule.below is not None and value < rule.below:
        yield Match(text=f"{said}, below {rule.below:g}")


def aggregate(values: Sequence[float], how: str) -> float:
    """One number of many (oldest first). Percentiles by nearest rank: a value that was really read."""
    if how.startswith("p"):
        rank = -(-len(values) * int(how[1:]) // 100)
        return sorted(values)[max(rank, 1) - 1]
    made: dict[str, Callable[[Sequence[float]], float]] = {
        "last": lambda given: given[-1],
        "min": min,
        "max": max,
        "mean": statistics.fmean,
        "sum": math.fsum,
        "count": lambda given: float(len(given)),
    }
    return made[how](values)


def _filled(template: str, row: Mapping[str, str], what: str) -> str:
    try:
        return Template(template).substitute(row)
    except KeyError as error:
        raise ValueError(f"its {what} names ${error.args[0]}, the query returns {', '.join(row)}") from None


def _plainly(row: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in row.items())[:500]


def _whose(row: Delegation) -> str:
    return f"{row.task} ({row.delegated_to})"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _long(length: timedelta) -> str:
    return spell(timedelta(seconds=int(length.total_seconds())))
