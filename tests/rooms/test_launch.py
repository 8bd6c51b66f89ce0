"""A request becomes a run with a result, and exactly one notice says so."""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jarvis.errors import LaunchError
from jarvis.handling import launch, request, rundir
from tests.rooms import launch_house
from tests.rooms.launch_house import House, until


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with launch_house.house(tmp_path / "runs") as made:
        yield made


def test_a_run_is_started_ended_and_recorded_in_that_order(house: House) -> None:
    before = datetime.now(UTC)
    result = house.sh("echo hello; echo world >&2; exit 3")
    assert (result.exit_code, result.signal, result.error, result.timed_out) == (3, None, None, False)
    assert before <= result.started_at <= result.ended_at <= datetime.now(UTC)
    assert house.output(1) == b"hello\nworld\n"
    assert result.output_bytes == 12
    assert [one.kind for one in house.heard] == ["started", "ended"]
    assert house.heard[0].pid in [pid for pid, _ in rundir.read_claim(house.runs, 1).children]  # type: ignore[union-attr]


def test_a_claim_says_who_took_what_and_when(house: House) -> None:
    run = house.start("/bin/sleep", "60")
    house.notice("started", run)
    finding = house.launcher.find(run)
    assert isinstance(finding, launch.Alive)
    claim = finding.claim
    assert (claim.job, claim.fire, claim.attempt) == ("job", "manual:1", 1)
    assert claim.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert claim.pid in house.supervisors()
    assert house.file(run, "claim").parent.stat().st_mode & 0o777 == 0o700
    house.launcher.stop_run(run, "enough")
    assert house.result(run).cancelled == "enough"


def test_a_run_that_was_never_launched_has_no_claim(house: House) -> None:
    assert house.launcher.find(77) == launch.NeverStarted()


def test_a_program_killed_by_a_signal_is_not_taken_for_our_doing(house: House) -> None:
    result = house.sh("kill -SEGV $$")
    assert (result.exit_code, result.signal, result.oom, result.timed_out) == (None, 11, False, False)


@pytest.mark.parametrize(
    ("argv", "fields", "sentence", "code"),
    [
        pytest.param(
            ["/no/such/thing"], {}, "could not start: no such file: /no/such/thing", 127, id="no such file"
        ),
        pytest.param(
            ["nosuchthing"],
            {},
            "could not start: no such program: nosuchthing is not in PATH",
            127,
            id="not in PATH",
        ),
        pytest.param(
            ["/etc/passwd"], {}, "could not start: permission denied: /etc/passwd", 126, id="not executable"
        ),
        pytest.param(
            ["true"],
            {"cwd": "/no/folder"},
            "could not start: cwd /no/folder does not exist",
            126,
            id="no cwd",
        ),
        pytest.param(
            ["true"],
            {"cwd": "/etc/passwd"},
            "could not start: cannot enter cwd /etc/passwd",
            126,
            id="cwd is a file",
        ),
        pytest.param(["t\0rue"], {}, "could not start: ", 126, id="a NUL in a name"),
        pytest.param(
            ["true"],
            {"stdout": launch.Stream(kind="append", path="/no/folder/log")},
            "could not start: cannot open /no/folder/log for stdout: no such file",
            126,
            id="no folder for the output",
        ),
        pytest.param(
            ["/no/such/thing"],
            {"nice": 5},
            "could not start: no such file: /no/such/thing",
            127,
            id="no such file, niced",
        ),
        pytest.param(
            ["true"],
            {"limits": {"nofile": 10**9}},
            "could not start: cannot set limits: nofile",
            126,
            id="limit",
        ),
    ],
)
def test_what_cannot_start_says_why_in_a_sentence(
    house: House, argv: list[str], fields: dict[str, Any], sentence: str, code: int
) -> None:
    result = house.run(*argv, **fields)
    assert result.error is not None
    assert result.error.startswith(sentence)
    assert (result.exit_code, result.signal) == (code, None)
    assert [one.kind for one in house.heard] == ["ended"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("#!/no/interpreter\n", "the interpreter in the first line of"), ("\x01\x02", "is not a program")],
    ids=["its interpreter is missing", "it has no first line"],
)
def test_a_script_that_cannot_run_says_why(house: House, tmp_path: Path, text: str, sentence: str) -> None:
    script = tmp_path / "script"
    script.write_text(text)
    script.chmod(0o755)
    result = house.run(str(script))
    assert result.error is not None
    assert sentence in result.error


