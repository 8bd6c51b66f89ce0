"""Which alerts are to be judged, and what is known about them? New rows, open problems, what waits and what was said.

Everything here reads inside a transaction of its caller.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from jarvis.core import alert as alerts
from jarvis.core.alert import Alert, Problem, Silence
from jarvis.store.alert_tables import deliveries, journal, problems, silences

Transaction = Connection
"""What every function here is given; rooms that may not know the database name it by this."""

TEXT_READ = 4_000
"""Characters of a text that a message may quote: what is judged at once stays small, however much was written."""
CHUNK = 500
PATIENCE = timedelta(days=1)
"""A message is given up after this long: what was said earlier is accepted by now, or never."""
_ROW = (
    journal.c.id, journal.c.at, journal.c.kind, journal.c.severity, journal.c.title,
    func.substr(journal.c.text, 1, TEXT_READ).label("text"), journal.c.key, journal.c.job, journal.c.run_id,
    journal.c.problem_id, journal.c.wanted,
)  # fmt: skip
_NAMES = tuple(column.name for column in _ROW)
_PROBLEM = tuple(column.name for column in problems.c)


def new(connection: Connection, limit: int) -> list[Alert]:
    """The oldest alerts that nobody has judged."""
    query = select(*_ROW).where(journal.c.verdict == "new").order_by(journal.c.id).limit(limit)
    return [_alert(row) for row in connection.execute(query)]


def due_for_digest(connection: Connection, now: datetime) -> list[Alert]:
    """The alerts that were held until now, the oldest first; without their texts."""
    columns = [column for column in _ROW if column.name != "text"]
    names = [column.name for column in columns]
    query = (
        select(*columns).where(journal.c.verdict == "held", journal.c.until_at <= now).order_by(journal.c.id)
    )
    return [_alert(row, names) for row in connection.execute(query)]


def silenced(connection: Connection) -> list[Alert]:
    """The alerts of open problems that a silence kept from being said, the oldest first; without their texts."""
    columns = [column for column in _ROW if column.name != "text"]
    names = [column.name for column in columns]
    query = (
        select(*columns)
        .join(problems, problems.c.id == journal.c.problem_id)
        .where(journal.c.verdict == "silenced", problems.c.ended_at.is_(None))
        .order_by(journal.c.id)
    )
    return [_alert(row, names) for row in connection.execute(query)]


def next_digest(connection: Connection) -> datetime | None:
    """When the first of the held alerts is to be told."""
    return connection.execute(
        select(func.min(journal.c.until_at)).where(journal.c.verdict == "held")
    ).scalar()


def _alert(row: Sequence[Any], names: Iterable[str] = _NAMES) -> Alert:
    # By their order: rows that name their values again and again cost as much as all the rest.
    values = dict(zip(names, row, strict=True))
    values["wanted"] = alerts.wanted(values["wanted"])
    return Alert(**values)


def problems_about(connection: Connection, found: Iterable[Alert]) -> list[Problem]:
    """The open problems that these alerts may be about: of their fingerprints, and all of jobs that recovered."""
    prints, jobs = set(), set()
    for alert in found:
        if alert.fingerprint is not None:
            prints.add(alert.fingerprint)
        elif alert.kind == "recovery" and alert.job is not None:
            jobs.add(alert.job)
    known: dict[int, Problem] = {}
    for column, wanted in ((problems.c.fingerprint, prints), (problems.c.job, jobs)):
        for some in _chunks(sorted(wanted)):
            query = select(problems).where(column.in_(some), problems.c.ended_at.is_(None))
            known |= {row.id: problem(row) for row in connection.execute(query)}
    return list(known.values())


def open_problems(connection: Connection, numbers: Collection[int] | None = None) -> list[Problem]:
    """Everything that is wrong now, the oldest first; of these ids, if some are given."""
    query = select(problems).where(problems.c.ended_at.is_(None)).order_by(problems.c.id)
    if numbers is None:
        return [problem(row) for row in connection.execute(query)]
    found = []
    for some in _chunks(sorted(numbers)):
        found += [problem(row) for row in connection.execute(query.where(problems.c.id.in_(some)))]
    return found


def unacknowledged(connection: Connection, severities: Sequence[str]) -> list[Problem]:
    """Open problems of these severities that were said and that nobody acknowledged or escalated."""
    query = select(problems).where(
        problems.c.ended_at.is_(None), problems.c.acked_at.is_(None), problems.c.escalated_at.is_(None),
        problems.c.said_at.is_not(None), problems.c.severity.in_(severities),
    )  # fmt: skip
    return [problem(row) for row in connection.execute(query.order_by(problems.c.id).limit(1_000))]


def problem(row: Sequence[Any]) -> Problem:
    """A Problem from a row of all columns."""
    values = dict(zip(_PROBLEM, row, strict=True))
    values.pop("ack_note")
    told = {name: datetime.fromisoformat(at) for name, at in (values["told"] or {}).items()}
    return Problem(**values | {"wanted": alerts.wanted(values["wanted"]), "told": told})


def waiting(connection: Connection) -> dict[int, frozenset[str]]:
    """Problem -> channels with a message about it in the outbox."""
    found: dict[int, set[str]] = {}
    about: dict[int, set[str]] = {}
    columns = (deliveries.c.channel, deliveries.c.problem_id, deliveries.c.about)
    for channel, whose, named in connection.execute(select(*columns).where(deliveries.c.status == "queued")):
        if whose is not None:
            found.setdefault(whose, set()).add(channel)
        else:
            for number in named or ():
                about.setdefault(number, set()).add(channel)
    for number, whose in problems_of(connection, about).items():
        found.setdefault(whose, set()).update(about[number])
    return {whose: frozenset(channels) for whose, channels in found.items()}


def problems_of(connection: Connection, numbers: Iterable[int]) -> dict[int, int]:
    """Row of the journal -> its problem."""
    found: dict[int, int] = {}
    for some in _chunks(sorted(numbers)):
        query = select(journal.c.id, journal.c.problem_id).where(
            journal.c.id.in_(some), journal.c.problem_id.is_not(None)
        )
        found |= {row.id: row.problem_id for row in connection.execute(query)}
    return found


def held(connection: Connection) -> frozenset[int]:
    """The problems that the next digest names."""
    query = select(journal.c.problem_id).where(
        journal.c.verdict == "held", journal.c.problem_id.is_not(None), journal.c.kind == "problem"
    )
    return frozenset(connection.execute(query.distinct()).scalars())


def flaps(connection: Connection, prints: Iterable[str], since: datetime) -> dict[str, list[datetime]]:
    """Fingerprint -> when problems of it that somebody was told of ended, since then."""
    found: dict[str, list[datetime]] = {}
    for some in _chunks(sorted(set(prints))):
        query = select(problems.c.fingerprint, problems.c.ended_at).where(
            problems.c.fingerprint.in_(some), problems.c.ended_at >= since, problems.c.told_at.is_not(None)
        )
        for print_, ended_at in connection.execute(query.order_by(problems.c.ended_at)):
            found.setdefault(print_, []).append(ended_at)
    return found


def noticed(connection: Connection, found: Iterable[Alert], since: datetime) -> dict[str, datetime]:
    """Fingerprint -> when a notice with that key was last said, since then.

    Said is what a channel accepted, from when it did, or what is on its way; what every channel refused is not.
    """
    keys = {alert.key for alert in found if alert.kind == "notice" and alert.key}
    rows: list[Any] = []
    for some in _chunks(sorted(keys)):
        query = select(journal.c.id, journal.c.job, journal.c.key, journal.c.verdict, journal.c.judged_at).where(
            journal.c.at >= since - PATIENCE, journal.c.judged_at >= since - PATIENCE, journal.c.kind == "notice",
            journal.c.verdict.in_(("sent", "held")), journal.c.key.in_(some),
        )  # fmt: skip
        rows += connection.execute(query)
    reached = _reached(connection, since - PATIENCE) if rows else {}
    said: dict[str, datetime] = {}
    for row in rows:
        at = row.judged_at if row.verdict == "held" else reached.get(row.id)
        if at is not None and at >= since:
            name = alerts.fingerprint(row.job, row.key)
            said[name] = max(at, said.get(name, at))
    return said


def _reached(connection: Connection, since: datetime) -> dict[int, datetime]:
    """Row of the journal -> when a message about it was accepted, or written if it still waits to be."""
    columns = (deliveries.c.about, deliveries.c.created_at, deliveries.c.sent_at)
    query = select(*columns).where(deliveries.c.created_at >= since, deliveries.c.status != "dead")
    found: dict[int, datetime] = {}
    for about, created_at, sent_at in connection.execute(query):
        at = sent_at or created_at
        for number in about or ():
            found[number] = max(at, found.get(number, at))
    return found


def said_since(connection: Connection, since: datetime, newest: int) -> list[datetime]:
    """When messages were said since then, the oldest first: one for each alert, however many channels it goes to.

    ``newest``: among so many newest messages; an older one cannot be of interest.
    """
    last = int(connection.execute(select(func.coalesce(func.max(deliveries.c.id), 0))).scalar_one())
    columns = (deliveries.c.created_at, deliveries.c.subject, deliveries.c.about)
    query = select(*columns).where(
        deliveries.c.id > last - newest, deliveries.c.created_at > since,
        deliveries.c.kind.in_(("alert", "recovery")),
    )  # fmt: skip
    distinct = {(at, subject, tuple(about or ())) for at, subject, about in connection.execute(query)}
    return sorted(at for at, _subject, _about in distinct)


def current_silences(connection: Connection, now: datetime) -> list[Silence]:
    """The maintenance windows in force."""
    query = (
        select(silences).where(silences.c.from_at <= now, silences.c.until_at > now).order_by(silences.c.id)
    )
    return [Silence(**row._mapping) for row in connection.execute(query)]


def troubled(connection: Connection, jobs: Collection[str] | None = None) -> set[tuple[str, str]]:
    """(job, key) of what is wrong; the job is empty where it is Jarvis itself. Of these jobs, if some are given.

    Open problems, and after them what nobody has judged: problems begin, recoveries end them. Asked in the
    transaction that writes a recovery, so that each problem has one.
    """
    query = select(problems.c.job, problems.c.key).where(problems.c.ended_at.is_(None))
    columns = (journal.c.id, journal.c.kind, journal.c.job, journal.c.key, journal.c.wanted)
    rows = select(*columns).where(journal.c.verdict == "new", journal.c.kind.in_(("problem", "recovery")))
    found: set[tuple[str, str]] = set()
    unjudged: list[Any] = []
    for some in [None] if jobs is None else _chunks(sorted(jobs)):
        one, other = query, rows
        if some is not None:
            one, other = query.where(problems.c.job.in_(some)), rows.where(journal.c.job.in_(some))
        found |= {(row.job or "", row.key) for row in connection.execute(one)}
        unjudged += connection.execute(other)
    for row in sorted(unjudged, key=lambda row: row.id):
        if row.kind == "problem":
            found |= {(row.job or "", row.key)} if row.key else set()
        else:
            over, wanted = (row.job or "", row.key), alerts.wanted(row.wanted)
            found -= {each for each in found if alerts.ends(over, wanted, each)}
    return found


def _chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))
