"""A signature is a form: what it asks for, what it says to wrong values, what it exports."""

import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jarvis import Secret
from jarvis.handling import form, mount
from jarvis.handling.contract import BadValues, Broken

HEAD = """
from __future__ import annotations
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from pydantic import Field
from jarvis import Secret
"""


@pytest.fixture
def form_of(tmp_path):
    def make(parameters: str, doc: str = ""):
        path = tmp_path / "sample.py"
        path.write_text(f'"""{doc}"""{HEAD}\ndef run(ctx, *, {parameters}): ...\n')
        return mount.load(path).form

    return make


READ = [
    ("a_duration", "x: timedelta", "21d", timedelta(days=21)),
    ("a_duration_or_nothing", "x: timedelta | None = None", "1h30m", timedelta(minutes=90)),
    ("durations_in_a_list", "x: list[timedelta]", ["1s", "2m"], [timedelta(seconds=1), timedelta(minutes=2)]),
    ("durations_in_a_mapping", "x: dict[str, timedelta]", {"a": "1s"}, {"a": timedelta(seconds=1)}),
    ("a_path_with_home", "x: Path", "~/inbox", Path.home() / "inbox"),
    ("a_moment", "x: datetime", "2026-11-20T09:00:00+00:00", datetime(2026, 11, 20, 9, tzinfo=UTC)),
    ("a_choice", "x: Literal['a', 'b']", "b", "b"),
    ("a_number_from_the_command_line", "x: int", "8080", 8080),
    ("a_switch_from_the_command_line", "x: bool", "true", True),
    ("a_whole_number_as_float", "x: float", 3, 3.0),
    ("a_secret", "x: Secret", "abc", Secret("abc")),
    ("a_secret_inside", "x: dict[str, str | Secret]", {"a": "b"}, {"a": "b"}),
    ("no_type_takes_anything", "x", {"a": [1, None]}, {"a": [1, None]}),
    ("limits_hold", "x: Annotated[int, Field(ge=1)]", 1, 1),
]


@pytest.mark.parametrize(
    ("parameters", "given", "wanted"), [row[1:] for row in READ], ids=[row[0] for row in READ]
)
def test_values_are_read(form_of, parameters, given, wanted):
    assert form_of(parameters).bind({"x": given}) == {"x": wanted}


def test_what_is_not_given_is_left_to_the_signature(form_of):
    assert form_of("a: list[int] = [1], b: timedelta = timedelta(1), c: Path = Path('x')").bind(
        {"c": "y"}
    ) == {"c": Path("y")}


WRONG = [
    ("a_typo", "limit: int = 1", {"limt": 2}, ("limt",), "no parameter 'limt'", "did you mean 'limit'?"),
    ("something_else", "a: int = 1, b: int = 2", {"zebra": 2}, ("zebra",), "no parameter 'zebra'", "it takes a, b"),
    ("missing", "limit: int", {}, ("limit",), "parameter 'limit' is missing", None),
    ("not_a_number", "x: int", {"x": "many"}, ("x",), "'x': expected a whole number, not 'many'", None),
    ("half_a_number", "x: int", {"x": 1.5}, ("x",), "'x': expected a whole number, not 1.5", None),
    ("not_a_text", "x: str", {"x": 5}, ("x",), "'x': expected a text, not 5", None),
    ("null", "x: str", {"x": None}, ("x",), "'x': expected a text, not nothing", None),
    ("neither_of_two", "x: str | list[str]", {"x": 5}, ("x",), "'x': expected a text or a list, not 5", None),
    ("inside_a_list", "x: list[str]", {"x": ["a", 5]}, ("x", 1), "'x.1': expected a text, not 5", None),
    ("inside_a_mapping", "x: dict[str, str | Secret]", {"x": {"k": 5}}, ("x", "k"), "'x.k': expected a text", None),
    ("a_duration", "x: timedelta", {"x": "5 parsecs"}, ("x",), "'x': '5 parsecs' is not a duration; write", None),
    ("a_bare_duration", "x: timedelta", {"x": 5}, ("x",), "'x': 5 has no unit; write for example 5s", None),
    ("a_choice", "x: Literal['a', 'b']", {"x": "c"}, ("x",), "'x': expected 'a' or 'b', not 'c'", None),
    ("a_moment_without_zone", "x: datetime", {"x": "2026-11-20T09:00:00"}, ("x",), "a moment with its zone", None),
    ("too_small", "x: Annotated[int, Field(ge=1)]", {"x": 0}, ("x",), "'x': expected at least 1, not 0", None),
    ("a_long_value_is_cut", "x: int", {"x": "a" * 999}, ("x",), "'x': expected a whole number, not 'aaa", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "values", "address", "message", "hint"),
    [row[1:] for row in WRONG],
    ids=[row[0] for row in WRONG],
)
def test_wrong_values_are_said_in_plain_words(form_of, parameters, values, address, message, hint):
    ((at, said, tip),) = form_of(parameters).check(values)
    assert at == address and message in said and tip == hint and len(said) < 130
    with pytest.raises(BadValues) as caught:
        form_of(parameters).bind(values)
    assert said in str(caught.value)


