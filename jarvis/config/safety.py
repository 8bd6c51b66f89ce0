"""Could somebody else change what this file says, and so what we run?

The rule of cron, and a little more: a file whose words become commands, and the folder it is in, may be
written by its owner only. The owner's private group (same name, nobody else in it) counts as the owner. A
folder with the sticky bit is fine; a world-writable folder further up without it is not.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from jarvis.errors import Problem, Unsafe


def check(path: Path) -> None:
    """Raise Unsafe, naming every path and the chmod to run, if others can change the file."""
    found = problems(path)
    if found:
        raise Unsafe(found)


def problems(path: Path) -> list[Problem]:
    """What lets others change this file; nothing for a file that does not exist. A link's target counts too."""
    real = Path(os.path.realpath(path))
    if not real.exists():
        return []
    found = [problem for place in _places(path, real) if (problem := _writable(place))]
    found += [problem for folder in list(real.parents)[1:] if (problem := _world_writable(folder))]
    return found


def stranger(path: Path) -> Problem | None:
    """A doubt, not a refusal: the file belongs to another user, who can change what runs as this one."""
    owner = os.stat(path).st_uid
    if owner in (0, os.geteuid()):
        return None
    name = _user(owner)
    message = f"it belongs to {name}, who can change what runs as {_user(os.geteuid())}"
    return Problem(file=str(path), message=message, hint=f"chown {_user(os.geteuid())} {path}")


def _places(path: Path, real: Path) -> Iterator[Path]:
    yield real
    yield real.parent
    link = Path(os.path.abspath(path))
    if link.is_symlink() and link.parent.resolve() != real.parent:
        yield link.parent


def _writable(path: Path) -> Problem | None:
    about = path.stat()
    if stat.S_ISDIR(about.st_mode) and about.st_mode & stat.S_ISVTX:
        return None
    who = _writers(about)
    if not who:
        return None
    return Problem(
        file=str(path),
        message=f"{who} can write {'this folder' if path.is_dir() else 'this file'} and so decide what runs here",
        hint=f"run: chmod go-w {path}",
    )


def _world_writable(folder: Path) -> Problem | None:
    mode = folder.stat().st_mode
    if not mode & stat.S_IWOTH or mode & stat.S_ISVTX:
        return None
    message = "everybody can write this folder and so swap what is in it"
    return Problem(file=str(folder), message=message, hint=f"run: chmod o-w {folder}")


def _writers(about: os.stat_result) -> str | None:
    if about.st_mode & stat.S_IWOTH:
        return "everybody"
    if about.st_mode & stat.S_IWGRP and not _private(about.st_gid, about.st_uid):
        return f"the group {_group(about.st_gid)}"
    return None


def _private(gid: int, uid: int) -> bool:
    """The group is the owner's own: his primary group, of his name, with nobody else in it."""
    try:
        owner, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    return owner.pw_gid == gid and group.gr_name == owner.pw_name and set(group.gr_mem) <= {owner.pw_name}


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
