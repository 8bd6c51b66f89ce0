"""What does launchd get from Jarvis, and in which order?"""

from __future__ import annotations

import plistlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jarvis.errors import JarvisError
from jarvis.service import launchd, launchd_keys
from tests.rooms import service_programs

GOLDEN = Path(__file__).parent / "golden_service"
ANNA = launchd.Settings(
    label="local.jarvis",
    arguments=(
        "/Users/anna/jarvis/.venv/bin/python",
        "-P",
        "-m",
        "jarvis",
        "up",
        "--config",
        "/Users/anna/jobs.yaml",
    ),
    home=Path("/Users/anna"),
    search_path="/opt/homebrew/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    language="en_GB.UTF-8",
    uid=501,
)
SETTINGS = {
    "agent": ANNA,
    "daemon": replace(ANNA, user="anna"),
    "legacy_timers": replace(ANNA, legacy_timers=True),
    "odd_names": replace(
        ANNA,
        arguments=(
            "/Users/anna/R&D <jobs>/.venv/bin/python",
            "-P",
            "-m",
            "jarvis",
            "up",
            "--config",
            "/a b/“j”.yaml",
        ),
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_property_list_is_the_golden_one(name: str) -> None:
    assert launchd.text(SETTINGS[name]) == (GOLDEN / f"{name}.plist").read_text()


@pytest.mark.parametrize("name", SETTINGS)
def test_what_launchd_reads_is_what_was_meant(name: str) -> None:
    read = plistlib.loads(launchd.text(SETTINGS[name]).encode())
    assert read == launchd.plist(SETTINGS[name])
    assert list(read) == list(launchd.plist(SETTINGS[name]))
    assert launchd_keys.problems(read, agent=SETTINGS[name].user is None) == []


def test_the_keys_that_keep_jobs_and_the_machine_well() -> None:
    keys = launchd.plist(ANNA)
    assert keys["KeepAlive"] == {"SuccessfulExit": False}
    assert keys["ThrottleInterval"] == 30
    assert keys["ProcessType"] == "Interactive"
    assert keys["ExitTimeOut"] == 90
    assert keys["AbandonProcessGroup"] is True
    assert keys["SoftResourceLimits"] == {"NumberOfFiles": 4096}
    assert keys["Umask"] == 63
    assert keys["EnvironmentVariables"] == {"PATH": ANNA.search_path, "LANG": "en_GB.UTF-8"}
    assert "LegacyTimers" not in keys
    assert "RunAtLoad" not in keys


def test_a_path_with_a_control_character_is_refused() -> None:
    with pytest.raises(JarvisError, match="rename it"):
        launchd.text(replace(ANNA, arguments=("/Users/anna/bell\a/python",)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"Labl": "x"}, "Labl is not a launchd key", id="a misspelt key"),
        pytest.param({"Label": ""}, "Label is missing", id="no label"),
        pytest.param(
            {"ThrottleInterval": "30"}, "ThrottleInterval must be int, not '30'", id="a number as text"
        ),
        pytest.param({"Nice": True}, "Nice must be int, not True", id="a truth value is no number"),
        pytest.param({"UserName": "anna"}, "UserName is ignored in an agent", id="a daemon's key"),
        pytest.param({"OnDemand": False}, "OnDemand is deprecated", id="an old key"),
        pytest.param({"ProgramArguments": ["~/bin/x"]}, "not an absolute path", id="a tilde"),
        pytest.param({"ProgramArguments": []}, "Program or ProgramArguments is missing", id="no program"),
        pytest.param(
            {"KeepAlive": {"Succes": False}}, "KeepAlive: Succes is not a condition", id="a condition"
        ),
        pytest.param({"ProcessType": "Fast"}, "ProcessType 'Fast' is none of", id="a process type"),
        pytest.param({"SoftResourceLimits": {"Files": 1}}, "Files is not a limit", id="a limit"),
        pytest.param({"Umask": 0o1777}, "Umask 1023 is not a umask", id="a umask"),
        pytest.param(
            {"EnvironmentVariables": {"A": 1}}, "must be dict of texts", id="a number in the environment"
        ),
        pytest.param({"StandardOutPath": "boot.log"}, "StandardOutPath must be path", id="a relative log"),
        pytest.param(
            {"StartCalendarInterval": [{"Hour": 3}, 4]}, "must be dict of ints or dicts", id="a calendar"
        ),
    ],
)
def test_what_launchd_would_swallow_silently_is_found(change: dict[str, Any], said: str) -> None:
    found = launchd_keys.problems(launchd.plist(ANNA) | change, agent=True)
    assert len(found) == 1
    assert said in found[0]


