"""What does a handler's author import? Four names; everything else in the package is internal.

They are loaded when asked for, so that ``import jarvis.errors`` stays as cheap as it looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jarvis.handling.context import Context
    from jarvis.handling.contract import GiveUp, Secret, Skip

__all__ = ["Context", "GiveUp", "Secret", "Skip"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'jarvis' has no attribute {name!r}; public are {', '.join(__all__)}")
    from jarvis.handling import context, contract

    return getattr(context if name == "Context" else contract, name)


def __dir__() -> list[str]:
    return list(__all__)
