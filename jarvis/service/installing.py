"""What would be installed here, and what was done? One plan for launchd and systemd."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jarvis.errors import JarvisError
from jarvis.service import account, launchd, machine, systemd

NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """An installation, shown before it is done.

    ``kind``: launchd or systemd. ``text``: what ``path`` will hold. ``commands`` and ``undo``: what a first
    installation and its end run. ``notes``: what a person should know.
    """

    kind: str
    path: Path
    text: str
    commands: tuple[tuple[str, ...], ...]
    undo: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    settings: launchd.Settings | systemd.Settings


def plan(
    config: Path,
    *,
    platform: str | None = None,
    name: str = "jarvis",
    state: Path | None = None,
    legacy_timers: bool = False,
) -> Plan:
    """What keeps this jobs.yaml running on this machine (or on ``platform``: darwin, linux).

    Asks the login shell for its PATH; changes nothing. ``name`` tells several instances apart. ``state``: where its
    state lies, written down because a service manager's environment is not the person's (root, who installs for the
    owner of jobs.yaml, leaves it to that owner). Raises JarvisError where neither launchd nor systemd is at home, or
    the file does not exist.
    """
    platform = platform or sys.platform
    if platform not in ("darwin", "linux"):
        raise JarvisError(f"there is no installation for {platform}; Jarvis runs on macOS and Linux")
    if not NAME.fullmatch(name):
        raise JarvisError(f"{name!r} cannot name a service; use letters, digits, - and _ (at most 40)")
    config = Path(os.path.abspath(config))
    whose = account.of(config)
    python, doubt = account.python()
    path, silence = account.login_path(whose)
    # -P: a jarvis.py or json.py in the working folder is not taken for ours.
    arguments: tuple[str, ...] = (str(python), "-P", "-m", "jarvis", "up", "--config", str(config))
    if state is not None and whose.own:
        arguments += ("--state", os.path.abspath(state))
    settings: launchd.Settings | systemd.Settings
    if platform == "darwin":
        settings = _launchd(name, whose, arguments, path, legacy_timers)
    else:
        settings = _systemd(name, whose, arguments, path)
    notes = [f"PATH of the jobs: {path}", silence, doubt, *_notes(settings, whose, config, python)]
    return _plan(settings, tuple(note for note in notes if note))


def install(plan: Plan, *, pause: Callable[[float], None] = time.sleep) -> list[str]:
    """Do it; again and again if you like. Answers the steps done. Raises JarvisError with what failed and why."""
    if isinstance(plan.settings, launchd.Settings):
        return launchd.install(plan.settings, plan.text, pause=pause)
    return systemd.install(plan.settings, plan.text)


def uninstall(plan: Plan, *, pause: Callable[[float], None] = time.sleep) -> list[str]:
    """Undo it. The ledger, the logs and jobs.yaml stay. Answers the steps done."""
    if isinstance(plan.settings, launchd.Settings):
        return launchd.uninstall(plan.settings, pause=pause)
    return systemd.uninstall(plan.settings)


def _plan(settings: launchd.Settings | systemd.Settings, notes: tuple[str, ...]) -> Plan:
    room = launchd if isinstance(settings, launchd.Settings) else systemd
    return Plan(
        kind=room.__name__.rpartition(".")[2],
        path=settings.path,
        text=room.text(settings),
        commands=room.commands(settings),
        undo=room.undo(settings),
        notes=notes,
        settings=settings,
    )


def _launchd(
    name: str, whose: account.Account, arguments: tuple[str, ...], path: str, legacy_timers: bool
) -> launchd.Settings:
    return launchd.Settings(
        label="local.jarvis" if name == "jarvis" else f"local.jarvis.{name}",
        arguments=arguments,
        home=whose.home,
        search_path=path,
        language=account.language(),
        uid=whose.uid,
        user=whose.name if os.geteuid() == 0 else None,
        legacy_timers=legacy_timers,
    )


def _systemd(name: str, whose: account.Account, arguments: tuple[str, ...], path: str) -> systemd.Settings:
    system = os.geteuid() == 0
    configured = os.environ.get("XDG_CONFIG_HOME") or whose.home / ".config"
    return systemd.Settings(
        unit="jarvis.service" if name == "jarvis" else f"jarvis-{name}.service",
        arguments=arguments,
        home=whose.home,
        units=Path("/etc/systemd/system") if system else Path(configured, "systemd/user"),
        search_path=path,
        language=account.language(),
        user=whose.name,
        system=system,
    )


def _notes(
    settings: launchd.Settings | systemd.Settings, whose: account.Account, config: Path, python: Path
) -> list[str]:
    notes = []
    if os.geteuid() == 0:
        notes.append(f"installed for the whole machine, running as {whose.name}, the owner of {config}")
    before = machine.read(settings.path)
    if before is not None and str(config).encode() not in before:
        notes.append(f"replaces what {settings.path} holds now, which is for another jobs.yaml")
    if isinstance(settings, launchd.Settings):
        notes.append(
            f"macOS asks for access to Documents, Desktop and Downloads on behalf of {os.path.realpath(python)}; "
            "grant it once in System Settings, Privacy & Security, Full Disk Access (docs/install.md)"
        )
    return notes
