"""How does a message get to somebody over Messages, from this Mac?

``osascript`` runs a fixed script; the recipient and the text are its arguments and never become a part of the script.
Messages has to be signed in, and macOS asks once whether Jarvis may control it. Written after the scripting dictionary
of Messages; never run on a Mac by its author.
"""

from __future__ import annotations

from datetime import timedelta

from jarvis.alerts import osascript
from jarvis.alerts.message import Message, cut, marked

SCRIPT = (
    "on run argv",
    "set theRecipient to item 1 of argv",
    "set theText to item 2 of argv",
    'tell application "Messages"',
    "set theAccount to 1st account whose service type is iMessage",
    "send theText to participant theRecipient of theAccount",
    "end tell",
    "end run",
)
LONGEST = 3_500
"""Title and text together; longer ones are cut into several by Messages."""


def argv(message: Message, to: str) -> list[str]:
    """The program and its arguments: a telephone number or an address, and the text."""
    title = marked(message)
    text = f"{title}\n{message.body}" if message.body else title
    return osascript.argv(SCRIPT, to, cut(text, LONGEST))


def send(message: Message, to: str, timeout: timedelta) -> str:
    """Hand it to Messages. Raises NotAccepted."""
    return osascript.run(argv(message, to), timeout)
