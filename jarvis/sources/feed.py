"""What is new at an HTTP endpoint that answers with JSON? Pages of items, and what to ask with the next time."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn
from urllib.parse import urljoin

import httpx2

from jarvis.core import triggers
from jarvis.errors import JarvisError
from jarvis.sources import reaching

MOST_BYTES = 64_000_000
"""Of one page, unpacked."""

LONGEST_WAIT = timedelta(hours=24)
"""A server may ask for this much patience (Retry-After)."""


class Unanswered(JarvisError):
    """No usable answer this time; the next poll may get one."""


class Misasked(JarvisError):
    """It will be the same answer until a person changes something."""


class Wait(Unanswered):
    """The server asks to be left alone until ``until_at``."""

    def __init__(self, message: str, until_at: datetime) -> None:
        super().__init__(message)
        self.until_at = until_at


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """How to ask. ``items`` and ``next_field``: dotted paths in the answer."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    items: str | None = None
    next_field: str | None = None
    pages: int = 10
    timeout: timedelta = timedelta(seconds=30)
    verify: bool = True
    allow_private: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page's items and its whole answer. ``more``: there are further pages than were asked for."""

    items: list[Any]
    answer: Any
    etag: str | None = None
    modified: str | None = None
    more: bool = False


def pages(
    asking: Asking, etag: str | None, modified: str | None, now: Callable[[], datetime]
) -> Iterator[Page]:
    """The pages, one at a time; none when nothing has changed (304). Raises Unanswered, Wait or Misasked."""
    known = {"If-None-Match": etag, "If-Modified-Since": modified}
    first = {name: value for name, value in known.items() if value}
    url: str | None = asking.url
    for number in range(1, asking.pages + 1):
        assert url is not None
        response, data = _get(asking, url, first if number == 1 else None)
        if response.status_code in (204, 304):
            return
        _judge(response, now())
        answer = _json(response, data)
        url = _next(response, answer, asking)
        yield Page(
            items=_items(answer, asking.items, asking.url),
            answer=answer,
            etag=response.headers.get("etag"),
            modified=response.headers.get("last-modified"),
            more=url is not None and number == asking.pages,
        )
        if url is None:
            return


def _get(asking: Asking, url: str, conditions: Mapping[str, str] | None) -> tuple[httpx2.Response, bytes]:
    """The answer to one request with its whole body. ``conditions``: those of the first page, None for others."""
    seconds = asking.timeout.total_seconds()
    end = time.monotonic() + seconds
    transport = reaching.pinned(asking.verify, asking.allow_private, 2, end)
    with httpx2.Client(transport=transport, trust_env=False) as client:
        try:
            if conditions is not None and asking.params:
                url = str(httpx2.URL(url).copy_merge_params(dict(asking.params)))
            headers = {"Accept": "application/json", **asking.headers, **(conditions or {})}
            request = client.build_request("GET", url, headers=headers)
            if request.url.scheme not in ("http", "https"):
                raise Misasked(f"{url}: only http and https can be requested")
            response = reaching.follow(client, request, "same-host", set(asking.headers))
            return response, _body(response, end, seconds)
        except reaching.Forbidden as error:
            raise Misasked(str(error)) from error
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, ValueError) as error:
            raise Misasked(f"{url}: {error}") from error
        except httpx2.TimeoutException as error:
            raise Unanswered(f"{url}: no complete answer within {seconds:g} s") from error
        except httpx2.HTTPError as error:
            raise Unanswered(f"{url}: {str(error) or type(error).__name__}") from error


def _body(response: httpx2.Response, end: float, seconds: float) -> bytes:
    """All of it, if it is not too much and comes in time."""
    kept = bytearray()
    try:
        for chunk in response.iter_bytes():
            kept += chunk
            if len(kept) > MOST_BYTES:
                raise Unanswered(f"{response.url}: the answer has more than {MOST_BYTES // 1_000_000} MB")
            if time.monotonic() > end:
                raise Unanswered(f"{response.url}: no complete answer within {seconds:g} s")
    finally:
        response.close()
    return bytes(kept)


def _judge(response: httpx2.Response, now: datetime) -> None:
    code = response.status_code
    if code // 100 == 2:
        return
    said = f"{response.url} answered {code}"
    if code in (429, 503) and (until_at := _patience(response.headers.get("retry-after"), now)):
        raise Wait(f"{said} and asks to wait until {until_at:%Y-%m-%d %H:%M:%S} UTC", until_at)
    if code // 100 == 3:
        onward = urljoin(str(response.url), response.headers.get("location", ""))
        raise Misasked(f"{said} and points to {onward}; redirects to another host are not followed")
    if code // 100 == 4 and code not in (408, 425, 429):
        raise Misasked(f"{said}; check url and headers")
    raise Unanswered(said)


def _patience(text: str | None, now: datetime) -> datetime | None:
    """``Retry-After``: seconds, or a date; LONGEST_WAIT at most."""
    if not text:
        return None
    try:
        until = (
            now + timedelta(seconds=int(text)) if text.strip().isdecimal() else parsedate_to_datetime(text)
        )
    except (ValueError, TypeError, OverflowError):
        return now + LONGEST_WAIT if text.strip().isdecimal() else None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(until.astimezone(UTC), now + LONGEST_WAIT)


def _json(response: httpx2.Response, data: bytes) -> Any:
    def constant(word: str) -> NoReturn:
        raise ValueError(f"{word} is not JSON")

    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise Unanswered(f"{response.url} did not answer with JSON: {error}") from error


def _items(answer: Any, path: str | None, url: str) -> list[Any]:
    found = answer if path is None else triggers.at(answer, path)
    if isinstance(found, list):
        return found
    if path is None:
        return [found]
    if isinstance(answer, Mapping):
        there = f"it has {', '.join(map(str, list(answer)[:10])) or 'no fields'}"
    else:
        there = f"it is a {type(answer).__name__}"
    raise Misasked(f"{url}: there is no list at items: {path} in the answer; {there}")


def _next(response: httpx2.Response, answer: Any, asking: Asking) -> str | None:
    """The next page: what ``next_field`` says, or the Link header; on the same host only."""
    if asking.next_field is not None:
        found = triggers.at(answer, asking.next_field)
        link = found if isinstance(found, str) and found else None
    else:
        link = response.links.get("next", {}).get("url")
    if link is None:
        return None
    onward = httpx2.URL(urljoin(str(response.url), link))
    here = response.url
    if (onward.scheme, onward.host, onward.port) != (here.scheme, here.host, here.port):
        raise Misasked(f"{here}: the next page is on another host ({onward}); it is not followed")
    return str(onward)


def identity(item: Any, field_: str | None) -> str:
    """What makes an item the same when it comes again: its id, or, without one, all of it."""
    found = triggers.at(item, field_) if field_ is not None else None
    if isinstance(found, str | int) and not isinstance(found, bool) and found != "":
        text = f"id:{found}"
    else:
        text = "all:" + json.dumps(item, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def text_at(item: Any, path: str) -> str | None:
    """A text or a number inside an item, as text."""
    found = triggers.at(item, path)
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return None
    return str(found)
