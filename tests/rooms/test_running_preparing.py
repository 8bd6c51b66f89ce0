"""Does the job get what its fields promise? Asked of the job itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jarvis.config import secrets
from jarvis.core.job import load
from jarvis.core.run import Status
from jarvis.errors import LaunchError
from jarvis.running import preparing
from tests.rooms.running_house import Running, running

ASKED = "import os; print(os.sched_getscheduler(0) == os.SCHED_{})"
JOBS = f"""
    settings: {{nice: 5}}
    jobs:
      here: {{command: pwd}}
      there: {{command: pwd, cwd: sub}}
      at-home: {{command: pwd, cwd: "~"}}
      nowhere: {{command: pwd, cwd: absent}}

      shell: {{command: 'echo "${{BASH_VERSION:+bash}}"'}}
      bash:
        command: 'echo "${{BASH_VERSION:+bash}}"'
        process: {{shell: /bin/bash}}
        before: [{{command: 'echo "step ${{BASH_VERSION:+bash}}"'}}]
      words: {{command: [printf, "%s|", "two words", "$HOME", "*"]}}
      login:
        command: 'echo "$FROM_PROFILE"'
        env: {{HOME: "${{ROOM_HOME}}"}}
        process: {{login_shell: true}}
      no-login: {{command: 'echo "$FROM_PROFILE"', env: {{HOME: "${{ROOM_HOME}}"}}}}

      told: {{command: cat, stdin: "two\\nlines, no end"}}
      told-secret: {{command: 'read word; test "$word" = sesame && echo heard', stdin: !secret env:ROOM_WORD}}
      untold: {{command: wc -c}}
      telling:
        command: 'cat; echo " $WORD, far away"'
        stdin: !secret env:ROOM_WORD
        env: {{WORD: !secret env:ROOM_OTHER}}

      appending: {{command: 'echo out; echo err >&2', output: {{stdout: "append:log/both", stderr: "append:log/both"}}}}
      truncating: {{command: 'echo $JARVIS_RUN_ID', output: {{stdout: "truncate:log/last"}}}}
      truncating-errors: {{command: 'echo $JARVIS_RUN_ID >&2; echo out', output: {{stderr: "truncate:log/error"}}}}
      in-folder: {{command: echo x, cwd: sub, output: {{stdout: "append:mine"}}}}
      no-out: {{command: 'echo out; echo err >&2', output: {{stdout: discard}}}}
      no-err: {{command: 'echo out; echo err >&2', output: {{stderr: discard}}}}
      long: {{command: 'echo first; yes | head -c 100000; echo last', output: {{cap: 10kB}}}}

      three-is-fine: {{command: 'exit $JARVIS_WITH_CODE', success_codes: [0, 3]}}
      zero-is-not: {{command: 'exit $JARVIS_WITH_CODE', success_codes: [3]}}

      steps:
        before: [{{command: echo before}}, {{command: [echo, also before]}}]
        command: echo now
        after: [{{command: echo after}}]
      blocked:
        before: [{{command: exit 4}}]
        command: echo now
        after: [{{command: echo after}}]
      forgiven:
        before: [{{command: exit 4, ignore_failure: true}}]
        command: echo now
        after: [{{command: exit 5, ignore_failure: true}}]
      spoiled: {{command: echo now, after: [{{command: exit 6}}]}}
      after-failure: {{command: exit 7, after: [{{command: echo after}}]}}

      umask: {{command: 'umask; touch made; ls -l made', process: {{umask: "077"}}}}
      nice: {{command: nice, process: {{nice: 10}}}}
      nice-by-default: {{command: nice}}
      not-nice: {{command: nice, process: {{nice: 0}}}}
      io-idle: {{command: ionice, process: {{io: idle}}}}
      io-six: {{command: ionice, process: {{io: "best-effort:6"}}}}
      batch: {{command: [{sys.executable}, -c, {ASKED.format("BATCH")!r}], process: {{cpu: batch}}}}
      cpu-idle: {{command: [{sys.executable}, -c, {ASKED.format("IDLE")!r}], process: {{cpu: idle}}}}
      limits:
        command: 'ulimit -n; ulimit -c; ulimit -f'
        process: {{limits: {{nofile: 123, core: 0, fsize: unlimited}}}}

      awake: {{command: [echo, two words], keep_awake: true}}
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("preparing")
    (folder / "sub").mkdir()
    (folder / "log").mkdir()
    (folder / "home").mkdir()
    (folder / "home" / ".profile").write_text("export FROM_PROFILE=yes\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROOM_WORD", "sesame")
        patch.setenv("ROOM_HOME", str(folder / "home"))
        with running(folder, JOBS) as opened:
            yield opened


def test_a_job_starts_in_the_folder_of_jobs_yaml_or_its_own(house: Running) -> None:
    assert house.prints("here").strip() == str(house.folder)
    assert house.prints("there").strip() == str(house.folder / "sub")
    assert house.prints("at-home").strip() == str(Path.home())


