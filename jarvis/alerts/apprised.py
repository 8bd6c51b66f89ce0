"""How does a message get to an Apprise URL, and what did the receiver answer?

Apprise itself says only yes or no and writes a log; the HTTP status and ``Retry-After`` are noted where its library for
HTTP, requests, gets them. It loads some two hundred modules: imported when the first message is sent, never before.
"""

from __future__ import annotations

import functools
import logging
import re
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from jarvis.alerts.message import NOTIFICATION, Message, NotAccepted, cut, refused, retry_after

TYPES = {"critical": "failure", "high": "failure", "medium": "warning", "low": "info", "info": "info"}
BODY = 32_768
DESKTOPS = frozenset({"dbus", "glib", "gnome", "growl", "kde", "macosx", "qt", "windows"})
"""Schemes of notifications that somebody sees on a desktop."""
_SMTP = re.compile(r"\((?P<code>[245]\d\d), b?['\"](?P<text>.{0,200}?)['\"]\)")
_ERRNO = re.compile(r"\[Errno -?\d+\] (?P<text>[\w ,-]{1,100})")
_TOOK_LONG = re.compile(r"timed? ?out", re.IGNORECASE)


@dataclass(slots=True)
class _Seen:
    """What came back over HTTP during one send."""

    status: int | None = None
    reason: str = ""
    wait: timedelta | None = None
    trouble: str = ""
    lines: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


_seen: ContextVar[_Seen | None] = ContextVar("jarvis_answer", default=None)


def send(url: str, message: Message, timeout: timedelta) -> str:
    """Send; what the receiver answered. Raises NotAccepted."""
    import apprise

    _listen()
    service = _service(url, timeout)
    asker = apprise.Apprise(asset=service.asset)
    asker.add(service)
    title, body = fitting(url, service, message)
    seen = _Seen()
    token = _seen.set(seen)
    try:
        result = asker.notify(
            title=title,
            body=body,
            notify_type=TYPES.get(message.severity, "info"),
            body_format=apprise.NotifyFormat.TEXT,
            interpret_escapes=False,
            log_level=logging.DEBUG,
        )
    finally:
        _seen.reset(token)
    seen.lines = [entry.message for entry in result.logs()]
    seen.complaints = [entry.message for entry in result.logs() if entry.level in ("WARNING", "ERROR")]
    if not result:
        raise _why(seen, timeout)
    return f"HTTP {seen.status} {seen.reason}".rstrip() if seen.status else "accepted"


def _service(url: str, timeout: timedelta) -> Any:
    """The one plugin for this URL, which waits for its receiver as long as the channel allows."""
    import apprise

    asset = apprise.AppriseAsset(
        app_id="Jarvis", app_desc="Jarvis", app_url="", async_mode=False, service_timeout=0.0
    )
    service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if service is None:
        raise NotAccepted(
            f"{scheme(url)}: is no URL that Apprise understands: see https://appriseit.com/services/",
            permanent=True,
        )
    service.socket_connect_timeout = service.socket_read_timeout = timeout.total_seconds()
    if "overflow=" not in url:
        service.overflow_mode = apprise.OverflowMode.TRUNCATE
    return service


def fitting(url: str, service: Any, message: Message) -> tuple[str, str]:
    """Title and body cut to what the service takes; a service without titles gets both in the body."""
    title = cut(message.title, service.title_maxlen or 250)
    most = NOTIFICATION if scheme(url) in DESKTOPS else service.body_maxlen or BODY
    room = most - (0 if service.title_maxlen else len(title) + 8)
    return title, cut(message.body, max(min(room, BODY), 1)) or title


def _why(seen: _Seen, timeout: timedelta) -> NotAccepted:
    if seen.status is not None and not 200 <= seen.status < 300:
        return refused(seen.status, seen.reason, seen.wait)
    if seen.trouble:
        return NotAccepted(seen.trouble)
    said = "\n".join(seen.lines)
    if answer := _SMTP.search(said):
        code = int(answer["code"])
        return NotAccepted(f"the mail server answered {code} {answer['text']}", permanent=code >= 500)
    if _TOOK_LONG.search(said):
        return NotAccepted(f"it did not answer within {timeout.total_seconds():g} s")
    if found := _ERRNO.search(said):
        return NotAccepted(f"it cannot be reached: {found['text'].strip()}")
    return NotAccepted(next(iter(seen.complaints), "it was not accepted; Apprise does not say why"))


def scheme(url: str) -> str:
    """What stands before ``://``: the only part of a URL that is never a secret."""
    found = re.match(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)", url)
    return found[0].lower() if found else "it"


@functools.cache
def _listen() -> None:
    """Note the answers that requests gets, for those who asked for it in this context; everybody else is untouched."""
    from requests import exceptions, sessions

    # Its debug lines say why something failed; they also hold URLs, so they come to us and go nowhere else.
    talk = logging.getLogger("apprise")
    talk.setLevel(logging.DEBUG)
    talk.propagate = False
    talk.addHandler(logging.NullHandler())
    original = sessions.Session.send

    def send(self: Any, request: Any, **kwargs: Any) -> Any:
        seen = _seen.get()
        if seen is None:
            return original(self, request, **kwargs)
        try:
            answer = original(self, request, **kwargs)
        except exceptions.RequestException as error:
            seen.trouble = _trouble(error, kwargs.get("timeout"))
            raise
        seen.status, seen.reason = answer.status_code, str(answer.reason or "")[:100]
        seen.wait = retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))
        return answer

    sessions.Session.send = send  # type: ignore[method-assign]


def _trouble(error: Exception, timeout: Any) -> str:
    """What went wrong on the way, in words without the URL: that may hold a token."""
    from requests import exceptions

    if isinstance(error, exceptions.Timeout):
        limit = timeout[1] if isinstance(timeout, tuple) else timeout
        return f"it did not answer within {limit:g} s" if limit else "it did not answer in time"
    if isinstance(error, exceptions.SSLError):
        return "its certificate cannot be trusted"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return f"it cannot be reached: {cause.strerror}"
        if type(cause).__name__ in ("RemoteDisconnected", "IncompleteRead"):
            return "it closed the connection in the middle of its answer"
        inner = next((one for one in (*cause.args, getattr(cause, "reason", None)) if _is_error(one)), None)
        cause = cause.__cause__ or inner or cause.__context__
    return f"it cannot be reached: {type(error).__name__}"


def _is_error(value: object) -> bool:
    return isinstance(value, BaseException)
