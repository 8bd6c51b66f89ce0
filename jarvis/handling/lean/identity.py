"""As whom does a process act: for good, or while it opens a file for somebody else?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any


def become(request: Mapping[str, Any]) -> None:
    """Be the job's user and group from now on."""
    _set_groups(request)
    if request["gid"] is not None:
        os.setgid(request["gid"])
    if request["uid"] is not None:
        os.setuid(request["uid"])


def act_as(request: Mapping[str, Any]) -> None:
    """The same in a way that can be taken back: only what counts for files is changed."""
    _set_groups(request)
    if request["gid"] is not None:
        os.setegid(request["gid"])
    if request["uid"] is not None:
        os.seteuid(request["uid"])


def act_again_as(uid: int, gid: int, groups: list[int]) -> None:
    """Take it back."""
    if os.geteuid() != uid:
        os.seteuid(uid)
    if os.getegid() != gid:
        os.setegid(gid)
    if sorted(os.getgroups()) != sorted(groups):
        os.setgroups(groups)


def _set_groups(request: Mapping[str, Any]) -> None:
    uid, gid, groups = request["uid"], request["gid"], request["groups"]
    if groups is not None or (uid is not None and uid != os.getuid()):
        os.setgroups(groups if groups is not None else [] if gid is None else [gid])