def test_a_program_is_found_by_the_path_of_the_job(house: House, tmp_path: Path) -> None:
    script = tmp_path / "greet"
    script.write_text("#!/bin/sh\necho found\n")
    script.chmod(0o755)
    run = house.start("greet", env={"PATH": str(tmp_path)})
    assert house.result(run).exit_code == 0
    assert house.output(run) == b"found\n"


def test_the_environment_is_the_given_one_and_the_folder_of_the_run(house: House) -> None:
    run = house.start("/usr/bin/env", env={"GREETING": "grüß \udcff"})
    house.result(run)
    lines = dict(line.split(b"=", 1) for line in house.output(run).splitlines())
    assert lines[b"GREETING"] == "grüß ".encode() + b"\xff"
    assert lines[b"JARVIS_RUN_DIR"] == os.fsencode(house.runs / "0" / str(run))
    assert set(lines) == {b"PATH", b"HOME", b"GREETING", b"JARVIS_RUN_ID", b"JARVIS_RUN_DIR"}


def test_standard_input_is_empty_unless_given(house: House) -> None:
    run = house.start("/bin/sh", "-c", "cat; readlink /proc/$$/fd/0; ls /proc/$$/fd | tr '\\n' ' '")
    assert house.result(run).exit_code == 0
    # nothing but the three standard files is open in a job
    assert house.output(run) == b"/dev/null\n0 1 2 "


@pytest.mark.parametrize("field", ["stdin", "payload"])
def test_a_given_text_reaches_standard_input_and_no_disk(house: House, field: str) -> None:
    text = "öffne dich " * 40_000
    run = house.start("/usr/bin/wc", "-c", **{field: text})
    house.result(run)
    assert int(house.output(run)) == len(text.encode())
    for file in house.file(run, "claim").parent.iterdir():
        assert b"ffne" not in file.read_bytes()


def test_a_text_nobody_reads_does_not_hold_the_run(house: House) -> None:
    assert house.run("/bin/true", stdin="x" * 1_000_000).exit_code == 0


STEP = request.StepRequest


@pytest.mark.parametrize(
    ("before", "main", "after", "written", "code", "step"),
    [
        pytest.param(["echo b"], "echo m", ["echo a"], b"b\nm\na\n", 0, None, id="all go well"),
        pytest.param(
            ["echo b; exit 4"], "echo m", ["echo a"], b"b\n", 4, "before 1", id="a before step fails"
        ),
        pytest.param(["exit 1", "-exit 2"], "echo m", [], b"", 1, "before 1", id="the first failure decides"),
        pytest.param(["-exit 4", "echo b"], "echo m", [], b"b\nm\n", 0, None, id="a failure that may be"),
        pytest.param(
            [], "echo m; exit 5", ["echo a"], b"m\n", 5, None, id="no after step when the program fails"
        ),
        pytest.param([], "echo m; exit 75", ["echo a"], b"m\na\n", 75, None, id="after a success code"),
        pytest.param([], "echo m", ["exit 6", "echo a"], b"m\n", 6, "after 1", id="an after step fails"),
        pytest.param([], "echo m", ["-exit 6", "echo a"], b"m\na\n", 0, None, id="an after step may fail"),
    ],
)
def test_steps(
    house: House, before: list[str], main: str, after: list[str], written: bytes, code: int, step: str | None
) -> None:
    def steps(texts: list[str]) -> tuple[launch.StepRequest, ...]:
        return tuple(
            STEP(argv=("/bin/sh", "-c", text.removeprefix("-")), ignore_failure=text.startswith("-"))
            for text in texts
        )

    run = house.start("/bin/sh", "-c", main, before=steps(before), after=steps(after), success_codes=(0, 75))
    result = house.result(run)
    assert (house.output(run), result.exit_code) == (written, code)
    assert (result.step or "").startswith(step or "")
    assert (result.step is None) == (step is None)


