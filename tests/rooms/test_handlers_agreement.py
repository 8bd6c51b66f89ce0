"""A handler says itself which values do not fit together: when jobs.yaml is read, and before each run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jarvis.config import load
from jarvis.errors import ConfigError
from jarvis.handling import mount
from jarvis.handling.catalogue import Catalogue, folders
from jarvis.handling.contract import BadValues, Broken
from tests.rooms.config_files import NOW

RUN = "def run(ctx, *, url: str | None = None, inbox: str | None = None, headers: dict[str, str] = {}): ...\n"
BOTH = (
    "def check(*, url, inbox):\n    if url and inbox:\n        raise ValueError('url or inbox, not both')\n"
)


def form(folder: Path, source: str) -> Any:
    path = folder / "h.py"
    path.write_text(f'"""A handler."""\n\n{source}')
    return mount.load(path).form


SECRET = {"$secret": "env:URL"}


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"url": "a", "inbox": "b"}, True),
        ({"url": "a"}, False),
        ({}, False),
        ({"url": "a", "inbox": "b", "headers": {"key": SECRET}}, True),
        ({"url": SECRET, "inbox": "b"}, False),
    ],
    ids=str,
)
def test_what_does_not_fit_together_is_found(tmp_path: Path, values: dict[str, Any], wrong: bool) -> None:
    found = form(tmp_path, RUN + BOTH).check(values)
    assert found == ([((), "url or inbox, not both", None)] if wrong else [])


def test_it_is_asked_before_a_run_too(tmp_path: Path) -> None:
    made = form(tmp_path, RUN + BOTH)
    assert made.bind({"url": "a"}) == {"url": "a"}
    with pytest.raises(BadValues, match="handler h: url or inbox, not both"):
        made.bind({"url": "a", "inbox": "b"})


def test_values_that_are_not_in_order_are_told_alone(tmp_path: Path) -> None:
    [(address, _, _)] = form(tmp_path, RUN + BOTH).check({"url": ["a"], "inbox": "b"})
    assert address == ("url",)


def test_one_that_fails_is_told_and_harms_nobody(tmp_path: Path) -> None:
    found = form(tmp_path, RUN + "def check(*, url):\n    url.strip()\n").check({})
    assert found[0][1].startswith("check() failed: AttributeError: 'NoneType'")


def test_one_that_asks_for_what_is_no_parameter_breaks_the_handler(tmp_path: Path) -> None:
    with pytest.raises(Broken, match=r"h.py:3: check\(\) takes 'utl', which is no parameter"):
        form(tmp_path, RUN + "def check(*, utl): ...\n")


@pytest.mark.parametrize("source", ["def check(copy): 1 / 0\n", "check = 3\n", "def check(): 1 / 0\n"])
def test_another_thing_of_this_name_is_the_handlers_own(tmp_path: Path, source: str) -> None:
    assert form(tmp_path, RUN + source).check({"url": "a"}) == []


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ("{run: webhook_poll, with: {url: https://x}}", "with url, say the source of its events"),
        ("{run: webhook_poll, with: {url: ftp://x, source: x}}", "only http and https can be requested"),
        ("{run: patterns, with: {days: 3}}", "there is nothing to look at"),
        ("{run: patterns}", "there is nothing to look at"),
        ("{run: health, with: {machine: false}}", "nothing is left to watch"),
    ],
    ids=str,
)
def test_shipped_handlers_tell_it_at_its_line(tmp_path: Path, job: str, said: str) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text(f"version: 1\njobs:\n  a: {job}\n")
    with pytest.raises(ConfigError) as refused:
        load.read(path, handlers=Catalogue(folders(tmp_path)), environ={}, now=NOW)
    place, _, message = str(refused.value).partition(": ")
    assert "jobs.yaml:3:" in place and said in message
