"""Start a program, or a line of shell.

A list is started as it is. A text is a line for the job's shell; when the shell would do nothing but
start one program with plain words, that program is started directly, which saves a process and lets
signals reach it.

Parameters:
    command: the program and its arguments as a list, or a line of shell as a text
"""

import os
import shlex

PLAIN_SHELLS = {"sh", "dash", "bash", "ash", "ksh"}
MEANS_SOMETHING = set("|&;<>()$`\\*?[]{}#~!^\n\r\0")
# Words that the shell itself acts on, or that its own version of does something else than the program.
BUILTINS = set(
    """
    . : [ [[ alias bg bind break builtin caller case cd command compgen complete compopt
    continue coproc declare dirs disown do done elif else enable esac eval exec exit export fc
    fg fi for function getopts hash help history if in jobs kill let local logout mapfile newgrp
    popd printf pushd pwd read readarray readonly return select set shift shopt source suspend
    test then time times trap type typeset ulimit umask unalias unset until wait while
    """.split()  # noqa: SIM905 (seventy quoted words would be harder to read)
)
PROGRAM_FILES = (b"#!", b"\x7fEL", b"\xcf\xfa", b"\xce\xfa", b"\xca\xfe", b"\xfe\xed")


def argv(path: str, shell: str, *, command: str | list[str]) -> list[str]:
    if isinstance(command, list):
        if not command:
            raise ValueError("the command is an empty list")
        return command
    if not command.strip():
        raise ValueError("the command is empty")
    return direct(command, path, shell) or [shell, "-c", command]


def direct(line: str, path: str, shell: str) -> list[str] | None:
    """The words to start without a shell, or None when only the shell knows what the line means."""
    if os.path.basename(shell) not in PLAIN_SHELLS or MEANS_SOMETHING & set(line):
        return None
    if any(letter.isspace() and letter not in " \t" for letter in line):
        return None
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    if not words or "=" in words[0] or words[0] in BUILTINS:
        return None
    if words[0] == "echo" and any(word.startswith("-") for word in words[1:]):
        return None  # shells disagree with the program, and with each other, about its options
    return words if is_program(words[0], path) else None


def is_program(word: str, path: str) -> bool:
    """The word names a file that the system can start; where a relative path leads is not known here."""
    if "/" in word:
        return os.path.isabs(word) and startable(word)
    for folder in path.split(os.pathsep):
        if not os.path.isabs(folder):
            return False
        if os.path.isfile(file := os.path.join(folder, word)) and os.access(file, os.X_OK):
            return startable(file)
    return False


def startable(file: str) -> bool:
    """A script without a ``#!`` line is executable too, but only a shell can run it."""
    if not (os.path.isfile(file) and os.access(file, os.X_OK)):
        return False
    try:
        with open(file, "rb") as start:
            head = start.read(3)
    except OSError:
        return True
    return head.startswith(PROGRAM_FILES)
