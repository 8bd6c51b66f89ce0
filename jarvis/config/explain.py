"""What is wrong with a value, in words?

pydantic's findings become sentences: one for each place, in the words of jobs.yaml, with the nearest right
spelling. Members of unions that pydantic tried are dropped from the place and joined in the sentence.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, NamedTuple, Union

from pydantic import BaseModel
from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]


class Finding(NamedTuple):
    """Where, what, what to do. ``key``: the address is that of the field's name, not of its value."""

    path: Path
    message: str
    hint: str | None = None
    key: bool = False


UNSUPPORTED = {
    "calendar": "write cron:",
    "engine": None,
    "imported": "write it into description:",
}
"""Names this version knows but cannot do yet, with the nearest thing it can."""

_TYPES = {
    "string_type": "text", "string_sub_type": "text", "int_type": "a whole number", "int_from_float": "a whole number",
    "float_type": "a number", "bool_type": "true or false", "list_type": "a list", "dict_type": "a mapping",
    "model_type": "a mapping", "model_attributes_type": "a mapping", "none_required": "nothing",
}  # fmt: skip
_UNIONS = {
    "command": "text for the shell, or a list of words", "exec": "text for the shell, or a list of words",
    "timeout": "a duration such as 2h, or none", "retry": "a mapping such as {times: 3, wait: 1m}, or none",
    "every": "a duration such as 15m, or a mapping such as {period: 15m}",
    "jitter": "a duration such as 30s, or a mapping such as {max: 30s, fixed: true}",
    "catch_up": "once, all or none, or a mapping such as {run: once, after: sleep}",
    "env_file": "a path, or a list of paths", "include": "a path, or a list of paths", "anchor": "epoch, or a moment",
    "stdin": "text, or a !secret", "env": "text, or a !secret", "limits": "a whole number, or unlimited",
}  # fmt: skip
_PATTERNS = {
    "umask": 'three octal digits in quotes, such as "022"',
    "io": "idle, best-effort or realtime, with a level such as best-effort:6 if wanted",
    "stdout": "capture, discard, append:PATH or truncate:PATH",
    "stderr": "capture, discard, append:PATH or truncate:PATH",
    "cap": "a size such as 500kB, 10MB or 1GB",
    "lock": "a name of up to 64 letters, digits, dots, underscores and dashes",
    "$secret": "env:NAME or file:PATH",
}
_SHAPES = {
    r"^([01]\d|2[0-3]):[0-5]\d$": 'a time of day in quotes, from "00:00" to "23:59"',
    r"^https?://[^/]": "a URL that begins with https:// or http://",
}
"""What a pattern wants, where the field's name does not say it."""
_BLOCKS = {
    "watch": "{paths: ~/inbox}", "service": "{restart: always}", "deliver": "{to: phone}", "alert": "{after: 2}",
    "on": '{event: "github/push"} or {job: backup}', "quiet": '{from: "22:00", to: "07:00"}',
    "where": "{action: opened}", "escalate": "{to: phone, after: 30m}", "channels": "{phone: {macos: true}}",
    "telegram": '{token: !secret env:TOKEN, chat: "1"}', "stop": "{after: 1m}", "condition": "{on_ac: true}",
}  # fmt: skip
_RANK = {"value_error": 0, "literal_error": 2}


def unsupported(name: str) -> tuple[str, str | None] | None:
    """The message and hint for a name that belongs to a later version."""
    if name not in UNSUPPORTED:
        return None
    return f"{name} is not supported by this version", UNSUPPORTED[name]


def unknown(name: str, known: Iterable[str], *, what: str = "field") -> tuple[str, str | None]:
    """The message and hint for a name nobody knows."""
    names = sorted(known)
    near = get_close_matches(name.lower(), names, 1, 0.6) or [one for one in names if one in _turned(name)]
    if near:
        return f"no {what} {quote(name)}", f"did you mean {near[0]!r}?"
    listed = ", ".join(names)
    return f"no {what} {quote(name)}", f"there are: {listed}" if names and len(listed) < 200 else None


