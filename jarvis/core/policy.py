"""What is said of these alerts, to whom, and why? Values in, values out; nothing is sent here.

``judge`` is given the new rows of the journal in their order, the open problems they are about, and the world. It

1. counts each alert on its problem, or ends the problems that a recovery names;
2. asks the stages: silence, repeat, after, cooldown, channels;
3. puts those with one cause together;
4. asks for the quiet hours, and then, the most severe first, for room in the cycle;
5. makes one message of each group, and one of each problem that ended and was told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from jarvis.core import alert as alerts
from jarvis.core import stages, wording
from jarvis.core.alert import Alert, Message, Problem
from jarvis.core.duration import spell
from jarvis.core.stages import Answer, World

Verdict = Literal["sent", "held", "dropped", "counted", "silenced"]


@dataclass(slots=True)
class Decision:
    """What becomes of one row. ``steps``: every stage's answer; ``problem``: the id of its problem (or None)."""

    alert: Alert
    steps: list[Answer] = field(default_factory=list)
    verdict: Verdict = "dropped"
    until_at: datetime | None = None
    problem: int | None = None
    channels: tuple[str, ...] = ()
    fresh: bool = True

    @property
    def why(self) -> str:
        """Every stage's answer, a line each; the last one decided."""
        return "\n".join(map(str, self.steps))

    def end(self, verdict: Verdict, *steps: Answer) -> None:
        """Decided, with the reason last."""
        self.verdict = verdict
        self.steps += steps


@dataclass(slots=True)
class Judged:
    """Everything that is stored together: fates of rows, problems as they are now, messages, further rows."""

    decisions: list[Decision] = field(default_factory=list)
    problems: dict[int, Problem] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)


def judge(new: Sequence[Alert], known: Iterable[Problem], world: World) -> Judged:
    """Judge new rows; ``known``: the open problems that they may be about."""
    return _Court(known, world).judge(new)


