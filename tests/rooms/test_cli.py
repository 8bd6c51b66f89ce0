"""What does a person see who types ``jarvis …``, and what does the shell hear?"""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from jarvis.cli import main as cli
from jarvis.cli import show
from jarvis.control import daemon, presence, tail
from jarvis.errors import AlreadyRunning
from tests.rooms.control_house import JOBS, PATIENCE, House

AGO = "(now|.+ ago)"
Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Type a command; exit code, stdout, stderr."""

    def say(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main(list(words))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return say


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    made = House(tmp_path, JOBS)
    monkeypatch.setenv("JARVIS_CONFIG", str(made.instance.config))
    monkeypatch.setenv("JARVIS_STATE", str(made.instance.state))
    with made.open():
        yield made


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("served"), JOBS).open() as opened:
        yield opened


@pytest.fixture
def resting(served: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """One for all tests that change nothing."""
    monkeypatch.setenv("JARVIS_CONFIG", str(served.instance.config))
    monkeypatch.setenv("JARVIS_STATE", str(served.instance.state))
    return served


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """An instance whose daemon does not run."""
    made = House(tmp_path, JOBS)
    monkeypatch.setenv("JARVIS_CONFIG", str(made.instance.config))
    monkeypatch.setenv("JARVIS_STATE", str(made.instance.state))
    return made


def test_the_version_is_told_without_loading_anything() -> None:
    code = "import sys; from jarvis.cli.main import main; main(['--version']); print('click' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"jarvis \d+\.\d+\.\d+\nFalse\n", told.stdout)


def test_the_list_of_jobs_is_a_table(house: House, say: Say) -> None:
    house.run("broken-leg")
    code, out, err = say("jobs", "list")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert (code, err) == (0, "")
    assert lines["JOB"].split() == ["JOB", "STATE", "SCHEDULE", "NEXT", "LAST"]
    assert re.search(
        r"active +every 28d +in \d+ (s|min|h|d) +failed (now|.+ ago): exit code 3", lines["broken-leg"]
    )
    assert "30 2 * * *" in lines["nightly"]
    assert "\033" not in out


def test_json_is_the_answer_of_the_verb(house: House, say: Say) -> None:
    for words in (
        ("jobs", "list", "greet", "--json"),
        ("--json", "jobs", "list", "greet"),
        ("jobs", "--json", "list", "greet"),
    ):
        code, out, _err = say(*words)
        assert (code, [one["name"] for one in json.loads(out)]) == (0, ["greet"])
    assert json.loads(say("status", "--json")[1])["running"] is True


def test_one_job_and_one_run_tell_their_story(house: House, say: Say) -> None:
    run = house.run("greet", times="2")["id"]
    _code, out, _err = say("jobs", "show", "greet")
    assert re.search(r"^runs +greet$", out, re.MULTILINE)
    assert re.search(rf"^ +{run} +{AGO} +succeeded .* greeted you$", out, re.MULTILINE)
    _code, out, _err = say("runs", "show", str(run))
    assert re.search(r"^result +greeted you$", out, re.MULTILINE)
    assert re.search(r"^numbers +times 2$", out, re.MULTILINE)
    assert say("runs", "output", str(run)) == (0, "hello you\nhello you\n", "")
    _code, out, _err = say("runs", "list", "greet")
    assert re.search(rf"^ +{run} +greet +{AGO} +succeeded", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(("jobs", "show", "nigthly"), 1, "no job 'nigthly' (did you mean 'nightly'?)", id="an unknown job"),
        pytest.param(("runs", "show", "77"), 1, "no run 77 (there are none yet)", id="an unknown run"),
        pytest.param(("jobs", "lst"), 2, "no command 'lst' (did you mean 'list'?)", id="an unknown command"),
        pytest.param(("jobs", "list", "--al"), 2, "no such option '--al' (did you mean", id="an unknown option"),
        pytest.param(("jobs", "show"), 2, "missing argument 'NAME'", id="nothing named"),
        pytest.param(("runs", "show", "x"), 2, "'x' is not a whole number", id="no number"),
        pytest.param(("jobs", "run", "greet", "--with", "x"), 2, "'x' is not NAME=VALUE", id="no value"),
        pytest.param(("jobs", "run", "greet", "--with", "x:=["), 2, "what follows := is not JSON", id="no JSON"),
        pytest.param(("jobs", "run", "greet", "--with", "tmies=2"), 2, "did you mean 'times'", id="an unknown value"),
        pytest.param(("jobs", "resume", "hello"), 1, "hello is not paused", id="refused"),
        pytest.param(("jobs", "pause", "hello", "--for", "2"), 2, "'2' is not a duration; write", id="no duration"),
        pytest.param(("status", "--config", "/nowhere/jobs.yaml"), 2, "jobs.yaml: there is no such file", id="no file"),
        pytest.param(("next", "61 * * * *"), 2, "minute '61' is out of range", id="no schedule"),
    ],
)  # fmt: skip
def test_an_error_is_one_line_and_an_exit_code(
    resting: House, say: Say, words: tuple[str, ...], code: int, said: str
) -> None:
    found, out, err = say(*words)
    assert (found, out) == (code, "")
    assert err.startswith("jarvis: ")
    assert err.count("\n") == 1
    assert said in err


def test_a_job_is_run_and_followed_to_its_end(house: House, say: Say) -> None:
    code, out, _err = say("jobs", "run", "hello", "--with", "whom=you", "--wait", "--output")
    assert code == 0
    assert re.fullmatch(r"hello you\nRun 1 of hello succeeded in [\d.]+ s\n", out)
    code, out, _err = say("jobs", "run", "hello")
    assert (code, out) == (0, "Run 2 of hello is queued: 'jarvis runs show 2'.\n")


@pytest.mark.parametrize(
    ("job", "values", "code", "said"),
    [
        pytest.param("broken-leg", (), 1, "failed in .*: exit code 3", id="failed"),
        pytest.param("greet", ("whom=",), 9, "skipped in .*: nobody is there", id="skipped"),
    ],
)
def test_the_exit_code_says_how_the_run_ended(
    house: House, say: Say, job: str, values: tuple[str, ...], code: int, said: str
) -> None:
    options = [word for value in values for word in ("--with", value)]
    found, out, _err = say("jobs", "run", job, "--wait", *options)
    assert found == code
    assert re.search(said, out)


def test_waiting_follows_the_retries_too(house: House, say: Say) -> None:
    house.instance.config.write_text('jobs: {again: {command: "exit 5", retry: {times: 1, wait: 10ms}}}\n')
    assert say("reload", "--confirm")[0] == 0
    code, out, err = say("jobs", "run", "again", "--wait")
    assert (code, len(re.findall("failed in", out))) == (1, 2)
    assert "Attempt 2 is run 2" in err


def test_a_run_that_is_cancelled_while_it_is_waited_for_says_so(house: House, say: Say) -> None:
    def cancel() -> None:
        house.until(lambda: [one for one in house.ask("runs.list", job="long") if one["status"] == "running"])
        house.ask("runs.cancel", id=1, reason="enough")

    thread = threading.Thread(target=cancel)
    thread.start()
    code, out, _err = say("jobs", "run", "long", "--wait")
    thread.join()
    assert (code, "cancelled" in out, "enough" in out) == (7, True, True)


def test_jobs_are_paused_and_switched(house: House, say: Say) -> None:
    assert "hello is paused until " in say("jobs", "pause", "hello", "--for", "2h", "--reason", "works")[1]
    assert re.search(r"paused +every 28d +resumes in 2 h", say("jobs", "list", "hello")[1])
    assert re.match(r"hello goes on; next in ", say("jobs", "resume", "hello")[1])
    assert say("jobs", "disable", "hello")[1] == "hello is disabled.\n"
    assert say("jobs", "next", "hello")[1].splitlines()[-1] == "  No moment is to come."
    assert "hello is enabled; next in" in say("jobs", "enable", "hello")[1]


def test_status_is_for_people_and_for_the_shell(house: House, say: Say) -> None:
    code, out, _err = say("status")
    assert (code, "Jarvis is running and well" in out) == (0, True)
    house.app.troubles.note("ledger", "no space left", show.now())
    code, out, _err = say("status")
    assert (code, "ledger: no space left" in out) == (1, True)


def test_a_reload_tells_what_changed(house: House, say: Say) -> None:
    assert say("reload")[1] == "Nothing changed: 8 jobs.\n" or "Nothing changed: 8 jobs." in say("reload")[1]
    house.instance.config.write_text("jobs: {a: {command: x, evry: 1m}}\n")
    code, _out, err = say("reload")
    assert (code, "no field 'evry'" in err) == (2, True)


def test_runs_are_cancelled(house: House, say: Say) -> None:
    run = house.start("long")
    assert say("runs", "cancel", str(run))[1].startswith(f"Run {run} of long: told to stop")
    house.ended(run)


def test_output_is_followed_to_its_end(house: House, say: Say) -> None:
    run = house.start("long")

    def cancel() -> None:
        house.until(lambda: house.ask("runs.output", id=run)["text"])
        house.ask("runs.cancel", id=run)

    thread = threading.Thread(target=cancel)
    thread.start()
    assert say("runs", "output", str(run), "--follow") == (0, "begun\n", "")
    thread.join()


# Without a daemon.


def test_the_ledger_answers_and_says_that_it_does(away: House, say: Say) -> None:
    with away.open():
        away.run("hello")
    code, out, err = say("jobs", "list")
    assert (code, err) == (0, "Jarvis is not running; this is what the ledger says.\n")
    assert re.search(r"hello .*succeeded", out)
    code, out, _err = say("status")
    assert (code, out.splitlines()[0]) == (4, "Jarvis is not running. Start it with 'jarvis up'.")


def test_before_the_first_start_jobs_yaml_answers(away: House, say: Say) -> None:
    code, out, err = say("jobs", "list")
    assert (code, err, "nightly" in out) == (0, "Jarvis is not running; this is what jobs.yaml says.\n", True)
    code, _out, err = say("runs", "list")
    assert (code, "there is no ledger" in err) == (5, True)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("jobs", "pause", "hello"), id="pause"),
        pytest.param(("runs", "cancel", "1"), id="cancel"),
        pytest.param(("reload",), id="reload"),
        pytest.param(("down",), id="down"),
    ],
)
def test_what_needs_a_daemon_exits_with_four(away: House, say: Say, words: tuple[str, ...]) -> None:
    code, _out, err = say(*words)
    assert (code, "Jarvis is not running for" in err) == (4, True)


def test_a_daemon_that_holds_the_lock_and_does_not_answer_is_told_as_such(away: House, say: Say) -> None:
    with away.open():
        pass
    with daemon.locked(away.instance):
        code, out, _err = say("status")
    assert (code, f"Jarvis (pid {os.getpid()}) holds this instance and does not answer" in out) == (4, True)


def test_who_asks_whether_a_daemon_runs_keeps_none_from_starting(away: House) -> None:
    with daemon.locked(away.instance):
        pass
    asking = os.open(away.instance.lock, os.O_RDWR)
    fcntl.flock(asking, fcntl.LOCK_EX | fcntl.LOCK_NB)
    answered = threading.Timer(0.1, os.close, [asking])
    answered.start()
    with daemon.locked(away.instance):
        assert presence.held(away.instance)
    answered.join()


def test_a_daemon_without_a_pid_file_holds_its_instance_all_the_same(away: House) -> None:
    with daemon.locked(away.instance):
        away.instance.pid.unlink()
        with pytest.raises(AlreadyRunning, match="its pid file cannot be read"), daemon.locked(away.instance):
            pytest.fail("two hold one instance")


def test_check_exits_with_two_on_problems(away: House, say: Say, tmp_path: Path) -> None:
    code, out, _err = say("check")
    assert (code, "jobs.yaml is in order: 8 jobs, 1 doubt." in out) == (0, True)
    assert re.search(r"nightly +command +At 02:30 every day \(Europe/London\)", out)
    bad = tmp_path / "bad.yaml"
    bad.write_text("jobs: {a: {crn: '* * * * *', command: x}, b: {every: 5, command: y}}\n")
    code, out, _err = say("check", str(bad))
    assert (code, out.count("problem: ")) == (2, 2)
    assert "bad.yaml:1:12: a: no field 'crn' (did you mean 'cron'?)" in out


def test_a_start_is_rehearsed(away: House, say: Say) -> None:
    code, out, _err = say("up", "--dry-run")
    assert (
        code,
        re.search(r"^nightly +At 02:30 every day.* +in \d+ (s|min|h)$", out, re.MULTILINE) is not None,
    ) == (0, True)
    assert "added: broken-leg, " in out
    assert not away.instance.ledger.exists()
    away.instance.config.write_text("jobs: {a: {crn: '* * * * *', command: x}}\n")
    code, out, err = say("up", "--dry-run")
    assert (code, out, "no field 'crn' (did you mean 'cron'?)" in err) == (2, "", True)


def test_the_schema_is_written_beside_jobs_yaml(away: House, say: Say) -> None:
    assert "# yaml-language-server: $schema=./jobs.schema.json" in say("schema", "--write")[1]
    written = json.loads((away.folder / "jobs.schema.json").read_text())
    assert json.loads(say("schema")[1]) == written


def test_a_schedule_is_explained_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, say: Say) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _err = say("next", "0 9 * * 1-5", "-z", "Europe/London", "-n", "2")
    assert (code, len(out.splitlines())) == (0, 3)
    assert out.startswith("At 09:00 on Monday through Friday (Europe/London)\n  ")


def test_handlers_are_listed_shown_and_tried(away: House, say: Say) -> None:
    assert re.search(r"^greet +user +Say hello\.$", say("handlers", "list")[1], re.MULTILINE)
    out = say("handlers", "show", "greet")[1]
    assert re.search(r"^whom +text +\(required\) +who is greeted$", out, re.MULTILINE)
    code, out, _err = say("handlers", "try", "greet", "--with", "whom=Ann", "--with", "times:=2")
    assert (code, out.startswith("hello Ann\nhello Ann\nended")) == (0, True)
    assert say("handlers", "try", "command", "--with", "command=exit 3")[0] == 1


def test_an_installation_is_shown_before_it_is_done(away: House, say: Say) -> None:
    code, out, _err = say("install", "--dry-run")
    assert (code, str(away.instance.config) in out) == (0, True)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_is_told_how_to_complete(say: Say, shell: str) -> None:
    assert f"_JARVIS_COMPLETE={shell}_source" in say("completion", shell)[1]


def test_names_of_jobs_are_completed(house: House) -> None:
    """Whoever presses Tab does not wait long for a busy daemon, and presses it again."""
    env = os.environ | {
        "_JARVIS_COMPLETE": "bash_complete",
        "COMP_WORDS": "jarvis jobs show l",
        "COMP_CWORD": "3",
    }

    def completed() -> list[str]:
        words = [sys.executable, "-m", "jarvis"]
        return subprocess.run(words, env=env, capture_output=True, text=True, check=False).stdout.split()

    assert house.until(completed) == ["plain,line", "plain,long"]


# A real daemon, in the background.


@pytest.fixture
def command(away: House) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "jarvis", *words], capture_output=True, text=True, check=False, timeout=60
        )

    yield command
    command("down", "--stop-jobs")


def test_a_daemon_lives_in_the_background(
    away: House, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    told = command("up", "--detach")
    assert told.returncode == 0, told.stderr
    assert f"Jarvis runs {away.instance.config} in the background (pid " in told.stdout
    first = presence.pid(away.instance)
    assert first is not None
    assert command("up", "--detach").returncode == 3
    assert command("up").returncode == 3
    run = json.loads(command("jobs", "run", "long", "--json").stdout)["id"]
    away.until(lambda: json.loads(command("runs", "show", str(run), "--json").stdout)["status"] == "running")
    told = command("restart")
    assert told.returncode == 0, told.stderr
    assert presence.pid(away.instance) not in (None, first)
    assert json.loads(command("runs", "show", str(run), "--json").stdout)["status"] == "running"
    told = command("down", "--stop-jobs")
    assert (told.returncode, f"1 run ended with it: {run} long" in told.stdout) == (0, True)
    assert not presence.held(away.instance)
    assert json.loads(command("runs", "show", str(run), "--json").stdout)["status"] == "cancelled"
    assert command("audit").returncode == 0


def test_a_daemon_that_cannot_start_in_the_background_says_why(
    away: House, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    away.instance.config.write_text("jobs: {a: {command: x, evry: 1m}}\n")
    told = command("up", "--detach")
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith("jarvis: ")
    assert "no field 'evry' (did you mean 'every'?)" in told.stderr


@pytest.mark.parametrize("settings", ["", "settings: {auto_start: false}\n"], ids=["by default", "said so"])
def test_no_daemon_is_started_by_a_command_that_was_not_allowed_to(
    away: House, command: Callable[..., subprocess.CompletedProcess[str]], settings: str
) -> None:
    away.instance.config.write_text(settings + away.instance.config.read_text())
    told = command("jobs", "pause", "hello")
    assert (told.returncode, told.stdout) == (4, "")
    assert f"Jarvis is not running for {away.instance.config}; start it with 'jarvis up'" in told.stderr
    assert not presence.held(away.instance)


def test_a_daemon_is_started_by_a_command_where_settings_say_so(
    away: House, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    away.instance.config.write_text("settings: {auto_start: true}\n" + away.instance.config.read_text())
    told = command("jobs", "pause", "hello")
    assert (told.returncode, told.stdout) == (0, "hello is paused until 'jarvis jobs resume hello'.\n"), (
        told.stderr
    )
    assert presence.held(away.instance)


def test_without_a_daemon_a_job_runs_in_the_foreground(
    away: House, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    told = command("jobs", "run", "hello", "--with", "whom=you")
    assert (told.returncode, told.stderr) == (0, "Jarvis is not running; the job runs here.\n")
    assert re.fullmatch(r"hello you\nRun 1 of hello succeeded in [\d.]+ s\n", told.stdout)
    assert command("jobs", "run", "broken-leg").returncode == 1


def test_ctrl_c_while_waiting_leaves_the_run_going(house: House) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "jarvis", "jobs", "run", "long", "--wait", "--output"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Run 1 of long goes on: 'jarvis runs show 1'." in err
    assert "Traceback" not in err
    assert house.ask("runs.show", id=1)["status"] == "running"


def test_a_reader_who_has_read_enough_causes_no_noise(house: House) -> None:
    """The table is longer than what a pipe and its reader take at once."""
    long = "a-job-whose-name-fills-the-pipe-of-its-reader"
    (house.folder / "jobs.yaml").write_text(
        "jobs:\n"
        + "".join(f"  {long}-{number}: {{every: 28d, command: 'true'}}\n" for number in range(1_200))
    )
    house.ask("reload", confirm=True)
    # Unbuffered, Python itself loses what a pipe does not take at once, and tells nobody.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(
        [sys.executable, "-m", "jarvis", "jobs", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(PATIENCE) == 141
    process.stderr.close()


# On a terminal.


def on_a_terminal(words: list[str], columns: int, seen: Callable[[bytes], object] = bool, **env: str) -> str:
    """What a terminal of that width shows; ``seen`` looks at all there is each time something is added."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "jarvis", *words],
        stdin=child,
        stdout=child,
        stderr=child,
        env=os.environ | {"COLUMNS": str(columns)} | env,
    )
    os.close(child)
    shown = b""
    while True:
        try:
            part = os.read(parent, 65_536)
        except OSError:
            break
        if not part:
            break
        shown += part
        seen(shown)
    os.close(parent)
    process.wait()
    return shown.decode()


