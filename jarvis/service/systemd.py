"""How does Linux keep Jarvis running? One systemd unit, and the systemctl commands that start it.

Sources: systemd.service(5), systemd.exec(5), systemd.syntax(7), systemctl(1). A person gets a unit of their own user
manager; root gets a system unit that runs as the owner of jobs.yaml.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jarvis.errors import JarvisError
from jarvis.service import machine

_TROUBLE = "`journalctl {scope}-u {unit} -n 30` shows what Jarvis said"
_NO_USER_MANAGER = (
    "there is no systemd user manager for you here (a container, or a session without login; after `su` or `sudo` "
    "log in properly, or set XDG_RUNTIME_DIR=/run/user/$(id -u)). Root can install a system service instead: "
    "`sudo jarvis install`, which runs as the owner of jobs.yaml"
)
_NO_MANAGER = "systemd does not run this machine (a container?); start `jarvis up` from what does"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """All a unit depends on. ``system``: a unit of the machine, run as ``user``."""

    unit: str
    arguments: tuple[str, ...]
    home: Path
    units: Path
    search_path: str
    language: str
    user: str
    system: bool = False

    @property
    def path(self) -> Path:
        """Where systemd looks for it."""
        return self.units / self.unit

    @property
    def systemctl(self) -> machine.Words:
        """The command that speaks to the manager in charge."""
        return ("systemctl",) if self.system else ("systemctl", "--user")

    @property
    def trouble(self) -> str:
        """Where to look when it does not start."""
        return _TROUBLE.format(scope="" if self.system else "--user ", unit=self.unit)


def text(settings: Settings) -> str:
    """The unit as text.

    Restart=on-failure: `jarvis down` (exit 0) stays down. KillMode=process: running jobs belong to their own
    supervisors, which the next Jarvis adopts. No sandbox: a job may do what its owner may do. ExecReload is
    `jarvis reload`, whose answer `systemctl reload` waits for: a mistake in jobs.yaml makes it fail.
    """
    program = settings.arguments[0]
    if any(character in program for character in "\"'\\"):
        raise JarvisError(
            f"{program}: systemd takes no program with a quote or backslash in its path; rename it"
        )
    lines = [
        "[Unit]",
        "Description=jarvis job runner",
        "StartLimitIntervalSec=300",
        "StartLimitBurst=5",
        "",
        "[Service]",
        "Type=notify",
        "NotifyAccess=main",
        *([f"User={settings.user}"] if settings.system else []),
        f"WorkingDirectory={specifiers(str(settings.home))}",
        f"ExecStart={_command(settings.arguments)}",
        f"ExecReload={_command(_reload(settings.arguments))}",
        "Restart=on-failure",
        "RestartSec=5",
        "WatchdogSec=60",
        "TimeoutStopSec=90",
        "KillMode=process",
        "Environment=PYTHONUNBUFFERED=1",
        f"Environment={quote('PATH=' + settings.search_path)}",
        f"Environment={quote('LANG=' + settings.language)}",
        "UMask=0077",
        "",
        "[Install]",
        f"WantedBy={'multi-user' if settings.system else 'default'}.target",
        "",
    ]
    return "\n".join(lines)


def _reload(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """``… jarvis up --config …`` as ``… jarvis reload --config …``."""
    verb = arguments.index("up")
    return (*arguments[:verb], "reload", *arguments[verb + 1 :])


def _command(arguments: tuple[str, ...]) -> str:
    program, *words = arguments
    return " ".join([quote(program), *map(argument, words)])


def quote(word: str) -> str:
    """One word of a unit file, taken literally: specifiers doubled, in double quotes when it needs them."""
    plain = specifiers(word)
    if word and not any(character in " \"'\\;" for character in word):
        return plain
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def argument(word: str) -> str:
    """A word of ExecStart after the program: there ``$`` would name a variable."""
    return quote(word).replace("$", "$$")


def specifiers(word: str) -> str:
    """``%`` begins a specifier everywhere in a unit file. Raises JarvisError for what no line can hold."""
    if any(ord(character) < 32 or ord(character) == 127 for character in word):
        raise JarvisError(f"{word!r} holds a control character; systemd cannot take such a path, rename it")
    return word.replace("%", "%%")


def commands(settings: Settings) -> tuple[machine.Words, ...]:
    """What an installation runs, in order; `restart` also starts what does not run."""
    return (
        (*settings.systemctl, "daemon-reload"),
        (*settings.systemctl, "enable", settings.unit),
        (*settings.systemctl, "restart", settings.unit),
        (*settings.systemctl, "is-active", settings.unit),
    )


def undo(settings: Settings) -> tuple[machine.Words, ...]:
    """What takes it away again; then the file is deleted."""
    return (
        (*settings.systemctl, "disable", "--now", settings.unit),
        (*settings.systemctl, "daemon-reload"),
    )


def install(settings: Settings, content: str) -> list[str]:
    """Bring systemd and the unit to what ``content`` says, and answer what was done.

    1. ask the manager before anything is written
    2. write the unit when it differs, and let the manager read it
    3. restart a changed one; start one that does not run; leave a good one alone
    """
    _demand_manager(settings)
    reload, enable, restart, is_active = commands(settings)
    changed = machine.read(settings.path) != content.encode()
    done = [f"{settings.path} is as it should be"]
    if changed:
        machine.place(machine.stage(settings.path, content.encode()), settings.path)
        done = [f"wrote {settings.path}"]
    machine.demand(reload, settings.trouble)
    machine.demand(enable, settings.trouble)
    if changed or not machine.ask(is_active).ok:
        machine.demand(restart, settings.trouble)
        done.append(f"started {settings.unit}")
    machine.demand(is_active, settings.trouble)
    return [*done, f"{settings.unit} is enabled and running", *linger(settings)]


def uninstall(settings: Settings) -> list[str]:
    """Stop and disable it, and delete the unit; jobs that run go on to their end."""
    if machine.read(settings.path) is None:
        return [f"{settings.unit} was not installed"]
    _demand_manager(settings)
    disable, reload = undo(settings)
    machine.demand(disable, settings.trouble)
    machine.remove(settings.path)
    machine.demand(reload, settings.trouble)
    return [f"stopped and disabled {settings.unit}", f"removed {settings.path}"]


def linger(settings: Settings) -> list[str]:
    """A sentence when the user manager, and Jarvis with it, would end at logout."""
    if settings.system:
        return []
    try:
        told = machine.ask(("loginctl", "show-user", settings.user, "--property=Linger", "--value"))
    except JarvisError:
        return []
    if told.ok and told.text == "yes":
        return []
    return [
        "Jarvis stops when you log out and starts when you log in; "
        f"to run from boot on: loginctl enable-linger {settings.user}"
    ]


def _demand_manager(settings: Settings) -> None:
    advice = _NO_MANAGER if settings.system else _NO_USER_MANAGER
    machine.demand((*settings.systemctl, "show", "--property=Version"), advice)
