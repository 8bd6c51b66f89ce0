"""What does a handler's signature ask for?

The parameters after the star are the form that ``with:`` fills. Reading a signature is cheap; pydantic is
loaded only when there are values to check.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jarvis.handling.contract import BadValues, Broken

if TYPE_CHECKING:
    from jarvis.handling.agreement import Agreement
    from jarvis.handling.validation import Checker

GIVEN = ("path", "shell")
"""What the launcher can tell a program handler's argv(): the job's search path and its shell."""

_HEADING = re.compile(r"^parameters:?\s*$", re.IGNORECASE)
_ENTRY = re.compile(r"^(\s*)([A-Za-z_]\w*)\s*:\s+(\S.*)$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One field of the form. ``default`` is only meaningful when it is not required."""

    name: str
    annotation: Any
    required: bool
    default: Any = None
    doc: str = ""


class Form:
    """The parameters of one handler. ``given``: what its argv() takes from the launcher, in order.

    ``agreement``: its word on whether values fit together.
    """

    def __init__(self, name: str, parameters: tuple[Parameter, ...], given: tuple[str, ...] = ()) -> None:
        self.name = name
        self.parameters = parameters
        self.given = given
        self.agreement: Agreement | None = None

    @cached_property
    def checker(self) -> Checker:
        """Raises Broken when a type cannot be checked."""
        from jarvis.handling import validation

        return validation.Checker(self.name, self.parameters)

    def check(self, values: Mapping[str, Any]) -> list[tuple[tuple[str | int, ...], str, str | None]]:
        """Everything wrong with ``values``: where, what, and what to do. Secrets may still be references."""
        if (found := self.checker.problems(values)) or self.agreement is None:
            return found
        known = self.checker.readable(values)
        objection = None if known is None else self._objection(known)
        return [((), objection, None)] if objection else []

    def bind(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments to call with; what was not given is left to the function. Raises BadValues."""
        bound = self._read(values)
        if objection := self._objection(bound):
            raise BadValues(f"handler {self.name}: {objection}")
        return bound

    def _read(self, values: Mapping[str, Any]) -> dict[str, Any]:
        if self._fits_as_it_is(values):
            return dict(values)
        bound, problems = self.checker.read(values)
        if problems:
            said = "; ".join(f"{message} ({hint})" if hint else message for _, message, hint in problems)
            raise BadValues(f"handler {self.name}: {said}")
        return bound

    def _objection(self, given: Mapping[str, Any]) -> str | None:
        """What is wrong with all values together; what was not given has its default."""
        if self.agreement is None:
            return None
        return self.agreement.objection({one.name: one.default for one in self.parameters} | {**given})

    def schema(self) -> dict[str, Any]:
        """The form as JSON Schema."""
        return self.checker.schema()

    def _fits_as_it_is(self, values: Mapping[str, Any]) -> bool:
        """Nothing to read and nothing wrong: saves loading pydantic, two thirds of a child's start-up."""
        if not values and not self.parameters:
            return True
        kinds = {parameter.name: parameter.annotation for parameter in self.parameters}
        if any(parameter.required and parameter.name not in values for parameter in self.parameters):
            return False
        return all(name in kinds and fits(value, kinds[name]) for name, value in values.items())


def fits(value: Any, annotation: Any) -> bool:
    """A value of JSON that is of the type as it stands; False also for every type that needs reading."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin is typing.Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if origin is list:
        return type(value) is list and all(fits(item, inner[0]) for item in value)
    if origin is dict and inner[0] is str:
        return type(value) is dict and all(
            type(key) is str and fits(item, inner[1]) for key, item in value.items()
        )
    if annotation is None or annotation is types.NoneType:
        return value is None
    return annotation is Any or (annotation in (str, int, float, bool) and type(value) is annotation)


def read(name: str, function: Callable[..., Any], doc: str) -> Form:
    """The form of ``run`` or ``argv``. Raises Broken when the signature breaks the contract."""
    program = function.__name__ == "argv"
    given, parameters = [], []
    docs = described(doc) | described(inspect.getdoc(function) or "")
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            parameters.append(_parameter(parameter, function, docs))
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            given.append(parameter.name)
        else:
            raise Broken(
                f"{function.__name__}() takes {parameter}: name every parameter, so that there is a form"
            )
    _check_given(given, program)
    return Form(name, tuple(parameters), tuple(given) if program else ())


def _check_given(given: list[str], program: bool) -> None:
    if program:
        if odd := [name for name in given if name not in GIVEN]:
            raise Broken(
                f"argv() takes {odd[0]!r} before the star, where only {' and '.join(GIVEN)} may stand; "
                f"write argv(*, {odd[0]}: …) for a parameter"
            )
    elif not given:
        raise Broken("run() does not take the context; write def run(ctx, *, …)")
    elif len(given) > 1:
        raise Broken(f"run() takes {given[1]!r} before the star; write def run({given[0]}, *, {given[1]}: …)")


def _parameter(raw: inspect.Parameter, function: Callable[..., Any], docs: Mapping[str, str]) -> Parameter:
    required = raw.default is raw.empty
    return Parameter(
        name=raw.name,
        annotation=_annotation(raw, function),
        required=required,
        default=None if required else raw.default,
        doc=docs.get(raw.name, ""),
    )


def _annotation(raw: inspect.Parameter, function: Callable[..., Any]) -> Any:
    """Its type; each is resolved alone, so that one imported for type checkers only harms nobody else."""
    if raw.annotation is raw.empty:
        return Any
    holder = types.SimpleNamespace(__annotations__={raw.name: raw.annotation})
    try:
        hints = typing.get_type_hints(holder, globalns=function.__globals__, include_extras=True)
    except Exception as error:
        raise Broken(
            f"parameter {raw.name!r}: its type {raw.annotation!r} cannot be read: {error}"
        ) from error
    return hints[raw.name]


def described(doc: str) -> dict[str, str]:
    """The lines ``name: text`` under a line ``Parameters``; deeper lines continue the one above."""
    lines = iter(doc.splitlines())
    found: dict[str, str] = {}
    if not any(_HEADING.match(line.strip()) for line in lines):
        return found
    depth, name = -1, ""
    for line in lines:
        if not line.strip() or set(line.strip()) == {"-"}:
            continue
        indent = len(line) - len(line.lstrip())
        entry = _ENTRY.match(line)
        if entry and (depth < 0 or indent == depth):
            depth, name = indent, entry[2]
            found[name] = entry[3].strip()
        elif name and indent > depth:
            found[name] += " " + line.strip()
        else:
            break
    return found
