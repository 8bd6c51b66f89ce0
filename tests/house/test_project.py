"""Does the project speak of itself alone, and do its chores hold together?"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house import tree

PROJECT = tomllib.loads((tree.ROOT / "pyproject.toml").read_text())
SCRIPTS = [file for file in tree.files() if file.parts[0] in ("scripts", ".ci")]
IMPORTED_AS = {"pyyaml": "yaml"}

# Put together here, so that this file does not hold what it looks for.
ELSEWHERE = [
    "pypi" + ".org", "python" + "hosted.org", "deb." + "debian.org", "registry." + "npmjs",
    "/work/" + "main", "/work/" + "shared", "/opt/" + "pypi", "/root/" + ".",
]  # fmt: skip
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")


@pytest.mark.parametrize("place", ELSEWHERE)
def test_no_file_names_a_machine_or_a_registry(place: str) -> None:
    assert [name for name, text in tree.texts() if place in text] == []


def test_no_file_names_the_folder_it_lies_in() -> None:
    here = str(tree.ROOT)
    assert len(tree.ROOT.parts) < 3 or [name for name, text in tree.texts() if here in text] == []


def test_nothing_is_left_for_later() -> None:
    assert [
        name for name, text in tree.texts() if UNFINISHED.search(text) and not name.endswith(".txt")
    ] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_a_script_runs_on_every_bash(script: Path) -> None:
    """Bash 3.2 is what macOS has: no associative arrays, no mapfile, no ${x,,}, no |&."""
    text = (tree.ROOT / script).read_text()
    assert os.access(tree.ROOT / script, os.X_OK), f"chmod +x {script}"
    if not text.startswith("#!/usr/bin/env bash\n"):
        assert text.startswith("#!/usr/bin/env"), f"{script} begins with #!/usr/bin/env bash"
        return
    assert re.search(r"^# .+[.:]$", text, re.MULTILINE), f"{script} says first what it is for"
    assert "\nset -eu\n" in text
    assert not re.search(r"declare -A|local -n|mapfile|readarray|\$\{\w+(,,|\^\^)|\|&|\breadlink -f", text)
    subprocess.run(["bash", "-n", script], cwd=tree.ROOT, check=True)


@pytest.mark.parametrize("script", [s for s in SCRIPTS if s.parts[0] == "scripts"], ids=str)
def test_the_readme_names_every_chore(script: Path) -> None:
    assert str(script) in (tree.ROOT / "README.md").read_text()


def test_the_changelog_knows_this_version() -> None:
    changelog = (tree.ROOT / "CHANGELOG.md").read_text()
    assert re.search(
        rf"^## \[{re.escape(PROJECT['project']['version'])}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE
    )
    assert "## [Unreleased]" in changelog


def test_the_map_of_the_house_shows_every_room() -> None:
    page = (tree.ROOT / "docs/architecture.md").read_text()
    rooms = {module.parts[1] for module in tree.modules("jarvis") if len(module.parts) > 2}
    assert [room for room in sorted(rooms) if f"`{room}`" not in page] == []


def requirements(name: str) -> list[str]:
    """The lock, one requirement with its hashes a piece."""
    text = (tree.ROOT / "requirements" / name).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("name", ["run.txt", "dev.txt", "build.txt"])
def test_every_requirement_has_one_version_and_its_hashes(name: str) -> None:
    for line in requirements(name):
        assert re.match(r"[a-z0-9-]+(\[[a-z]+\])?==[^ ]+ .*--hash=sha256:[0-9a-f]{64}", line), line
        assert "://" not in line


def test_the_lock_holds_everything_the_project_asks_for() -> None:
    locked = {line.partition("==")[0] for line in requirements("run.txt")}
    wanted = {_name(line) for line in PROJECT["project"]["dependencies"]}
    assert wanted - locked == set()
    assert locked - {line.partition("==")[0] for line in requirements("dev.txt")} == set()


def test_what_is_imported_is_asked_for_and_what_is_asked_for_is_imported() -> None:
    imported = {
        name.partition(".")[0]
        for module in tree.modules("jarvis", "handlers")
        for name in tree.imports(module)
    }
    asked = {IMPORTED_AS.get(_name(line), _name(line)) for line in PROJECT["project"]["dependencies"]}
    assert sorted(asked - imported) == [], "asked for, never imported"
    ours = {"jarvis", "lean"} | {module.stem for module in tree.modules("jarvis", "handlers")}
    foreign = imported - set(sys.stdlib_module_names) - ours
    come_along = {"pydantic_core"}  # a part of pydantic
    assert sorted(foreign - asked - come_along) == [], "imported, never asked for"


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9_-]+", requirement)
    assert found
    return found[0].lower()


def test_the_chores_the_pages_name_are_there() -> None:
    pages = [text for name, text in tree.texts() if name.endswith(".md")]
    named = {chore for text in pages for chore in re.findall(r"\bscripts/[a-z]+\b", text)}
    assert sorted(chore for chore in named if not (tree.ROOT / chore).exists()) == []


def test_the_commands_of_the_installation_page_are_there() -> None:
    page = (tree.ROOT / "docs/install.md").read_text()
    blocks = "".join(re.findall(r"```console\n(.*?)```", page, re.DOTALL))
    commands = re.findall(r"^\$ (?:scripts/)?jarvis ([a-z]+)((?: --[a-z-]+)*)", blocks, re.MULTILINE)
    assert {verb for verb, _ in commands} >= {"install", "uninstall", "check", "status"}
    for verb, options in commands:
        told = subprocess.run(
            [sys.executable, "-m", "jarvis", verb, "--help"],
            cwd=tree.ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 0, told.stderr
        assert [option for option in options.split() if option not in told.stdout] == []
