"""Do these values fit this form, and if not, how is that said to a person?

pydantic does the checking; this file builds the model from a handler's parameters and turns pydantic's
findings into sentences about jobs.yaml.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import field, fields, is_dataclass, make_dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Union

from pydantic import AfterValidator, AwareDatetime, ConfigDict, PydanticSchemaGenerationError, TypeAdapter
from pydantic import ValidationError as Findings
from pydantic.errors import PydanticUserError
from pydantic_core import ErrorDetails, to_jsonable_python

from jarvis.core import duration
from jarvis.core.fields import NAME
from jarvis.handling import inside
from jarvis.handling.contract import Broken
from jarvis.handling.form import Parameter
from jarvis.handling.secret import Secret

Address = tuple[str | int, ...]
Finding = tuple[Address, str, str | None]

MISSING = ("missing", "missing_argument", "missing_keyword_only_argument")

_WORDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "sequence_str": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "dataclass_type": "a mapping",
    "path_type": "a path",
    "none_required": "nothing",
    "timezone_aware": "a moment with its zone such as 2026-11-20T09:00:00+00:00",
    "datetime_type": "a moment such as 2026-11-20T09:00:00+00:00",
    "datetime_parsing": "a moment such as 2026-11-20T09:00:00+00:00",
    "datetime_from_date_parsing": "a moment such as 2026-11-20T09:00:00+00:00",
}

_LIMITS = {
    "literal_error": "{expected}",
    "enum": "{expected}",
    "string_pattern_mismatch": "a text like {pattern}",
    "string_too_short": "{min_length} or more characters",
    "string_too_long": "at most {max_length} characters",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "greater_than": "more than {gt}",
    "less_than": "less than {lt}",
    "too_short": "at least {min_length} items",
    "too_long": "at most {max_length} items",
}

_TYPES: dict[Any, Any] = {
    timedelta: duration.Duration,
    datetime: AwareDatetime,
    Path: Annotated[Path, AfterValidator(Path.expanduser)],
}


class Checker:
    """The model of one form. Raises Broken when a type cannot be checked or a default does not fit."""

    def __init__(self, name: str, parameters: Sequence[Parameter]) -> None:
        self._parameters = {parameter.name: parameter for parameter in parameters}
        self._adapter = self._build(name)

    def _build(self, name: str) -> TypeAdapter[Any]:
        fields: list[Any] = []
        for one in self._parameters.values():
            try:
                kind = adapted(one.annotation)
                TypeAdapter(kind)
            except (PydanticSchemaGenerationError, PydanticUserError) as error:
                raise Broken(
                    f"parameter {one.name!r}: values of type {one.annotation!r} cannot be checked"
                ) from error
            # The default is never used: what is not given is left to the handler's own signature.
            fields.append((one.name, kind) if one.required else (one.name, kind, field(default=None)))
        model = make_dataclass(name.replace("-", "_").replace(".", "_") or "form", fields, kw_only=True)
        model.__pydantic_config__ = ConfigDict(extra="forbid", title=name)  # type: ignore[attr-defined]
        return TypeAdapter(model)

    def read(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
        """The typed values that were given, and what is wrong with them."""
        try:
            made = self._adapter.validate_python(dict(values))
        except Findings as findings:
            return {}, self._spoken(findings.errors(include_url=False), values)
        return {name: getattr(made, name) for name in values}, []

    def problems(self, values: Mapping[str, Any]) -> list[Finding]:
        """What is wrong with values as written; a secret's reference stands for a value nobody knows yet."""
        known, secret = _without_secrets(values)
        _, found = self.read(known)
        return [finding for finding in found if not any(finding[0][: len(at)] == at for at in secret)]

    def readable(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The typed values, as far as they are known before a run; None where one is a secret as a whole."""
        known, secret = _without_secrets(values)
        return None if any(len(at) == 1 for at in secret) else self.read(known)[0]

    def schema(self) -> dict[str, Any]:
        """JSON Schema with the handler's own defaults and descriptions."""
        schema = self._adapter.json_schema()
        for name, one in self._parameters.items():
            entry = schema["properties"][name]
            entry.pop("default", None)
            if one.doc:
                entry["description"] = one.doc
            if not one.required and not isinstance(one.default, Secret):
                entry["default"] = plain(one.default)
        return schema

    def _spoken(self, errors: Sequence[ErrorDetails], values: Mapping[str, Any]) -> list[Finding]:
        """One finding for each address: what a union tried is joined with "or"."""
        by_address: dict[Address, list[ErrorDetails]] = {}
        for error in errors:
            by_address.setdefault(_address(error, values), []).append(error)
        return [self._finding(address, group, values) for address, group in by_address.items()]

    def _finding(self, address: Address, group: list[ErrorDetails], values: Mapping[str, Any]) -> Finding:
        name, kind = str(address[0]) if address else "", group[0]["type"]
        if kind == "unexpected_keyword_argument" and len(address) > 1:
            return address, f"{_spell(address)}: there is no such parameter", self._inside(group[0])
        if kind == "extra_forbidden" and len(address) > 1:
            known = inside.known(
                self._parameters[name].annotation, address[1:-1], group[0]["loc"][len(address) - 1]
            )
            where = f"{_spell(address[:-1])}: no parameter {str(address[-1])!r}"
            return address, where, inside.hint(str(address[-1]), known)
        if kind == "unexpected_keyword_argument":
            return address, f"no parameter {name!r}", self._nearest(name, values)
        if kind in MISSING and len(address) == 1 and name not in values:
            return address, f"parameter {name!r} is missing", self._about(name)
        where = _spell(address)
        if kind in MISSING and group[0]["loc"] and group[0]["loc"][-1] not in address[-1:]:
            return address, f"{where}: {group[0]['loc'][-1]!r} is missing", None
        wanted = list(dict.fromkeys(filter(None, (_wanted(error) for error in group))))
        if not wanted:
            return address, f"{where}: {' or '.join(dict.fromkeys(_message(error) for error in group))}", None
        said = f"{where}: expected {' or '.join(wanted)}, not {_shown(group[0]['input'])}"
        return address, said, _meant(group)

    def _nearest(self, name: str, values: Mapping[str, Any]) -> str | None:
        free = [known for known in self._parameters if known not in values]
        if near := get_close_matches(name, free, 1, 0.5):
            return f"did you mean {near[0]!r}?"
        if not self._parameters:
            return "it takes none"
        return f"it takes {', '.join(self._parameters)}"

    def _inside(self, error: ErrorDetails) -> str | None:
        """What the block takes in which ``error`` was found."""
        block = _block(self._parameters[str(error["loc"][0])].annotation)
        known = [one.name for one in fields(block)] if block else []
        if near := get_close_matches(str(error["loc"][-1]), known, 1, 0.5):
            return f"did you mean {near[0]!r}?"
        return f"it takes {', '.join(known)}" if known else None

    def _about(self, name: str) -> str | None:
        parameter = self._parameters.get(name)
        return parameter.doc or None if parameter else None


def adapted(annotation: Any) -> Any:
    """The type with jobs.yaml's own readings inside: durations, moments with a zone, ``~`` in paths."""
    if (known := _typed(annotation)) is not None:
        return known
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return Annotated[(adapted(arguments[0]), *arguments[1:])]
    if origin in (Union, types.UnionType):
        return Union[tuple(adapted(argument) for argument in arguments)]  # noqa: UP007 (built at run time)
    if origin in (list, set, frozenset, tuple, dict) or _abstract(origin):
        return origin[tuple(argument if argument is ... else adapted(argument) for argument in arguments)]
    return annotation


def _typed(annotation: Any) -> Any:
    return _TYPES.get(annotation) if isinstance(annotation, type) else None


def _abstract(origin: Any) -> bool:
    return getattr(origin, "__module__", "") == "collections.abc" and origin.__name__ in (
        "Sequence",
        "Mapping",
    )


def _block(annotation: Any) -> Any:
    """The dataclass of a parameter that may be a block."""
    candidates = (annotation, *typing.get_args(annotation))
    return next((one for one in candidates if isinstance(one, type) and is_dataclass(one)), None)


def plain(value: Any) -> Any:
    """A default as JSON data."""
    if isinstance(value, timedelta):
        return duration.spell(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return to_jsonable_python(value, fallback=str)


def _without_secrets(value: Any, at: Address = ()) -> tuple[Any, list[Address]]:
    """The values with a text for every ``{"$secret": …}``, and where those stood."""
    if isinstance(value, Mapping):
        if set(value) == {"$secret"}:
            return "a secret", [at]
        pairs = {key: _without_secrets(item, (*at, key)) for key, item in value.items()}
        return {key: pair[0] for key, pair in pairs.items()}, [
            one for pair in pairs.values() for one in pair[1]
        ]
    if isinstance(value, list):
        items = [_without_secrets(item, (*at, index)) for index, item in enumerate(value)]
        return [item[0] for item in items], [one for item in items for one in item[1]]
    return value, []


def _address(error: ErrorDetails, values: Any) -> Address:
    """The place in ``values``: pydantic also names the members of unions it tried, which are no place."""
    address: list[str | int] = []
    chosen = False  # a mapping with a kind: the form this chose is named before the field in it
    for step in error["loc"]:
        if address and not chosen and isinstance(values, Mapping) and values.get("kind") == step:
            chosen = True
            continue
        listed = isinstance(values, list) and isinstance(step, int) and step < len(values)
        if listed or (isinstance(values, Mapping) and step in values):
            values, chosen = values[step], False
        elif address or error["type"] not in MISSING:
            continue
        address.append(step)
    return tuple(address)


def _spell(address: Address) -> str:
    return repr(".".join(map(str, address)))


def _wanted(error: ErrorDetails) -> str | None:
    limits = error.get("ctx", {})
    if limits.get("pattern") == NAME:
        return "a name of letters, digits, '.', '_' and '-', at most 64"
    if (pattern := _LIMITS.get(error["type"])) is not None:
        return pattern.format_map(limits)
    return _WORDS.get(error["type"])


def _meant(group: Sequence[ErrorDetails]) -> str | None:
    """The nearest of the words that are possible."""
    words = [
        word
        for error in group
        if error["type"] in ("literal_error", "enum")
        for word in re.findall(r"'([^']*)'", error.get("ctx", {}).get("expected", ""))
    ]
    near = get_close_matches(str(group[0]["input"]), words, 1, 0.5)
    return f"did you mean {near[0]!r}?" if near else None


def _message(error: ErrorDetails) -> str:
    """A validator's own sentence, or pydantic's with its grammar turned to ours."""
    if error["type"] == "value_error" and "error" in error.get("ctx", {}):
        return str(error["ctx"]["error"])
    text = error["msg"].replace("Input should", "should").replace("Value error, ", "")
    return text[:1].lower() + text[1:]


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
