"""How are the things written that an invariant watches? Names, URLs, addresses, queries; one, a list, or named ones."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, StrictInt, StrictStr, Tag

from jarvis.core.fields import Argv, Command

CANNOT = "cannot_observe"
"""The invariant that every other one has beside it: that it can be observed at all. Its entity is the other's key."""

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
ENTITY_LENGTH = 110

_READS = re.compile(r"(?is)(\s|\(|--[^\n]*\n|/\*.*?\*/)*(select|with|values|table)\b")


def _name(text: str) -> str:
    if not NAME.fullmatch(text) or text == CANNOT:
        raise ValueError(
            f"{text[:80]!r} is no name for an invariant: 1 to 64 of A-Z a-z 0-9 . _ -, not {CANNOT}"
        )
    return text


def _entity(text: str) -> str:
    if not text.strip() or len(text) > ENTITY_LENGTH or not text.isprintable():
        raise ValueError(
            f"{text[:40]!r} is no name for an entity: 1 to {ENTITY_LENGTH} characters on one line"
        )
    return text


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"{text[:80]!r} is no URL: write http://… or https://…")
    return text


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not host.strip("[]") or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ValueError(
            f"{text[:80]!r} is no address: write HOST:PORT, such as localhost:5432 or [::1]:5432"
        )
    return text


def _query(text: str) -> str:
    if not _READS.match(text):
        raise ValueError("only a query that reads is asked: begin with SELECT or WITH")
    return text


def database(text: str) -> str:
    """The same URL. Raises ValueError (without a password) when it can mean no database; asks nobody."""
    kind, _, place = text.partition("://")
    kind = kind.partition("+")[0]
    if kind == "sqlite" and not (place.startswith("/") and place.strip("/").partition("?")[0]):
        raise ValueError(
            f"{hide(text)!r} names no file: write sqlite:///PATH, or sqlite:////PATH from the root"
        )
    if kind not in ("sqlite", "postgresql", "postgres") or not place:
        raise ValueError(
            f"{hide(text)!r} is no database that can be asked: write sqlite:///PATH or postgresql://USER@HOST/DATABASE"
        )
    return text


def hide(url: str) -> str:
    """The URL as people may see it: without who and with which password."""
    kind, slashes, place = url.partition("://")
    return f"{kind}{slashes}{place.rpartition('@')[2]}"[:80] if slashes else url.rpartition("@")[2][:80]


def _severity(text: Any) -> Any:
    known = {"warning": "medium", "warn": "medium"}
    return known.get(text.lower(), text.lower()) if isinstance(text, str) else text


Name = Annotated[StrictStr, AfterValidator(_name)]
Entity = Annotated[StrictStr, AfterValidator(_entity)]
Severity = Annotated[Literal["info", "low", "medium", "high", "critical"], BeforeValidator(_severity)]
Words = Annotated[StrictStr, Field(min_length=1, max_length=1_000)]
Url = Annotated[StrictStr, AfterValidator(_url)]
Address = Annotated[StrictStr, AfterValidator(_address)]
Database = Annotated[StrictStr, AfterValidator(database)]
Query = Annotated[StrictStr, AfterValidator(_query)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Codes = (
    Annotated[StrictInt, Field(ge=100, le=599)]
    | Annotated[StrictStr, Field(pattern=r"^[1-5](xx|\d\d(-[1-5]\d\d)?)$")]
)


def _form(value: Any) -> str:
    """Which of the forms is meant; so that what is wrong is said about that one alone."""
    return "names" if isinstance(value, dict) else "list" if isinstance(value, list) else "one"


_BY_FORM = Discriminator(_form)
Urls = Annotated[
    Annotated[Url, Tag("one")]
    | Annotated[list[Url], Field(min_length=1), Tag("list")]
    | Annotated[dict[Entity, Url], Tag("names")],
    _BY_FORM,
]
Addresses = Annotated[
    Annotated[Address, Tag("one")]
    | Annotated[list[Address], Field(min_length=1), Tag("list")]
    | Annotated[dict[Entity, Address], Tag("names")],
    _BY_FORM,
]
Texts = Annotated[
    Annotated[Words, Tag("one")]
    | Annotated[list[Words], Field(min_length=1), Tag("list")]
    | Annotated[dict[Entity, Words], Tag("names")],
    _BY_FORM,
]
Commands = Annotated[
    Annotated[Words, Tag("one")]
    | Annotated[Argv, Tag("list")]
    | Annotated[dict[Entity, Command], Tag("names")],
    _BY_FORM,
]
"""One thing, a list of things (a command's list is its words), or names with things."""
