"""A job's process is who it should be and may use what it should."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jarvis.handling.lean import memory, program
from jarvis.handling.request import Stream
from tests.rooms import launch_house
from tests.rooms.launch_house import House, until


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with launch_house.house(tmp_path / "runs") as made:
        yield made


@pytest.mark.parametrize(
    ("fields", "script", "said"),
    [
        pytest.param({"umask": 0o027}, "umask", "0027", id="umask"),
        pytest.param({"umask": 0o027, "nice": 1}, "umask", "0027", id="umask with a fork"),
        pytest.param({"nice": 7}, "nice", "7", id="nice"),
        pytest.param(
            {"cpu": "batch"}, "chrt -p $$ | head -n1 | sed 's/.*: //'", "SCHED_BATCH", id="cpu batch"
        ),
        pytest.param({"cpu": "idle"}, "chrt -p $$ | head -n1 | sed 's/.*: //'", "SCHED_IDLE", id="cpu idle"),
        pytest.param(
            {"cpu": "normal"}, "chrt -p $$ | head -n1 | sed 's/.*: //'", "SCHED_OTHER", id="cpu normal"
        ),
        pytest.param({"io": "idle"}, "ionice -p $$", "idle", id="io idle"),
        pytest.param({"io": "best-effort:6"}, "ionice -p $$", "best-effort: prio 6", id="io best effort"),
        pytest.param({"io": "best-effort"}, "ionice -p $$", "best-effort: prio 4", id="io without a level"),
        pytest.param({"limits": {"nofile": 99}}, "ulimit -n; ulimit -Hn", "99\n99", id="open files"),
        pytest.param({"limits": {"core": 0, "fsize": 512}}, "ulimit -f", "1", id="file size"),
        pytest.param({"limits": {"cpu": "unlimited"}}, "ulimit -t", "unlimited", id="unlimited"),
        pytest.param({"cwd": "/usr"}, "pwd", "/usr", id="cwd"),
        pytest.param({"cwd": "/usr", "nice": 1}, "pwd", "/usr", id="cwd with a fork"),
        pytest.param({"env": {"HOME": "/var"}}, "pwd", "/var", id="home when there is no cwd"),
        pytest.param(
            {"nice": 3}, "grep -c . /proc/self/fdinfo/0; ls /proc/$$/fd | tr '\\n' ' '", None, id="fds"
        ),
    ],
)
def test_a_job_gets_what_it_asks_for(
    house: House, fields: dict[str, Any], script: str, said: str | None
) -> None:
    run = house.start("/bin/sh", "-c", script, **fields)
    assert house.result(run).exit_code == 0
    text = house.output(run).decode().strip()
    if said is None:
        assert text.splitlines()[-1] == "0 1 2"
    else:
        assert text == said


@pytest.mark.needs("root")
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"uid": 1234, "gid": 4321}, "1234 4321 4321", id="no other groups"),
        pytest.param({"uid": 1234, "gid": 4321, "groups": (4321, 55)}, "1234 4321 4321 55", id="groups"),
        pytest.param({"gid": 4321, "groups": ()}, "0 4321 4321", id="another group only"),
    ],
)
def test_a_job_is_another_user(house: House, fields: dict[str, Any], said: str) -> None:
    run = house.start("/bin/sh", "-c", "echo $(id -u) $(id -g) $(id -G)", **fields)
    house.result(run)
    assert house.output(run).decode().strip() == said


@pytest.mark.needs("root")
def test_another_users_job_opens_its_files_as_that_user(house: House, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    stream = Stream(kind="truncate", path=str(secret))
    result = house.run("/bin/echo", "overwritten", uid=1234, gid=1234, stdout=stream)
    assert result.error is not None
    assert "permission denied" in result.error
    assert secret.read_text() == "root's"


@pytest.mark.needs("root")
def test_a_user_that_cannot_enter_the_folder_is_told(house: House, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    result = house.run("/bin/true", uid=1234, gid=1234, cwd=str(closed))
    assert result.error == f"could not start: cannot enter cwd {closed}: permission denied"


@pytest.mark.needs("root")
def test_raising_a_priority_needs_root_and_says_so() -> None:
    wish: dict[str, Any] = dict.fromkeys(program.SPECIAL) | {"nice": -5, "cwd": "/", "env": {}, "umask": None}
    wish |= {"stdout": {"kind": "discard"}, "stderr": {"kind": "discard"}}
    said, say = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            null = os.open(os.devnull, os.O_RDWR)
            os.setuid(1234)
            program.start(wish, ["/bin/true"], null, program.Streams(wish, -1, null))
        except program.Unstartable as error:
            os.write(say, f"{error} {error.code}".encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(say)
    with os.fdopen(said) as pipe:
        text = pipe.read()
    assert text == "could not start: cannot set nice -5: permission denied; only root may do that 126"


def test_limits_of_the_supervisor_stay_as_they_are(house: House) -> None:
    house.run("/bin/true", limits={"fsize": 10, "nofile": 5, "cpu": 1})
    run = house.start("/bin/sh", "-c", "ulimit -n")
    house.result(run)
    assert int(house.output(run)) == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@pytest.mark.parametrize(
    ("entries", "file", "text", "kills"),
    [
        pytest.param("0::/jarvis\n", "jarvis/memory.events", "low 0\noom 3\noom_kill 2\n", 2, id="version 2"),
        pytest.param(
            "4:memory:/a:b\n0::/\n",
            "memory/a:b/memory.oom_control",
            "under_oom 0\noom_kill 7\n",
            7,
            id="version 1",
        ),
    ],
)
def test_kills_for_want_of_memory_are_read_from_the_control_group(
    tmp_path: Path, entries: str, file: str, text: str, kills: int
) -> None:
    (tmp_path / "own").write_text(entries)
    counter = tmp_path / file
    counter.parent.mkdir(parents=True)
    counter.write_text(text)
    fd = memory.counter(str(tmp_path), str(tmp_path / "own"))
    assert memory.kills(fd) == kills
    os.close(fd)


def test_where_nobody_counts_there_are_no_such_kills() -> None:
    assert memory.counter("/nowhere", "/nowhere") == -1
    assert memory.kills(-1) == 0


GROUPS = Path("/sys/fs/cgroup/memory")


@pytest.mark.needs("root", "linux")
@pytest.mark.skipif(not (GROUPS / "tasks").exists(), reason="this machine has no version 1 memory group")
def test_a_job_killed_for_want_of_memory_is_told_apart(tmp_path: Path) -> None:
    group = GROUPS / f"jarvis-test-{os.getpid()}"
    group.mkdir()
    home = GROUPS / Path("/proc/self/cgroup").read_text().split(":memory:/")[1].splitlines()[0] / "tasks"
    try:
        (group / "memory.limit_in_bytes").write_text(str(64 << 20))
        (group / "tasks").write_text(str(os.getpid()))
        made = House(tmp_path / "runs")
        made.launcher.start()
        home.write_text(str(os.getpid()))
        result = made.sh("x=$(head -c 200000000 /dev/zero | tr '\\0' x)")
        assert (result.signal, result.oom) in [(9, True), (None, False)]
        assert made.sh("kill -9 $$").oom is False
        made.launcher.close()
        launch_house.until(lambda: not (group / "tasks").read_text())
    finally:
        home.write_text(str(os.getpid()))
        group.rmdir()


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="started at once"),
        pytest.param({"nice": 1}, id="started by a fork"),
        pytest.param({"hidden": ("canary-in-the-mine",)}, id="its supervisor writes to it"),
    ],
)
class TestAPipeThatNobodyReads:
    """The job waits for a reader, never its supervisor."""

    @pytest.fixture
    def pipe(self, tmp_path: Path) -> Path:
        os.mkfifo(tmp_path / "pipe")
        return tmp_path / "pipe"

    @pytest.mark.parametrize("name", ["stdout", "stderr"])
    def test_ends_with_the_timeout(self, house: House, pipe: Path, fields: dict[str, Any], name: str) -> None:
        stream = {name: Stream(kind="append", path=str(pipe))}
        result = house.run("/bin/echo", "hello", timeout=timedelta(seconds=0.5), **stream, **fields)
        assert (result.timed_out, result.cancelled, result.exit_code) == (True, None, None)
        assert result.error == f"could not start: nobody reads {pipe}, the pipe for its {name}"

    def test_ends_when_it_is_cancelled(self, house: House, pipe: Path, fields: dict[str, Any]) -> None:
        run = house.start("/bin/echo", "hello", stdout=Stream(kind="append", path=str(pipe)), **fields)
        until(lambda: house.file(run, "claim").exists())
        house.launcher.stop_run(run, "enough")
        result = house.result(run)
        assert (result.cancelled, result.exit_code) == ("enough", None)

    def test_is_written_to_once_somebody_does(
        self, house: House, pipe: Path, tmp_path: Path, fields: dict[str, Any]
    ) -> None:
        kinds = {"stdout": "append", "stderr": "truncate"}
        streams = {name: Stream(kind=kind, path=str(pipe)) for name, kind in kinds.items()}
        waited = timedelta(seconds=60)
        run = house.start("/bin/sh", "-c", "echo hello; echo you >&2", timeout=waited, **streams, **fields)
        assert pipe.read_bytes() == b"hello\nyou\n"
        assert house.result(run).exit_code == 0
        assert house.notice("started", run)
