"""Does Apprise understand the URL of every channel? Asked in a short process of its own.

Apprise loads some two hundred modules: a daemon that has nothing to send must not hold them in memory.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from jarvis.config.configuration import Config, Seed
from jarvis.core.telling import Channel
from jarvis.errors import Problem

log = logging.getLogger("jarvis.channels")

WITHIN = 60.0
NATIVE = frozenset({"http", "https"})
"""Addresses that services give to their users; Apprise tells by the host whose they are."""
_ASK = """
import json, logging, sys
logging.disable()
from apprise import Apprise
from apprise.manager_plugins import NotificationManager
urls = json.load(sys.stdin)
refused = [name for name, url in urls.items() if Apprise.instantiate(url, suppress_exceptions=True) is None]
print(json.dumps({"schemes": sorted(NotificationManager().schemas()), "refused": refused}))
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """``schemes``: all that this Apprise can send to. ``refused``: the channels whose URL it does not understand."""

    schemes: frozenset[str]
    refused: frozenset[str]


def ask(urls: Mapping[str, str]) -> Answer | None:
    """What Apprise says of these URLs by channel; None when it cannot be asked (the log says why).

    Takes a second or so. Nothing is sent.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", _ASK],
            input=json.dumps(urls),  # not among the arguments: a URL may hold a password
            capture_output=True,
            text=True,
            timeout=WITHIN,
        )
        if done.returncode == 0:
            said = json.loads(done.stdout)
            return Answer(schemes=frozenset(said["schemes"]), refused=frozenset(said["refused"]))
        why = done.stderr
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        why = str(error)
    last = why.strip().splitlines()[-1:] or ["it said nothing"]
    log.warning("Apprise could not be asked which URLs it understands: %s", last[0])
    return None


def doubts(config: Config, ask: Callable[[Mapping[str, str]], Answer | None] = ask) -> tuple[Problem, ...]:
    """A problem for each channel whose URL Apprise does not understand; it is asked only when there are such channels.

    A URL that is a secret is not looked at.
    """
    seeds = {name: seed for seed in config.schemes if (name := _name(seed)) and _scheme(seed) not in NATIVE}
    urls = {name: url for name in seeds if (url := _url(config.alerts.channels[name]))}
    if not urls or not (answer := ask(urls)):
        return ()
    return tuple(
        _problem(seed, answer)
        for name, seed in seeds.items()
        if name in answer.refused or _scheme(seed) not in answer.schemes
    )


def _url(channel: object) -> str | None:
    url = channel.url if isinstance(channel, Channel) else channel
    return url if isinstance(url, str) else None


def _name(seed: Seed) -> str:
    return seed.text.rpartition(" ")[0]


def _scheme(seed: Seed) -> str:
    return seed.text.rpartition(" ")[2]


def _problem(seed: Seed, answer: Answer) -> Problem:
    name, scheme = _name(seed), _scheme(seed)
    hint = "see https://appriseit.com/services/"
    if scheme in answer.schemes:
        message = f"channel {name}: Apprise does not understand this {scheme}:// URL"
    else:
        message = f"channel {name}: no such Apprise scheme '{scheme}://'"
        if near := get_close_matches(scheme, sorted(answer.schemes), 1):
            hint = f"did you mean {near[0]}://?"
    return Problem(file=seed.file, line=seed.line, column=seed.column, message=message, hint=hint)
