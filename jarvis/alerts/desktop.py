"""How does a notification get onto the desktop of a Mac?

``osascript`` runs a fixed script; the text is passed as its arguments and never becomes a part of the script. The sound
follows the severity. Written after Apple's "display notification"; never run on a Mac by its author.
"""

from __future__ import annotations

from datetime import timedelta

from jarvis.alerts import osascript
from jarvis.alerts.message import NOTIFICATION, Message, cut, marked

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


def argv(message: Message) -> list[str]:
    """The program and its arguments."""
    sound = "" if message.kind == "recovery" else SOUNDS.get(message.severity, "")
    return osascript.argv(SCRIPT, cut(marked(message), TITLE), cut(message.body, NOTIFICATION), sound)


def send(message: Message, timeout: timedelta) -> str:
    """Show it. Raises NotAccepted."""
    return osascript.run(argv(message), timeout)
