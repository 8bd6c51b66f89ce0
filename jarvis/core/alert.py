"""What is an alert, which problem is it about, and when are two of them the same?"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

SEVERITIES = ("info", "low", "medium", "high", "critical")
ALIASES = {"warning": "medium"}
KEY_KEPT = 200
ROOT_KEPT = 200
OURS = "jarvis:"
"""Keys that begin so are of problems that Jarvis itself raises and ends; a run that succeeds does not end them."""
LATE, LONG, SILENT, QUEUE, UNUSABLE = (
    OURS + word for word in ("late", "long", "silent", "queue", "unusable")
)
SERVICE = "service"
"""The key of a service that was left alone because it ended again and again."""

_PATH = re.compile(r"(?<![\w.])(?:~|\.{0,2})/[^\s:,;'\"]+")
_HEX = re.compile(r"\b(?:0x)?[0-9a-f]*\d[0-9a-f]*\b")
_PARTED = re.compile(r"#(?:[.,]#)+")
_SPACE = re.compile(r"\s+")


def rank(severity: str) -> int:
    """0 (info) to 4 (critical); an unknown word counts as high, so that nobody misses it."""
    word = ALIASES.get(severity, severity)
    return SEVERITIES.index(word) if word in SEVERITIES else SEVERITIES.index("high")


def fingerprint(job: str | None, key: str) -> str:
    """Which problem a key means: the same key of two jobs is two problems; Jarvis' own have no job."""
    return f"{job or ''}:{key}"


def ends(recovery: tuple[str, str | None], wanted: Wanted, problem: tuple[str, str]) -> bool:
    """Whether a recovery (job, key) ends the problem (job, key); the job is empty where it is Jarvis itself.

    With a key it ends that problem; one of a job all of its that the run did not raise again.
    """
    if recovery[1] is not None:
        return problem == recovery
    if not recovery[0] or problem[0] != recovery[0]:
        return False
    return problem[1] not in wanted.still and not problem[1].startswith(OURS)


def short_key(key: str) -> str:
    """A key that fits its column; what is cut off goes on telling keys apart."""
    if len(key) <= KEY_KEPT:
        return key
    return f"{key[: KEY_KEPT - 17]}~{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def root(reason: str) -> str:
    """The cause that a reason names, without what differs from job to job: paths and numbers."""
    line = reason.strip().partition("\n")[0].lower()
    line = _PARTED.sub("#", _HEX.sub("#", _PATH.sub("…", line)))
    return _SPACE.sub(" ", line).strip()[:ROOT_KEPT]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What whoever raised an alert asks for.

    ``to``: channels (none: those of ``alerts: {to: …}``). ``after``: how many fires in a row it takes; ``times``: for
    how many of them this alert stands (0: it was counted before, and is judged once more). ``root``: alerts with the
    same one have the same cause. ``still`` (of a recovery): keys that are raised all the same. ``got``: channels that
    need no digest of it any more.
    """

    to: tuple[str, ...] = ()
    after: int = 1
    times: int = 1
    repeat: timedelta | None = None
    recovery: bool = True
    root: str | None = None
    still: tuple[str, ...] = ()
    got: tuple[str, ...] = ()

    def dump(self) -> dict[str, Any] | None:
        """As JSON data, without what goes without saying; None when that is all."""
        said: dict[str, Any] = {}
        for name in ("to", "still", "got"):
            if values := getattr(self, name):
                said[name] = list(values)
        if self.after != 1:
            said["after"] = self.after
        if self.times != 1:
            said["times"] = self.times
        if self.repeat is not None:
            said["repeat"] = self.repeat.total_seconds()
        if not self.recovery:
            said["recovery"] = False
        if self.root:
            said["root"] = self.root
        return said or None


def wanted(data: Mapping[str, Any] | None) -> Wanted:
    """The inverse of ``Wanted.dump``."""
    if not data:
        return Wanted()
    repeat = data.get("repeat")
    return Wanted(
        to=tuple(data.get("to", ())),
        after=int(data.get("after", 1)),
        times=int(data.get("times", 1)),
        repeat=None if repeat is None else timedelta(seconds=repeat),
        recovery=bool(data.get("recovery", True)),
        root=data.get("root"),
        still=tuple(data.get("still", ())),
        got=tuple(data.get("got", ())),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """A row of the journal. ``kind``: problem (lasts until it is over), notice (happened once) or recovery."""

    id: int
    at: datetime
    kind: str
    severity: str
    title: str
    text: str = ""
    key: str | None = None
    job: str | None = None
    run_id: int | None = None
    problem_id: int | None = None
    wanted: Wanted = field(default_factory=Wanted)

    @property
    def fingerprint(self) -> str | None:
        return fingerprint(self.job, self.key) if self.key else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something wrong that lasts: open until ``ended_at``.

    ``id`` is negative while it is not stored. ``count``: how often it was raised. ``alert_id``: the
    alert that it began with, by which people name it. ``said_at``, ``said_severity``: when
    it last went into the outbox or was held, and how bad it was. ``told``: the channels that accepted a message
    about it, each with the first time; ``told_at``: the latest time. Instants are aware UTC.
    """

    id: int
    fingerprint: str
    job: str | None
    key: str
    severity: str
    title: str
    first_at: datetime
    last_at: datetime
    count: int = 1
    alert_id: int | None = None
    wanted: Wanted = field(default_factory=Wanted)
    said_at: datetime | None = None
    said_severity: str | None = None
    told_at: datetime | None = None
    told: Mapping[str, datetime] = field(default_factory=dict)
    acked_at: datetime | None = None
    escalated_at: datetime | None = None
    ended_at: datetime | None = None
    ended_why: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Silence:
    """A maintenance window: what matches is journalled and not said. ``match``: a glob on job, key or title."""

    id: int
    match: str
    from_at: datetime
    until_at: datetime
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One thing to say, over ``channels``. ``about``: ids of the journal; ``problem``: if it is about just one."""

    kind: str
    severity: str
    subject: str
    body: str
    channels: tuple[str, ...]
    about: tuple[int, ...] = ()
    problem: int | None = None
    run_id: int | None = None
