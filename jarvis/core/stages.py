"""What does each stage say of one alert? One function a stage, all of one shape: an answer with its reason.

None of them knows of the others; ``policy`` asks them in order and the first that does not let an alert go on
decides.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from jarvis.core import alert as alerts
from jarvis.core import quiet
from jarvis.core.alert import Alert, Problem, Silence
from jarvis.core.duration import spell
from jarvis.core.telling import Alerts, Channel, Names

SILENCE = "silence"
FLAPS = 3
"""A problem that came and went so often within ``repeat`` is not told each time any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """What is true around the alerts that are judged together.

    ``waiting``: problem -> channels with a message about it in the outbox. ``held``: problems named in the next
    digest. ``flaps``: fingerprint -> when problems of it that were told ended. ``noticed``: fingerprint -> when a
    notice of it was said last. ``said``: when the messages of the current cycle were said, the oldest first.
    """

    now: datetime
    rules: Alerts = field(default_factory=Alerts)
    zone: str = "UTC"
    silences: Sequence[Silence] = ()
    waiting: Mapping[int, frozenset[str]] = field(default_factory=dict)
    held: frozenset[int] = frozenset()
    flaps: Mapping[str, Sequence[datetime]] = field(default_factory=dict)
    noticed: Mapping[str, datetime] = field(default_factory=dict)
    said: Sequence[datetime] = ()

    @property
    def quiet_until(self) -> datetime | None:
        return quiet.until(self.rules.quiet, self.zone, self.now)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a stage says: ``on`` (ask the next one), ``hold`` (until then, for the digest), ``drop`` or ``send``."""

    stage: str
    word: Literal["on", "hold", "drop", "send"]
    why: str
    until_at: datetime | None = None

    def __str__(self) -> str:
        return f"{self.stage}: {self.word}: {self.why}"


def silence(alert: Alert, world: World) -> Answer:
    """Maintenance: what matches a window is not said."""
    for window in world.silences:
        if window.from_at <= world.now < window.until_at and _matches(alert, window.match):
            left = spell(_whole(window.until_at - world.now))
            reason = f": {window.reason}" if window.reason else ""
            why = f"silenced for another {left} (silence {window.id}, {window.match!r}){reason}"
            return Answer(stage=SILENCE, word="drop", why=why)
    return Answer(stage=SILENCE, word="on", why="not silenced")


def silenced(problem: Problem, world: World) -> str | None:
    """Why nothing is said of a problem now: the silence in force that it matches, in words."""
    as_alert = Alert(
        id=0, at=problem.first_at, kind="problem", severity=problem.severity, title=problem.title,
        key=problem.key, job=problem.job,
    )  # fmt: skip
    answer = silence(as_alert, world)
    return answer.why if answer.word == "drop" else None


def known(alert: Alert, problem: Problem, world: World) -> Answer:
    """Deduplication: what was said of this problem, and was accepted, is not said again for ``repeat``."""
    repeat = alert.wanted.repeat if alert.wanted.repeat is not None else world.rules.repeat
    worse = problem.said_severity is not None and alerts.rank(alert.severity) > alerts.rank(
        problem.said_severity
    )
    why, word = "not said before", "on"
    if problem.acked_at is not None:
        why, word = "somebody acknowledged it", "drop"
    elif worse:
        why = f"worse than when it was said: {problem.said_severity} then, {alert.severity} now"
    elif problem.id in world.held:
        why, word = "held for the next digest already", "drop"
    elif problem.id in world.waiting:
        why, word = "a message about it is on its way", "drop"
    elif problem.told_at is not None and (passed := abs(world.now - problem.told_at)) < repeat:
        why, word = f"told {spell(_whole(passed))} before; again after {spell(repeat)}", "drop"
    elif problem.told_at is not None:
        why = f"it goes on, and {spell(repeat)} have passed since it was told"
    elif problem.said_at is not None:
        why = "no channel accepted what was said of it"
    return Answer(stage="repeat", word=word, why=why)  # type: ignore[arg-type]


def noticed(alert: Alert, world: World) -> Answer:
    """Deduplication of what happens and is over: the same key is not said again for ``repeat``."""
    repeat = alert.wanted.repeat if alert.wanted.repeat is not None else world.rules.repeat
    said_at = world.noticed.get(alert.fingerprint or "")
    if said_at is None:
        return Answer(stage="repeat", word="on", why="not said before" if alert.key else "it has no key")
    # Of a time in the future, because the clock was set back, the distance counts: twice ``repeat`` at most.
    passed = abs(world.now - said_at)
    word: Literal["on", "drop"] = "drop" if passed < repeat else "on"
    return Answer(
        stage="repeat", word=word, why=f"said {spell(_whole(passed))} before; again after {spell(repeat)}"
    )


def often(alert: Alert, problem: Problem, world: World) -> Answer:
    """The threshold: so many fires in a row."""
    needed = alert.wanted.after
    if problem.count < needed:
        return Answer(stage="after", word="drop", why=f"{problem.count} of {needed} fires in a row ended so")
    return Answer(
        stage="after", word="on", why=f"{needed} in a row are needed" if needed > 1 else "once is enough"
    )


def flapping(alert: Alert, problem: Problem, world: World) -> Answer:
    """The cooldown: a problem that comes and goes is told in a digest."""
    ends = world.flaps.get(problem.fingerprint, ())
    if problem.said_at is None and len(ends) >= FLAPS:
        repeat = alert.wanted.repeat if alert.wanted.repeat is not None else world.rules.repeat
        return Answer(
            stage="cooldown",
            word="hold",
            why=f"it came and went {len(ends)} times within {spell(repeat)}",
            until_at=min(ends) + repeat,
        )
    return Answer(stage="cooldown", word="on", why="it does not come and go")


def hours(alert: Alert, channels: Sequence[str], world: World) -> Answer:
    """Quiet hours: only the worst is said, or over a channel that does not keep them."""
    until = world.quiet_until
    if until is None or world.rules.quiet is None:
        return Answer(stage="quiet hours", word="on", why="these are none")
    limit = world.rules.quiet.except_
    if alerts.rank(alert.severity) >= alerts.rank(limit):
        return Answer(stage="quiet hours", word="on", why=f"{alert.severity} is said at any hour")
    loud = [name for name in channels if not keeps_quiet(world.rules, name)]
    if loud:
        return Answer(stage="quiet hours", word="on", why=f"{', '.join(loud)} keeps none", until_at=until)
    return Answer(stage="quiet hours", word="hold", why="quiet hours", until_at=until)


def reach(alert: Alert, rules: Alerts) -> tuple[tuple[str, ...], str]:
    """The channels that take this alert, and why these (or why none)."""
    if not rules.channels:
        return (), "no channels in jobs.yaml (alerts: {channels: …})"
    asked = [name for name in alert.wanted.to if name in rules.channels]
    unknown = [name for name in alert.wanted.to if name not in rules.channels]
    if not asked:
        asked = [name for name in names(rules.to) if name in rules.channels] or list(rules.channels)
    said = f" (there is no channel {', '.join(unknown)})" if unknown else ""
    if alert.kind == "recovery":
        return tuple(asked), "where it was told" + said
    taken = tuple(name for name in asked if alerts.rank(alert.severity) >= threshold(rules, name))
    if not taken:
        return (), f"{alert.severity} is below what {', '.join(asked)} takes{said}"
    return taken, ", ".join(taken) + said


def names(given: Names | None) -> list[str]:
    """One name or several, as a list."""
    return [given] if isinstance(given, str) else list(given or ())


def threshold(rules: Alerts, channel: str) -> int:
    """The rank of the least severe alerts a channel takes."""
    found = rules.channels[channel]
    return alerts.rank(found.severity) if isinstance(found, Channel) else 0


def keeps_quiet(rules: Alerts, channel: str) -> bool:
    """Whether a channel keeps the quiet hours; one that is only a URL does."""
    found = rules.channels[channel]
    return found.quiet if isinstance(found, Channel) else True


def news(alert: Alert, before: Problem) -> bool:
    """It says something else of its problem than the alert before, or that it is better or worse."""
    return alert.severity != before.severity or alerts.root(alert.title) != alerts.root(before.title)


def ends(recovery: Alert, problem: Problem) -> bool:
    """A recovery with a key ends that problem; one of a job ends all of it that the run did not raise again."""
    about = (problem.job or "", problem.key)
    return alerts.ends((recovery.job or "", recovery.key), recovery.wanted, about)


def _matches(alert: Alert, pattern: str) -> bool:
    said = (alert.job, alert.key, alert.title, alert.fingerprint)
    return any(text is not None and fnmatch.fnmatchcase(text.lower(), pattern.lower()) for text in said)


def _whole(length: timedelta) -> timedelta:
    return timedelta(seconds=max(0, round(length.total_seconds())))
