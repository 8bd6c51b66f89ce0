"""How does a notification get onto the desktop of a Mac?

``osascript`` runs a fixed script; the text is passed as its arguments and never becomes a part of the script. The sound
follows the severity. Written after Apple's "display notification"; never run on a Mac by its author.
"""

from __future__ import annotations

import subprocess
from datetime import timedelta

from jarvis.alerts.message import Message, NotAccepted, cut, marked

SCRIPT = (
    "on run argv",
    "set theTitle to item 1 of argv",
    "set theText to item 2 of argv",
    "set theSound to item 3 of argv",
    'if theSound is "" then',
    "display notification theText with title theTitle",
    "else",
    "display notification theText with title theTitle sound name theSound",
    "end if",
    "end run",
)
SOUNDS = {"critical": "Sosumi", "high": "Basso", "medium": "Ping", "low": "Pop", "info": ""}
"""Names of files in /System/Library/Sounds; without one the notification is silent."""
TITLE = 120
BODY = 200
"""What a notification shows of a text; the rest would be cut anyway."""


def argv(message: Message) -> list[str]:
    """The program and its arguments."""
    words = [word for line in SCRIPT for word in ("-e", line)]
    sound = "" if message.kind == "recovery" else SOUNDS.get(message.severity, "")
    return ["osascript", *words, "--", _plain(marked(message), TITLE), _plain(message.body, BODY), sound]


def send(message: Message, timeout: timedelta) -> str:
    """Show it. Raises NotAccepted."""
    try:
        ended = subprocess.run(
            argv(message),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout.total_seconds(),
            check=False,
        )
    except FileNotFoundError as error:
        raise NotAccepted("there is no program osascript: this is no Mac", permanent=True) from error
    except OSError as error:
        raise NotAccepted(f"osascript could not be started: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise NotAccepted(f"osascript did not end within {timeout.total_seconds():g} s") from error
    if ended.returncode != 0:
        said = ended.stderr.decode("utf-8", "replace").strip()[:300]
        raise NotAccepted(f"osascript ended with exit code {ended.returncode}: {said}".rstrip(": "))
    return "osascript took it"


def _plain(text: str, most: int) -> str:
    """Arguments of a program hold no NUL."""
    return cut(text.replace("\0", "�"), most)