def test_a_table_fits_the_terminal_and_is_coloured_there_only(house: House) -> None:
    house.run("broken-leg")
    shown = on_a_terminal(["jobs", "list"], 60)
    assert "\033[31mfailed" in shown
    assert max(show.width(line.rstrip("\r")) for line in shown.splitlines()) <= 60
    narrow = on_a_terminal(["jobs", "list"], 40)
    assert max(show.width(line.rstrip("\r")) for line in narrow.splitlines()) <= 40
    assert "…" in narrow
    assert "\033" not in on_a_terminal(["jobs", "list", "--no-color"], 60)
    assert "\033" not in on_a_terminal(["jobs", "list"], 60, NO_COLOR="1")


def test_progress_is_a_bar_on_a_terminal(house: House) -> None:
    go = house.folder / "go"
    (house.folder / "handlers" / "slow.py").write_text(
        '"""Take a while."""\nimport os\nimport time\n\n\ndef run(ctx, *, go: str, steps: int = 5) -> None:\n'
        "    ctx.progress(2, steps, 'copying')\n    while not os.path.exists(go):\n        time.sleep(0.02)\n"
    )
    text = house.instance.config.read_text()
    house.instance.config.write_text(text + f"  slow: {{run: slow, with: {{go: {go}}}}}\n")
    house.ask("reload")

    def seen(shown: bytes) -> None:
        if re.search(r"█+░+ +40% copying", shown.decode(errors="replace")):
            go.touch()

    shown = on_a_terminal(["jobs", "run", "slow", "--wait"], 80, seen)
    assert re.search(r"█+░+ +40% copying", shown)
    assert shown.rstrip().splitlines()[-1].count("█") == 0
    assert "succeeded" in shown.splitlines()[-1]


