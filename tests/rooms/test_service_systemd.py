"""What does systemd get from Jarvis, and does systemd itself understand it?"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jarvis.errors import JarvisError
from jarvis.service import systemd
from tests.rooms import service_programs

GOLDEN = Path(__file__).parent / "golden_service"
ANNA = systemd.Settings(
    unit="jarvis.service",
    arguments=(
        "/home/anna/jarvis/.venv/bin/python",
        "-P",
        "-m",
        "jarvis",
        "up",
        "--config",
        "/home/anna/jobs.yaml",
    ),
    home=Path("/home/anna"),
    units=Path("/home/anna/.config/systemd/user"),
    search_path="/home/anna/.local/bin:/usr/local/bin:/usr/bin:/bin",
    language="en_GB.UTF-8",
    user="anna",
)
SETTINGS = {
    "user": ANNA,
    "system": replace(ANNA, system=True, units=Path("/etc/systemd/system")),
    "odd_names": replace(
        ANNA,
        home=Path("/home/anna/50% off"),
        arguments=(*ANNA.arguments[:-1], '/home/anna/my "jobs"; 100% $HOME\\x/jobs.yaml'),
        search_path="/home/anna/a b/bin:/opt/50%/bin:/usr/bin",
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_unit_is_the_golden_one(name: str) -> None:
    assert systemd.text(SETTINGS[name]) == (GOLDEN / f"{name}.service").read_text()


@pytest.mark.parametrize(
    "line",
    [
        "Type=notify", "NotifyAccess=main", "Restart=on-failure", "WatchdogSec=60",
        "TimeoutStopSec=90", "KillMode=process", "UMask=0077", "WantedBy=default.target",
        "Environment=PYTHONUNBUFFERED=1", "StartLimitBurst=5",
    ],
)  # fmt: skip
def test_the_lines_that_keep_jobs_and_the_machine_well(line: str) -> None:
    assert line in systemd.text(ANNA).splitlines()


def test_a_system_unit_runs_as_the_owner_of_the_jobs() -> None:
    lines = systemd.text(SETTINGS["system"]).splitlines()
    assert "User=anna" in lines
    assert "WantedBy=multi-user.target" in lines


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        pytest.param("plain", "plain", id="plain"),
        pytest.param("a b", '"a b"', id="a space"),
        pytest.param("100%", "100%%", id="a percent sign"),
        pytest.param('say "hi"', '"say \\"hi\\""', id="quotes"),
        pytest.param("a\\b", '"a\\\\b"', id="a backslash"),
        pytest.param("it's", '"it\'s"', id="an apostrophe"),
        pytest.param("$HOME", "$$HOME", id="a dollar sign"),
        pytest.param("", '""', id="nothing"),
    ],
)
def test_a_word_is_taken_literally(word: str, quoted: str) -> None:
    assert systemd.argument(word) == quoted


def test_a_path_with_a_newline_is_refused() -> None:
    with pytest.raises(JarvisError, match="control character"):
        systemd.text(replace(ANNA, arguments=("/bin/true", "a\nExecStartPre=/bin/false")))


def test_a_program_systemd_would_refuse_is_refused_with_advice() -> None:
    with pytest.raises(JarvisError, match="no program with a quote"):
        systemd.text(replace(ANNA, arguments=('/home/anna/"x"/python',)))


def verify(settings: systemd.Settings, folder: Path) -> str:
    """What systemd itself has to say; its exit code also counts things that are not ours."""
    unit = folder / settings.unit
    unit.write_text(systemd.text(settings))
    (folder / "run").mkdir()
    told = subprocess.run(
        ["systemd-analyze", "verify", *([] if settings.system else ["--user"]), "--man=no", str(unit)],
        env=os.environ | {"XDG_RUNTIME_DIR": str(folder / "run")},
        capture_output=True,
        text=True,
        check=False,
    )
    return "\n".join(line for line in (told.stdout + told.stderr).splitlines() if settings.unit in line)


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("name", SETTINGS)
def test_systemd_understands_the_unit(name: str, tmp_path: Path) -> None:
    here = replace(SETTINGS[name], arguments=(sys.executable, *SETTINGS[name].arguments[1:]))
    assert verify(here, tmp_path) == ""


@pytest.mark.needs("systemd-analyze")
def test_systemd_understands_a_python_in_a_folder_with_an_odd_name(tmp_path: Path) -> None:
    odd = tmp_path / "my 50% of $HOME"
    odd.mkdir()
    (odd / "python").symlink_to(sys.executable)
    assert verify(replace(ANNA, arguments=(str(odd / "python"), *ANNA.arguments[1:])), tmp_path) == ""


@pytest.mark.needs("systemd-analyze")
def test_systemd_would_tell_a_unit_that_is_wrong(tmp_path: Path) -> None:
    assert "not executable" in verify(replace(ANNA, arguments=("/nowhere/python", "up")), tmp_path)


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> service_programs.Machine:
    return service_programs.machine(tmp_path / "bin", monkeypatch)


@pytest.fixture
def here(tmp_path: Path) -> systemd.Settings:
    return replace(ANNA, home=tmp_path, units=tmp_path / "units")


def test_a_first_installation_writes_enables_and_starts(
    linux: service_programs.Machine, here: systemd.Settings
) -> None:
    done = systemd.install(here, systemd.text(here))
    assert linux.calls() == [
        "--user show --property=Version",
        "--user daemon-reload",
        "--user enable jarvis.service",
        "--user restart jarvis.service",
        "--user is-active jarvis.service",
    ]
    assert here.path.read_text() == systemd.text(here)
    assert done[:3] == [
        f"wrote {here.path}",
        "started jarvis.service",
        "jarvis.service is enabled and running",
    ]
    assert [*here.units.iterdir()] == [here.path]


def test_a_second_installation_leaves_the_running_one_alone(
    linux: service_programs.Machine, here: systemd.Settings
) -> None:
    systemd.install(here, systemd.text(here))
    linux.calls()
    done = systemd.install(here, systemd.text(here))
    assert done[0] == f"{here.path} is as it should be"
    assert not any("restart" in call for call in linux.calls())


def test_a_changed_unit_is_replaced_and_restarted(
    linux: service_programs.Machine, here: systemd.Settings
) -> None:
    systemd.install(here, systemd.text(here))
    linux.calls()
    changed = replace(here, search_path="/usr/bin")
    systemd.install(changed, systemd.text(changed))
    assert "--user restart jarvis.service" in linux.calls()
    assert "PATH=/usr/bin\n" in here.path.read_text()


def test_one_that_was_stopped_is_started(linux: service_programs.Machine, here: systemd.Settings) -> None:
    systemd.install(here, systemd.text(here))
    linux.forget("active")
    assert "started jarvis.service" in systemd.install(here, systemd.text(here))


@pytest.mark.parametrize(
    ("lingers", "hint"),
    [pytest.param("yes", False, id="lingering"), pytest.param("no", True, id="not lingering")],
)
def test_ending_at_logout_is_told(
    linux: service_programs.Machine, here: systemd.Settings, lingers: str, hint: bool
) -> None:
    linux.say("linger", lingers)
    done = systemd.install(here, systemd.text(here))
    assert any("loginctl enable-linger anna" in line for line in done) is hint


def test_no_user_manager_is_told_before_anything_is_written(
    linux: service_programs.Machine, here: systemd.Settings
) -> None:
    linux.say("no-bus")
    with pytest.raises(JarvisError, match=r"No medium found\n.*sudo jarvis install"):
        systemd.install(here, systemd.text(here))
    assert not here.path.exists()


def test_one_that_does_not_start_says_where_to_look(
    linux: service_programs.Machine, here: systemd.Settings
) -> None:
    linux.say("refuses")
    with pytest.raises(JarvisError, match=r"a timeout was exceeded.*\n.*journalctl --user -u jarvis.service"):
        systemd.install(here, systemd.text(here))


def test_uninstalling_stops_disables_and_deletes(
    linux: service_programs.Machine, here: systemd.Settings
) -> None:
    systemd.install(here, systemd.text(here))
    linux.calls()
    done = systemd.uninstall(here)
    assert linux.calls()[1:] == ["--user disable --now jarvis.service", "--user daemon-reload"]
    assert done == ["stopped and disabled jarvis.service", f"removed {here.path}"]
    assert not here.path.exists()
    assert systemd.uninstall(here) == ["jarvis.service was not installed"]


def test_a_system_unit_speaks_to_the_machine_s_manager(
    linux: service_programs.Machine, here: systemd.Settings
) -> None:
    whole = replace(here, system=True)
    done = systemd.install(whole, systemd.text(whole))
    assert not any("--user" in call for call in linux.calls())
    assert not any("enable-linger" in line for line in done)


def test_a_machine_without_systemctl_is_told_in_a_sentence(
    here: systemd.Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(JarvisError, match="systemctl is not on this machine: this machine has no systemd"):
        systemd.install(here, systemd.text(here))


@pytest.mark.needs("linux", "systemctl")
def test_this_machine_s_real_systemctl_is_understood(here: systemd.Settings) -> None:
    """Without a user manager (a container) the real program refuses too, in words that reach the person."""
    if Path("/run/user", str(os.geteuid()), "systemd").exists():
        systemd._demand_manager(here)
    else:
        with pytest.raises(JarvisError, match="`systemctl --user show --property=Version` failed: .*bus"):
            systemd.install(here, systemd.text(here))
