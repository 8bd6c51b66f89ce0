"""Which rules can be asked? Each kind is a form: its name says what it looks at, its fields are the condition."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import timedelta
from string import Template
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictBool,
    StrictStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from jarvis.core.duration import Duration
from jarvis.core.fields import NAME, Model
from jarvis.core.telling import Severity

COOLDOWN = timedelta(hours=4)
BASICS = ("name", "kind", "severity", "cooldown", "enabled")
"""What every rule has; the rest is its condition."""


def _no_switch(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"expected a number, not {str(value).lower()}")
    return value


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("expected a duration longer than nothing, such as 26h")
    return value


def _template(value: str) -> str:
    if not Template(value).is_valid():
        raise ValueError(f"{value!r}: a $ stands before the name of a column, $$ is the sign itself")
    return value


Words = Annotated[StrictStr, Field(min_length=1, max_length=20_000)]
Days = Annotated[int, BeforeValidator(_no_switch), Field(le=36_500)]
Length = Annotated[Duration, AfterValidator(_positive)]
Number = Annotated[float, BeforeValidator(_no_switch), Field(allow_inf_nan=False)]
Text = Annotated[Words, AfterValidator(_template)]


class Basics(Model):
    """What every rule has."""

    name: Annotated[StrictStr, Field(pattern=NAME)]
    severity: Severity = "medium"
    cooldown: Duration = COOLDOWN
    enabled: StrictBool = True

    def condition(self) -> dict[str, Any]:
        """The fields of its kind as JSON data, defaults spelled out."""
        return {name: value for name, value in self.model_dump(mode="json").items() if name not in BASICS}


class OverdueDelegation(Basics):
    """Active delegations that are so many whole days late."""

    kind: Literal["overdue_delegation"]
    days_overdue: Annotated[Days, Field(ge=1)] = 1


class StaleDecision(Basics):
    """Decisions that were made more than so many days ago and are still to be executed."""

    kind: Literal["pending_decision", "stale_decision"]
    days_stale: Annotated[Days, Field(ge=0)] = 7


class UpcomingDeadline(Basics):
    """Active delegations that are due today or within so many days."""

    kind: Literal["upcoming_deadline"]
    within_days: Annotated[Days, Field(ge=0)] = 3


class StaleBackup(Basics):
    """A backup whose last success nobody noted, or that is too old. ``fact``: category/key."""

    kind: Literal["stale_backup"]
    max_age_hours: Annotated[Number, Field(gt=0)] = 48
    fact: Annotated[StrictStr, Field(pattern=r"^[^/]+/.+$")] = "work/backup_last_success"


class JobRule(Basics):
    """A dead-man's switch on a job of this Jarvis: any of its conditions is enough."""

    kind: Literal["job"]
    job: Annotated[StrictStr, Field(pattern=NAME)]
    failing_for: Length | None = None
    not_succeeded_for: Length | None = None
    consecutive_failures: Annotated[Days, Field(ge=1)] | None = None
    duration_above: Length | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        asked = (self.failing_for, self.not_succeeded_for, self.consecutive_failures, self.duration_above)
        if all(one is None for one in asked):
            raise ValueError(
                "a job rule asks for failing_for, not_succeeded_for, consecutive_failures or duration_above"
            )
        return self


class SqlRule(Basics):
    """Every row of a query is a match. Without ``url`` it asks this Jarvis' own ledger.

    ``message``: with ``$column``. ``key``: with ``$column``; matches of different keys cool down by themselves.
    """

    kind: Literal["sql"]
    query: Words
    url: Words | None = None
    message: Text | None = None
    key: Text | None = None
    limit: Annotated[Days, Field(ge=1, le=1_000)] = 1_000
    timeout: Length = timedelta(seconds=10)


Aggregate = Literal["last", "min", "max", "mean", "sum", "count", "p50", "p95", "p99"]


class MetricRule(Basics):
    """A number over a window of time: ``job.number`` of runs, or a field of this machine's samples."""

    kind: Literal["metric"]
    metric: Annotated[StrictStr, Field(min_length=1, max_length=300)]
    aggregate: Aggregate = "last"
    window: Length = timedelta(hours=1)
    above: Number | None = None
    below: Number | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError("a metric rule asks for above or below (or both)")
        return self


Rule = OverdueDelegation | StaleDecision | UpcomingDeadline | StaleBackup | JobRule | SqlRule | MetricRule
FORMS: tuple[type[Basics], ...] = get_args(Rule)
KINDS: dict[str, type[Basics]] = {
    kind: form for form in FORMS for kind in get_args(form.model_fields["kind"].annotation)
}


def _known(value: Any) -> Any:
    """An unknown kind is said with those that there are."""
    if isinstance(value, dict) and value.get("kind") not in KINDS:
        found = f"{value['kind']!r} is no kind of rule" if "kind" in value else "a rule needs a kind"
        near = difflib.get_close_matches(str(value.get("kind")), KINDS, n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"{found}{meant}; there are {', '.join(KINDS)}")
    return value


def _unique(rules: list[Any]) -> list[Any]:
    names = [rule.name for rule in rules]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"two rules are named {twice!r}")
    return rules


Stated = Annotated[Annotated[Rule, Field(discriminator="kind")], BeforeValidator(_known)]
"""One rule as it is written."""
Rules = Annotated[list[Stated], AfterValidator(_unique)]
"""The rules of one list: their names are different."""

_ONE: TypeAdapter[Rule] = TypeAdapter(Stated)


def read(data: dict[str, Any]) -> Rule:
    """A rule from data such as ``{"name": "late", "kind": "overdue_delegation"}``. Raises ValueError in a sentence."""
    try:
        return _ONE.validate_python(data)
    except ValidationError as error:
        raise ValueError(_sentence(data, error)) from None


def _sentence(data: dict[str, Any], error: ValidationError) -> str:
    """Everything that is wrong with it, in one line."""
    return "; ".join(_finding(data, one["loc"], one["type"], one["msg"]) for one in error.errors())


def _finding(data: dict[str, Any], where: Sequence[str | int], what: str, message: str) -> str:
    # The first step is the kind, by which pydantic chose the form.
    name = str(where[1]) if len(where) > 1 else ""
    if what == "missing":
        return f"{data.get('kind', 'a rule')} needs {name}"
    if what == "extra_forbidden":
        form = KINDS[data["kind"]]
        known = ", ".join(field for field in form.model_fields if field not in BASICS)
        return f"{data['kind']} has no parameter {name!r} (it has {known})"
    said = message.removeprefix("Value error, ").replace("Input should", "should")
    return f"{name}: {said[:1].lower()}{said[1:]}" if name else said