def test_all_problems_are_said_at_once(form_of):
    found = form_of("a: int, b: str, c: timedelta").check({"b": 1, "c": "x", "d": 2})
    assert sorted(at for at, _, _ in found) == [("a",), ("b",), ("c",), ("d",)]


def test_a_missing_parameter_is_explained_by_its_description(form_of):
    ((_, _, hint),) = form_of("limit: int", "Count.\n\nParameters:\n    limit: how many at most\n").check({})
    assert hint == "how many at most"


@pytest.mark.parametrize(
    ("parameters", "values"),
    [
        ("x: Secret", {"x": {"$secret": "env:A"}}),
        ("x: int", {"x": {"$secret": "env:PORT"}}),
        ("x: Literal['a']", {"x": {"$secret": "env:A"}}),
        ("x: dict[str, str | Secret]", {"x": {"Authorization": {"$secret": "file:a"}}}),
        ("x: list[int]", {"x": [1, {"$secret": "env:A"}]}),
    ],
    ids=["a_secret", "a_number", "a_choice", "inside_a_mapping", "inside_a_list"],
)
def test_a_reference_to_a_secret_fits_where_its_value_may(form_of, parameters, values):
    assert form_of(parameters).check(values) == []


def test_what_stands_beside_a_reference_is_still_checked(form_of):
    ((at, _, _),) = form_of("x: list[int]").check({"x": [{"$secret": "env:A"}, "many"]})
    assert at == ("x", 1)


def test_the_schema_has_types_defaults_and_descriptions(form_of):
    shape = form_of(
        "host: str, warn: timedelta = timedelta(days=14), where: Path = Path('a'), tags: list[str] = [], "
        "key: Secret = Secret('hidden'), kind: Literal['a', 'b'] = 'a'",
        "Check.\n\nParameters:\n    host: the name\n        of the host\n    warn: how early\n\nMore.\n",
    ).schema()
    fields = shape["properties"]
    assert shape["required"] == ["host"] and shape["additionalProperties"] is False
    assert fields["host"]["description"] == "the name of the host"
    assert (fields["warn"]["default"], fields["where"]["default"], fields["tags"]["default"]) == (
        "14d",
        "a",
        [],
    )
    assert "default" not in fields["key"] and fields["key"]["format"] == "password"
    assert fields["kind"]["enum"] == ["a", "b"] and "hidden" not in str(shape)


def test_names_that_trouble_models_are_ordinary_parameters(form_of):
    shape = form_of("json: str, copy: int = 1, schema: str = 'x', model_config: str = 'y', self_: int = 2")
    assert shape.bind({"json": "a", "copy": "2", "model_config": "z"}) == {
        "json": "a",
        "copy": 2,
        "model_config": "z",
    }


