"""Which jobs.yaml is meant, and where does its state live? Light: the command line asks this first.

The file: ``--config``, else ``JARVIS_CONFIG``, else ``./jobs.yaml``, else ``~/.config/jarvis/jobs.yaml``. Its state:
``--state``, else ``JARVIS_STATE``, else ``settings: {state: …}`` (remembered in a pointer file by the daemon), else a
folder of its own below the user's state directory.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jarvis.errors import ConfigError, JarvisError, Problem

LONGEST_SOCKET = 100 if sys.platform == "darwin" else 104


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """One jobs.yaml with its state. ``chosen``: the state directory was named, not derived; ``store``: the ledger's
    file when it lies elsewhere."""

    name: str
    config: Path
    state: Path
    chosen: bool = False
    store: Path | None = None

    @property
    def socket(self) -> Path:
        return self.state / "control.sock"

    @property
    def lock(self) -> Path:
        return self.state / "lock"

    @property
    def pid(self) -> Path:
        return self.state / "pid"

    @property
    def heartbeat(self) -> Path:
        return self.state / "heartbeat"

    @property
    def ledger(self) -> Path:
        return self.store or self.state / "ledger.sqlite"

    @property
    def runs(self) -> Path:
        return self.state / "runs"

    @property
    def log(self) -> Path:
        return self.state / "jarvis-daemon.log"

    @property
    def cache(self) -> Path:
        return self.state / "jobs.cache"


def user_config(environ: Mapping[str, str]) -> Path:
    """Where a user's jobs.yaml is looked for when none is named and none lies here."""
    base = environ.get("XDG_CONFIG_HOME")
    return (
        (Path(base) if base else Path(environ.get("HOME", "~")).expanduser() / ".config")
        / "jarvis"
        / "jobs.yaml"
    )


def root(environ: Mapping[str, str]) -> Path:
    """The folder that holds every instance's state."""
    if home := environ.get("JARVIS_HOME"):
        return Path(home).expanduser().absolute()
    user = Path(environ.get("HOME", "~")).expanduser()
    if sys.platform == "darwin":
        return user / "Library" / "Application Support" / "jarvis"
    base = environ.get("XDG_STATE_HOME")
    return (Path(base) if base else user / ".local" / "state") / "jarvis"


def find(
    config: str | None = None,
    state: str | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    must_exist: bool = True,
) -> Instance:
    """The instance that is meant. Raises ConfigError when there is no such jobs.yaml."""
    path = _config(config, environ, must_exist=must_exist)
    home = user_config(environ)
    if path == home.resolve():
        name = "default"
    else:
        digest = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:8]
        name = re.sub(r"[^A-Za-z0-9._-]", "-", path.parent.name)[:24].strip("-") or "root"
        name = f"{name}-{digest}"
    chosen = state or environ.get("JARVIS_STATE")
    if chosen:
        return Instance(name=name, config=path, state=Path(chosen).expanduser().absolute(), chosen=True)
    pointed = _pointed(root(environ) / "instances" / f"{name}.json")
    return Instance(name=name, config=path, state=pointed or root(environ) / name, chosen=pointed is not None)


def point(instance: Instance, environ: Mapping[str, str] = os.environ) -> None:
    """Remember where this instance's state is, for commands that are only told its jobs.yaml."""
    pointer = root(environ) / "instances" / f"{instance.name}.json"
    if instance.state == root(environ) / instance.name:
        pointer.unlink(missing_ok=True)
        return
    pointer.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = pointer.with_suffix(".part")
    part.write_text(
        json.dumps({"config": str(instance.config), "state": str(instance.state)}), encoding="utf-8"
    )
    part.replace(pointer)


def check_socket(instance: Instance) -> None:
    """Raises JarvisError when the state directory's path is too long for a socket."""
    if len(os.fsencode(instance.socket)) > LONGEST_SOCKET:
        raise JarvisError(
            f"{instance.socket} is too long for a socket (at most {LONGEST_SOCKET} bytes): "
            "choose a shorter state directory with --state or JARVIS_STATE"
        )


def _config(named: str | None, environ: Mapping[str, str], *, must_exist: bool) -> Path:
    if chosen := named or environ.get("JARVIS_CONFIG"):
        path = Path(chosen).expanduser().absolute()
        if path.is_dir():
            path = path / "jobs.yaml"
        if must_exist and not path.exists():
            raise ConfigError([Problem(file=str(path), message="there is no such file")])
        return path.parent.resolve() / path.name
    here, home = Path("jobs.yaml").absolute(), user_config(environ)
    for path in (here, home):
        if path.exists():
            return path.parent.resolve() / path.name
    if must_exist:
        raise ConfigError(
            [
                Problem(
                    file="jobs.yaml",
                    message=f"found neither here nor at {home}",
                    hint="write one, or give --config; 'jarvis instances list' shows those that ran here",
                )
            ]
        )
    return home


def _pointed(pointer: Path) -> Path | None:
    try:
        return Path(json.loads(pointer.read_text(encoding="utf-8"))["state"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
