"""`command`: when a line is started directly, and that it then means what the shell would have made of it."""

import os
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvis import errors
from jarvis.handling import catalogue, contract, mount
from jarvis.handling.contract import BadValues

COMMAND = mount.load(catalogue.shipped() / "command.py")
PATH = "/usr/local/bin:/usr/bin:/bin"
SH = "/bin/sh"


def argv(command, *, path=PATH, shell=SH):
    return contract.program(COMMAND, {"command": command}, path=path, shell=shell)


DIRECT = [
    ("a_word", "ls", ["ls"]),
    ("words", "  sleep\t 5 ", ["sleep", "5"]),
    ("single_quotes", "grep 'a b' file", ["grep", "a b", "file"]),
    ("double_quotes_and_empty_words", 'grep "" ""', ["grep", "", ""]),
    ("joined_quotes", "grep a'b'\"c\"", ["grep", "abc"]),
    ("an_absolute_path", "/bin/ls -l", ["/bin/ls", "-l"]),
    ("an_equals_sign_after_the_program", "env A=1", ["env", "A=1"]),
    ("echo_of_plain_words", "echo a b", ["echo", "a", "b"]),
    ("a_percent_sign_and_a_colon", "date +%H:%M", ["date", "+%H:%M"]),
]


@pytest.mark.parametrize(("line", "words"), [row[1:] for row in DIRECT], ids=[row[0] for row in DIRECT])
def test_a_plain_line_is_started_without_a_shell(line, words):
    assert argv(line) == words


@pytest.mark.parametrize(
    "line",
    [
        "ls | wc", "ls; ls", "ls && ls", "ls &", "ls > file", "ls < file", "(ls)", "{ ls; }", "ls $HOME", "ls `pwd`",
        "ls \\a", "ls *", "ls ?", "ls [a]", "ls ~", "ls a~b", "ls # no", "ls a#b", "! ls", "ls\nls",
        "ls 'a|b'", "ls ^a",
        "A=1 ls", "A=1", "cd /tmp", "exit 3", "exec ls", "export A", "ulimit -n", "umask 77", ". file", "source file",
        "eval ls", "set -e", "unset A", "trap x", "wait", "alias", "read x", "command ls", "type ls", ": x",
        "test -e x",
        "[ -e x ]", "if true", "while true", "time ls", "kill 1", "printf a", "pwd", "'cd' /tmp", "echo -n a",
        "no-such-program-anywhere x", "./script", "sub/script", "ls 'open", "ls \x0b a", "ls\r", "ls \u2003 a",
    ],
)  # fmt: skip
def test_a_line_that_only_the_shell_understands_goes_to_it_unchanged(line):
    assert argv(line) == [SH, "-c", line]


def test_a_list_is_started_as_it_is():
    assert argv(["echo", "$HOME", "a b", "*", ";"]) == ["echo", "$HOME", "a b", "*", ";"]


@pytest.mark.parametrize("shell", ["/usr/bin/fish", "/bin/zsh", "/usr/bin/python3"])
def test_another_kind_of_shell_reads_every_line_itself(shell):
    assert argv("ls", shell=shell) == [shell, "-c", "ls"]


@pytest.mark.parametrize("path", ["", ".:/bin", "bin:/usr/bin:/bin", ":/bin", "/nowhere"])
def test_a_path_that_depends_on_the_folder_or_does_not_lead_there_is_the_shells_business(path):
    assert argv("ls", path=path) == [SH, "-c", "ls"]


def test_a_script_without_an_interpreter_line_needs_the_shell(tmp_path):
    for name, head in (("with", "#!/bin/sh\n"), ("without", "")):
        file = tmp_path / name
        file.write_text(f"{head}echo ran\n")
        file.chmod(0o755)
        line = f"{name} x"
        words = argv(line, path=f"{tmp_path}:{PATH}")
        assert (words[0] == name) is (name == "with")
        done = subprocess.run(
            words, env={"PATH": f"{tmp_path}:{PATH}"}, capture_output=True, text=True, check=True
        )
        assert done.stdout == "ran\n"


def test_a_file_that_may_not_be_executed_is_no_program(tmp_path):
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    assert argv("tool", path=str(tmp_path)) == [SH, "-c", "tool"]


@pytest.mark.parametrize(
    ("command", "said"), [("", "empty"), ("  ", "empty"), ([], "empty list"), ([""], "needs a name")]
)
def test_an_empty_command_is_said(command, said):
    with pytest.raises(errors.LaunchError, match=said):
        argv(command)


@pytest.mark.parametrize("command", [5, None, ["ls", 3], {"a": 1}])
def test_anything_else_does_not_fit_the_form(command):
    with pytest.raises(BadValues, match="command"):
        argv(command)


# What a program sees as its arguments, one a line. The same text through the shell and as Jarvis starts it.
SHOW = "import sys; print(*map(repr, sys.argv[1:]), sep='\\n')"
LETTERS = st.sampled_from(list("ab01 \t'\"-+=,.:/@%_é$*~\\;|#\n!(\u00a0"))


@pytest.fixture(scope="module")
def show(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bin")
    tool = folder / "show"
    tool.write_text(f"#!{shutil.which('python3')} -IS\n{SHOW}\n")
    tool.chmod(0o755)
    return folder


@pytest.mark.parametrize("shell", [shell for shell in ("/bin/dash", "/bin/bash") if os.path.exists(shell)])
@settings(max_examples=60, deadline=None)
@given(text=st.text(LETTERS, max_size=14))
def test_started_directly_a_line_means_what_the_shell_makes_of_it(show, shell, text):
    line, path = f"show {text}", f"{show}:{PATH}"
    words = argv(line, path=path, shell=shell)
    if words[0] == shell:
        return
    environment = {"PATH": path, "PYTHONIOENCODING": "utf-8"}
    ours, theirs = (
        subprocess.run(one, env=environment, cwd=show, capture_output=True, check=False).stdout
        for one in (words, [shell, "-c", line])
    )
    assert ours == theirs