# Words and widths.


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.004, "0.00 s"), (0.5, "0.50 s"), (3, "3 s"), (4.25, "4.2 s"), (59, "59 s"), (99, "99 s"), (100, "2 min"),
        (3_600, "60 min"), (7_200, "2 h"), (86_400, "24 h"), (172_800, "2 d"), (40_000_000, "463 d"),
        (94_672_800, "3 years"), (None, ""),
    ],
)  # fmt: skip
def test_a_length_is_said_as_one_says_it(seconds: float | None, said: str) -> None:
    assert show.length(seconds) == said


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        pytest.param("short", 8, "short", id="it fits"),
        pytest.param("much too long", 8, "much to…", id="it is cut"),
        pytest.param("日本語日本語", 8, "日本語…", id="wide letters"),
        pytest.param("\033[31mmuch too long\033[0m", 8, "\033[31mmuch to…\033[0m", id="coloured"),
    ],
)
def test_text_is_cut_to_columns(text: str, most: int, shown: str) -> None:
    assert show.clip(text, most) == shown
    assert show.width(show.clip(text, most)) <= most


def test_what_comes_from_outside_cannot_command_the_terminal() -> None:
    assert show.line("one\ntwo\033[2Jthree\x07") == "one two�[2Jthree�"


# The log.


