"""How is the machine's service manager asked, and how is a file put in place for it?"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from jarvis.errors import JarvisError

PATIENCE = timedelta(seconds=120)

Words = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a command said: its exit code and its words."""

    code: int
    text: str

    @property
    def ok(self) -> bool:
        """It said yes."""
        return self.code == 0


def ask(command: Words) -> Answer:
    """Run a command and take any answer. Raises JarvisError when it is missing or does not end."""
    try:
        told = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=PATIENCE.total_seconds(),
            check=False,
        )
    except FileNotFoundError:
        raise JarvisError(_missing(command[0])) from None
    except subprocess.TimeoutExpired:
        raise JarvisError(
            f"`{' '.join(command)}` did not end within {PATIENCE.seconds} s; try it by hand"
        ) from None
    except OSError as error:
        raise JarvisError(f"`{' '.join(command)}` cannot be run: {error.strerror}") from None
    return Answer(code=told.returncode, text=told.stdout.strip())


def demand(command: Words, advice: str) -> Answer:
    """Run a command that has to succeed. Raises JarvisError with its words and the advice."""
    answer = ask(command)
    if not answer.ok:
        said = answer.text or f"exit code {answer.code}"
        raise JarvisError(f"`{' '.join(command)}` failed: {said}\n{advice}")
    return answer


def stage(path: Path, content: bytes) -> Path:
    """Write what ``path`` shall hold into a file beside it. Raises JarvisError with what to do."""
    draft = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
    except OSError as error:
        raise JarvisError(f"{path} cannot be written: {error.strerror}; check its folder's owner") from None
    return draft


def place(draft: Path, path: Path) -> None:
    """Let the staged file take its place, whole."""
    os.replace(draft, path)


def folder(path: Path, user: str | None = None) -> None:
    """Make a private folder; for another user when root asks."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if user:
            shutil.chown(path, user=user)
    except OSError as error:
        raise JarvisError(f"{path} cannot be made: {error.strerror}; check its folder's owner") from None


def remove(path: Path) -> bool:
    """Delete a file; False when there was none. Raises JarvisError with what to do."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise JarvisError(f"{path} cannot be removed: {error.strerror}; check its folder's owner") from None
    return True


def read(path: Path) -> bytes | None:
    """What is in place now; None when nothing is."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JarvisError(f"{path} cannot be read: {error.strerror}; check its owner") from None


def _missing(program: str) -> str:
    what = {
        "launchctl": "this is not macOS",
        "systemctl": "this machine has no systemd",
    }.get(program, "install it")
    return (
        f"{program} is not on this machine: {what}. "
        "`jarvis install --dry-run` shows what would be installed; `jarvis up` runs Jarvis in any supervisor"
    )