def findings(errors: Sequence[ErrorDetails], data: Any, model: type[BaseModel]) -> list[Finding]:
    """One finding for each place."""
    places: dict[Path, list[ErrorDetails]] = {}
    for error in errors:
        places.setdefault(place(error, data), []).append(error)
    deeper = {path[:length] for path in places for length in range(len(path))}
    return [_finding(path, group, model) for path, group in places.items() if path not in deeper or not path]


def quote(text: object, most: int = 40) -> str:
    """A name or value as shown in a message: quoted, escaped, shortened."""
    whole = str(text)
    shown = repr(whole if len(whole) <= most else whole[: most - 3] + "...")
    return shown if len(whole) <= most else f"{shown} ({len(whole):,} characters)"


def _turned(name: str) -> tuple[str, ...]:
    """Common other spellings: maxInstances, max-instances, SIGTERM."""
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
    return snake, name.replace("-", "_").lower(), name.upper().removeprefix("SIG")


def place(error: ErrorDetails, data: Any) -> Path:
    """The path in the data: steps that lead nowhere in it name the union member that was tried."""
    path: list[str | int] = []
    for step in error["loc"]:
        if _leads(step, data):
            data = data[step]
        elif error["type"] != "missing" or step != error["loc"][-1]:
            continue
        path.append(step)
    return tuple(path)


def _leads(step: str | int, data: Any) -> bool:
    """There is something at this step."""
    if isinstance(data, Mapping):
        return step in data
    return isinstance(data, list) and isinstance(step, int) and step < len(data)


def _finding(path: Path, group: list[ErrorDetails], model: type[BaseModel]) -> Finding:
    names = [step for step in path if isinstance(step, str)]
    where = ".".join(names)
    name = names[-1] if names else ""
    error = min(group, key=lambda one: _RANK.get(one["type"], 3 if one["type"] in _TYPES else 1))
    kind = error["type"]
    if error["loc"][-1:] == ("[key]",):
        return _bad_key(path, name, names, error)
    if kind == "extra_forbidden":
        return Finding(path, *_extra(path, name, model), key=True)
    if kind == "missing":
        return Finding(path[:-1], f"{where} is missing")
    if kind == "value_error":
        words = _own_words(error)
        return Finding(path, f"{where}: {words}" if where else words, _alternative(name, group))
    return Finding(path, *_unfit(where, names, group, error))


def _unfit(
    where: str, names: list[str], group: list[ErrorDetails], error: ErrorDetails
) -> tuple[str, str | None]:
    kind, value = error["type"], error["input"]
    field = names[-1] if names[-1:] and names[-1] in _UNIONS else names[0] if names else ""
    if isinstance(value, Mapping) and "$secret" in value:
        return f"{where}: a !secret cannot stand here", "secrets go into env, stdin and with"
    if len(group) > 1 and field in _UNIONS and value != "":
        return f"{where}: expected {_UNIONS[_union_name(names)]}, not {_shown(value)}", _type_hint("", value)
    if value == "" and kind in ("string_too_short", "string_pattern_mismatch"):
        return f"{where} is empty", None
    if kind == "literal_error":
        return _choice(where, error)
    if kind in ("string_pattern_mismatch", "string_type") and names[-1] in _PATTERNS:
        return f"{where}: expected {_PATTERNS[names[-1]]}, not {_shown(value)}", None
    if kind in _TYPES:
        hint = _type_hint(kind, value) or _block_hint(kind, names[-1:])
        return f"{where}: expected {_TYPES[kind]}, not {_shown(value)}", hint
    if kind == "too_short" and not value:
        return f"{where} is empty", "name at least one"
    return f"{where}: expected {_range(error)}, not {_shown(value)}", None


