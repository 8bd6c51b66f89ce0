"""What does an unquoted word of YAML mean, and is that what its author meant?

YAML 1.1 (most readers) and YAML 1.2 disagree about ``22:30``, ``no``, ``007`` and others. Here a plain word
means what both agree on; where they differ it is a trap, answered with how to write it unmistakably.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Trap:
    """A word that means different things to different readers: ``why`` and the ``hint`` that settles it."""

    why: str
    hint: str


Plain = str | int | float | bool | None

MEANT: Final[dict[str, bool | None]] = {
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
    "null": None, "Null": None, "NULL": None,
}  # fmt: skip
_SWITCHES = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_SPELLINGS = {f(word): meaning for word, meaning in _SWITCHES.items() for f in (str, str.title, str.upper)}
ODD_WORDS: Final = frozenset(
    [
        *_SPELLINGS,
        "~",
        "=",
        *(s + w for s in ("", "-", "+") for w in (".inf", ".Inf", ".INF")),
        ".nan",
        ".NaN",
        ".NAN",
    ]
)
SPECIAL: Final = frozenset([*MEANT, *ODD_WORDS, "", "<<"])
"""Words that are not simply themselves. Anything else is text unless it begins like a number."""
NUMERIC: Final = frozenset("0123456789+-.")
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?")
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?([Tt \t].*)?")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+|0o[0-7]+|[-+]?0b[01_]+")
_UNDERSCORE = re.compile(
    r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?|0x[0-9a-fA-F_]+|[-+]?[0-9][0-9_]*\.[0-9_]*_[0-9_]*"
)
_BARE_EXPONENT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")
_LONGEST = 18


def read(word: str) -> Plain | Trap:
    """The value of a plain word (never empty): text, number, true/false, null, or the trap it is."""
    if word in MEANT:
        return MEANT[word]
    if word in ODD_WORDS:
        return _odd(word)
    if word[0] not in NUMERIC:
        return word
    if _INT.fullmatch(word):
        return _whole(word)
    if _FLOAT.fullmatch(word):
        number = float(word)
        return (
            number
            if abs(number) < float("inf")
            else Trap(why=f"{word} is too large a number", hint=_quote(word))
        )
    return _misread(word) or word


def _whole(word: str) -> int | Trap:
    if len(word) > _LONGEST:
        return Trap(why=f"{_short(word)} is too long for a number", hint=_quote(word))
    return int(word, 16 if word[1:2] == "x" else 10)


def _odd(word: str) -> Trap:
    if word in _SPELLINGS:
        why = f"{word} unquoted is {_SPELLINGS[word]} to some YAML readers and text to others"
        return Trap(why=why, hint=f"write {_SPELLINGS[word]}, or quote it: {_quoted(word)}")
    if word == "~":
        return Trap(why="~ unquoted is null", hint='write null, or quote it: "~"')
    if word == "=":
        return Trap(why="= unquoted is not text to some YAML readers", hint=_quote(word))
    return Trap(why=f"{word} unquoted is no number one can count with", hint=_quote(word))


def _misread(word: str) -> Trap | None:
    if _DATE.fullmatch(word):
        return Trap(why=f"{_short(word)} unquoted is a date object to some YAML readers", hint=_quote(word))
    if _SEXAGESIMAL.fullmatch(word):
        return Trap(
            why=f"{_short(word)} unquoted is the number {_sixty(word)} to some YAML readers",
            hint=_quote(word),
        )
    if _LEADING_ZERO.fullmatch(word):
        why = f"{_short(word)} unquoted is an octal, a decimal or a text, depending on the YAML reader"
        return Trap(why=why, hint=_quote(word))
    if _UNDERSCORE.fullmatch(word):
        bare = word.replace("_", "")
        why = f"{_short(word)} unquoted is a number to some YAML readers and text to others"
        return Trap(why=why, hint=f"write {_short(bare)}, or quote it: {_quoted(word)}")
    if _BARE_EXPONENT.fullmatch(word):
        why = f"{_short(word)} unquoted is a number to some YAML readers and text to others"
        return Trap(why=why, hint=f"write the number out, or quote it: {_quoted(word)}")
    return None


def _sixty(word: str) -> str:
    """What a YAML 1.1 reader makes of 22:30 (1350), said for people."""
    if len(word) > 12 or "." in word:
        return "it looks like in base 60"
    total = 0
    for part in word.lstrip("+-").replace("_", "").split(":"):
        total = total * 60 + int(part)
    return f"-{total}" if word[0] == "-" else str(total)


def _short(word: str) -> str:
    return word if len(word) <= 40 else word[:37] + "..."


def _quoted(word: str) -> str:
    return f'"{_short(word)}"'


def _quote(word: str) -> str:
    return f"quote it: {_quoted(word)}"
