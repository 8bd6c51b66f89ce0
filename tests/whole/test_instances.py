"""Are all Jarvises of a user found on the disk, the dead ones too, and can they be ended and started from anywhere?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.whole.daemon import Daemon, until

JOB = "hi: {every: 1h, command: 'true'}\n"


def test_instances_are_listed_asked_ended_and_started_from_anywhere(
    daemons: Callable[..., Daemon], tmp_path: Path
) -> None:
    first, second = daemons(), daemons()
    for one in (first, second):
        one.env["HOME"] = str(tmp_path)
        one.jobs(JOB).start()

    def listed(*words: str, code: int = 0) -> dict[str, Any]:
        found = first.cli("instances", *(words or ("list",)), "--json", code=code)
        return {one["config"]: one for one in found}

    found = listed()
    assert {one["status"] for one in found.values()} == {"running"}
    assert {one["pid"] for one in found.values()} == {first.pid, second.pid}
    assert found[str(second.config)]["jobs"] == 1

    second.kill()
    found = listed("health", code=1)
    assert found[str(first.config)]["status"] == "running"
    assert (found[str(second.config)]["status"], found[str(second.config)]["pid"]) == ("dead", None)

    name = found[str(second.config)]["name"]
    said = first.cli("instances", "restart", name)
    assert said.endswith("is running again.\n") and said.startswith(f"{name} (pid ")
    until(lambda: listed()[str(second.config)]["status"] == "running", "the dead one runs again")
    assert first.cli("instances", "stop", name, code=0).endswith("has ended.\n")
    assert listed("health")[str(second.config)]["status"] == "stopped"
    assert first.running
    assert "there is no instance 'nobody'" in first.cli("instances", "stop", "nobody", code=1)
    first.cli("instances", "stop", "--all")
    assert first.ended() == 0


def test_an_instance_whose_state_directory_is_gone_is_not_listed(daemon: Daemon, tmp_path: Path) -> None:
    daemon.jobs(JOB).start()
    assert daemon.stop() == 0
    assert len(daemon.cli("instances", "list", "--json")) == 1
    daemon.state.rename(tmp_path / "moved")
    assert daemon.cli("instances", "list", "--json") == []
    (tmp_path / "moved").rename(daemon.state)
