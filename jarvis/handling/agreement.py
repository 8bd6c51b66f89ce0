"""Do the values of a form fit together? A handler may say so itself, with a function ``check``.

It takes, after the star, those parameters of ``run`` (or ``argv``) that it looks at; what was not given has its
default. What it raises is what is wrong. It is asked when jobs.yaml is read and before each run, so it looks at
nothing else.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jarvis.handling.contract import Broken, GiveUp


class Agreement:
    """A handler's own ``check``. Raises Broken when it asks for what is no parameter."""

    def __init__(self, function: Callable[..., Any], parameters: Iterable[str]) -> None:
        self._function = function
        self._wanted = list(inspect.signature(function).parameters)
        known = set(parameters)
        if odd := [name for name in self._wanted if name not in known]:
            raise Broken(f"check() takes {odd[0]!r}, which is no parameter of the handler")

    def objection(self, values: Mapping[str, Any]) -> str | None:
        """What is wrong with all of these together, in words."""
        try:
            self._function(**{name: values[name] for name in self._wanted})
        except (GiveUp, ValueError) as error:
            return str(error) or "they do not fit together"
        except Exception as error:
            return f"check() failed: {type(error).__name__}: {error}"
        return None


def of(module: Any, parameters: Iterable[str]) -> Agreement | None:
    """That of a handler's file; any other function of this name, with arguments before the star, is its own affair."""
    found = getattr(module, "check", None)
    if not inspect.isfunction(found) or inspect.iscoroutinefunction(found):
        return None
    kinds = {one.kind for one in inspect.signature(found).parameters.values()}
    return Agreement(found, parameters) if kinds == {inspect.Parameter.KEYWORD_ONLY} else None
