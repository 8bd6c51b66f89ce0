"""What do the verbs and commands about events answer? One is told, and whoever waits for its kind hears of it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jarvis.cli.tree import jarvis
from jarvis.control.plain import Misfit
from tests.rooms.control_house import House

JOBS = "jobs: {heard: {on: {event: 'github/*'}, command: 'true'}}"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path, JOBS).open() as opened:
        yield opened


def publish(house: House, name: str, **more: Any) -> int:
    source, _, kind = name.partition("/")
    return int(house.ask("events.publish", source=source, type=kind, **more)["id"])


def names(said: dict[str, Any]) -> list[str]:
    return [f"{one['source']}/{one['type']}" for one in said["events"]]


def test_what_is_published_fires_its_jobs_and_shows_their_runs(house: House) -> None:
    number = publish(house, "github/push", payload={"ref": "main"})
    shown = house.until(lambda: (one := house.ask("events.show", id=number))["status"] == "processed" and one)
    assert (shown["payload"], shown["jobs"]) == ({"ref": "main"}, ["heard"])
    assert [(run["job"], run["status"]) for run in shown["runs"]] == [("heard", "succeeded")]


def test_one_key_is_one_event(house: House) -> None:
    first = publish(house, "github/push", key="delivery-7")
    assert publish(house, "github/push", key="delivery-7") == first
    assert publish(house, "github/push", key="delivery-8") != first
    said = [house.ask("events.publish", source="a", type="b", key=key)["new"] for key in ("x", "y", "x")]
    assert said == [True, True, False]
    assert len(house.ask("events.list")) == 4


@pytest.mark.parametrize(
    "values", [{"source": "", "type": "x"}, {"source": "x" * 201, "type": "y"}, {"source": "x"}]
)
def test_what_is_no_event_is_refused(house: House, values: dict[str, Any]) -> None:
    with pytest.raises(Misfit):
        house.ask("events.publish", **values)
    assert house.ask("events.list") == []


@pytest.mark.parametrize(
    ("match", "heard"),
    [
        (None, ["github/push", "github/issue", "mail/new", "git/hub/deep"]),
        ("github/*", ["github/push", "github/issue"]),
        ("*/new", ["mail/new"]),
        ("git*", ["github/push", "github/issue", "git/hub/deep"]),
        ("github/push", ["github/push"]),
        ("git?ub/*", ["github/push", "github/issue"]),
        ("GitHub/*", []),
        ("nobody/*", []),
    ],
)
def test_a_listener_hears_what_fits_its_pattern_and_goes_on_behind_the_rest(
    house: House, match: str | None, heard: list[str]
) -> None:
    begin = house.ask("events.tail", match=match)
    assert begin["events"] == []
    for name in ("github/push", "github/issue", "mail/new", "git/hub/deep"):
        last = publish(house, name)
    said = house.ask("events.tail", after=begin["next"], match=match)
    assert (names(said), said["next"]) == (heard, last)
    assert house.ask("events.tail", after=said["next"], match=match) == {"events": [], "next": last}


def test_a_listener_gets_page_after_page_also_where_nothing_of_a_page_fits(house: House) -> None:
    for name in ("a/1", "b/2", "b/3", "a/4"):
        publish(house, name)
    position, heard, pages = 0, [], 0
    while (said := house.ask("events.tail", after=position, match="a/*", limit=1))["next"] != position:
        position, heard, pages = said["next"], heard + names(said), pages + 1
    assert (heard, pages) == (["a/1", "a/4"], 4)


def test_the_command_waits_for_what_fits_and_says_it_at_once(house: House) -> None:
    publish(house, "github/early")
    words = [
        sys.executable,
        "-m",
        "jarvis",
        "events",
        "tail",
        "github/*",
        "--after",
        "0",
        "--json",
        *house.options,
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as listening:
        assert listening.stdout is not None
        try:
            assert json.loads(listening.stdout.readline())["type"] == "early"
            publish(house, "mail/new")
            publish(house, "github/push")
            began = time.monotonic()
            assert json.loads(listening.stdout.readline())["type"] == "push"
            assert time.monotonic() - began < 10
        finally:
            listening.kill()


def test_a_person_publishes_with_a_command(house: House) -> None:
    def say(*words: str, given: str | None = None) -> Any:
        return CliRunner().invoke(jarvis, ["events", *words, *house.options], input=given)

    assert (
        say("publish", "github/push", "--payload", "-", given='{"a": 1}').stdout
        == "Event 1 github/push is stored.\n"
    )
    for said in (
        "Event 2 github/x is stored.\n",
        "Event 2 was stored with this key before; nothing new is.\n",
    ):
        assert say("publish", "github/x", "--key", "k").stdout == said
    house.until(lambda: house.ask("events.show", id=1)["status"] == "processed")
    shown = say("show", "1").stdout
    assert "github/push" in shown and '"a": 1' in shown and "of heard succeeded" in shown
    for words, said in (
        (["publish", "github"], "is not SOURCE/TYPE"),
        (["publish", "a/b", "--payload", "{"], "not JSON"),
    ):
        refused = say(*words)
        assert (refused.exit_code, said in refused.stderr) == (2, True)
    assert say("show", "9").exception.exit_code == 1  # type: ignore[union-attr]