class _Court:
    """One judging: the problems as they change from row to row."""

    def __init__(self, known: Iterable[Problem], world: World) -> None:
        self._world = world
        self._open = {problem.fingerprint: problem for problem in known}
        self._judged = Judged()
        self._said = 0
        self._over: list[tuple[Decision, Problem]] = []
        self._fates: dict[int, Decision] = {}
        self._noticed: set[str | None] = set()

    def judge(self, new: Sequence[Alert]) -> Judged:
        candidates = [decision for alert in new if (decision := self._hear(alert))]
        groups = self._grouped(candidates)
        groups.sort(
            key=lambda group: (-max(alerts.rank(one.alert.severity) for one in group), group[0].alert.id)
        )
        for group in groups:
            self._tell(group)
        for decision, problem in self._over:
            self._tell_end(decision, problem)
        return self._judged

    def _hear(self, alert: Alert) -> Decision | None:
        """One row; the decision if it goes on to be told."""
        if alert.kind == "recovery":
            self._end(alert)
            return None
        decision = Decision(alert=alert)
        self._judged.decisions.append(decision)
        before, again = self._open.get(alert.fingerprint or ""), alert.wanted.times == 0
        if again and before is None:
            decision.end("dropped", Answer(stage="silence", word="drop", why="it was over by then"))
            return None
        problem = self._count(alert) if alert.kind == "problem" and alert.key else None
        if problem is not None:
            decision.problem = problem.id
            decision.fresh = before is None or again or stages.news(alert, before)
        for answer in self._answers(alert, problem):
            decision.steps.append(answer)
            if answer.word == "drop":
                silent = answer.stage == stages.SILENCE
                decision.verdict = "silenced" if silent else "dropped" if decision.fresh else "counted"
                return None
            if answer.word == "hold":
                decision.verdict, decision.until_at = "held", answer.until_at
                self._said_of(decision)
                return None
        decision.channels, why = stages.reach(alert, self._world.rules)
        if not decision.channels:
            decision.end(
                "dropped" if decision.fresh else "counted", Answer(stage="channels", word="drop", why=why)
            )
            return None
        decision.steps.append(Answer(stage="channels", word="on", why=why))
        if problem is not None:  # the next one in this judging is a repeat of it
            self._said_of(decision)
        return decision

    def _answers(self, alert: Alert, problem: Problem | None) -> Iterable[Answer]:
        yield stages.silence(alert, self._world)
        if problem is None:
            if alert.key and alert.fingerprint in self._noticed:
                yield Answer(stage="repeat", word="drop", why="the same as one a moment before")
            yield stages.noticed(alert, self._world)
            self._noticed.add(alert.fingerprint)
            return
        if (fate := self._fates.get(problem.id)) and alerts.rank(fate.alert.severity) >= alerts.rank(
            alert.severity
        ):
            yield Answer(
                stage="repeat", word="drop", why=f"the same as alert {fate.alert.id}, a moment before"
            )
        yield stages.known(alert, problem, self._world)
        yield stages.often(alert, problem, self._world)
        yield stages.flapping(alert, problem, self._world)

    def _count(self, alert: Alert) -> Problem:
        """The problem, with this occurrence of it."""
        print_ = alert.fingerprint or ""
        if (problem := self._open.get(print_)) is None:
            problem = Problem(
                id=-1 - len(self._judged.problems), fingerprint=print_, job=alert.job, key=alert.key or "",
                severity=alert.severity, title=alert.title, first_at=alert.at, last_at=alert.at,
                count=alert.wanted.times, alert_id=alert.id, wanted=alert.wanted,
            )  # fmt: skip
        else:
            problem = replace(
                problem, severity=alert.severity, title=alert.title, last_at=max(problem.last_at, alert.at),
                count=problem.count + alert.wanted.times, wanted=alert.wanted,
            )  # fmt: skip
        self._keep(problem)
        return problem

    def _keep(self, problem: Problem) -> None:
        self._open[problem.fingerprint] = problem
        self._judged.problems[problem.id] = problem

    def _said_of(self, decision: Decision) -> None:
        """It goes into the outbox, or into the next digest."""
        if decision.problem is None:
            return
        problem = self._judged.problems[decision.problem]
        self._fates[problem.id] = decision
        self._keep(replace(problem, said_at=self._world.now, said_severity=decision.alert.severity))

    # Grouping, quiet hours, storm.

    def _grouped(self, candidates: Sequence[Decision]) -> list[list[Decision]]:
        """Those with one cause, for the same channels, together; everything else by itself."""
        found: dict[object, list[Decision]] = {}
        for decision in candidates:
            root = decision.alert.wanted.root if self._world.rules.group else None
            name: object = (root, decision.alert.kind, decision.channels) if root else decision.alert.id
            found.setdefault(name, []).append(decision)
        return list(found.values())

    def _tell(self, group: Sequence[Decision]) -> None:
        worst = max(group, key=lambda one: alerts.rank(one.alert.severity))
        quiet = stages.hours(worst.alert, worst.channels, self._world)
        channels = worst.channels
        if quiet.word == "hold":
            return self._hold(group, quiet)
        if quiet.until_at is not None:  # only those who keep no quiet hours; the others get the digest
            channels = tuple(name for name in channels if not stages.keeps_quiet(self._world.rules, name))
        storm = self._room()
        if storm.word == "hold":
            return self._hold(group, quiet, storm)
        self._said += 1
        steps = [quiet, storm]
        if len(group) > 1:
            steps.append(
                Answer(stage="group", word="on", why=f"one message for {len(group)} with this cause")
            )
        send = Answer(stage="send", word="send", why=", ".join(channels))
        for decision in group:
            decision.end("sent", *steps, send)
            if quiet.until_at is not None and len(channels) < len(decision.channels):
                decision.verdict, decision.until_at = "held", quiet.until_at
                decision.alert = replace(decision.alert, wanted=replace(decision.alert.wanted, got=channels))
            decision.channels = channels
        self._judged.messages.append(self._message(group, worst.alert.severity, channels))

    def _message(self, group: Sequence[Decision], severity: str, channels: tuple[str, ...]) -> Message:
        first = group[0]
        problem = self._judged.problems.get(first.problem) if first.problem is not None else None
        its = problem if len(group) == 1 else None
        subject, body = wording.alert([one.alert for one in group], its, self._world.now)
        return Message(
            kind="alert", severity=severity, subject=subject, body=body, channels=channels,
            about=tuple(one.alert.id for one in group),
            problem=first.problem if len(group) == 1 else None,
            run_id=first.alert.run_id if len(group) == 1 else None,
        )  # fmt: skip

    def _hold(self, group: Sequence[Decision], *steps: Answer) -> None:
        for decision in group:
            decision.end("held", *steps)
            decision.until_at = steps[-1].until_at

    def _room(self) -> Answer:
        """The storm cap: so many messages in one cycle."""
        rules, said = self._world.rules, self._world.said
        count = len(said) + self._said
        if count < rules.storm:
            return Answer(
                stage="storm", word="on", why=f"{count} of {rules.storm} messages in {spell(rules.cycle)}"
            )
        begun = said[0] if said else self._world.now
        why = f"{rules.storm} messages were said within {spell(rules.cycle)}"
        return Answer(stage="storm", word="hold", why=why, until_at=begun + rules.cycle)

    # Recovery.

    def _end(self, alert: Alert) -> None:
        """End what this recovery names: one problem, or all of a job's that its run did not raise again."""
        ended = [problem for problem in self._open.values() if stages.ends(alert, problem)]
        for number, problem in enumerate(ended):
            del self._open[problem.fingerprint]
            over = replace(problem, ended_at=max(alert.at, problem.first_at), ended_why=alert.title)
            self._judged.problems[problem.id] = over
            row = replace(
                alert, id=alert.id if number == 0 else 0, key=problem.key, severity=problem.severity,
                title=wording.over_title(over), text=alert.title, job=problem.job,
            )  # fmt: skip
            decision = Decision(alert=row, problem=problem.id)
            self._judged.decisions.append(decision)
            self._over.append((decision, over))
        if not ended:
            decision = Decision(alert=alert)
            decision.end("dropped", Answer(stage="recovery", word="drop", why="nothing of it was open"))
            self._judged.decisions.append(decision)

    def _tell_end(self, decision: Decision, problem: Problem) -> None:
        """One recovery notice to the channels that were told, or are about to be."""
        fate = self._fates.get(problem.id)
        told = set(problem.told) | self._world.waiting.get(problem.id, frozenset())
        if fate is not None and fate.verdict == "sent":
            told |= set(fate.channels)
        channels = tuple(name for name in self._world.rules.channels if name in told)
        if why := self._untold(problem, channels):
            return decision.end("dropped", Answer(stage="recovery", word="drop", why=why))
        decision.alert = replace(decision.alert, wanted=replace(decision.alert.wanted, to=channels))
        decision.channels = channels
        answer = Answer(stage="recovery", word="on", why=f"{', '.join(channels)} was told of it")
        quiet = stages.hours(decision.alert, channels, self._world)
        if quiet.until_at is not None:
            return self._hold([decision], answer, replace(quiet, word="hold"))
        storm = self._room()
        if storm.word == "hold":
            return self._hold([decision], answer, storm)
        self._said += 1
        decision.end("sent", answer, Answer(stage="send", word="send", why=", ".join(channels)))
        subject, body = wording.over(problem)
        self._judged.messages.append(
            Message(
                kind="recovery", severity=problem.severity, subject=subject, body=body, channels=channels,
                about=(decision.alert.id,) if decision.alert.id else (), problem=problem.id,
                run_id=decision.alert.run_id,
            )
        )  # fmt: skip

    def _untold(self, problem: Problem, channels: Sequence[str]) -> str | None:
        if not (self._world.rules.recovery and problem.wanted.recovery):
            return "recovery: false"
        if channels:
            return None
        if problem.id in self._world.held or problem.said_at is not None:
            return "nobody was told of it yet; the digest says that it is over"
        return "nobody was told of it"
