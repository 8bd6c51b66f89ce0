"""How does a bot of Telegram write to a chat?

One message: the sign of its severity, the title in bold, the text below, everything else escaped. Three tries with
1 s and 2 s between them; an answer that cannot get better (4xx) is not asked for again, and when the bot is told how
long to wait (429) the outbox waits that long. Documentation: https://core.telegram.org/bots/api#sendmessage
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from jarvis.alerts.message import Message, NotAccepted, cut, marked, refused, retry_after

if TYPE_CHECKING:
    import httpx2

API = "https://api.telegram.org"
LONGEST = 4096
TITLE = 256
TRIES = 3
FIRST_WAIT = timedelta(seconds=1)


def send(
    message: Message,
    *,
    token: str,
    chat: str,
    api: str = API,
    timeout: timedelta,
    sleep: Callable[[float], None],
) -> str:
    """Send; what Telegram answered. ``timeout`` is for each try. Raises NotAccepted."""
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

    trying = Retrying(
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential(multiplier=FIRST_WAIT.total_seconds(), exp_base=2),
        retry=retry_if_exception(_passing),
        sleep=sleep,
        reraise=True,
    )
    return str(trying(_once, f"{api.rstrip('/')}/bot{token}/sendMessage", chat, text(message), timeout))


def _passing(error: BaseException) -> bool:
    """Worth another try in a second. After a 429 it is not: its wait is the outbox's."""
    return isinstance(error, NotAccepted) and not error.permanent and error.wait is None


def text(message: Message) -> str:
    """The message in Telegram's HTML, at most 4,096 characters long; no tag or character reference is cut in two."""
    import html  # half a megabyte of names of characters, for those who use Telegram

    title = f"<b>{html.escape(cut(marked(message), TITLE), quote=False)}</b>"
    body = message.body
    escaped = html.escape(body, quote=False)
    while body and len(title) + 1 + len(escaped) > LONGEST:
        body = cut(body, len(body) - max(1, (len(title) + 1 + len(escaped) - LONGEST) // 5))
        escaped = html.escape(body, quote=False)
    return f"{title}\n{escaped}" if escaped else title


def _once(url: str, chat: str, words: str, timeout: timedelta) -> str:
    import httpx2

    try:
        answer = httpx2.post(
            url,
            json={"chat_id": chat, "text": words, "parse_mode": "HTML", "disable_web_page_preview": True},
            timeout=timeout.total_seconds(),
        )
    except httpx2.TimeoutException as error:
        raise NotAccepted(f"it did not answer within {timeout.total_seconds():g} s") from error
    except httpx2.InvalidURL as error:
        raise NotAccepted("the address made of api and token is no URL", permanent=True) from error
    except httpx2.HTTPError as error:  # its words have the token in them
        raise NotAccepted(f"it cannot be reached: {_reason(error)}") from error
    if answer.status_code != 200:
        raise _refused(answer)
    return "HTTP 200 OK"


def _refused(answer: httpx2.Response) -> NotAccepted:
    said = _said(answer)
    wait = retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))
    parameters = said.get("parameters")
    if isinstance(parameters, dict) and isinstance(parameters.get("retry_after"), int):
        wait = timedelta(seconds=min(max(parameters["retry_after"], 0), 86_400))
    words = said.get("description")
    return refused(
        answer.status_code, f"({words[:200]})" if isinstance(words, str) else answer.reason_phrase, wait
    )


def _said(answer: httpx2.Response) -> dict[str, Any]:
    try:
        said = json.loads(answer.content)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _reason(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
