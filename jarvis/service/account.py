"""As whom, with which Python and which PATH will the machine keep Jarvis running?

The PATH of a service manager is short (launchd: ``/usr/bin:/bin:/usr/sbin:/sbin``), so the one of the person's login
shell is captured once, shown, and written into what is installed.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from jarvis.errors import NotFound

MARK = "jarvis-login-environment"
PATIENCE = timedelta(seconds=10)
MINIMAL_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
THROWN_AWAY = ("/tmp/", "/var/tmp/", "/private/tmp/", "/private/var/folders/", "/var/folders/", "/dev/shm/")


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The user a service runs as. ``own`` is False where that is not who asks (root installs for the owner)."""

    name: str
    uid: int
    gid: int
    home: Path
    shell: str
    own: bool = True


def of(config: Path) -> Account:
    """Root installs for the owner of jobs.yaml, so that root never runs a file others can write; others for themselves.

    Raises NotFound when the file or its owner does not exist.
    """
    try:
        owner = config.stat().st_uid
    except OSError as error:
        raise NotFound(f"{config}: {error.strerror}; name the jobs.yaml to install with --config") from None
    uid = owner if os.geteuid() == 0 else os.geteuid()
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise NotFound(
            f"{config} belongs to user id {uid}, which has no account here; give it an owner"
        ) from None
    home = os.environ.get("HOME") if uid == os.geteuid() else None
    return Account(
        name=entry.pw_name,
        uid=uid,
        gid=entry.pw_gid,
        home=Path(home or entry.pw_dir),
        shell=entry.pw_shell or "/bin/sh",
        own=uid == os.geteuid(),
    )


def login_path(account: Account, *, patience: timedelta = PATIENCE) -> tuple[str, str | None]:
    """The PATH the account's login shell sets, and a sentence when it could not be asked.

    The shell starts from a bare environment, so that an activated venv of the moment does not get in. Its profile may
    print, wait for input or leave something running in the background: what counts stands between two marks, and
    everything it started ends with it.
    """
    try:
        told = _ask_shell(account, patience)
    except subprocess.TimeoutExpired:
        return (
            MINIMAL_PATH,
            f"{account.shell} -l did not answer within {patience.seconds} s; PATH is the minimal one",
        )
    except OSError as error:
        return (
            MINIMAL_PATH,
            f"{account.shell} could not be asked for PATH ({error.strerror}); PATH is the minimal one",
        )
    _, _, environment = told.partition(MARK)
    lines = environment.partition(MARK)[0].splitlines()
    found = next((line.removeprefix("PATH=") for line in lines if line.startswith("PATH=")), "")
    path = tidy(found)
    if not path:
        return MINIMAL_PATH, f"{account.shell} -l named no PATH; PATH is the minimal one"
    return path, None


def tidy(path: str) -> str:
    """Absolute folders only, each once, in their order: an empty or relative entry would follow the working folder."""
    return ":".join(
        dict.fromkeys(entry.rstrip("/") or "/" for entry in path.split(":") if entry.startswith("/"))
    )


def _ask_shell(account: Account, patience: timedelta) -> str:
    bare = {
        "HOME": str(account.home),
        "USER": account.name,
        "LOGNAME": account.name,
        "SHELL": account.shell,
        "PATH": MINIMAL_PATH,
        "TERM": "dumb",
    }
    # A file, not a pipe: something left in the background would keep a pipe open for ever.
    with tempfile.TemporaryFile() as output:
        shell = subprocess.Popen(
            [account.shell, "-lc", f"echo {MARK}; /usr/bin/env; echo {MARK}"],
            env=bare,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            user=None if account.own else account.uid,
            group=None if account.own else account.gid,
            extra_groups=None if account.own else [],
        )
        try:
            shell.wait(patience.total_seconds())
        finally:
            _end(shell)
        output.seek(0)
        return output.read().decode(errors="replace")


def _end(shell: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(shell.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        shell.kill()
    shell.wait()


def python() -> tuple[Path, str | None]:
    """This Python under a name that outlives upgrades, and a sentence when there is none.

    A venv's ``bin/python`` is kept as it is (resolved it would lose its packages). Homebrew's versioned folder
    becomes its ``opt`` link.
    """
    here = Path(os.path.abspath(sys.executable))
    return _stable(here), _doubt(here)


def _stable(here: Path) -> Path:
    parts = here.parts
    if "Cellar" in parts:
        at = parts.index("Cellar")
        linked = Path(*parts[:at], "opt", parts[at + 1], *parts[at + 3 :])
        if linked.exists():
            return linked
    return here


def _doubt(here: Path) -> str | None:
    if str(here).startswith(THROWN_AWAY):
        return f"{here} is in a folder for temporary files; install Jarvis where it can stay first"
    if "/uv/archive-v" in str(here) or "/.cache/" in str(here) or "/Library/Caches/" in str(here):
        return (
            f"{here} is in a cache that may be cleared; install Jarvis with `uv tool install` or pipx first"
        )
    return None


def language() -> str:
    """The language of the person's own environment when it is UTF-8, else one every such machine has."""
    wanted = os.environ.get("LANG", "")
    if wanted.upper().replace("-", "").endswith("UTF8"):
        return wanted
    return "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
