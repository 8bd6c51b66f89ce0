"""What is wrong with a text that is not YAML at all, in words?

The parser speaks of tokens and contexts; a person needs the slip that was made and how to write it instead.
"""

from __future__ import annotations

import re
import unicodedata

import yaml

from jarvis.errors import Problem

_BOMS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))

_SLIPS: tuple[tuple[str, str, str], ...] = (
    (r"mapping values are not allowed", "a second ': ' on one line, or a line indented too far",
     "indent it like its neighbours, or quote the text that holds ': '"),
    (r"could not find expected ':'|expected ':'", "this is neither 'key: value' nor part of the value above",
     "write key: value, or quote a text that goes over several lines"),
    (r"found unexpected end of stream", "a quote or bracket opened here is never closed", "close it"),
    (r"did not find expected ',' or|expected ',' or", "the list or mapping opened here is not closed properly",
     "put a comma between its parts and close the bracket"),
    (r"did not find expected key|expected <block end>", "this line does not fit the indentation of the block around it",
     "indent it like its neighbours, with spaces; check that quotes and brackets are closed"),
    (r"did not find expected '-' indicator", "a list and a mapping are mixed here", "indent it like its neighbours"),
    (r"unknown escape character", "in double quotes a backslash begins an escape", "use 'single quotes'"),
    (r"another document|single document|expected '?<document start>", "a second document begins here",
     "keep one document per file and name the other one under include:"),
    (r"found duplicate anchor", "an anchor (&name) is defined twice", "give it another name"),
    (r"block sequence entries are not allowed", "a '- ' cannot stand here", "put the list on lines of its own"),
    (r"expected (the )?node content", "a value is missing here", "write one, or take a comma or bracket away"),
    (r"expected whitespace or line break", "a tag must be followed by a space and its value", "write !secret env:NAME"),
    (r"undefined tag handle|tag", "this tag is not allowed", "only !secret is"),
)  # fmt: skip


def decode(data: bytes, file: str) -> tuple[str, Problem | None]:
    """The text of a UTF-8 file (a byte order mark is accepted and dropped), or what stands in the way."""
    for mark, name in _BOMS:
        if data.startswith(mark):
            return "", Problem(
                file=file, line=1, column=1, message=f"the file is {name}", hint="save it as UTF-8"
            )
    try:
        return data.decode("utf-8-sig"), None
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8"
        return "", Problem(
            file=file, line=line, column=column, message=message, hint="save the file as UTF-8"
        )


def unprintable(text: str, file: str, found: re.Match[str] | None) -> Problem | None:
    """A character no YAML text may hold (``found`` by the caller's search)."""
    if found is None:
        return None
    line, column = position(text, found.start())
    character = found.group()
    name = "a NUL byte" if character == "\0" else f"the control character U+{ord(character):04X}"
    hint = "the file may be damaged or only half written; remove it"
    return Problem(file=file, line=line, column=column, message=f"{name} is not allowed", hint=hint)


def too_large(file: str, size: int, most: int) -> Problem:
    message = f"the file has {size / 1e6:.1f} MB; at most {most / 1e6:.0f} MB are read"
    return Problem(file=file, message=message, hint="split it and name the parts under include:")


def too_deep(file: str, mark: yaml.Mark, most: int) -> Problem:
    return Problem(
        file=file, line=mark.line + 1, column=mark.column + 1, message=f"nested deeper than {most} levels",
        hint="jobs.yaml needs about six",
    )  # fmt: skip


def syntax(error: yaml.YAMLError, text: str, file: str) -> Problem:
    """The parser's complaint as a sentence, at the place a person would look first."""
    said = str(getattr(error, "problem", None) or error)
    context = str(getattr(error, "context", None) or "")
    mark = getattr(error, "problem_mark", None)
    opened = getattr(error, "context_mark", None)
    if opened is not None and re.search(r"end of stream|',' or", said):
        mark = opened
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    message, hint = _sentence(said, context, _character(text, mark))
    return Problem(file=file, line=line, column=column, message=message, hint=hint)


def _sentence(said: str, context: str, character: str) -> tuple[str, str | None]:
    if "cannot start any token" in said:
        return _forbidden_start(character)
    if "undefined alias" in said:
        return f"{said.removeprefix('found ').rstrip('.')}", 'quote a text that begins with *: "*/5 * * * *"'
    if "alias" in context:
        return "a text cannot begin with * unquoted", 'quote it: "*/5 * * * *"'
    if "anchor" in context:
        return "a text cannot begin with & unquoted", "quote it"
    if "block scalar" in context:
        return "after | or > the line must end", "quote a text that begins with | or >"
    for pattern, message, hint in _SLIPS:
        if re.search(pattern, said):
            return message, hint
    return f"this is not YAML: {said}", None


def _forbidden_start(character: str) -> tuple[str, str | None]:
    if character == "\t":
        return "a tab cannot indent", "indent with spaces"
    name = character if character.isprintable() and character else unicodedata.name(character or " ", "this")
    return f"a text cannot begin with {name} unquoted", f'quote it: "{name}..."'


def _character(text: str, mark: yaml.Mark | None) -> str:
    if mark is None:
        return ""
    lines = text.split("\n")
    row = lines[mark.line] if mark.line < len(lines) else ""
    return row[mark.column : mark.column + 1]


def position(text: str, index: int) -> tuple[int, int]:
    """Line and column of a character, both from 1."""
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)
