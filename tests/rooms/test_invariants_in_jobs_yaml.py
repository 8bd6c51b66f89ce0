"""Is a mistake in an invariant told with its line and the right spelling, before anything runs?"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel

from jarvis.config import load
from jarvis.errors import ConfigError
from jarvis.handling import catalogue, inside
from jarvis.handling.catalogue import Catalogue

SHIPPED = Catalogue([("shipped", catalogue.shipped())], entry_points=False)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def complaints(tmp_path: Path, invariants: str) -> list[str]:
    """Line and sentence of everything wrong; the first invariant stands in line 7."""
    head = "jobs:\n  watch:\n    every: 30s\n    run: invariants\n    with:\n      invariants:\n"
    path = tmp_path / "jobs.yaml"
    path.write_text(head + textwrap.indent(textwrap.dedent(invariants).lstrip("\n"), " " * 8))
    path.chmod(0o600)
    try:
        load.read(path, handlers=SHIPPED, environ={"DB": "sqlite:///x"}, now=NOW)
    except ConfigError as error:
        return [
            f"{one.line}: {one.message}" + (f" ({one.hint})" if one.hint else "") for one in error.problems
        ]
    return []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            """
            db:
              sql:
                url: sqlite:///x
                query: SELECT 1
                abve: 5
            """,
            "11: 'invariants.db.sql': no parameter 'abve' (did you mean 'above'?)",
            id="a typo deep inside",
        ),
        pytest.param(
            "site: {up: {htp: 'http://x'}}",
            "7: 'invariants.site.up': no parameter 'htp' (did you mean 'http'?)",
            id="a typo of a way",
        ),
        pytest.param(
            "site: {upp: 1}",
            "7: 'invariants.site': no parameter 'upp' (did you mean 'up'?)",
            id="an unknown kind",
        ),
        pytest.param(
            "a: {disk: {}}\nb: {disk: {above: lots}}",
            "8: 'invariants.b.disk.above': expected a number, not 'lots'",
            id="the second",
        ),
        pytest.param(
            "site: {up: {tcp: [localhost]}}",
            "7: 'invariants.site.up.tcp.0': 'localhost' is no address: write HOST:PORT,"
            " such as localhost:5432 or [::1]:5432",
            id="an address in a list",
        ),
        pytest.param(
            "site: {up: {http: {shop: 'ftp://x'}}}",
            "7: 'invariants.site.up.http.shop': 'ftp://x' is no URL: write http://… or https://…",
            id="a URL with a name",
        ),
        pytest.param(
            "db: {sql: {url: 'sqlite:///x', query: 'DROP TABLE runs', above: 0}}",
            "7: 'invariants.db.sql.query': only a query that reads is asked: begin with SELECT or WITH",
            id="a query that writes",
        ),
        pytest.param(
            "slow: {latency: {of: site}}\nsite: {up: {process: x}}",
            "6: 'invariants': slow: latency of 'site': no such 'up' invariant (there is none)",
            id="latency of a process",
        ),
        pytest.param(
            "a b: {disk: {}}",
            "7: 'invariants.a b': 'a b' is no name for an invariant: 1 to 64 of A-Z a-z 0-9 . _ -, not cannot_observe",
            id="a bad name",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert complaints(tmp_path, text) == [said]


def test_variables_and_secrets_may_stand_inside(tmp_path: Path) -> None:
    assert complaints(tmp_path, "db: {sql: {url: '${DB}', query: SELECT 1, above: 5}}") == []
    (tmp_path / "token").write_text("t0ken")
    (tmp_path / "token").chmod(0o600)
    secret = f'site: {{up: {{http: "http://x", headers: {{X: !secret "file:{tmp_path}/token"}}}}}}'
    assert complaints(tmp_path, secret) == []


def test_the_editor_knows_what_an_invariant_may_be() -> None:
    schema = SHIPPED.form_schema("invariants")
    assert set(schema["$defs"]["Invariant"]["properties"]) == {
        "up", "latency", "disk", "sql", "command", "metric", "severity", "grace", "timeout",
    }  # fmt: skip
    assert schema["required"] == ["invariants"]


class Inner(BaseModel):
    """A model inside a block."""

    red: int = 0


@dataclass
class Block:
    """A block inside a parameter."""

    inner: Inner | None = None
    many: list[Inner] = field(default_factory=list)
    named: dict[str, Inner] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("annotation", "address", "names"),
    [
        (Block, (), ["inner", "many", "named"]),
        (Block, ("inner",), ["red"]),
        (Block, ("many", 3), ["red"]),
        (Block, ("named", "x"), ["red"]),
        (Annotated[dict[str, Block] | None, "a note"], ("x", "inner"), ["red"]),
        (int, (), []),
        (dict[str, int], ("x",), []),
    ],
    ids=str,
)
def test_the_names_at_an_address_are_found_through_every_kind_of_type(
    annotation: object, address: tuple[str | int, ...], names: list[str]
) -> None:
    assert inside.known(annotation, address) == names
