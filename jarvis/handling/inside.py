"""What may be written inside a parameter? The names that the models and blocks at an address take."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any


def known(annotation: Any, address: Sequence[str | int], chosen: object = None) -> list[str]:
    """The names that a mapping at this address (below the parameter) may hold; none where nobody can tell.

    ``chosen``: its ``kind:``, where that says which of several forms it has.
    """
    kinds = [annotation]
    for step in address:
        kinds = [inner for kind in kinds for inner in _below(kind, step)]
    models = [model for kind in kinds for model in _models(kind)]
    meant = [model for model in models if chosen in typing.get_args(_fields(model).get("kind"))]
    return list(dict.fromkeys(name for model in meant or models for name in _fields(model)))


def hint(name: str, names: Sequence[str]) -> str | None:
    """The nearest right name, else all there are."""
    if near := get_close_matches(name, names, 1, 0.5):
        return f"did you mean {near[0]!r}?"
    return f"it takes {', '.join(names)}" if names else None


def _below(annotation: Any, step: str | int) -> Iterator[Any]:
    """What is found at one step below a type: a field of a model, an item of a list or mapping."""
    for kind in _members(annotation):
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin in (list, set, frozenset, tuple) and isinstance(step, int):
            yield arguments[0]
        elif origin is dict and isinstance(step, str):
            yield arguments[1]
        elif isinstance(step, str) and isinstance(kind, type) and step in (fields := _fields(kind)):
            yield fields[step]


def _models(annotation: Any) -> Iterator[type]:
    return (kind for kind in _members(annotation) if isinstance(kind, type) and _fields(kind))


def _members(annotation: Any) -> Iterator[Any]:
    """The type itself, or every member of a union, without what annotates it."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from _members(arguments[0])
    elif arguments and origin not in (list, set, frozenset, tuple, dict) and origin is not typing.Literal:
        for one in arguments:
            yield from _members(one)
    else:
        yield annotation


def _fields(kind: type) -> dict[str, Any]:
    """Public names and types of a pydantic model's or dataclass' fields."""
    if (model := getattr(kind, "model_fields", None)) is not None:
        return {field.alias or name: field.annotation for name, field in model.items()}
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        return {field.name: hints[field.name] for field in dataclasses.fields(kind)}
    return {}
