"""Is the machine kept awake by a job in a thread, as long as it runs and not longer?"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from jarvis.core import job as jobs
from jarvis.errors import LaunchError
from jarvis.running import awake

KEEPER = """#!{python}
import subprocess, sys
open({proof!r}, "w").write(" ".join(sys.argv[1:]))
subprocess.run(sys.argv[sys.argv.index("cat"):])
open({proof!r}, "a").write(" ended")
"""


def made(**fields: object) -> jobs.Job:
    spec = jobs.JobSpec.model_validate({"run": "pause_sample", "in": "thread"} | fields)
    return spec.resolve("pauses", timezone="UTC", python=True)


@pytest.fixture
def proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a program in the place of systemd-inhibit wrote: how it was called, and that it ended."""
    program, found = tmp_path / "systemd-inhibit", tmp_path / "proof"
    program.write_text(KEEPER.format(python=sys.executable, proof=str(found)))
    program.chmod(0o700)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return found


def written(proof: Path, end: str) -> str:
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        if proof.exists() and (text := proof.read_text()).endswith(end):
            return text
        time.sleep(0.01)
    raise AssertionError(f"it never said {end!r}")


def test_the_machine_is_kept_awake_while_the_handler_runs(proof: Path) -> None:
    with awake.kept(made(keep_awake=True)):
        assert written(proof, "cat") == (
            "--what=sleep:idle --who=jarvis --why=job pauses is running --mode=block cat"
        )
    assert written(proof, "ended")


def test_by_default_nothing_keeps_the_machine_awake(proof: Path) -> None:
    with awake.kept(made()):
        pass
    assert not proof.exists()


def test_a_machine_that_cannot_be_kept_awake_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(LaunchError, match="keep_awake needs systemd-inhibit"),
        awake.kept(made(keep_awake=True)),
    ):
        pytest.fail("it ran")


def test_macos_uses_caffeinate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert awake.inhibitor("pauses") == ("/usr/bin/caffeinate", "-i")
