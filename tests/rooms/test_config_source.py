"""What does the YAML reader make of a text, and where does it say things stand?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.config import scalars, source, values
from jarvis.config.source import Source


def read(text: str | bytes) -> Source:
    return source.read(text if isinstance(text, bytes) else text.encode(), file="jobs.yaml")


def value(text: str) -> Any:
    said = read(text)
    assert said.problems == ()
    return said.value


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("true", True),
        ("False", False),
        ("null", None),
        ("0", 0),
        ("-17", -17),
        ("+5", 5),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("-0.25", -0.25),
        ("1.5e+3", 1500.0),
        ("text", "text"),
        ("y", "y"),
        ("N", "N"),
        ("10MB", "10MB"),
        ("1h30m", "1h30m"),
        ("30 2 * * *", "30 2 * * *"),
        ("1.2.3", "1.2.3"),
        ("10.0.0.1", "10.0.0.1"),
        ("-v", "-v"),
        ("+x", "+x"),
        ("2026-12", "2026-12"),
        ("::1", "::1"),
        ("22:75", "22:75"),
        (".hidden", ".hidden"),
        ("...x", "...x"),
        ("ls -l | wc", "ls -l | wc"),
        ("yes please", "yes please"),
        ("~/Documents", "~/Documents"),
    ],
)
def test_a_plain_word_means_what_all_readers_agree_on(word: str, meaning: object) -> None:
    found = value(f"a: {word}")["a"]
    assert (found, type(found)) == (meaning, type(meaning))


TRAPS = "Yes YES no No NO on On ON off Off OFF ~ = .inf -.inf +.INF .nan .NaN 22:30 1:2:3 -1:30 190:20:30.15 007 08 "
TRAPS += (
    "0644 00 -07 0o17 0b101 1_000 0x_1 1_0.5 1.0_5 2026-01-01 2026-1-1 2026-01-01T10:00:00Z 1e5 1.5e3 2E-3"
)


@pytest.mark.parametrize("word", [*TRAPS.split(), "1" * 19, "1.5e+999", "2026-01-01 10:00"])
def test_a_word_that_readers_disagree_about_is_a_trap_unless_it_is_quoted(word: str) -> None:
    said = read(f"a: {word}")
    assert [(problem.line, problem.column) for problem in said.problems] == [(1, 4)]
    assert f'"{word}"' in str(said.problems[0].hint)
    assert value(f'a: "{word}"') == {"a": word}
    assert value(f"a: '{word}'") == {"a": word}


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=12))
def test_a_word_is_a_value_or_a_trap_with_a_way_out(word: str) -> None:
    found = scalars.read(word)
    if isinstance(found, scalars.Trap):
        assert word in found.why and found.hint
    elif isinstance(found, str):
        assert found == word


@pytest.mark.parametrize("loader", [source.Loader, source.PureLoader], ids=["in C", "in Python"])
class TestWithEitherParser:
    @pytest.fixture(autouse=True)
    def _parser(self, loader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(source, "Loader", loader)

    def test_every_value_knows_its_line_and_column(self) -> None:
        said = read('a:\n  b: [x, {"c": d}]\n  e: |\n    long\n')
        assert said.at(()) == (1, 1)
        assert said.at(("a",)) == (2, 3)
        assert said.at(("a",), key=True) == (1, 1)
        assert said.at(("a", "b", 1, "c")) == (2, 16)
        assert said.at(("a", "b", 1, "c"), key=True) == (2, 11)
        assert said.at(("a", "e")) == (3, 6)

    def test_a_path_that_leads_nowhere_ends_at_the_deepest_place_there_is(self) -> None:
        said = read("a:\n  b: x\n")
        assert said.at(("a", "b", "c", 3)) == (2, 6)
        assert said.at(("nowhere",)) == (1, 1)

    def test_merged_values_are_found_where_they_are_written(self) -> None:
        said = read("base: &base {x: 1, y: 2}\njob:\n  <<: *base\n  y: 3\n")
        assert said.value["job"] == {"x": 1, "y": 3}
        assert said.at(("job", "x")) == (1, 17)
        assert said.at(("job", "y")) == (4, 6)

    def test_of_several_merged_mappings_the_first_wins(self) -> None:
        text = "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b], z: 3}\n"
        assert value(text)["c"] == {"x": 1, "y": 2, "z": 3}

    def test_only_mappings_are_merged(self) -> None:
        assert "merges mappings only" in str(read("a: {<<: text}").problems[0])

    def test_a_secret_becomes_a_reference(self) -> None:
        assert value("a: !secret env:TOKEN") == {"a": {"$secret": "env:TOKEN"}}

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("[" * 100_000, id="brackets"),
            pytest.param("- " * 100_000, id="dashes"),
            pytest.param("{a: " * 100_000, id="braces"),
            pytest.param("? " * 100_000, id="question marks"),
            pytest.param("\n".join(" " * depth + "a:" for depth in range(60)), id="indented"),
        ],
    )
    def test_deep_nesting_is_refused_where_it_becomes_too_deep(self, text: str) -> None:
        (problem,) = read(text).problems
        assert "nested deeper than 50 levels" in problem.message
        assert problem.line > 0

    def test_fifty_levels_are_read(self) -> None:
        assert value("[" * 50 + "]" * 50)

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(
                "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
                + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)),
                id="billion laughs",
            ),
            pytest.param(
                "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3000)),
                id="a long chain",
            ),
            pytest.param("a: &a [*a]\n", id="a list in itself"),
            pytest.param("a: &a {b: *a}\n", id="a mapping in itself"),
            pytest.param("a: &a {<<: *a}\n", id="a mapping merged into itself"),
            pytest.param(
                "a: &a [" + "x, " * 40_000 + "]\nb: [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n", id="wide"
            ),
        ],
    )
    def test_aliases_that_grow_without_measure_are_refused_before_they_do(self, text: str) -> None:
        said = read(text)
        assert said.value is None
        assert [problem.message.split(" contain")[0] for problem in said.problems] == ["its aliases (*name)"]

    def test_modest_aliases_are_read(self) -> None:
        assert value("a: &a [x, y]\nb: [*a, *a]\n")["b"] == [["x", "y"], ["x", "y"]]

    def test_a_default_merged_into_ten_thousand_jobs_is_modest(self) -> None:
        text = "base: &base {a: 1, b: 2, c: 3, d: 4, e: 5, f: 6}\njobs:\n"
        text += "".join(f"  j{number}: {{<<: *base, x: y}}\n" for number in range(10_000))
        assert len(value(text)["jobs"]) == 10_000


def test_a_file_above_the_limit_is_refused_without_being_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "Loader", None)
    (problem,) = read(b"a: b\n" * 1_100_000).problems
    assert problem.message == "the file has 5.5 MB; at most 5 MB are read"


def test_a_byte_order_mark_is_accepted() -> None:
    assert value("\ufeffjobs: {}") == {"jobs": {}}


def test_lines_of_windows_are_read() -> None:
    said = read("a:\r\n  b: x\r\n  c: no\r\n")
    assert said.value == {"a": {"b": "x", "c": "no"}}
    assert said.problems[0].line == 3


def test_at_the_top_a_key_whose_entries_are_commented_out_is_nothing() -> None:
    assert value("jobs:\n#  a: {}\n") == {"jobs": None}


def test_a_slip_inside_a_job_names_the_job() -> None:
    said = read("jobs:\n  a: {x: 1}\n  b:\n    y: no\n    z: [off]\nother: on\n")
    assert [problem.job for problem in said.problems] == ["b", "b", None]


@pytest.mark.parametrize(
    ("text", "opened"),
    [("'x", 1), ('"x', 1), ("[x", 1), ("{x", 1), ("x: 'y\nz: w\n", 4), ("x: [1, 2\ny: 3\n", 4)],
)
def test_what_is_never_closed_is_shown_where_it_was_opened(text: str, opened: int) -> None:
    (problem,) = read(text).problems
    assert "opened here" in problem.message
    assert (problem.line, problem.column) == (1, opened)


def test_long_values_are_shortened_in_messages() -> None:
    word = "a" * 10_000
    assert len(str(read(f"{word}: 1\n{word}: 2\n").problems[0])) < 200
    assert values.shown("x" * 100) == repr("x" * 37 + "...")


@given(st.text())
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    said = read(text.encode("utf-8", "surrogatepass"))
    assert said.value is not None or said.problems or text.strip() in ("null", "Null", "NULL", "!secret")
    lines = (
        text.count("\n") + text.count("\r") + text.count("\x85") + text.count("\u2028") + text.count("\u2029")
    )
    assert all(problem.line <= lines + 2 for problem in said.problems)


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    said = read(data)
    assert all(str(problem).startswith("jobs.yaml") for problem in said.problems)


@pytest.mark.parametrize("part", ["[", "{a: ", "- ", "&a ", "!"])
def test_four_megabytes_of_nonsense_are_refused_without_ado(part: str) -> None:
    assert len(read(part * (4_000_000 // len(part))).problems) == 1
