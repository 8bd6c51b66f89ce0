"""Are secrets found where they are, and kept out of everything people see?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.config import secrets
from jarvis.config.secrets import Redactor, SecretError

REFERENCE = {"$secret": "env:TOKEN"}


def file(folder: Path, content: bytes, mode: int = 0o600) -> str:
    path = folder / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return f"file:{path}"


def test_a_variable_is_its_value() -> None:
    assert secrets.resolve("env:TOKEN", {"TOKEN": "hush"}) == "hush"


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"hush", "hush"),
        (b"hush\n", "hush"),
        (b"hush\r\n", "hush"),
        (b"hush\n\n", "hush\n"),
        (b" h ", " h "),
        (b"", ""),
    ],
)
def test_a_file_is_its_content_without_the_final_newline(tmp_path: Path, content: bytes, value: str) -> None:
    assert secrets.resolve(file(tmp_path, content), {}) == value


def test_a_tilde_is_the_home_of_the_given_environment(tmp_path: Path) -> None:
    file(tmp_path, b"hush")
    assert secrets.resolve("file:~/secret", {"HOME": str(tmp_path)}) == "hush"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("env:GONE", "the secret env:GONE is not set; set the environment variable GONE and try again"),
        ("file:/nowhere/x", "the secret file:/nowhere/x cannot be read: No such file or directory"),
        ("keychain:x", "'keychain:x' is no reference to a secret; write env:NAME or file:PATH"),
        ("env:", "'env:' is no reference to a secret; write env:NAME or file:PATH"),
        ("file:/dev/null", "the secret file:/dev/null is not a regular file"),
    ],
)
def test_what_cannot_be_read_is_said_without_a_value(reference: str, message: str) -> None:
    with pytest.raises(SecretError) as caught:
        secrets.resolve(reference, {"OTHER": "hush"})
    assert str(caught.value) == message


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(SecretError, match="not a regular file"):
        secrets.resolve(f"file:{tmp_path}/pipe", {})


def test_a_file_that_is_no_text_is_refused_without_showing_it(tmp_path: Path) -> None:
    with pytest.raises(SecretError) as caught:
        secrets.resolve(file(tmp_path, b"\xffhush"), {})
    assert "is not UTF-8 text" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_references_are_found_and_revealed_however_deep() -> None:
    value = {"a": [REFERENCE, {"b": REFERENCE}], "c": "text", "d": {"$secret": "env:X", "other": 1}, "e": 5}
    assert list(secrets.references(value)) == ["env:TOKEN", "env:TOKEN"]
    revealed = secrets.reveal(value, {"TOKEN": "hush"})
    assert revealed == {**value, "a": ["hush", {"b": "hush"}]}
    assert value["a"] == [REFERENCE, {"b": REFERENCE}]


def test_doubts_name_what_to_do(tmp_path: Path) -> None:
    assert secrets.doubt("env:A", {"A": ""}) is None
    assert secrets.doubt("env:A", {}) == ("the secret env:A is not set", "set the environment variable A")
    assert secrets.doubt(file(tmp_path, b"x"), {}) is None
    readable = file(tmp_path, b"x", 0o640)
    assert secrets.doubt(readable, {}) == (
        f"the secret {readable} can be read by others",
        f"chmod 600 {tmp_path}/secret",
    )


class TestRedacting:
    def test_every_occurrence_is_hidden(self) -> None:
        hide = Redactor(["hush", "tell-nobody"])
        assert hide("hush: tell-nobody said hushhush") == "[secret]: [secret] said [secret][secret]"

    def test_a_longer_secret_goes_first(self) -> None:
        assert Redactor(["pass", "password"])("password") == "[secret]"

    def test_lines_of_a_secret_are_secrets(self) -> None:
        assert Redactor(["BEGIN KEY\nabcdef\nEND"])("got abcdef") == "got [secret]"

    def test_very_short_values_are_left_alone(self) -> None:
        assert Redactor(["1", "", "   ", "abc"])("1 abc") == "1 abc"

    def test_bytes_and_deep_values(self) -> None:
        hide = Redactor(["hüsh"])
        assert hide.data("x hüsh".encode() + b"\xff") == b"x [secret]\xff"
        assert hide.deep({"hüsh": ["hüsh", 1, None], "a": ("hüsh",)}) == {
            "[secret]": ["[secret]", 1, None],
            "a": ["[secret]"],
        }

    def test_without_secrets_nothing_changes(self) -> None:
        assert Redactor([])("text") == "text"
        assert Redactor([]).data(b"text") == b"text"

    def test_it_does_not_show_what_it_hides(self) -> None:
        assert "hush" not in repr(Redactor(["hush"]))

    @given(
        st.lists(st.text(min_size=4).filter(lambda one: len(one.strip()) >= 4), min_size=1),
        st.text(),
        st.text(),
    )
    def test_no_secret_survives(self, values: list[str], before: str, after: str) -> None:
        shown = Redactor(values)(before + values[0] + after)
        left = shown.replace(secrets.HIDDEN, "")
        assert values[0] not in left or values[0] not in shown
