"""How does macOS keep Jarvis running? One property list, and the launchctl commands that load it.

Sources: launchd.plist(5), launchctl(1). ``plutil -lint`` and a real bootstrap are steps for a person with a Mac; here
the dictionary is checked against our own table of keys and read back before it is written.
"""

from __future__ import annotations

import plistlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jarvis.errors import JarvisError
from jarvis.service import launchd_keys, machine

EXIT_TIMEOUT = 90
BOOTOUT_TRIES = 4 * (EXIT_TIMEOUT + 5)
BOOTSTRAP_TRIES = 8
PAUSE = 0.25
_TROUBLE = (
    "launchd says this when the label is still loaded, was disabled, or the file has the wrong owner or mode; "
    "`launchctl print-disabled` and `plutil -lint` on the file tell which"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """All a property list depends on. ``user`` is set for a daemon only; agents ignore it."""

    label: str
    arguments: tuple[str, ...]
    home: Path
    search_path: str
    language: str
    uid: int
    user: str | None = None
    legacy_timers: bool = False

    @property
    def domain(self) -> str:
        """Where launchd keeps it: the person's login session, or the system for a daemon."""
        return "system" if self.user else f"gui/{self.uid}"

    @property
    def target(self) -> str:
        """Its name for launchctl."""
        return f"{self.domain}/{self.label}"

    @property
    def path(self) -> Path:
        """Where launchd looks for it at the next login (or boot)."""
        folder = Path("/Library/LaunchDaemons") if self.user else self.home / "Library/LaunchAgents"
        return folder / f"{self.label}.plist"

    @property
    def log(self) -> Path:
        """What is said before Jarvis' own log is open. launchd keeps this file open: it is never rotated."""
        return self.home / "Library/Logs/jarvis/boot.log"


def plist(settings: Settings) -> dict[str, Any]:
    """The property list as a dictionary.

    KeepAlive restarts after a crash, while `jarvis down` (exit 0) stays down until the next login, and it implies
    RunAtLoad. Interactive: no CPU or I/O throttling, which children would inherit. AbandonProcessGroup: running jobs
    belong to their own supervisors and go on.
    """
    keys: dict[str, Any] = {
        "Label": settings.label,
        "ProgramArguments": list(settings.arguments),
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 30,
        "ProcessType": "Interactive",
    }
    if settings.legacy_timers:
        keys["LegacyTimers"] = True
    if settings.user:
        keys["UserName"] = settings.user
    return keys | {
        "ExitTimeOut": EXIT_TIMEOUT,
        "AbandonProcessGroup": True,
        "WorkingDirectory": str(settings.home),
        "EnvironmentVariables": {"PATH": settings.search_path, "LANG": settings.language},
        "StandardOutPath": str(settings.log),
        "StandardErrorPath": str(settings.log),
        "SoftResourceLimits": {"NumberOfFiles": 4096},
        "Umask": 0o077,
    }


def text(settings: Settings) -> str:
    """The property list as XML, proved: known keys, and the same dictionary when read back."""
    keys = plist(settings)
    wrong = launchd_keys.problems(keys, agent=settings.user is None)
    if wrong:
        raise JarvisError(f"this cannot be a launchd property list: {'; '.join(wrong)}")
    try:
        content = plistlib.dumps(keys, sort_keys=False)
        same = plistlib.loads(content) == keys
    except ValueError:
        same = False
    if not same:
        raise JarvisError(
            "a path holds a character no property list can hold (a control character); rename it"
        )
    return content.decode()


def commands(settings: Settings) -> tuple[machine.Words, ...]:
    """What a first installation runs, in order."""
    return (
        ("launchctl", "enable", settings.target),
        ("launchctl", "bootstrap", settings.domain, str(settings.path)),
        ("launchctl", "print", settings.target),
    )


def undo(settings: Settings) -> tuple[machine.Words, ...]:
    """What takes it away again; then the file is deleted."""
    return (("launchctl", "bootout", settings.target),)


def install(settings: Settings, content: str, *, pause: Callable[[float], None] = time.sleep) -> list[str]:
    """Bring launchd and the file to what ``content`` says, and answer what was done.

    1. nothing changed and loaded: only see that it runs
    2. write the file beside its place
    3. loaded: take the old one out and wait until it is gone
    4. put the file in place, load it, and see that it is there
    """
    loaded = machine.ask(("launchctl", "print", settings.target))
    same = machine.read(settings.path) == content.encode()
    if same and loaded.ok:
        return [f"{settings.path} is as it should be", *_see_that_it_runs(settings, loaded.text)]
    machine.folder(settings.log.parent, settings.user)
    draft = machine.stage(settings.path, content.encode())
    taken_out = _take_out(settings, pause) if loaded.ok else []
    machine.place(draft, settings.path)
    _load(settings, pause)
    return [*taken_out, f"wrote {settings.path}", f"loaded {settings.target}"]


def uninstall(settings: Settings, *, pause: Callable[[float], None] = time.sleep) -> list[str]:
    """Take it out of launchd and delete the file; jobs that run go on to their end."""
    done = []
    if machine.ask(("launchctl", "print", settings.target)).ok:
        done += _take_out(settings, pause)
    if machine.remove(settings.path):
        done.append(f"removed {settings.path}")
    return done or [f"{settings.label} was not installed"]


def _see_that_it_runs(settings: Settings, printed: str) -> list[str]:
    if "state = running" in printed:
        return [f"{settings.target} is running"]
    machine.demand(("launchctl", "kickstart", settings.target), "see the end of " + str(settings.log))
    return [f"started {settings.target}"]


def _take_out(settings: Settings, pause: Callable[[float], None]) -> list[str]:
    told = machine.ask(("launchctl", "bootout", settings.target))
    for _ in range(BOOTOUT_TRIES):  # bootout answers before the old process has ended
        if not machine.ask(("launchctl", "print", settings.target)).ok:
            return [f"took the old {settings.target} out"]
        pause(PAUSE)
    raise JarvisError(
        f"{settings.target} does not go away: {told.text or 'launchctl said nothing'}; try it by hand"
    )


def _load(settings: Settings, pause: Callable[[float], None]) -> None:
    enable, bootstrap, look = commands(settings)
    machine.demand(enable, _TROUBLE)
    for _ in range(BOOTSTRAP_TRIES - 1):  # just after a bootout launchd may need a moment
        if machine.ask(bootstrap).ok:
            break
        pause(PAUSE)
    else:
        machine.demand(bootstrap, _TROUBLE)
    machine.demand(look, _TROUBLE)
