"""Does every channel that is named exist, can its URL be one, and which secrets do the channels need?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic_core import ErrorDetails

from jarvis.config import explain, secrets
from jarvis.config.explain import Finding
from jarvis.core.job import Job

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S")
_SEVERAL = re.compile(r"[,;\s]+[A-Za-z][A-Za-z0-9+.-]*://")


def mistakes(
    written: Any, alerts: Mapping[str, Any], jobs: Mapping[str, Job]
) -> Iterator[tuple[str | None, Finding]]:
    """What is wrong with the names of channels: a job (None: the file itself) and a finding inside it.

    ``written``: what stands under ``alerts:``; ``alerts``: the same if it is right, else nothing.
    """
    if written and not alerts:
        return  # it has other mistakes; which channels there are is not known
    named = alerts.get("channels") or {}
    for name, value in named.items():
        if found := _url(("alerts", "channels", name), value):
            yield None, found
    for path, to in (
        (("alerts", "to"), alerts.get("to")),
        (("alerts", "escalate", "to"), (alerts.get("escalate") or {}).get("to")),
    ):
        for found in _unknown(path, to, named):
            yield None, found
    for job, one in jobs.items():
        spec = one.spec
        if spec.deliver is None and spec.alert is None:
            continue
        for field, to in (
            ("deliver", spec.deliver and spec.deliver.to),
            ("alert", spec.alert and spec.alert.to),
        ):
            for found in _unknown((field, "to"), to, named):
                yield job, found


def meant(errors: Sequence[ErrorDetails], alerts: Any) -> list[ErrorDetails]:
    """The errors without those of what a channel is not: a mapping is no text, and no secret without ``$secret``."""
    return [error for error in errors if error["loc"][:1] != ("channels",) or _meant(error, alerts)]


def _meant(error: ErrorDetails, alerts: Any) -> bool:
    loc = error["loc"]
    named = alerts["channels"]
    value = named.get(loc[1]) if isinstance(named, Mapping) and len(loc) > 2 else None
    if not isinstance(value, Mapping):
        return True
    return loc[2] != "str" and (loc[2] == "SecretRef") is ("$secret" in value)


def seeds(alerts: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """What is looked at later: (path of the channel, kind, text) of their secrets, and of the schemes of their URLs."""
    for name, value in (alerts.get("channels") or {}).items():
        path = ("alerts", "channels", name)
        for reference in secrets.references(value):
            yield path, "secret", reference
        url = value.get("url") if isinstance(value, Mapping) else value
        if isinstance(url, str) and (found := _URL.match(url)):
            yield path, "scheme", f"{name} {found[0].partition(':')[0].lower()}"


def _unknown(path: tuple[str, ...], to: Any, named: Iterable[str]) -> Iterator[Finding]:
    wanted = [to] if isinstance(to, str) else to or ()
    known = list(named)
    for index, name in enumerate(wanted):
        if name in known:
            continue
        place: tuple[str | int, ...] = path if isinstance(to, str) else (*path, index)
        near = get_close_matches(name, known, 1)
        if near:
            hint = f"did you mean {near[0]}?"
        elif known:
            hint = f"there are {', '.join(known)}"
        else:
            hint = "name it under alerts: {channels: …}"
        yield Finding(place, f"{'.'.join(path)}: no channel {explain.quote(name)}", hint)


def _url(path: tuple[str, ...], value: Any) -> Finding | None:
    """What is wrong with a URL, without showing it: it may hold a password."""
    inside = isinstance(value, Mapping) and "url" in value
    url = value["url"] if inside else value
    if not isinstance(url, str):
        return None
    place = (*path, "url") if inside else path
    if not _URL.match(url):
        return Finding(
            place, f"{path[-1]}: this is no URL", "write for example mailto://user:password@example.org"
        )
    if _SEVERAL.search(url):
        return Finding(place, f"{path[-1]}: these are several URLs", "make a channel of each")
    return None
