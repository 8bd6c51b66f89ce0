"""How does a stored definition look as it would stand in jobs.yaml?"""

from __future__ import annotations

import json
from typing import Any


def lines(value: Any, depth: int = 0) -> list[str]:
    """A definition much as it stands in jobs.yaml."""
    space = "  " * depth
    said = []
    for name, part in value.items():
        if isinstance(part, dict) and set(part) == {"$secret"}:
            said.append(f"{space}{name}: !secret {part['$secret']}")
        elif isinstance(part, dict) and part:
            said += [f"{space}{name}:", *lines(part, depth + 1)]
        elif isinstance(part, list) and part and all(isinstance(one, dict) for one in part):
            said.append(f"{space}{name}:")
            for first, *more in (lines(one) for one in part):
                said += [f"{space}  - {first}", *(f"{space}    {line}" for line in more)]
        elif isinstance(part, str) and "\n" in part:
            said += [f"{space}{name}: |", *(f"{space}  {line}" for line in part.splitlines())]
        else:
            said.append(
                f"{space}{name}: {part if isinstance(part, str) else json.dumps(part, ensure_ascii=False)}"
            )
    return said
