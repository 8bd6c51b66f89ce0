"""What does a handler's author import? Four names; everything else in the package is internal.

They are loaded when asked for, so that ``import jarvis.errors`` stays as cheap as it looks.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jarvis.handling.context import Context
    from jarvis.handling.contract import GiveUp, Skip
    from jarvis.handling.secret import Secret

__all__ = ["Context", "GiveUp", "Secret", "Skip"]

_HOMES = {"Context": "context", "GiveUp": "contract", "Secret": "secret", "Skip": "contract"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'jarvis' has no attribute {name!r}; public are {', '.join(__all__)}")
    return getattr(import_module(f"jarvis.handling.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
