"""What may the templates of ``deliver:`` say, and what do they become?

``string.Template``: ``$name`` or ``${name}``, and ``$$`` for a dollar sign. Nothing else is replaced: no format
specification, no attribute, no expression.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from string import Template

NAMES = (
    "result", "task_name", "timestamp", "status", "reason", "duration", "job", "run", "attempt",
)  # fmt: skip
"""What a template may name. ``task_name`` and ``job`` are the same."""
SUBJECT = "Scheduled task: $task_name"
BODY = "$result"


def problem(text: str) -> tuple[str, str] | None:
    """What is wrong with a template and what to do about it; None when it can be used."""
    template = Template(text)
    for found in template.pattern.finditer(text):
        if found["invalid"] is not None:
            rest = text[found.start() : found.start() + 12].splitlines()[0]
            return f"{rest!r}: a $ is followed by a name", "write $$ for a dollar sign"
        name = found["named"] or found["braced"]
        if name is not None and name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, 1)
            hint = (
                f"did you mean ${near[0]}?" if near else f"there are {', '.join('$' + one for one in NAMES)}"
            )
            return f"there is no ${name} in a template", hint
    return None


def fill(text: str, values: Mapping[str, str]) -> str:
    """The template with its names replaced; what was said in a value is never read as a template."""
    return Template(text).safe_substitute(values)
