"""Was the night long enough, is the body ready, is it stressed? A wearable's days against limits.

A day without a value is not judged: it is neither zero nor well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from jarvis.core.findings import Finding

MEASURES = ("readiness", "sleep", "hrv", "stress")


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """What a wearable knows of a day: scores 0-100, ``sleep`` in hours (of the night before), ``hrv`` in ms."""

    day: date
    readiness: float | None = None
    sleep: float | None = None
    hrv: float | None = None
    stress: float | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """From where on something is told; None is not watched. HRV: per cent below the mean of the nights before."""

    readiness_warning: float | None = 65
    readiness_critical: float | None = 50
    sleep_warning: float | None = 6.0
    sleep_critical: float | None = 5.0
    hrv_warning: float | None = 15
    hrv_critical: float | None = 25
    hrv_days: int = 30
    hrv_nights: int = 7
    stress_warning: float | None = 75
    stress_critical: float | None = 85


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """``unknown``: why a measure was not judged, each a few words."""

    findings: tuple[Finding, ...]
    numbers: dict[str, float]
    unknown: tuple[str, ...]


def knows(days: Iterable[Day], today: date) -> bool:
    """Anything at all is known about today; a day whose values are all missing is not."""
    return any(one.day == today and any(getattr(one, name) is not None for name in MEASURES) for one in days)


def judge(days: Iterable[Day], today: date, limits: Limits) -> Verdict:
    """Everything that can be said about ``today``; the days before it are what its HRV is compared with."""
    known = {one.day: one for one in days}
    now = known.get(today) or Day(day=today)
    usual, why = baseline(known.values(), today, limits)
    numbers = {name: value for name in MEASURES if (value := getattr(now, name)) is not None}
    unknown = [f"no {name}" for name in MEASURES if name not in numbers]
    if usual is not None and now.hrv is not None:
        numbers["hrv_change"] = change(now.hrv, usual)
    elif why and now.hrv is not None:
        unknown.append(why)
    findings = [one for one in _findings(numbers, usual, limits, today) if one is not None]
    return Verdict(findings=tuple(findings), numbers=numbers, unknown=tuple(unknown))


def baseline(days: Iterable[Day], today: date, limits: Limits) -> tuple[float | None, str | None]:
    """The mean HRV of the nights before today, or why there is none."""
    since = today - timedelta(days=limits.hrv_days)
    before = [one.hrv for one in days if since <= one.day < today and one.hrv is not None]
    if len(before) < limits.hrv_nights or not any(before):
        return (
            None,
            f"HRV of only {len(before)} of the last {limits.hrv_days} nights ({limits.hrv_nights} needed)",
        )
    return math.fsum(before) / len(before), None


def change(value: float, usual: float) -> float:
    """Per cent of change, free of the last digits of floating point: 34 of 40 is exactly -15."""
    return round(100 * (value - usual) / usual, 6)


def _findings(
    numbers: dict[str, float], usual: float | None, limits: Limits, today: date
) -> Iterator[Finding | None]:
    if (score := numbers.get("readiness")) is not None:
        level = below(score, limits.readiness_warning, limits.readiness_critical)
        yield _told("readiness", level, today, "Readiness is low", f"readiness is {score:g} of 100")
    if (hours := numbers.get("sleep")) is not None:
        level = below(hours, limits.sleep_warning, limits.sleep_critical)
        yield _told("sleep", level, today, "A short night", f"{_hours(hours)} of sleep")
    if (drop := numbers.get("hrv_change")) is not None:
        level = reaches(-drop, limits.hrv_warning, limits.hrv_critical)
        said = f"HRV is {numbers['hrv']:g} ms, {-drop:.0f} % below the mean of {usual:.0f} ms"
        yield _told("hrv", level, today, "HRV is down", f"{said} of the last {limits.hrv_days} days")
    if (stress := numbers.get("stress")) is not None:
        level = reaches(stress, limits.stress_warning, limits.stress_critical)
        yield _told("stress", level, today, "Stress is high", f"stress is {stress:.0f} of 100")


def below(value: float, warning: float | None, critical: float | None) -> str | None:
    """Which limit the value is below; exactly at a limit is well."""
    if critical is not None and value < critical:
        return "critical"
    return "warning" if warning is not None and value < warning else None


def reaches(value: float, warning: float | None, critical: float | None) -> str | None:
    """Which limit the value has reached; exactly at a limit is past it."""
    if critical is not None and value >= critical:
        return "critical"
    return "warning" if warning is not None and value >= warning else None


def _told(name: str, level: str | None, today: date, title: str, text: str) -> Finding | None:
    if level is None:
        return None
    severity = "critical" if level == "critical" else "medium"
    return Finding(key=f"{name}:{level}:{today}", severity=severity, title=title, text=f"{text} ({today})")


def _hours(hours: float) -> str:
    minutes = int(hours * 60)  # cut, not rounded: 5 h 59.8 min is not said as 6 h
    return f"{minutes // 60} h {minutes % 60:02} min"
