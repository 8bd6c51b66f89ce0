"""What is stored when alerts were judged, and when a channel took a message? Fates, problems, messages, who was told.

Everything here works inside a transaction of its caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, Integer, delete, func, insert, or_, select, text, type_coerce, update

from jarvis.core.alert import Alert, Message, Problem
from jarvis.core.policy import Decision, Judged
from jarvis.store import deliveries as outbox
from jarvis.store import docket
from jarvis.store.alert_tables import deliveries, journal, problems, silences
from jarvis.store.deliveries import Delivery
from jarvis.store.tables import to_json, to_micros

NOTICED = timedelta(seconds=10)
"""A clock that was set is noticed within this."""
_JUDGED = (
    "UPDATE journal SET verdict = ?, why = COALESCE(why || char(10), '') || ?, judged_at = ?, until_at = ?,"
    " problem_id = ?, title = ?, text = ?, key = ?, severity = ?, wanted = ? WHERE id = ?"
)
_SETTLED = (
    "UPDATE journal SET verdict = ?, why = COALESCE(why || char(10), '') || ?, judged_at = ?, until_at = ?,"
    " problem_id = ?, wanted = ? WHERE id = ?"
)
_BEGAN = (
    "INSERT INTO problems (id, fingerprint, job, key, first_at, alert_id, severity, title, last_at, count, wanted,"
    " said_at, said_severity, ended_at, ended_why) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_WENT_ON = (
    "UPDATE problems SET severity = ?, title = ?, last_at = ?, count = ?, wanted = ?, said_at = ?,"
    " said_severity = ?, ended_at = ?, ended_why = ? WHERE id = ?"
)
_SUPERSEDED = "DELETE FROM journal WHERE problem_id = ? AND verdict = 'counted' AND id < ?"
_SAID_LATER = (
    "DELETE FROM journal WHERE id = (SELECT max(id) FROM journal WHERE problem_id = :problem AND kind = 'problem'"
    " AND id < :id) AND verdict = 'silenced' AND id <> (SELECT alert_id FROM problems WHERE id = :problem)"
)


def settle(connection: Connection, judged: Judged, now: datetime) -> None:
    """Write fates, problems and messages."""
    fresh = [problem for number, problem in judged.problems.items() if number < 0]
    first = int(connection.execute(select(func.coalesce(func.max(problems.c.id), 0))).scalar_one()) + 1
    numbers = {problem.id: number for number, problem in enumerate(fresh, first)}
    if fresh:
        connection.exec_driver_sql(_BEGAN, [(numbers[one.id], *_began(one)) for one in fresh])
    if goes_on := [problem for number, problem in judged.problems.items() if number > 0]:
        connection.exec_driver_sql(_WENT_ON, [(*_went_on(one), one.id) for one in goes_on])
    _decide(connection, judged.decisions, numbers, now)
    for message in judged.messages:
        problem = message.problem
        say(connection, message, None if problem is None else numbers.get(problem, problem), now)


def _began(problem: Problem) -> tuple[object, ...]:
    first_at = to_micros(problem.first_at)
    return (problem.fingerprint, problem.job, problem.key, first_at, problem.alert_id, *_went_on(problem))


def _went_on(problem: Problem) -> tuple[object, ...]:
    return (
        problem.severity, problem.title, to_micros(problem.last_at), problem.count, to_json(problem.wanted.dump()),
        _micros(problem.said_at), problem.said_severity, _micros(problem.ended_at), problem.ended_why,
    )  # fmt: skip


def _micros(at: datetime | None) -> int | None:
    return None if at is None else to_micros(at)


def _decide(
    connection: Connection, decisions: Iterable[Decision], numbers: Mapping[int, int], now: datetime
) -> None:
    """The row of each decision; of what was only counted, the newest row of a problem is kept."""
    at = to_micros(now)
    settled, rewritten, counted, quieted = [], [], {}, []
    for decision in decisions:
        alert = decision.alert
        problem = None if decision.problem is None else numbers.get(decision.problem, decision.problem)
        until = None if decision.until_at is None else to_micros(decision.until_at)
        wanted = to_json(alert.wanted.dump())
        if alert.id == 0:
            _further(connection, decision, problem, now)
        elif alert.kind == "recovery":
            rewritten.append((
                decision.verdict, decision.why, at, until, problem, alert.title, alert.text, alert.key,
                alert.severity, wanted, alert.id,
            ))  # fmt: skip
        else:
            settled.append((decision.verdict, decision.why, at, until, problem, wanted, alert.id))
        if decision.verdict == "counted" and problem is not None:
            counted[problem] = alert.id
        if decision.verdict == "silenced" and not decision.fresh:
            quieted.append({"problem": problem, "id": alert.id})
    if settled:
        connection.exec_driver_sql(_SETTLED, settled)
    if rewritten:
        connection.exec_driver_sql(_JUDGED, rewritten)
    if counted:
        connection.exec_driver_sql(_SUPERSEDED, list(counted.items()))
    if quieted:  # as the last one says the same
        connection.execute(text(_SAID_LATER), quieted)


def _further(connection: Connection, decision: Decision, problem: int | None, now: datetime) -> None:
    """The row of a second problem that one recovery ended."""
    alert = decision.alert
    connection.execute(
        insert(journal).values(
            at=alert.at, kind=alert.kind, severity=alert.severity, key=alert.key, job=alert.job,
            run_id=alert.run_id, title=alert.title, text=alert.text, wanted=alert.wanted.dump(),
            verdict=decision.verdict, why=decision.why, judged_at=now, until_at=decision.until_at,
            problem_id=problem,
        )
    )  # fmt: skip


def say(connection: Connection, message: Message, problem: int | None, now: datetime) -> None:
    """Put a message into the outbox, once for each of its channels."""
    for channel in message.channels:
        outbox.add(
            connection, channel=channel, kind=message.kind, severity=message.severity, subject=message.subject,
            body=message.body, about=message.about, problem_id=problem, run_id=message.run_id, now=now,
        )  # fmt: skip


def judge_again(connection: Connection, found: Iterable[Alert]) -> int:
    """Silences are over: the newest alert of each of these problems is to be judged anew; returns how many are.

    Where a later alert of the problem was judged, with or without a silence, the earlier ones are settled.
    """
    newest = {alert.problem_id: alert for alert in found}
    again = 0
    for number, alert in newest.items():
        its = (journal.c.problem_id == number) & (journal.c.kind == "problem")
        last = connection.execute(select(func.max(journal.c.id)).where(its)).scalar_one()
        older = update(journal).where(its, journal.c.verdict == "silenced", journal.c.id < last)
        said = f"silence: drop: it was over, and alert {last} says the last of it"
        connection.execute(older.values(verdict="dropped", why=journal.c.why + "\n" + said))
        if alert.id == last:
            change = update(journal).where(journal.c.id == last)
            connection.execute(change.values(verdict="new", wanted=alert.wanted.dump()))
            again += 1
    return again


def escalated(connection: Connection, found: Iterable[Problem]) -> None:
    """Somebody else hears of these."""
    for problem in found:
        change = update(problems).where(problems.c.id == problem.id).values(escalated_at=problem.escalated_at)
        connection.execute(change)


# What was accepted.


def accepted(connection: Connection, delivery: Delivery, now: datetime) -> None:
    """A channel took this message: whatever problems it named are told there."""
    named = set() if delivery.problem_id is None else {delivery.problem_id}
    for problem in named | set(docket.problems_of(connection, delivery.about).values()):
        told(connection, problem, delivery.channel, now)


def set_back(connection: Connection, was_at: datetime, now: datetime) -> None:
    """The clock was set from ``was_at`` back to ``now``: what waits for a length of time waits no longer for it.

    What is held for the quiet hours is asked again when its time comes, and held on while they last.
    """
    back = to_micros(was_at) - to_micros(now)
    for when, waits in (
        (deliveries.c.not_before, deliveries.c.status == outbox.WAITING),
        (journal.c.until_at, journal.c.verdict == "held"),
    ):
        connection.execute(update(when.table).where(waits).values({when: type_coerce(when, Integer) - back}))
    in_force = (silences.c.from_at > now) & (silences.c.from_at <= was_at) & (silences.c.until_at > was_at)
    connection.execute(update(silences).where(in_force).values(from_at=now))
    over = (silences.c.until_at <= was_at) & (silences.c.until_at > now)
    connection.execute(update(silences).where(over).values(until_at=now))
    for problem in docket.open_problems(connection):
        moved = {
            "said_at": _moved(problem.said_at, was_at, now),
            "told_at": _moved(problem.told_at, was_at, now),
            "told": {name: str(_moved(at, was_at, now)) for name, at in problem.told.items()} or None,
        }
        if problem.said_at is not None:
            connection.execute(update(problems).where(problems.c.id == problem.id).values(**moved))


def _moved(at: datetime | None, was_at: datetime, now: datetime) -> datetime | None:
    """As long before ``now`` as it was before ``was_at``; what was noted since the clock was set stays as it is."""
    return at if at is None or now - NOTICED <= at <= now else at - (was_at - now)


def prune(connection: Connection, before: datetime) -> int:
    """Forget what is older: alerts that were judged, unless their problem goes on, with problems, messages and silences
    that are over; returns how many alerts went."""
    going_on = select(problems.c.id).where(or_(problems.c.ended_at.is_(None), problems.c.ended_at >= before))
    settled = or_(journal.c.problem_id.is_(None), journal.c.problem_id.not_in(going_on))
    old = (journal.c.at < before) & journal.c.verdict.not_in(("new", "held")) & settled
    gone = connection.execute(delete(journal).where(old)).rowcount
    over = or_(deliveries.c.problem_id.is_(None), deliveries.c.problem_id.not_in(going_on))
    connection.execute(
        delete(deliveries).where(deliveries.c.created_at < before, deliveries.c.status != "queued", over)
    )
    connection.execute(delete(problems).where(problems.c.ended_at < before))
    connection.execute(delete(silences).where(silences.c.until_at < before))
    return gone


def told(connection: Connection, problem_id: int, channel: str, now: datetime) -> None:
    """A channel accepted a message about this problem; from now on it is a duplicate for ``repeat``."""
    row = connection.execute(select(problems.c.told).where(problems.c.id == problem_id)).first()
    if row is None:  # pruned meanwhile
        return
    first = dict(row.told or {})
    first.setdefault(channel, now.isoformat())
    connection.execute(update(problems).where(problems.c.id == problem_id).values(told=first, told_at=now))
