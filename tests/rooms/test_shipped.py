"""Is the shipped jobs.yaml in order, with each of its commented examples taken into it, and with all of them?"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jarvis.config import load
from jarvis.config.configuration import Config
from jarvis.handling import catalogue
from tests.house import tree

TEXT = (tree.ROOT / "jobs.yaml").read_text()
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SHIPPED = catalogue.Catalogue([("shipped", catalogue.shipped())], entry_points=False)
NAME = re.compile(r"( *)# ([a-z]+):( |$)")
ALWAYS = {"health", "pauses", "invariants", "rules", "inbox", "report", "backup-ledger", "prune"}


def blocks() -> dict[str, range]:
    """The commented examples: their name and their lines (``alerts`` at the top, jobs below ``Examples``)."""
    lines = TEXT.splitlines()
    found: dict[str, range] = {}
    for number, line in enumerate(lines):
        begin = NAME.match(line)
        if begin is None or (begin[1] == "" and begin[2] != "alerts"):
            continue
        end = number + 1
        while end < len(lines) and lines[end].startswith(f"{begin[1]}#   "):
            end += 1
        if end > number + 1:
            found[begin[2]] = range(number, end)
    return found


def uncommented(*names: str) -> str:
    """jobs.yaml with the ``# `` of these examples taken away."""
    lines = TEXT.splitlines()
    for name in names:
        for number in blocks()[name]:
            lines[number] = lines[number].replace("# ", "", 1)
    return "\n".join(lines) + "\n"


def read(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "jobs.yaml"
    path.write_text(text)
    path.chmod(0o600)
    return load.read(path, handlers=SHIPPED, environ={}, local_zone="Europe/London", now=NOW)


def test_what_is_shipped_needs_no_account_and_no_key(tmp_path: Path) -> None:
    config = read(tmp_path, TEXT)
    assert set(config.jobs) == ALWAYS
    assert config.warnings == () and "!secret" not in "".join(config.jobs[name].text() for name in ALWAYS)


def test_every_optional_part_of_the_five_daemons_is_there_as_an_example() -> None:
    wanted = {
        "alerts", "documents", "checked", "website", "tidy", "scans", "tunnel", "feed", "notes", "code", "wellbeing",
        "tasks", "patterns",
    }  # fmt: skip
    assert wanted <= set(blocks())


@pytest.mark.parametrize("name", blocks())
def test_an_example_is_in_order_when_it_is_uncommented(tmp_path: Path, name: str) -> None:
    config = read(tmp_path, uncommented(name))
    assert name == "alerts" or name in config.jobs
    assert [doubt for doubt in config.warnings if "secret" not in doubt.message] == []


def test_all_examples_are_in_order_together(tmp_path: Path) -> None:
    config = read(tmp_path, uncommented(*blocks()))
    assert set(config.jobs) == ALWAYS | (set(blocks()) - {"alerts"})
    assert set(config.alerts.channels) == {"phone", "desk"}


def test_the_shipped_jobs_have_the_rhythm_of_the_daemons_they_replace(tmp_path: Path) -> None:
    config = read(tmp_path, uncommented(*blocks()))
    wanted = {"rules": 120, "inbox": 5, "wellbeing": 15, "tasks": 15, "patterns": 30}
    assert {name: config.jobs[name].spec.every for name in wanted} == {
        name: timedelta(minutes=minutes) for name, minutes in wanted.items()
    }
    assert config.jobs["invariants"].spec.every == timedelta(seconds=30)
    assert config.jobs["pauses"].spec.with_["interval"] == "5s"
    assert config.settings.nice == 5