def test_a_folder_that_is_not_there_is_named(house: Running) -> None:
    run = house.finish("nowhere")
    assert run.status is Status.FAILED
    assert run.reason is not None and str(house.folder / "absent") in run.reason


@pytest.mark.needs("bash")
def test_a_text_and_the_steps_go_to_the_shell_the_job_names(house: Running) -> None:
    assert house.prints("bash") == "step bash\nbash\n"


def test_a_list_of_words_meets_no_shell(house: Running) -> None:
    assert house.prints("words") == "two words|$HOME|*|"


@pytest.mark.parametrize(("job", "said"), [("login", "yes\n"), ("no-login", "\n")], ids=str)
def test_only_a_login_shell_reads_the_profile(house: Running, job: str, said: str) -> None:
    assert house.prints(job) == said


def test_standard_input_is_what_the_job_says(house: Running) -> None:
    assert house.prints("told") == "two\nlines, no end"
    assert house.prints("untold").strip() == "0"


def test_standard_input_may_be_a_secret_that_is_read_at_the_start(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert house.prints("told-secret") == "heard\n"
    monkeypatch.delenv("ROOM_WORD")
    run = house.finish("told-secret")
    assert run.status is Status.FAILED
    assert run.reason is not None and "ROOM_WORD" in run.reason


def test_secrets_from_anywhere_are_not_in_what_is_kept(
    house: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOM_OTHER", "open up")
    monkeypatch.setenv("ROOM_THIRD", "far away")
    assert house.prints("telling") == "[secret] [secret], far away\n"
    run = house.finish("telling", place={"$secret": "env:ROOM_THIRD"})
    assert house.said(run) == "[secret] [secret], [secret]\n"


def test_output_can_be_appended_to_a_file(house: Running) -> None:
    runs = [house.finish("appending") for _ in range(2)]
    assert (house.folder / "log" / "both").read_text().split() == ["out", "err"] * 2
    assert [house.said(run) for run in runs] == ["", ""]


def test_output_can_replace_what_a_file_held(house: Running) -> None:
    runs = [house.finish("truncating") for _ in range(2)]
    assert (house.folder / "log" / "last").read_text() == f"{runs[-1].id}\n"


def test_errors_go_their_own_way(house: Running) -> None:
    runs = [house.finish("truncating-errors") for _ in range(2)]
    assert (house.folder / "log" / "error").read_text() == f"{runs[-1].id}\n"
    assert house.said(runs[-1]) == "out\n"


def test_a_file_for_output_lies_in_the_folder_of_the_job(house: Running) -> None:
    assert house.finish("in-folder").status is Status.SUCCEEDED
    assert (house.folder / "sub" / "mine").read_text() == "x\n"


@pytest.mark.parametrize(("job", "said"), [("no-out", "err\n"), ("no-err", "out\n")], ids=str)
def test_output_can_be_thrown_away(house: Running, job: str, said: str) -> None:
    assert house.prints(job) == said


def test_of_long_output_the_beginning_and_the_end_are_kept(house: Running) -> None:
    run = house.finish("long")
    said = house.said(run)
    assert run.output_bytes == 100_000 + len("first\nlast\n")
    assert 0 < run.output_bytes - run.output_dropped <= 10_000
    assert said.startswith("first\ny\n") and said.endswith("y\nlast\n")
    assert len(said) < 11_000


@pytest.mark.parametrize(
    ("job", "code", "status"),
    [
        pytest.param("three-is-fine", 0, Status.SUCCEEDED, id="one of them"),
        pytest.param("three-is-fine", 3, Status.SUCCEEDED, id="another of them"),
        pytest.param("three-is-fine", 4, Status.FAILED, id="none of them"),
        pytest.param("zero-is-not", 3, Status.SUCCEEDED, id="the only one"),
        pytest.param("zero-is-not", 0, Status.FAILED, id="zero when it is not among them"),
    ],
)
def test_the_exit_codes_that_count_as_success(house: Running, job: str, code: int, status: Status) -> None:
    run = house.finish(job, code=code)
    assert (run.status, run.exit_code) == (status, code)
    assert run.reason == (None if status is Status.SUCCEEDED else f"exit code {code}")


@pytest.mark.parametrize(
    ("job", "status", "reason", "said"),
    [
        ("steps", Status.SUCCEEDED, None, ["before", "also", "before", "now", "after"]),
        pytest.param(
            "blocked",
            Status.FAILED,
            "step before 1: /bin/sh -c exit 4 failed: exit code 4",
            [],
        ),
        ("forgiven", Status.SUCCEEDED, None, ["now"]),
        ("spoiled", Status.FAILED, "step after 1: /bin/sh -c exit 6 failed: exit code 6", ["now"]),
        ("after-failure", Status.FAILED, "exit code 7", []),
    ],
    ids=str,
)
def test_steps_before_and_after(
    house: Running, job: str, status: Status, reason: str | None, said: list[str]
) -> None:
    run = house.finish(job)
    assert (run.status, run.reason, house.said(run).split()) == (status, reason, said)


def test_new_files_do_not_get_what_the_umask_takes(house: Running) -> None:
    mask, listed = house.prints("umask").splitlines()
    assert int(mask, 8) == 0o077
    assert listed.startswith("-rw-------")


@pytest.mark.parametrize(("job", "niceness"), [("nice", 10), ("nice-by-default", 5)], ids=str)
def test_a_job_is_as_nice_as_it_says_or_as_the_settings_say(house: Running, job: str, niceness: int) -> None:
    assert int(house.prints(job)) == niceness


def test_a_job_may_be_less_nice_than_the_settings_say(house: Running) -> None:
    assert int(house.prints("not-nice")) == 0


@pytest.mark.needs("ionice")
def test_the_input_output_priority(house: Running) -> None:
    assert house.prints("io-idle").strip() == "idle"
    assert house.prints("io-six").strip() == "best-effort: prio 6"


@pytest.mark.needs("linux")
@pytest.mark.parametrize("job", ["batch", "cpu-idle"])
def test_the_scheduling_class(house: Running, job: str) -> None:
    assert house.prints(job) == "True\n"


def test_limits_hold_inside_the_job(house: Running) -> None:
    assert house.prints("limits").split() == ["123", "0", "unlimited"]


@pytest.mark.needs("root", "linux")
@pytest.mark.parametrize(
    ("process", "said"),
    [
        pytest.param("{user: nobody}", ["nobody", "nogroup"], id="a user with its own group"),
        pytest.param("{user: nobody, group: daemon}", ["nobody", "daemon"], id="a user and a group"),
        pytest.param("{group: daemon}", ["root", "daemon"], id="a group"),
        pytest.param("{user: root}", ["root", "root"], id="who we are anyway"),
    ],
)
def test_a_job_runs_as_the_user_and_group_it_names(tmp_path: Path, process: str, said: list[str]) -> None:
    jobs = f"jobs: {{who: {{command: 'id -un; id -gn; id -G', cwd: /, process: {process}}}}}"
    with running(tmp_path, jobs) as house:
        user, group, groups = house.prints("who").splitlines()
    assert [user, group] == said
    assert user == "root" or "0" not in groups.split(), "no group of root is left"


INHIBIT = """\
#!/bin/sh
for word; do echo "$word"; done > "$(dirname "$0")/asked"
while [ "${1#--}" != "$1" ]; do shift; done
exec "$@"
"""


@pytest.fixture
def inhibitor(house: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A program of that name, first on the path."""
    folder = house.folder / "bin"
    folder.mkdir(exist_ok=True)
    program = folder / "systemd-inhibit"
    program.write_text(INHIBIT)
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    yield program
    program.unlink(missing_ok=True)


@pytest.mark.needs("linux")
def test_the_machine_is_kept_awake_while_the_job_runs(house: Running, inhibitor: Path) -> None:
    assert house.prints("awake") == "two words\n"
    assert (inhibitor.parent / "asked").read_text().splitlines() == [
        "--what=sleep:idle",
        "--who=jarvis",
        "--why=job awake is running",
        "--mode=block",
        "echo",
        "two words",
    ]


@pytest.mark.needs("linux")
def test_a_machine_that_cannot_be_kept_awake_says_what_is_missing(
    house: Running, inhibitor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inhibitor.unlink()
    monkeypatch.setenv("PATH", str(inhibitor.parent))
    run = house.finish("awake")
    assert run.status is Status.FAILED
    assert run.reason == "keep_awake needs systemd-inhibit, which is not on this machine; remove keep_awake"


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"user": "nobody-of-that-name"}, id="a user"),
        pytest.param({"group": "no-group-of-that-name"}, id="a group"),
    ],
)
def test_who_is_not_known_here_is_named(house: Running, fields: dict[str, Any]) -> None:
    """jobs.yaml is checked for it too; an account may also go later."""
    body = {"command": "true", "process": fields}
    (name,) = fields.values()
    gone = load("here", body, python=False)
    row = house.row(house.finish("here").id)
    with pytest.raises(LaunchError, match=f"{name}.*name a user and group of this machine"):
        preparing.request(row, gone, house.app.catalogue, house.app.place, memory={}, now=row.queued_at)


def test_the_secrets_of_channels_are_looked_for_once_in_each_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = """
        alerts: {channels: {phone: {url: !secret env:PHONE_URL}}}
        jobs:
          show: {command: 'echo "<$PHONE_URL$DESK_URL>"'}
    """
    monkeypatch.setenv("PHONE_URL", "json://one")
    monkeypatch.setenv("DESK_URL", "json://two")
    asked: list[object] = []
    looking = secrets.references
    monkeypatch.setattr(secrets, "references", lambda written: asked.append(written) or looking(written))
    with running(tmp_path, jobs) as house:
        asked.clear()
        assert [house.prints("show") for _ in range(3)] == ["<json://two>\n"] * 3
        assert len([one for one in asked if isinstance(one, dict) and "channels" in one]) == 1, (
            "once, not at each run"
        )
        house.edit(jobs.replace("PHONE_URL}", "DESK_URL}"))
        house.app.reload(confirm=True)
        assert house.prints("show") == "<json://one>\n", "and again after an edit"
