"""May this user start a process like that?

Only root may become somebody else, be nicer to itself than others, or have more than its hard limits.
"""

from __future__ import annotations

import grp
import os
import pwd
import resource
from collections.abc import Iterator

from jarvis.core.contradictions import Clash
from jarvis.core.parts import Process

_MEASURED = {
    "as": "RLIMIT_AS", "core": "RLIMIT_CORE", "cpu": "RLIMIT_CPU", "data": "RLIMIT_DATA", "fsize": "RLIMIT_FSIZE",
    "memlock": "RLIMIT_MEMLOCK", "nofile": "RLIMIT_NOFILE", "nproc": "RLIMIT_NPROC", "rss": "RLIMIT_RSS",
    "stack": "RLIMIT_STACK",
}  # fmt: skip


def clashes(process: Process, *, uid: int) -> Iterator[Clash]:
    """What ``process:`` asks for that the user ``uid`` cannot have."""
    yield from _user(process.user, uid)
    yield from _group(process.group, uid)
    if uid == 0:
        return
    if process.nice is not None and process.nice < 0:
        yield (
            ("process", "nice"),
            f"process.nice of {process.nice} needs root",
            "0 is the best others may have",
        )
    if process.io is not None and process.io.startswith("realtime"):
        yield (
            ("process", "io"),
            "process.io: realtime needs root",
            "best-effort:0 is the best others may have",
        )
    yield from _limits(process)


def _user(name: str | None, uid: int) -> Iterator[Clash]:
    if name is None:
        return
    try:
        wanted = pwd.getpwnam(name).pw_uid
    except KeyError:
        yield ("process", "user"), f"there is no user {name[:64]!r}", None
        return
    if uid not in (0, wanted):
        yield (
            ("process", "user"),
            f"running as {name!r} needs root",
            "take process.user away, or run jarvis as root",
        )


def _group(name: str | None, uid: int) -> Iterator[Clash]:
    if name is None:
        return
    try:
        wanted = grp.getgrnam(name).gr_gid
    except KeyError:
        yield ("process", "group"), f"there is no group {name[:64]!r}", None
        return
    if uid != 0 and wanted not in (os.getegid(), *os.getgroups()):
        yield (
            ("process", "group"),
            f"this user is not in the group {name!r}",
            "join it, or run jarvis as root",
        )


def _limits(process: Process) -> Iterator[Clash]:
    for name, wanted in process.limits.items():
        _, hard = resource.getrlimit(getattr(resource, _MEASURED[name]))
        if hard == resource.RLIM_INFINITY:
            continue
        if wanted == "unlimited" or wanted > hard:
            message = f"process.limits.{name} of {wanted} is above this user's hard limit"
            yield ("process", "limits", name), message, f"at most {hard}"
