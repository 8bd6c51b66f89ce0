"""What is said to a channel, and what may the channel answer?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from jarvis.errors import JarvisError

SEVERITIES = ("info", "low", "medium", "high", "critical")
"""From the least to the most severe."""
EMOJI = {"critical": "🔴", "high": "🟠", "medium": "🟡", "low": "🔵", "info": "⚪"}
RECOVERED = "✅"
NOTIFICATION = 200
"""Characters of a text that a notification of a desktop shows; the rest would be cut anyway."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message. ``kind``: alert, recovery, escalation, digest, result, test or combined.

    ``ids``: the deliveries it is made of. ``count``: of how many messages it tells. ``severity``: the worst of them.
    """

    title: str
    body: str
    severity: str = "medium"
    kind: str = "alert"
    at: datetime
    ids: tuple[int, ...] = ()
    count: int = 1
    run_id: int | None = None

    def data(self, channel: str) -> dict[str, Any]:
        """As JSON data, for programs and files."""
        return {
            "channel": channel,
            "kind": self.kind,
            "severity": self.severity,
            "title": self.title,
            "body": self.body,
            "at": self.at.isoformat().replace("+00:00", "Z"),
            "ids": list(self.ids),
            "count": self.count,
            "run": self.run_id,
        }


class NotAccepted(JarvisError):
    """The channel did not take the message; ``str()`` says why, without a secret.

    ``permanent``: it never will. ``wait``: how long the receiver asked to be left alone.
    """

    def __init__(self, why: str, *, permanent: bool = False, wait: timedelta | None = None) -> None:
        super().__init__(why)
        self.permanent = permanent
        self.wait = wait


LASTING = frozenset(range(400, 500)) - {408, 421, 423, 425, 429}
"""HTTP answers that stay the same however often one asks: what is wrong has to be mended by a person."""


def refused(status: int, reason: str, wait: timedelta | None = None) -> NotAccepted:
    """The error for an HTTP answer that is no success."""
    said = f"it answered HTTP {status} {reason}".rstrip()
    if status in (401, 403):
        said += ": its token or password is wrong, or may not do this"
    elif status in (404, 410):
        said += ": there is no such address (any more)"
    return NotAccepted(said, permanent=status in LASTING, wait=wait)


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """The header ``Retry-After``: seconds, or a date (RFC 9110, 10.2.3). None when it is not there or means nothing."""
    from email.utils import parsedate_to_datetime

    if value is None:
        return None
    text = value.strip()
    if text.isdigit():
        return timedelta(seconds=min(int(text), 86_400))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        return None
    return max(timedelta(0), min(at - now, timedelta(days=1)))


def cut(text: str, most: int) -> str:
    """At most so many characters; what was longer ends with an ellipsis."""
    return text if len(text) <= most else text[: max(most - 1, 0)].rstrip() + "…"


def marked(message: Message) -> str:
    """The title with the sign of its severity before it."""
    sign = RECOVERED if message.kind == "recovery" else EMOJI.get(message.severity, EMOJI["medium"])
    return f"{sign} {message.title}"
