"""What did a handler change in its memory?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

MEMORY_BYTES = 1024 * 1024


class Memory(MutableMapping[str, Any]):
    """A mapping that knows what was changed in it, also deep inside its values."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self._before = {key: _json(key, value) for key, value in known.items()} if known else {}
        self._now = {key: json.loads(text) for key, text in self._before.items()} if known else {}

    def __getitem__(self, key: str) -> Any:
        return self._now[key]

    def __setitem__(self, key: str, value: Any) -> None:
        _json(key, value)
        self._now[key] = value

    def __delitem__(self, key: str) -> None:
        del self._now[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now)

    def __len__(self) -> int:
        return len(self._now)

    def __repr__(self) -> str:
        return f"Memory({self._now!r})"

    def changes(self) -> tuple[dict[str, Any], tuple[str, ...]]:
        """What to store, and which keys to drop. Raises ValueError: no JSON, or too much."""
        if not self._now and not self._before:
            return {}, ()
        texts = {key: _json(key, value) for key, value in self._now.items()}
        if (size := sum(map(len, texts.values()))) > MEMORY_BYTES:
            raise ValueError(
                f"memory holds {size} bytes, at most {MEMORY_BYTES} are kept: store files instead"
            )
        changed = {key: json.loads(text) for key, text in texts.items() if self._before.get(key) != text}
        return changed, tuple(key for key in self._before if key not in texts)


def _json(key: object, value: Any) -> str:
    if not isinstance(key, str):
        raise ValueError(f"memory[{key!r}]: keys are texts")
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"memory[{key!r}] cannot be kept: {error}; memory holds JSON values") from error
