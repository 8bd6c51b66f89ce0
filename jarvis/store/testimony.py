"""What does the ledger say for an audit? Rows as they are, value by value: nothing here is believed to be readable."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, text

from jarvis.core import clockfacts
from jarvis.core.evidence import Counted, Damaged, Definition, Row, Start, Term
from jarvis.core.run import instant
from jarvis.core.settle import Pause
from jarvis.store.tables import from_micros, to_micros

Read = TypeVar("Read")
AT_ONCE = 2000
_BEGINNING = -(1 << 62)

_NAMES = text(
    "SELECT name FROM jobs UNION SELECT job FROM terms UNION SELECT job FROM runs UNION SELECT job FROM spans"
)
_JOB = text("SELECT state, next_fire_at FROM jobs WHERE name = :job")
_DEFINITIONS = text("SELECT id, body, python FROM definitions WHERE job = :job")
_TERMS = text(
    "SELECT id, definition_id, era, from_at, until_at FROM terms WHERE job = :job ORDER BY from_at, id"
)
_PAUSES = text("SELECT id, from_at, until_at, reason FROM pauses WHERE job = :job ORDER BY from_at, id")
_SPANS = text(
    "SELECT id, definition_id, era, from_at, until_at, count, status, reason FROM spans"
    " WHERE job = :job AND until_at > :begin ORDER BY from_at, id"
)
_ROW = (
    "SELECT id, fire, attempt, status, scheduled_at, not_before, started_at, ended_at, reason, definition_id,"
    " params, numbers FROM runs WHERE job = :job"
)
_ROWS = text(f"{_ROW} AND scheduled_at >= :begin ORDER BY scheduled_at, fire, attempt")
_BEGUN = text(f"{_ROW} AND started_at >= :begin ORDER BY started_at, id")
_FACTS = text("SELECT kind, from_at, until_at, amount, detail FROM facts ORDER BY id")
_HORIZON = text("SELECT value FROM meta WHERE key = 'horizon'")


class _Unreadable(ValueError):
    """A value that is not what the schema says."""


@dataclass(kw_only=True, slots=True)
class Testimony:
    """One job's rows except its runs. ``damaged``: what could not be read."""

    state: str | None = None
    next_fire_at: datetime | None = None
    definitions: dict[int, Definition] = field(default_factory=dict)
    terms: list[Term] = field(default_factory=list)
    spans: list[Counted] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    damaged: list[Damaged] = field(default_factory=list)


def names(connection: Connection) -> list[str]:
    """Every job the ledger has heard of."""
    return sorted(str(name) for name in connection.execute(_NAMES).scalars())


def horizon(connection: Connection) -> datetime | None:
    """Before this instant the ledger was pruned; a value that cannot be read counts as none."""
    try:
        at = datetime.fromisoformat(json.loads(connection.execute(_HORIZON).scalar() or "null"))
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else None


def facts(connection: Connection) -> tuple[list[clockfacts.Fact], list[Start], list[Damaged]]:
    """What happened to the clock, and when daemons began."""
    found: list[clockfacts.Fact] = []
    starts: list[Start] = []
    damaged: list[Damaged] = []
    for row in connection.execute(_FACTS):
        try:
            fact = clockfacts.Fact(
                kind=_word(row.kind),
                from_at=_at(row.from_at),
                until_at=_at(row.until_at),
                amount=timedelta(seconds=row.amount),
                detail=_word(row.detail),
            )
        except (TypeError, ValueError, OverflowError) as error:
            damaged.append(Damaged(f"a fact about the clock cannot be read: {error}"))
            continue
        found.append(fact)
        if fact.kind == "start":
            words = fact.detail.split(" ", 3)
            if len(words) == 4 and words[0] == "daemon" and words[2] == "boot":
                starts.append(Start(at=fact.from_at, daemon=words[1], boot=words[3]))
            else:
                damaged.append(
                    Damaged(f"the start at {instant(fact.from_at)} does not say which daemon began")
                )
    return found, starts, damaged