DOCS = [
    ("plain", "Parameters:\n  a: one\n  b: two", {"a": "one", "b": "two"}),
    ("underlined", "Parameters\n----------\na: one\n\nb: two", {"a": "one", "b": "two"}),
    ("ends_with_the_next_paragraph", "Parameters:\n  a: one\n\nNote: that", {"a": "one"}),
    ("none", "Some text\na: one", {}),
]


@pytest.mark.parametrize(("doc", "wanted"), [row[1:] for row in DOCS], ids=[row[0] for row in DOCS])
def test_descriptions_are_read_from_the_docstring(doc, wanted):
    assert form.described(doc) == wanted


BROKEN = [
    ("no_context", "def run(): ...", ":1: run() does not take the context; write def run(ctx, *, …)"),
    ("an_early_parameter", "def run(ctx, host: str): ...", "'host' before the star; write def run(ctx, *, host: …)"),
    ("any_keyword", "def run(ctx, **more): ...", "run() takes **more: name every parameter"),
    ("an_unknown_launcher_value", "def argv(cwd): ...", "only path and shell may stand; write argv(*, cwd: …)"),
    ("a_type_nobody_knows", "def run(ctx, *, x: 'Nope'): ...", "parameter 'x': its type 'Nope' cannot be read"),
    ("both", "def run(ctx): ...\ndef argv(): ...", ":2: has both run and argv"),
    ("neither", "x = 1", "has no function run or argv"),
    ("a_generator", "def run(ctx):\n    yield 1", "run() yields"),
    ("an_async_argv", "async def argv(): ...", "argv() is async"),
    ("a_syntax_error", "x = 1\ndef run(ctx:\n", "sample.py:2: '(' was never closed"),
    ("a_null_byte", "x = '\0'", "null bytes"),
    ("it_raises", "x = 1\nraise KeyError('a')", "sample.py:2: importing it raised KeyError: 'a'"),
    ("it_exits", "import sys\nsys.exit(3)", "sample.py:2: importing it ended the program (exit code 3)"),
    ("a_missing_library", "import nowhere_at_all", "No module named 'nowhere_at_all': install it into"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "said"),
    [row[1:] for row in BROKEN],
    ids=[row[0] for row in BROKEN],
)
def test_a_file_that_breaks_the_contract_says_where_and_what_to_write(tmp_path, body, said):
    path = tmp_path / "sample.py"
    path.write_text(body)
    with pytest.raises(Broken) as caught:
        mount.load(path)
    assert str(caught.value).startswith(f"{path}:") and said in str(caught.value)


def test_a_type_that_cannot_be_checked_names_its_parameter(form_of):
    with pytest.raises(Broken, match="parameter 'x': values of type .*Odd.* cannot be checked"):
        _ = form_of("x: type('Odd', (), {})").checker


def test_a_type_known_only_to_type_checkers_harms_the_context_only(tmp_path):
    path = tmp_path / "sample.py"
    path.write_text(
        textwrap.dedent("""
        from __future__ import annotations
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from somewhere import Context

        def run(ctx: Context, *, n: int = 1) -> None: ...
    """)
    )
    assert mount.load(path).form.bind({"n": "2"}) == {"n": 2}


def test_files_that_handlers_share_can_be_imported(tmp_path):
    (tmp_path / "_shared.py").write_text("WORD = 'shared'\n")
    (tmp_path / "sample.py").write_text("from ._shared import WORD\ndef run(ctx): return WORD\n")
    assert mount.load(tmp_path / "sample.py").function(None) == "shared"


def test_an_edit_within_the_same_second_and_of_the_same_length_is_seen(tmp_path):
    path = tmp_path / "sample.py"
    said = []
    for word in ("one", "two"):
        path.write_text(f"def run(ctx): return '{word}'\n")
        said.append(mount.load(path).function(None))
    assert said == ["one", "two"]
    assert not (tmp_path / "__pycache__").exists()
