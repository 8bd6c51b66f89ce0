"""What would be installed here? The plan, before anything is done."""

from __future__ import annotations

import os
import plistlib
import sys
from pathlib import Path
from typing import Any

import pytest

from jarvis import service
from jarvis.errors import JarvisError
from tests.rooms import service_programs


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    file = tmp_path / "jobs.yaml"
    file.write_text("jobs: {}\n")
    return file


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decide as for somebody who is not root."""
    monkeypatch.setattr(os, "geteuid", lambda: 65534)


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decide as for root."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.mark.usefixtures("person")
def test_on_linux_a_person_gets_a_unit_of_their_own(jobs: Path) -> None:
    plan = service.plan(jobs, platform="linux")
    assert plan.kind == "systemd"
    assert plan.path == Path.home() / ".config/systemd/user/jarvis.service"
    assert f"ExecStart={sys.executable} -P -m jarvis up --config {jobs}" in plan.text
    assert plan.commands[0] == ("systemctl", "--user", "daemon-reload")
    assert plan.undo[0] == ("systemctl", "--user", "disable", "--now", "jarvis.service")
    assert plan.notes[0].startswith("PATH of the jobs: /")


@pytest.mark.usefixtures("person")
def test_on_macos_a_person_gets_an_agent(jobs: Path) -> None:
    plan = service.plan(jobs, platform="darwin")
    assert plan.kind == "launchd"
    assert plan.path == Path.home() / "Library/LaunchAgents/local.jarvis.plist"
    assert plistlib.loads(plan.text.encode())["ProgramArguments"] == [
        sys.executable, "-P", "-m", "jarvis", "up", "--config", str(jobs),
    ]  # fmt: skip
    assert ("launchctl", "bootstrap", "gui/65534", str(plan.path)) in plan.commands
    assert any("Full Disk Access" in note for note in plan.notes)


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("platform", "path", "key"),
    [
        pytest.param("linux", "/etc/systemd/system/jarvis.service", "User=root", id="systemd"),
        pytest.param("darwin", "/Library/LaunchDaemons/local.jarvis.plist", "UserName", id="launchd"),
    ],
)
def test_root_installs_for_the_whole_machine(jobs: Path, platform: str, path: str, key: str) -> None:
    plan = service.plan(jobs, platform=platform)
    assert plan.path == Path(path)
    assert key in plan.text
    assert any("the owner of" in note for note in plan.notes)


@pytest.mark.usefixtures("person")
def test_a_relative_jobs_file_is_named_from_the_root(jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(jobs.parent)
    assert f"--config {jobs}\n" in service.plan(Path("jobs.yaml"), platform="linux").text


@pytest.mark.usefixtures("person")
def test_instances_have_names_of_their_own(jobs: Path) -> None:
    assert service.plan(jobs, platform="linux", name="night").path.name == "jarvis-night.service"
    assert service.plan(jobs, platform="darwin", name="night").path.name == "local.jarvis.night.plist"


@pytest.mark.usefixtures("person")
def test_the_state_directory_is_written_down(jobs: Path, tmp_path: Path) -> None:
    text = service.plan(jobs, platform="linux", state=tmp_path / "its state").text
    assert f'--config {jobs} --state "{tmp_path}/its state"\n' in text


@pytest.mark.usefixtures("person")
def test_precise_timers_only_when_asked(jobs: Path) -> None:
    assert "LegacyTimers" not in service.plan(jobs, platform="darwin").text
    assert "LegacyTimers" in service.plan(jobs, platform="darwin", legacy_timers=True).text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param({"platform": "win32"}, "no installation for win32", id="another system"),
        pytest.param(
            {"platform": "linux", "name": "../evil"}, "cannot name a service", id="a name with a slash"
        ),
    ],
)
def test_what_cannot_be_planned_is_told(jobs: Path, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(JarvisError, match=said):
        service.plan(jobs, **arguments)


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_plan_is_installed_replaced_and_taken_away(
    jobs: Path, platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    machine = service_programs.machine(tmp_path / "bin", monkeypatch)
    first = service.plan(jobs, platform=platform)
    service.install(first, pause=lambda _: None)
    assert first.path.read_text() == first.text

    other = jobs.with_name("other.yaml")
    other.write_text("jobs: {}\n")
    second = service.plan(other, platform=platform)
    assert any("for another jobs.yaml" in note for note in second.notes)
    service.install(second, pause=lambda _: None)
    assert first.path.read_text() == second.text
    machine.calls()

    done = service.uninstall(second, pause=lambda _: None)
    assert f"removed {second.path}" in done
    assert not second.path.exists()
    assert {call.split()[-1] for call in machine.calls()} & {"jarvis.service", "gui/65534/local.jarvis"}
