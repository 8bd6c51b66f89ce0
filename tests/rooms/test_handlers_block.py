"""A group of values under one name, as the parameter of a handler."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from jarvis import Secret
from jarvis.handling import form
from jarvis.handling.block import Block
from jarvis.handling.contract import BadValues


@dataclass(frozen=True, kw_only=True)
class Limits:
    most: float | None = 65


@dataclass(frozen=True, kw_only=True)
class Service(Limits, Block):
    url: str
    token: Secret | None = None
    timeout: timedelta = timedelta(seconds=10)
    folder: Path = Path("~")
    columns: dict[str, str | None] = field(default_factory=lambda: {"a": "b"})


def run(ctx: Any, *, service: Service | None = None, needed: Service, plain: int = 1) -> None: ...


FORM = form.read("example", run, "")


def bound(**values: Any) -> Service:
    found = FORM.bind({"needed": {"url": "x"} | values})["needed"]
    assert isinstance(found, Service)
    return found


def test_what_is_not_given_is_the_class_default() -> None:
    assert bound() == Service(url="x")
    assert bound(most=None).most is None


def test_values_are_read_as_those_of_parameters() -> None:
    found = bound(timeout="1h30m", folder="~/life", token="hush", most=7, columns={"c": None})
    assert found.timeout == timedelta(hours=1, minutes=30) and found.folder == Path.home() / "life"
    assert found.token == Secret("hush") and "hush" not in repr(found)
    assert (found.most, found.columns) == (7, {"c": None})


def test_a_block_may_be_left_out_or_null() -> None:
    assert "service" not in FORM.bind({"needed": {"url": "x"}})
    assert FORM.bind({"needed": {"url": "x"}, "service": None})["service"] is None


WRONG = [
    (
        {"url": "x", "timeuot": "1s"},
        "'needed.timeuot': there is no such parameter",
        "did you mean 'timeout'?",
    ),
    (
        {"url": "x", "zzz": 1},
        "'needed.zzz': there is no such parameter",
        "it takes most, url, token, timeout, folder, columns",
    ),
    ({"url": "x", "timeout": 5}, "'needed.timeout': 5 has no unit; write for example 5s or 5m", None),
    ({"url": "x", "most": "much"}, "'needed.most': expected a number, not 'much'", None),
    ("x", "'needed': expected a mapping, not 'x'", None),
    (None, "'needed': expected a mapping, not nothing", None),
]


@pytest.mark.parametrize(("value", "message", "hint"), WRONG, ids=[row[1] for row in WRONG])
def test_what_does_not_fit_is_said_with_its_place(value: Any, message: str, hint: str | None) -> None:
    assert [finding[1:] for finding in FORM.check({"needed": value})] == [(message, hint)]
    with pytest.raises(BadValues):
        FORM.bind({"needed": value})


def test_what_must_be_given_inside_is_missed() -> None:
    assert FORM.check({"needed": {}}) == [(("needed",), "'needed': 'url' is missing", None)]


def test_a_secret_inside_may_still_be_a_reference() -> None:
    assert FORM.check({"needed": {"url": "x", "token": {"$secret": "env:X"}}}) == []


def test_the_schema_has_the_defaults_and_allows_nothing_else() -> None:
    schema = FORM.schema()
    inner = schema["properties"]["needed"]
    known = inner["properties"]
    assert inner["additionalProperties"] is False and inner["required"] == ["url"]
    assert known["timeout"]["default"] == "10s" and known["columns"]["default"] == {"a": "b"}
    assert known["most"]["default"] == 65 and "default" not in known["url"]
    valid = jsonschema.Draft202012Validator(schema)
    assert [*valid.iter_errors({"needed": {"url": "x", "timeout": "5s"}})] == []
    assert [*valid.iter_errors({"needed": {"url": "x", "timeuot": "5s"}})] != []
