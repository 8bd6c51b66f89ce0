"""What can be kept in mind? Delegations, decisions and facts: noted, listed, ended."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from jarvis.control import plain
from jarvis.control.desk import Desk
from jarvis.control.plain import Misfit
from jarvis.errors import NotFound
from jarvis.store.known import Decision, Delegation, Fact, Known

Said = Annotated[str, Field(min_length=1, max_length=10_000)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Category = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^/]+$")]
Number = Annotated[int, Field(ge=0, le=2**63 - 1)]
Limit = Annotated[int, Field(ge=1, le=10_000)]
Priority = Literal["low", "medium", "high", "critical"]
Delegated = Literal["active", "completed", "cancelled"]
Decided = Literal["pending_execution", "executed", "deferred", "reversed"]


def delegations(desk: Desk, *, status: Delegated | None = None, limit: Limit = 100) -> list[dict[str, Any]]:
    """Delegations, those due first come first.

    Parameters:
        status: only these
    """
    return [_delegation(one) for one in Known(desk.database).delegations(status=status, limit=limit)]


def delegate(
    desk: Desk, *, task: Said, to: Name, due: str | None = None, priority: Priority = "medium"
) -> dict[str, Any]:
    """Note what somebody else was asked to do.

    Parameters:
        to: who
        due: the day, such as 2026-12-01
    """
    day = _day(due) if due is not None else None
    number = Known(desk.database).delegate(task, to, due=day, priority=priority, at=desk.now())
    return {
        "id": number,
        "task": task,
        "delegated_to": to,
        "due_date": due and str(day),
        "priority": priority,
    }


def complete(desk: Desk, *, id: Number) -> dict[str, Any]:
    """A delegation is done."""
    return _delegation(Known(desk.database).end_delegation(id, "completed", desk.now()))


def cancel(desk: Desk, *, id: Number) -> dict[str, Any]:
    """A delegation is not wanted any more."""
    return _delegation(Known(desk.database).end_delegation(id, "cancelled", desk.now()))


def decisions(desk: Desk, *, status: Decided | None = None, limit: Limit = 100) -> list[dict[str, Any]]:
    """Decisions, the oldest first.

    Parameters:
        status: only these
    """
    return [_decision(one) for one in Known(desk.database).decisions(status=status, limit=limit)]


def decide(desk: Desk, *, decision: Said) -> dict[str, Any]:
    """Note a decision that is still to be executed."""
    number = Known(desk.database).decide(decision, at=desk.now())
    return {"id": number, "decision": decision, "status": "pending_execution"}


def execute(desk: Desk, *, id: Number) -> dict[str, Any]:
    """A decision was executed."""
    return _decision(Known(desk.database).settle(id, "executed", desk.now()))


def defer(desk: Desk, *, id: Number) -> dict[str, Any]:
    """A decision is put off."""
    return _decision(Known(desk.database).settle(id, "deferred", desk.now()))


def reverse(desk: Desk, *, id: Number) -> dict[str, Any]:
    """A decision does not hold any more."""
    return _decision(Known(desk.database).settle(id, "reversed", desk.now()))


def facts(desk: Desk, *, category: str | None = None, limit: Limit = 100) -> list[dict[str, Any]]:
    """Facts by category and key.

    Parameters:
        category: only this one's
    """
    return [_fact(one) for one in Known(desk.database).facts(category=category, limit=limit)]


def fact(desk: Desk, *, category: str, key: str) -> dict[str, Any]:
    """What is known under a category and a key."""
    found = Known(desk.database).fact(category, key)
    if found is None:
        raise NotFound(f"nothing is known under {category}/{key}")
    return _fact(found)


def know(
    desk: Desk,
    *,
    category: Category,
    key: Name,
    value: Annotated[str, Field(max_length=100_000)],
    confidence: Annotated[float, Field(ge=0, le=1)] = 1.0,
) -> dict[str, Any]:
    """Set a fact; what was known under the same category and key is replaced.

    Parameters:
        confidence: 0 to 1
    """
    Known(desk.database).know(category, key, value, confidence=confidence, at=desk.now())
    return fact(desk, category=category, key=key)


def forget(desk: Desk, *, category: str, key: str) -> dict[str, Any]:
    """Delete a fact."""
    Known(desk.database).forget(category, key)
    return {"category": category, "key": key, "deleted": True}


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Misfit(f"{text!r} is no day; write it like 2026-12-01") from None
    return day


def _delegation(one: Delegation) -> dict[str, Any]:
    return {
        "id": one.id,
        "task": one.task,
        "delegated_to": one.delegated_to,
        "due_date": one.due_date.isoformat() if one.due_date else None,
        "priority": one.priority,
        "status": one.status,
        "created_at": plain.instant(one.created_at),
        "changed_at": plain.instant(one.changed_at),
    }


def _decision(one: Decision) -> dict[str, Any]:
    return {
        "id": one.id,
        "decision": one.decision,
        "status": one.status,
        "created_at": plain.instant(one.created_at),
        "changed_at": plain.instant(one.changed_at),
    }


def _fact(one: Fact) -> dict[str, Any]:
    return {
        "category": one.category,
        "key": one.key,
        "value": one.value,
        "confidence": one.confidence,
        "updated_at": plain.instant(one.updated_at),
    }