def of(connection: Connection, job: str, begin: datetime | None) -> Testimony:
    """One job: its state, definitions, terms, spans that end after ``begin``, and pauses."""
    said = Testimony()
    asked = {"job": job}
    if row := connection.execute(_JOB, asked).first():
        said.state = str(row.state)
        _each([row], "the job's own row", said.damaged, lambda row: _take_next(said, row))
    said.definitions = {
        row.id: Definition.read(row.id, job, row.body, bool(row.python))
        for row in connection.execute(_DEFINITIONS, asked)
    }
    said.terms = _each(connection.execute(_TERMS, asked), "a term", said.damaged, _term)
    said.pauses = _each(connection.execute(_PAUSES, asked), "a pause", said.damaged, _pause)
    spans = connection.execute(_SPANS, {**asked, "begin": _micros(begin)})
    said.spans = _each(spans, "a span", said.damaged, _span)
    return said


def rows(connection: Connection, job: str, begin: datetime | None) -> Iterator[Row | Damaged]:
    """The job's runs due since ``begin``, by scheduled_at; a few thousand at a time."""
    return _stream(connection, _ROWS, job, begin)


def begun(connection: Connection, job: str, begin: datetime | None) -> Iterator[Row | Damaged]:
    """The job's runs that started since ``begin``, by started_at."""
    return _stream(connection, _BEGUN, job, begin)


def _stream(connection: Connection, query: Any, job: str, begin: datetime | None) -> Iterator[Row | Damaged]:
    asked = {"job": job, "begin": _micros(begin)}
    for found in connection.execute(query, asked, execution_options={"yield_per": AT_ONCE}):
        yield _row(found)


def _micros(begin: datetime | None) -> int:
    return _BEGINNING if begin is None else to_micros(begin)


def _each(rows: Iterable[Any], what: str, damaged: list[Damaged], read: Callable[[Any], Read]) -> list[Read]:
    found: list[Read] = []
    for row in rows:
        try:
            found.append(read(row))
        except (TypeError, ValueError, OverflowError) as error:
            damaged.append(Damaged(f"{what} cannot be read: {error}"))
    return found


def _take_next(said: Testimony, row: Any) -> None:
    said.next_fire_at = _maybe(row.next_fire_at)


def _term(row: Any) -> Term:
    return Term(
        definition=_number(row.definition_id),
        era=_number(row.era),
        from_at=_at(row.from_at),
        until_at=_maybe(row.until_at),
    )


def _pause(row: Any) -> Pause:
    return Pause(from_at=_at(row.from_at), until_at=_maybe(row.until_at), reason=_word(row.reason))


def _span(row: Any) -> Counted:
    return Counted(
        id=row.id,
        definition=_number(row.definition_id),
        era=_number(row.era),
        from_at=_at(row.from_at),
        until_at=_at(row.until_at),
        count=_number(row.count),
        status=_word(row.status),
        reason=_word(row.reason),
    )


def _row(row: Any) -> Row | Damaged:
    number, fire, attempt, status, scheduled, before, started, ended, reason, definition, params, numbers = (
        row
    )
    try:
        return Row(
            number,
            _word(fire),
            _number(attempt),
            _word(status),
            _at(scheduled),
            _maybe(before),
            _maybe(started),
            _maybe(ended),
            None if reason is None else _word(reason),
            None if definition is None else _number(definition),
            None if params is None and numbers is None else _json(params, numbers),
        )
    except (TypeError, ValueError, OverflowError) as error:
        return Damaged(f"run {number} cannot be read: {error}", number)


def _json(params: Any, numbers: Any) -> str | None:
    """Why these are not JSON objects; None when they are."""
    for name, value in (("params", params), ("numbers", numbers)):
        try:
            if value is not None and not isinstance(json.loads(value), dict):
                return f"has {name} that are not a JSON object"
        except (TypeError, ValueError):
            return f"has {name} that are not JSON"
    return None


def _at(value: Any) -> datetime:
    return from_micros(_number(value))


def _maybe(value: Any) -> datetime | None:
    return None if value is None else _at(value)


def _number(value: Any) -> int:
    if isinstance(value, int):
        return value
    raise _Unreadable(f"{value!r:.40} is not a number")


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _Unreadable(f"{value!r:.40} is not text")