def _range(error: ErrorDetails) -> str:
    limits = error.get("ctx", {})
    for name, words in (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than")):
        if name in limits:
            return f"{words} {limits[name]}"
    if "max_length" in limits:
        return f"at most {limits['max_length']:,} characters"
    if "min_length" in limits:
        return "at least one"
    if limits.get("pattern") in _SHAPES:
        return _SHAPES[limits["pattern"]]
    return error["msg"].removeprefix("Input should be ")


def _union_name(names: list[str]) -> str:
    return next(name for name in (*reversed(names),) if name in _UNIONS)


def _choice(where: str, error: ErrorDetails) -> tuple[str, str | None]:
    expected = str(error.get("ctx", {}).get("expected", "another value"))
    choices = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    value = str(error["input"])
    near = get_close_matches(value.lower(), choices, 1, 0.6) or [
        one for one in choices if one in _turned(value)
    ]
    said = ", ".join(choices[:-1]) + " or " + choices[-1] if len(choices) > 1 else choices[0]
    return (
        f"{where}: expected {said}, not {_shown(error['input'])}",
        f"did you mean {near[0]}?" if near else None,
    )


def _bad_key(path: Path, name: str, names: list[str], error: ErrorDetails) -> Finding:
    of = names[-2] if len(names) > 1 else ""
    if of == "limits":
        message, hint = _choice("limits", error)
        message = message.replace("limits: expected", "limits: a limit is one of").replace(", not", "; not")
        return Finding(path, message, hint, key=True)
    if of == "env":
        hint = "letters, digits and underscores, no digit first"
        return Finding(path, f"env: {quote(name)} is no name for a variable", hint, key=True)
    return Finding(path, f"{of}: {quote(name)} is not a possible key", key=True)


def _extra(path: Path, name: str, model: type[BaseModel]) -> tuple[str, str | None]:
    later = unsupported(name) if len(path) == 1 else None
    if later:
        return later
    if path[-2:-1] == ("anchor",) or (name in ("after_start", "start", "end") and "every" in path):
        return f"{name} is not supported by this version", None
    known = _known(model, path[:-1])
    outer = ".".join(str(step) for step in path[:-1] if isinstance(step, str))
    return unknown(name, known, what=f"{outer} field" if outer else "field")


def _known(model: type[BaseModel], path: Path) -> set[str]:
    """The names a mapping at this path may hold."""
    models: list[type[BaseModel]] = [model]
    for step in path:
        if isinstance(step, int):
            continue
        inner: list[type[BaseModel]] = []
        for one in models:
            for name, field in one.model_fields.items():
                if step in (field.alias, name):
                    inner += _models(field.annotation)
        models = inner or models  # a step that is no field is a name in a mapping, such as that of a channel
    return {field.alias or name for one in models for name, field in one.model_fields.items()} - {"$secret"}


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) in (Union, types.UnionType, Annotated, list, dict):
        return [one for part in typing.get_args(annotation) for one in _models(part)]
    return []


def _own_words(error: ErrorDetails) -> str:
    cause = error.get("ctx", {}).get("error")
    return str(cause) if cause else error["msg"].removeprefix("Value error, ")


def _alternative(name: str, group: list[ErrorDetails]) -> str | None:
    return {"timeout": "or write none"}.get(name) if len(group) > 1 else None


def _type_hint(kind: str, value: Any) -> str | None:
    if kind in ("string_type", "") and isinstance(value, bool | int | float):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return f'quote it: "{text[:40]}"' if kind else None
    if kind in ("int_type", "float_type", "bool_type") and isinstance(value, str):
        return "take the quotes away" if value.isdigit() or value in ("true", "false") else None
    return None


def _block_hint(kind: str, name: list[str]) -> str | None:
    """How a field that holds a mapping is written."""
    if _TYPES[kind] != "a mapping" or not name or name[0] not in _BLOCKS:
        return None
    return f"write for example {name[0]}: {_BLOCKS[name[0]]}"


def _shown(value: Any) -> str:
    """The value as it stands in the file, short; never what is inside a mapping or list."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {str(value)[:40]}"
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return quote(value)
    return "a list" if isinstance(value, list) else "a mapping"
