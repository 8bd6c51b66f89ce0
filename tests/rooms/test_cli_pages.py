"""Are the pages about the command line and the API what the commands and verbs themselves say?"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest

from jarvis.cli import manual
from jarvis.cli.tree import EXIT_CODES, OUTLINE, PLACES, jarvis
from jarvis.control import manual as verb_manual
from jarvis.control import verbs
from jarvis.control.version import VERSION

ROOT = Path(__file__).parents[2]


def test_the_page_about_the_command_line_is_current() -> None:
    assert (ROOT / "docs/cli.md").read_text() == manual.text(), "python -m jarvis.cli.manual > docs/cli.md"


def test_the_page_about_verbs_is_current() -> None:
    assert (ROOT / "docs/verbs.md").read_text() == verb_manual.text(), (
        "python -m jarvis.control.manual > docs/verbs.md"
    )


def test_every_command_stands_in_the_outline() -> None:
    assert {name for _, names in OUTLINE for name in names} == set(PLACES)


def test_every_error_has_its_exit_code_on_the_page() -> None:
    from jarvis import errors

    kinds = [
        one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.JarvisError)
    ]
    assert {one.exit_code for one in kinds} <= {code for code, _ in EXIT_CODES}


def test_the_version_is_that_of_the_project() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


@pytest.mark.parametrize("verb", verbs.ALL, ids=lambda verb: verb.name)
def test_every_verb_has_its_heading(verb: verbs.Verb) -> None:
    assert f"\n## {verb.name}\n" in (ROOT / "docs/verbs.md").read_text()


@pytest.mark.parametrize("name", [name for name in verbs.VERBS if name not in ("health", "stop")])
def test_every_verb_has_its_command(name: str) -> None:
    ctx = click.Context(jarvis, info_name="jarvis")
    command: click.Command | None = jarvis
    for word in name.split("."):
        assert isinstance(command, click.Group)
        command = command.get_command(ctx, word)
    assert command is not None
    assert re.search(
        rf"^### jarvis {name.replace('.', ' ')}$", (ROOT / "docs/cli.md").read_text(), re.MULTILINE
    )