def test_the_last_lines_are_found_across_files(tmp_path: Path) -> None:
    log = tmp_path / "j.log"
    assert tail.last_lines(log, 5) == []
    (tmp_path / "j.log.1").write_text("".join(f"old {number}\n" for number in range(20_000)))
    log.write_text("new 0\nnew 1\n")
    assert tail.last_lines(log, 1) == ["new 1"]
    assert tail.last_lines(log, 4) == ["old 19998", "old 19999", "new 0", "new 1"]


def test_a_log_is_followed_through_its_rotation(tmp_path: Path) -> None:
    log = tmp_path / "j.log"
    log.write_text("before\n")
    steps: list[Callable[[], Any]] = [
        lambda: log.open("a").write("one\n"),
        lambda: (log.open("a").write("two\n"), log.rename(tmp_path / "j.log.1"), log.write_text("three\n")),
        lambda: log.open("a").write("four\n"),
    ]

    def pause(_seconds: float) -> None:
        if not steps:
            raise TimeoutError
        steps.pop(0)()

    said = io.StringIO()
    with pytest.raises(TimeoutError):
        for text in tail.follow(log, pause=pause):
            said.write(text)
    assert said.getvalue() == "one\ntwo\nthree\nfour\n"


def test_a_reused_pid_is_not_taken_for_the_daemon(tmp_path: Path, away: House) -> None:
    away.instance.state.mkdir(mode=0o700)
    started = psutil.Process().create_time()
    for apart, ours in ((0, True), (1.9, True), (2.1, False), (-1.9, True), (-2.1, False), (1_000, False)):
        away.instance.pid.write_text(f"{os.getpid()}\n{started + apart}\n")
        assert presence.pid(away.instance) == (os.getpid() if ours else None), apart
