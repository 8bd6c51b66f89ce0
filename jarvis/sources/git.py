"""How is git asked? The git program, with a time limit, never with a question to a person."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from jarvis.errors import JarvisError

LOCAL = timedelta(seconds=5)
COMMIT = timedelta(seconds=10)
NETWORK = timedelta(seconds=30)

QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "false",
    "SSH_ASKPASS": "false",
    "GCM_INTERACTIVE": "never",
    "GIT_EDITOR": "true",
    "LC_ALL": "C",
}
UNDERWAY = {
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "BISECT_LOG": "a bisect",
}


class GitError(JarvisError):
    """git said no, or nothing in time; the message is what it said. ``late``: it did not answer in time."""

    def __init__(self, message: str, *, late: bool = False) -> None:
        super().__init__(message)
        self.late = late


class Repository:
    """A working tree. ``identity``: name and e-mail of its commits."""

    def __init__(
        self, folder: Path, *, identity: tuple[str, str], env: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        name, email = identity
        self._env = {key: value for key, value in os.environ.items() if not _redirects(key)} | QUIET
        for who in ("AUTHOR", "COMMITTER"):
            self._env |= {f"GIT_{who}_NAME": name, f"GIT_{who}_EMAIL": email}
        self._env.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=10")
        self._env |= env or {}

    def ask(self, *words: str, within: timedelta = LOCAL, given: str | None = None) -> str:
        """The output of a git command. Raises GitError."""
        try:
            process = subprocess.Popen(
                ["git", *words], cwd=self.folder, env=self._env, text=True, errors="surrogateescape",
                stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
        except FileNotFoundError:
            raise GitError("git is not installed, or not on the job's PATH") from None
        except OSError as error:
            raise GitError(f"{self.folder} cannot be entered: {error.strerror}") from error
        try:
            out, err = process.communicate(given, within.total_seconds())
        except subprocess.TimeoutExpired:
            raise GitError(
                f"git {_verb(words)} took longer than {within.total_seconds():g} s", late=True
            ) from None
        finally:
            _end(process)
        if process.returncode:
            raise GitError(f"git {_verb(words)}: {_last(err or out) or f'exit code {process.returncode}'}")
        return out.strip("\n")

    def says(self, *words: str) -> str | None:
        """The output, or None when git says no. Raises GitError only when it does not answer in time."""
        try:
            return self.ask(*words)
        except GitError as error:
            if error.late:
                raise
            return None

    def private(self, name: str) -> Path:
        """A file of the repository's own folder (.git)."""
        return self.folder / self.ask("rev-parse", "--git-path", name)

    def underway(self) -> str | None:
        """What somebody began here and did not finish."""
        return next((what for name, what in UNDERWAY.items() if self.private(name).exists()), None)

    def changed(self, ours: str) -> list[str]:
        """Tracked files outside the folder ``ours`` that differ from the last commit."""
        said = self.ask("status", "--porcelain", "-z", "--untracked-files=no", "--", ".", f":(exclude){ours}")
        return [entry[3:] for entry in said.split("\0") if len(entry) > 3]


def _redirects(name: str) -> bool:
    """Variables that would lead git to another repository than the one it is asked about."""
    return name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")


def _end(process: subprocess.Popen[str]) -> None:
    """It and whatever it started."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGTERM)  # lets git remove its lock files
            process.wait(1)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            process.kill()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()
    for pipe in (process.stdout, process.stderr, process.stdin):
        if pipe is not None:
            pipe.close()


def _verb(words: tuple[str, ...]) -> str:
    rest = list(words)
    while rest and rest[0] == "-c":
        del rest[:2]
    return rest[0] if rest else ""


def _last(said: str) -> str:
    """What it said that matters: its errors, else its last lines."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith("hint:")]
    told = [line for line in lines if line.startswith(("error:", "fatal:", "CONFLICT", "! ["))]
    return "; ".join(told or lines[-3:])[:1_000]
