"""How does a handler hold a text that must not be seen?"""

from __future__ import annotations

import hmac
from typing import Any


class Secret:
    """A text that never shows itself: ``str()`` and ``repr()`` are stars, ``reveal()`` is the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, its = (
            self._text.encode("utf-8", "surrogateescape"),
            other._text.encode("utf-8", "surrogateescape"),
        )
        return hmac.compare_digest(mine, its)

    def __hash__(self) -> int:
        return hash(self._text)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _memo: object) -> Secret:
        return self

    def __reduce__(self) -> str:
        raise TypeError("a Secret cannot be pickled: pass reveal() to whoever may know it")

    @classmethod
    def _of(cls, value: object) -> Secret:
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            return cls(value)
        raise ValueError("expected a secret: write !secret env:NAME or !secret file:PATH")

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        from pydantic_core import core_schema

        shown = core_schema.to_string_ser_schema()
        return core_schema.no_info_plain_validator_function(cls._of, serialization=shown)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: Any, _handler: Any) -> dict[str, Any]:
        return {"type": "string", "format": "password", "writeOnly": True}