def test_a_step_that_cannot_start_is_named(house: House) -> None:
    result = house.run("/bin/true", before=(STEP(argv=("/no/such", "step")),))
    assert result.step == "before 1: /no/such step"
    assert result.error is not None and "no such file: /no/such" in result.error


def test_a_step_that_may_fail_may_also_be_missing(house: House) -> None:
    result = house.run("/bin/true", before=(STEP(argv=("/no/such",), ignore_failure=True),))
    assert (result.exit_code, result.error, result.step) == (0, None, None)


def test_only_the_program_gets_the_standard_input(house: House) -> None:
    run = house.start(
        "/bin/cat", stdin="text", before=(STEP(argv=("/bin/cat",)),), after=(STEP(argv=("/bin/cat",)),)
    )
    house.result(run)
    assert house.output(run) == b"text"


def test_steps_and_program_share_one_timeout(house: House) -> None:
    """None of the steps takes half a second, nor does the program; all of them take three at least."""
    sleep = STEP(argv=("/bin/sleep", "0.1"))
    result = house.run("/bin/true", before=(sleep,) * 30, timeout=timedelta(seconds=0.5))
    assert result.timed_out
    assert (result.step or "").startswith("before ")


def test_a_large_batch_with_large_requests_does_not_deadlock(house: House) -> None:
    """The notices of the first runs come while most of the requests are still on their way."""
    requests = [house.request("/bin/true", env={"BLOB": "x" * 100_000}) for _ in range(150)]
    house.launcher.launch(requests)
    assert {house.result(one.run).exit_code for one in requests} == {0}


def test_a_notice_may_launch_and_find(tmp_path: Path) -> None:
    done = threading.Event()
    said: list[str] = []

    def notify(notice: launch.Notice) -> None:
        if notice.kind == "ended":
            said.append(type(launcher.find(notice.run)).__name__)
            if notice.run == 5:
                done.set()
            else:
                launcher.launch([made.request("/bin/true", run=notice.run + 1)])

    made = House(tmp_path / "runs")
    launcher = launch.Launcher(runs=tmp_path / "runs", notify=notify)
    launcher.start()
    launcher.launch([made.request("/bin/true", run=1)])
    assert done.wait(launch_house.PATIENCE)
    launcher.close()
    assert said == ["Finished"] * 5