def test_the_table_of_keys_is_whole() -> None:
    table = launchd_keys.KEYS
    assert len(table) >= 45
    assert {key.name for key in table.values() if key.daemon} == {
        "UserName", "GroupName", "InitGroups", "RootDirectory", "SessionCreate", "inetdCompatibility",
    }  # fmt: skip
    assert all(shape in launchd_keys._SHAPES for key in table.values() for shape in key.shapes)


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> service_programs.Machine:
    return service_programs.machine(tmp_path / "bin", monkeypatch)


@pytest.fixture
def here(tmp_path: Path) -> launchd.Settings:
    return replace(ANNA, home=tmp_path / "anna")


def install(settings: launchd.Settings, waits: list[float] | None = None) -> list[str]:
    return launchd.install(
        settings, launchd.text(settings), pause=(waits if waits is not None else []).append
    )


def test_a_first_installation_enables_loads_and_looks(
    mac: service_programs.Machine, here: launchd.Settings
) -> None:
    done = install(here)
    assert mac.calls() == [
        "print gui/501/local.jarvis",
        "enable gui/501/local.jarvis",
        f"bootstrap gui/501 {here.path}",
        "print gui/501/local.jarvis",
    ]
    assert done == [f"wrote {here.path}", "loaded gui/501/local.jarvis"]
    assert here.path.stat().st_mode & 0o777 == 0o644
    assert here.log.parent.stat().st_mode & 0o777 == 0o700
    assert (mac.folder / "seen.plist").read_text() == launchd.text(here)
    assert [*here.path.parent.iterdir()] == [here.path]


def test_a_second_installation_changes_nothing(mac: service_programs.Machine, here: launchd.Settings) -> None:
    install(here)
    mac.calls()
    assert install(here) == [f"{here.path} is as it should be", "gui/501/local.jarvis is running"]
    assert mac.calls() == ["print gui/501/local.jarvis"]


def test_one_that_was_stopped_is_started(mac: service_programs.Machine, here: launchd.Settings) -> None:
    install(here)
    mac.say("loaded", "waiting")
    mac.calls()
    assert install(here)[-1] == "started gui/501/local.jarvis"
    assert mac.calls() == ["print gui/501/local.jarvis", "kickstart gui/501/local.jarvis"]


def test_a_changed_one_is_taken_out_and_waited_for(
    mac: service_programs.Machine, here: launchd.Settings
) -> None:
    install(here)
    mac.calls()
    changed = replace(here, search_path="/usr/bin")
    mac.say("lingering", "1\n2\n3\n")
    waits: list[float] = []
    done = install(changed, waits)
    calls = mac.calls()
    assert calls[1] == "bootout gui/501/local.jarvis"
    assert calls[-2] == f"bootstrap gui/501 {here.path}"
    assert len(waits) == 2
    assert done[0] == "took the old gui/501/local.jarvis out"
    assert (mac.folder / "seen.plist").read_text() == launchd.text(changed)


def test_a_file_without_launchd_knowing_is_loaded(
    mac: service_programs.Machine, here: launchd.Settings
) -> None:
    install(here)
    mac.forget("loaded")
    assert install(here)[-1] == "loaded gui/501/local.jarvis"
    assert mac.has("loaded")


def test_a_refusal_says_what_launchd_said_and_what_to_do(
    mac: service_programs.Machine, here: launchd.Settings
) -> None:
    mac.say("refuses")
    waits: list[float] = []
    with pytest.raises(JarvisError, match=r"Bootstrap failed: 5: Input/output error\n.*plutil -lint"):
        install(here, waits)
    assert len(waits) == launchd.BOOTSTRAP_TRIES - 1


def test_an_old_one_that_never_ends_is_told(mac: service_programs.Machine, here: launchd.Settings) -> None:
    install(here)
    mac.say("lingering", "x\n" * 1000)
    with pytest.raises(JarvisError, match="does not go away"):
        install(replace(here, search_path="/usr/bin"))
    assert here.path.read_text() == launchd.text(here)


def test_uninstalling_takes_it_out_and_deletes_the_file(
    mac: service_programs.Machine, here: launchd.Settings
) -> None:
    install(here)
    mac.calls()
    done = launchd.uninstall(here, pause=lambda _: None)
    assert done == ["took the old gui/501/local.jarvis out", f"removed {here.path}"]
    assert not here.path.exists()
    assert launchd.uninstall(here, pause=lambda _: None) == ["local.jarvis was not installed"]


def test_a_machine_without_launchctl_is_told_in_a_sentence(
    here: launchd.Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(JarvisError, match="launchctl is not on this machine: this is not macOS"):
        install(here)
    assert not here.path.exists()
