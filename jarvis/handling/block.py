"""How does a handler ask for a group of values under one name, such as ``wearable: {token: …, cache: …}``?

A dataclass that derives from Block is the type of a parameter; its fields are read like parameters: durations, ``~`` in
paths, secrets, and an unknown name is an error. pydantic is loaded only when there is a block to read.
"""

from __future__ import annotations

import dataclasses
import typing
from typing import Any


class Block:
    """To be derived from by a keyword-only dataclass in which every field has a default, or must be given."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, handler: Any) -> Any:
        from pydantic import ConfigDict
        from pydantic_core import core_schema

        from jarvis.handling import validation

        hints = typing.get_type_hints(cls, include_extras=True)
        fields: list[Any] = []
        for one in dataclasses.fields(cls):  # type: ignore[arg-type]
            kind = validation.adapted(hints[one.name])
            given = one.default is not dataclasses.MISSING or one.default_factory is not dataclasses.MISSING
            fields.append((one.name, kind, _field()) if given else (one.name, kind))
        model: Any = dataclasses.make_dataclass(cls.__name__, fields, kw_only=True)
        model.__pydantic_config__ = ConfigDict(extra="forbid", title=cls.__name__)

        def made(read: Any) -> Any:
            values = {one.name: getattr(read, one.name) for one in dataclasses.fields(model)}
            return cls(**{name: value for name, value in values.items() if value is not UNSAID})

        return core_schema.no_info_after_validator_function(made, handler.generate_schema(model))

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        """With the class' own defaults; a secret's is not shown."""
        from jarvis.handling import validation
        from jarvis.handling.secret import Secret

        said = handler(schema)
        properties = handler.resolve_ref_schema(said)["properties"]
        for one in dataclasses.fields(cls):  # type: ignore[arg-type]
            made = one.default_factory
            value = made() if made is not dataclasses.MISSING else one.default
            if value is not dataclasses.MISSING and not isinstance(value, Secret):
                properties[one.name]["default"] = validation.plain(value)
        return said


UNSAID: Any = object()
"""Stands for what was not given: the class' own default is used."""


def _field() -> Any:
    return dataclasses.field(default_factory=lambda: UNSAID)