def test_an_error_in_notify_does_not_end_the_listening(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ended = threading.Semaphore(0)

    def notify(notice: launch.Notice) -> None:
        if notice.kind == "ended":
            ended.release()
        raise RuntimeError("a fault elsewhere")

    launcher = launch.Launcher(runs=tmp_path / "runs", notify=notify)
    launcher.start()
    made = House(tmp_path / "runs")
    launcher.launch([made.request("/bin/true") for _ in range(3)])
    assert all(ended.acquire(timeout=launch_house.PATIENCE) for _ in range(3))
    launcher.close()
    assert "could not be passed on" in caplog.text


def test_a_double_start_runs_once_and_ends_once(house: House, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    one = house.request("/bin/sh", "-c", f"echo run >> {mark}; sleep 0.2")
    house.launcher.launch([one, one, one])
    house.result(one.run)
    house.run("/bin/true")
    assert mark.read_text() == "run\n"
    assert [notice.kind for notice in house.heard if notice.run == one.run] == ["started", "ended"]


def held() -> set[object]:
    """The threads of this process, and its descriptors with what they are."""
    found: set[object] = set(threading.enumerate())
    for fd in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the one that was listed through
            found.add((fd, os.readlink(f"/proc/self/fd/{fd}")))
    return found


def test_three_hundred_runs_leave_no_descriptor_thread_or_process_behind(house: House) -> None:
    house.run("/bin/true")
    gc.collect()
    before = held()
    requests = [house.request("/bin/sh", "-c", "echo x; exit 0") for _ in range(300)]
    house.launcher.launch(requests)
    assert {house.result(one.run).exit_code for one in requests} == {0}
    assert held() - before == set()
    until(lambda: not house.supervisors())
    assert len(house.heard) == 602


def test_an_idle_supervisor_keeps_nothing_of_the_run_before(house: House, tmp_path: Path) -> None:
    def clean(pid: int) -> bool:
        if not Path(f"/proc/{pid}").exists():
            return True
        try:
            targets = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        except FileNotFoundError:  # closed while it was looked at
            return False
        return os.readlink(f"/proc/{pid}/cwd") == "/" and not any(str(tmp_path) in one for one in targets)

    log = launch.Stream(kind="append", path=str(tmp_path / "log"))
    script = "umask; cd; yes | head -c 300000; echo $-"
    for _ in range(50):  # an idle one is not kept for long
        house.sh(script, cwd=str(tmp_path), umask=0o007, stdin="text", cap=1_000)
        house.sh("echo", stdout=log, stderr=log)
        pids = house.supervisors()
        until(lambda pids=pids: all(clean(pid) for pid in pids))
        run = house.start("/bin/sh", "-c", "umask")
        house.result(run)
        claim = rundir.read_claim(house.runs, run)
        if claim and claim.pid in pids:
            break
    assert claim and claim.pid in pids, "of fifty runs none went to an idle supervisor"
    umask = os.umask(0)
    os.umask(umask)
    assert int(house.output(run), 8) == umask


def test_no_run_is_lost_when_a_supervisor_has_served_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "spawner.py"
    folder = str(Path(launch.__file__).parent)
    lines = [
        f"sys.path[0] = {folder!r}",
        "import shift, spawner",
        "shift.RUNS_EACH = 3",
        "spawner.main(*sys.argv[1:])",
    ]
    script.write_text("\n".join(["import sys", *lines]))
    monkeypatch.setattr("jarvis.handling.link.SCRIPT", script)
    with launch_house.house(tmp_path / "runs") as house:
        for _ in range(15):
            house.launcher.launch([house.request("/bin/true"), house.request("/bin/true")])
            house.run("/bin/true")
        assert {house.result(run).exit_code for run in range(1, 46)} == {0}
        assert sorted(one.run for one in house.heard if one.kind == "ended") == list(range(1, 46))
        pids = {claim.pid for run in range(1, 46) if (claim := rundir.read_claim(house.runs, run))}
    assert 15 <= len(pids) < 45


def test_a_request_that_cannot_be_read_is_its_own_affair(house: House) -> None:
    bad = house.request("/bin/true")
    object.__setattr__(bad, "stdout", launch.Stream(kind="nonsense", path=None))  # type: ignore[arg-type]
    house.launcher.launch([bad, house.request("/bin/true")])
    assert house.result(2).exit_code == 0
    assert "please report this" in (house.result(1).error or "")


def test_without_python_the_launcher_says_what_is_missing(tmp_path: Path) -> None:
    launcher = launch.Launcher(runs=tmp_path / "runs", notify=print, python="/no/python")
    gc.collect()
    before = held()
    with pytest.raises(LaunchError, match="cannot start the spawner with /no/python"):
        launcher.start()
    assert held() - before == set()


def test_a_spawner_that_never_gets_ready_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="did not get ready"):
        launch.Launcher(runs=tmp_path / "runs", notify=print, python="/bin/true").start()


def test_the_spawner_imports_nothing_of_jarvis_and_nothing_heavy(house: House) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import spawner; "
        "print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    run = house.start(
        sys.executable,
        "-S",
        "-E",
        "-s",
        "-c",
        script,
        str(Path(launch.__file__).parent),
        stderr=launch.Stream(kind="discard"),
    )
    house.result(run)
    loaded = set(json.loads(house.output(run).decode().replace("'", '"')))
    assert not loaded & {
        "jarvis",
        "logging",
        "subprocess",
        "asyncio",
        "threading",
        "dataclasses",
        "pathlib",
        "inspect",
    }


def test_resources_are_counted(house: House) -> None:
    result = house.run(sys.executable, "-c", "x = bytearray(60_000_000); sum(range(2_000_000))")
    assert result.max_rss_kb > 60_000
    assert timedelta() < result.cpu < timedelta(seconds=10)
