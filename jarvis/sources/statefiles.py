"""What do the state files of a life say? ``patterns.json`` with what was noted, and when the focus file was touched."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, TypeVar

from jarvis.core import cells
from jarvis.core.patterns import Flow, Measured, Noted
from jarvis.sources.fallback import NeedsMending, Unavailable

BYTES = 16_000_000
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Patterns:
    """The parts of patterns.json; None for one that is not in it. ``odd``: what in it cannot be read, and why."""

    postponed: tuple[Noted, ...] | None = None
    worries: tuple[Noted, ...] | None = None
    energy: tuple[Measured, ...] | None = None
    nights: tuple[Measured, ...] | None = None
    flow: tuple[Flow, ...] | None = None
    odd: tuple[str, ...] = ()


def patterns(path: Path, zone: tzinfo) -> Patterns:
    """Read patterns.json. Raises Unavailable when it is not there, NeedsMending when it cannot be used at all."""
    data = _json(path)
    odd: list[str] = []

    def part(name: str, read: Callable[[Mapping[str, Any], tzinfo], T]) -> tuple[T, ...] | None:
        return None if data.get(name) is None else _entries(f"{path}: {name}", data[name], read, zone, odd)

    return Patterns(
        postponed=part("postponements", lambda one, zone: _noted(one, zone, "item", "count")),
        worries=part("worries", lambda one, zone: _noted(one, zone, "text", "mentions")),
        energy=part("energy", lambda one, zone: _measured(one, zone, "level")),
        nights=part("sleep", lambda one, zone: _measured(one, zone, "hours")),
        flow=part("tasks", _flow),
        odd=tuple(odd),
    )


def touched(path: Path) -> datetime:
    """When a file was written to last. Raises Unavailable when there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise Unavailable(f"there is no file {path}") from None
    except OSError as error:
        raise NeedsMending(f"{path} cannot be looked at: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise NeedsMending(f"{path} is no file")
    return datetime.fromtimestamp(status.st_mtime, UTC)


def _json(path: Path) -> Mapping[str, Any]:
    try:
        text = _bytes(path).decode("utf-8-sig")
        data = json.loads(text)
    except UnicodeDecodeError as error:
        raise NeedsMending(f"{path} is not UTF-8 (byte {error.start}): write it anew") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise NeedsMending(f"{path} is not JSON ({error.msg}, {where}): was it half-written?") from error
    except (ValueError, RecursionError) as error:
        raise NeedsMending(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise NeedsMending(f"{path} holds {_kind(data)}, not an object with postponements, worries, energy …")
    return data


def _bytes(path: Path) -> bytes:
    """The content of a regular file; a pipe would be waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise NeedsMending(f"{path} is no file")
            content = file.read(BYTES + 1)
    except FileNotFoundError:
        raise Unavailable(f"there is no file {path}") from None
    except OSError as error:
        raise NeedsMending(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > BYTES:
        raise NeedsMending(f"{path} is bigger than {BYTES // 1_000_000} MB")
    return content


def _entries(
    name: str, value: Any, read: Callable[[Mapping[str, Any], tzinfo], T], zone: tzinfo, odd: list[str]
) -> tuple[T, ...] | None:
    """The entries of a part that can be read, the others are said; None when there is no such entry."""
    if not isinstance(value, list):
        odd.append(f"{name} is {_kind(value)}, not a list")
        return None
    found = []
    for number, one in enumerate(value):
        if not isinstance(one, Mapping):
            odd.append(f"{name}[{number}] is {_kind(one)}, not an object")
            continue
        try:
            found.append(read(one, zone))
        except ValueError as error:
            odd.append(f"{name}[{number}]: {error}")
    return tuple(found) if found or not value else None


def _noted(one: Mapping[str, Any], zone: tzinfo, text: str, count: str) -> Noted:
    said = cells.text(one.get(text))
    if said is None:
        raise ValueError(f"it has no {text!r}")
    times = cells.number(one.get(count))
    return Noted(text=said, day=_at(one, zone), count=1 if times is None else int(times))


def _measured(one: Mapping[str, Any], zone: tzinfo, name: str) -> Measured:
    value = cells.number(one.get(name))
    if value is None:
        raise ValueError(f"it has no {name!r}")
    return Measured(day=_at(one, zone), value=value)


def _flow(one: Mapping[str, Any], zone: tzinfo) -> Flow:
    created, completed = (cells.number(one.get(name)) or 0 for name in ("created", "completed"))
    return Flow(day=_at(one, zone), created=int(created), completed=int(completed))


def _at(one: Mapping[str, Any], zone: tzinfo) -> Any:
    found = cells.day(one.get("at", one.get("day")), zone)
    if found is None:
        raise ValueError("it has no 'at' (a moment) or 'day'")
    return found


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "nothing"}.get(
        type(value), f"{value!r:.40}"
    )
