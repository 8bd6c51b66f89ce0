"""Where do this jobs.yaml's state, ledger and handlers live? Read before the whole file is, and without its jobs.

Only the top-level ``settings:`` and ``store:`` blocks are looked at, so that a large file costs nothing; whatever is
wrong with them is said when the whole file is read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from jarvis.config import settings as settings_of
from jarvis.config.instance import Instance
from jarvis.core.config import Settings

_BLOCK = re.compile(rb"^(settings|store):.*?(?=^[^\s#]|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Peek:
    """What the file says about its surroundings, environment and flags applied."""

    settings: Settings
    ledger: Path | None


def peek(path: Path, *, environ: Mapping[str, str], flags: Mapping[str, Any]) -> Peek:
    """The settings in force and the ledger's file; what cannot be read counts as not said."""
    said: dict[str, Any] = {}
    try:
        for block in _BLOCK.finditer(path.read_bytes()):
            found = yaml.safe_load(block.group())
            said |= found if isinstance(found, dict) else {}
    except (OSError, ValueError, yaml.YAMLError):
        said = {}
    settings = said.get("settings")
    known = _absolute(settings if isinstance(settings, dict) else {}, path, environ)
    in_force, _problems = settings_of.resolve(known, environ, flags)
    store = said.get("store")
    ledger = None
    if isinstance(store, str):
        ledger = path.parent / os.path.expanduser(store.removeprefix("sqlite:///"))
    return Peek(settings=in_force, ledger=ledger)


def _absolute(settings: Mapping[str, Any], path: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    fitting = {name: value for name, value in settings.items() if not settings_of.unfit(name, value)}
    return settings_of.absolute(fitting, path.parent, environ)


def placed(instance: Instance, found: Peek) -> Instance:
    """The instance with the state directory and the ledger that its file asks for."""
    if found.settings.state and not instance.chosen:
        instance = replace(instance, state=Path(found.settings.state), chosen=True)
    if found.ledger is not None:
        instance = replace(instance, store=found.ledger)
    return instance
