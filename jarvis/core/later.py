"""What is told later? Problems that nobody acknowledged, the digest of what was held, what is silenced no more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from jarvis.core import alert as alerts
from jarvis.core import stages, wording
from jarvis.core.alert import Alert, Message, Problem, Wanted
from jarvis.core.policy import Decision, Judged
from jarvis.core.stages import Answer, World


def escalate(problems: Iterable[Problem], world: World) -> tuple[list[Message], list[Problem]]:
    """The one message about problems that nobody acknowledged in time, and those problems with that noted."""
    rule = world.rules.escalate
    if rule is None:
        return [], []
    late = [problem for problem in problems if _unheard(problem, world)]
    to = tuple(name for name in stages.names(rule.to) if name in world.rules.channels)
    if not late or not to:
        return [], []
    late.sort(key=lambda problem: (-alerts.rank(problem.severity), problem.id))
    subject, body = wording.escalation(late, rule.after, world.now)
    message = Message(
        kind="escalation", severity=late[0].severity, subject=subject, body=body, channels=to,
        problem=late[0].id if len(late) == 1 else None,
    )  # fmt: skip
    return [message], [replace(problem, escalated_at=world.now) for problem in late]


def _unheard(problem: Problem, world: World) -> bool:
    rule = world.rules.escalate
    if (
        rule is None
        or problem.acked_at
        or problem.escalated_at
        or problem.ended_at
        or problem.said_at is None
    ):
        return False
    if alerts.rank(problem.severity) < alerts.rank(rule.severity) or problem.id in world.held:
        return False
    as_alert = Alert(
        id=0, at=problem.first_at, kind="problem", severity=problem.severity, title=problem.title,
        key=problem.key, job=problem.job, wanted=Wanted(),
    )  # fmt: skip
    if stages.silenced(problem, world):
        return False
    if stages.hours(as_alert, stages.names(rule.to), world).word == "hold":
        return False
    since = min(problem.told.values()) if problem.told else problem.said_at
    return world.now - since >= rule.after


def unsilenced(silenced: Iterable[Alert], world: World) -> list[Alert]:
    """Those that no silence in force keeps from being said any more: they are judged again, and not counted again."""
    return [
        replace(alert, wanted=replace(alert.wanted, times=0))
        for alert in silenced
        if stages.silence(alert, world).word == "on"
    ]


def digest(held: Sequence[Alert], open_: Iterable[Problem], world: World) -> Judged:
    """One message a channel that names everything held whose time has come; ``open_``: problems still going on."""
    judged = Judged()
    still = {problem.id for problem in open_}
    until = world.quiet_until
    per_channel: dict[str, list[Alert]] = {}
    for alert in held:
        decision = Decision(alert=alert, problem=alert.problem_id)
        judged.decisions.append(decision)
        limit = world.rules.quiet.except_ if world.rules.quiet else "info"
        if until is not None and alerts.rank(alert.severity) < alerts.rank(limit):
            decision.end("held", Answer(stage="digest", word="hold", why="quiet hours", until_at=until))
            decision.until_at = until
            continue
        channels, why = stages.reach(alert, world.rules)
        channels = tuple(name for name in channels if name not in alert.wanted.got)
        for name in channels:
            per_channel.setdefault(name, []).append(alert)
        word: Literal["send", "drop"] = "send" if channels else "drop"
        why = f"in the digest for {', '.join(channels)}" if channels else why
        decision.end("sent" if channels else "dropped", Answer(stage="digest", word=word, why=why))
    for name, named in per_channel.items():
        subject, body, severity = wording.digest(named, still)
        about = tuple(one.id for one in named)
        judged.messages.append(
            Message(
                kind="digest", severity=severity, subject=subject, body=body, channels=(name,), about=about
            )
        )
    return judged
