"""What does the ledger say for an audit? Rows as they are, value by value: nothing here is believed to be readable."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, TextClause, text

from jarvis.core import clockfacts
from jarvis.core.evidence import Begun, Counted, Damaged, Definition, Evidence, Frame, Row, Start, Term
from jarvis.core.run import instant
from jarvis.core.settle import Pause
from jarvis.store import provenance
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
_ROWS = text(
    "SELECT id, fire, attempt, status, scheduled_at, not_before, started_at, ended_at, reason, definition_id,"
    " params, numbers FROM runs WHERE job = :job AND scheduled_at >= :begin ORDER BY scheduled_at, fire, attempt"
)
_BEGUN = text(
    "SELECT id, definition_id, started_at, ended_at FROM runs"
    " WHERE job = :job AND started_at >= :begin ORDER BY started_at, id"
)
_FACTS = text("SELECT kind, from_at, until_at, amount, detail FROM facts ORDER BY id")
_HORIZON = text("SELECT value FROM meta WHERE key = 'horizon'")


class _Unreadable(ValueError):
    """A value that is not what the schema says."""


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


def evidence(connection: Connection, frame: Frame) -> Iterator[Evidence]:
    """Every job the ledger has heard of, one at a time; a job's runs are read while it is judged."""
    for name in names(connection):
        found = _of(connection, name, frame.begin)
        yield replace(
            found,
            caused=provenance.caused(connection, found, frame.begin),
            unanswered=provenance.unanswered(connection, found, frame.begin),
        )


def _of(connection: Connection, name: str, begin: datetime | None) -> Evidence:
    asked = {"job": name, "begin": _BEGINNING if begin is None else to_micros(begin)}
    damaged: list[Damaged] = []
    own = connection.execute(_JOB, asked).first()
    next_at = _each([own] if own else [], "its next fire", damaged, lambda row: _maybe(row.next_fire_at))
    return Evidence(
        job=name,
        state=str(own.state) if own else None,
        next_fire_at=next_at[0] if next_at else None,
        definitions={
            row.id: Definition.read(row.id, name, row.body, bool(row.python))
            for row in connection.execute(_DEFINITIONS, asked)
        },
        terms=_each(connection.execute(_TERMS, asked), "a term", damaged, _term),
        spans=_each(connection.execute(_SPANS, asked), "a span", damaged, _span),
        pauses=_each(connection.execute(_PAUSES, asked), "a pause", damaged, _pause),
        damaged=damaged,
        rows=map(_row, _stream(connection, _ROWS, asked)),
        begun=filter(None, map(_begun, _stream(connection, _BEGUN, asked))),
    )


def _stream(connection: Connection, query: TextClause, asked: Mapping[str, Any]) -> Iterator[Any]:
    yield from connection.execute(query, asked, execution_options={"yield_per": AT_ONCE})


def _each(rows: Iterable[Any], what: str, damaged: list[Damaged], read: Callable[[Any], Read]) -> list[Read]:
    found: list[Read] = []
    for row in rows:
        try:
            found.append(read(row))
        except (TypeError, ValueError, OverflowError) as error:
            damaged.append(Damaged(f"{what} cannot be read: {error}"))
    return found


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


def _begun(row: Any) -> Begun | None:
    """None when it cannot be read: the same row is told of among all rows."""
    number, definition, started, ended = row
    try:
        return Begun(number, None if definition is None else _number(definition), _at(started), _maybe(ended))
    except (TypeError, ValueError, OverflowError):
        return None


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
