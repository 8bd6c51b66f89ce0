"""What does the wearable's API know? The Oura API, version 2: readiness, sleep with its HRV, stress.

Shapes: https://cloud.ouraring.com/v2/docs. Every collection is ``{"data": [...], "next_token": text or null}``.
Stress is not a number there: it is the share of the measured time, stressed or restorative, that was stressful, and
unknown below an hour of it.
"""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import tenacity

from jarvis.core import cells, wellbeing
from jarvis.core.wellbeing import Day
from jarvis.sources.fallback import Got, NeedsMending, Unavailable

PAGES = 50
BYTES = 8_000_000
SLEPT = ("long_sleep", "sleep", "late_nap")
"""Kinds of sleep that count; ``rest`` and ``deleted`` were rejected by the person."""
STRESS_MEASURED = timedelta(hours=1)


class _Busy(Unavailable):
    """Worth trying again soon; ``after`` seconds, when the service said so."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


@dataclass(frozen=True, kw_only=True, slots=True)
class Oura:
    """How the API is asked. ``tries`` for each request, ``wait`` before the second, doubled for each further one; a
    server that asks for more patience than ``patience`` is not waited for."""

    token: str
    url: str
    timeout: timedelta = timedelta(seconds=10)
    tries: int = 3
    wait: timedelta = timedelta(seconds=1)
    patience: timedelta = timedelta(seconds=10)

    def __repr__(self) -> str:
        return f"Oura(url={self.url!r})"


def fetch(how: Oura, today: date, days: int) -> Got[tuple[Day, ...]] | None:
    """Today and the ``days`` before it; None when there is nothing at all about today.

    A collection that cannot be had, or that is garbage, is left out and said. Raises Unavailable when none can be had
    and when the token is refused.
    """
    parts: dict[str, Any] = {}
    failed: list[Unavailable] = []
    headers = {"Authorization": f"Bearer {_token(how)}"}
    with httpx2.Client(headers=headers, trust_env=False, timeout=how.timeout.total_seconds()) as client:
        for name, since, read in (
            ("daily_readiness", today, scores),
            ("sleep", today - timedelta(days=days), nights),
            ("daily_stress", today, stress),
        ):
            try:
                parts[name] = read(collection(client, how, name, since, today))
            except _Refused as error:
                failed.append(error)
            except _Busy as error:
                failed.append(error)
                how = replace(how, tries=1)  # it had its three tries; the rest is asked, not begged
    if not parts:
        raise next((one for one in failed if isinstance(one, _Busy)), failed[0])
    found = tuple(_days(parts, today))
    if not wellbeing.knows(found, today):
        return None
    return Got(value=found, odd=tuple(map(str, failed)))


def _token(how: Oura) -> str:
    """The token without surrounding space. Raises NeedsMending when it can be none."""
    token = how.token.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise NeedsMending(
            "the token is empty or holds what no token holds (a space, a line break, an umlaut)"
        )
    return token


class _Refused(NeedsMending):
    """One collection cannot be had; others may."""


def collection(
    client: httpx2.Client, how: Oura, name: str, since: date, until: date
) -> Iterator[Mapping[str, Any]]:
    """The documents of a collection, page after page. ``until`` is included: the API's end is one day on."""
    asked: dict[str, str] = {"start_date": str(since), "end_date": str(until + timedelta(days=1))}
    seen: set[str] = set()
    for _ in range(PAGES):
        page = _page(client, how, name, asked)
        for document in page["data"]:
            if not isinstance(document, Mapping):
                raise _Refused(f"{name}: 'data' holds {type(document).__name__}, not documents")
            yield document
        token = page.get("next_token")
        if not token:
            return
        if not isinstance(token, str) or token in seen:
            raise _Refused(f"{name}: its pages do not end (next_token {token!r:.40})")
        seen.add(token)
        asked["next_token"] = token
    raise _Refused(f"{name}: more than {PAGES} pages")


def _page(client: httpx2.Client, how: Oura, name: str, asked: Mapping[str, str]) -> Mapping[str, Any]:
    """One request, tried again where that can help. Raises Unavailable."""
    again = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(how.tries),
        wait=_patience(how),
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, _Busy) and _bearable(error, how)),
        reraise=True,
    )
    body = again(_request, client, f"{how.url.rstrip('/')}/v2/usercollection/{name}", asked, how.timeout)
    try:
        page = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Refused(f"{name}: the answer is not JSON ({error})") from error
    if not isinstance(page, Mapping) or not isinstance(page.get("data"), list):
        raise _Refused(f"{name}: the answer has no list 'data'")
    return page


def _bearable(error: _Busy, how: Oura) -> bool:
    return error.after is None or error.after <= how.patience.total_seconds()


def _patience(how: Oura) -> Callable[[tenacity.RetryCallState], float]:
    growing = tenacity.wait_exponential(multiplier=how.wait.total_seconds(), exp_base=2)

    def seconds(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.after if isinstance(error, _Busy) else None
        return growing(state) if asked is None else asked

    return seconds


def _request(client: httpx2.Client, url: str, asked: Mapping[str, str], timeout: timedelta) -> bytes:
    end = time.monotonic() + timeout.total_seconds()
    name = url.rpartition("/")[2]
    try:
        with client.stream("GET", url, params=dict(asked)) as response:
            _judge(response, name)
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > BYTES:
                    raise _Refused(f"{name}: the answer is bigger than {BYTES // 1_000_000} MB")
                if time.monotonic() > end:
                    raise httpx2.ReadTimeout("the answer is too slow", request=response.request)
            return bytes(body)
    except httpx2.TimeoutException as error:
        raise _Busy(f"{name}: no complete answer within {timeout.total_seconds():g} s") from error
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise NeedsMending(f"{url} cannot be asked: {error}") from error
    except httpx2.ConnectError as error:
        why = re.sub(r"^\[Errno -?\d+\] ", "", str(error))
        raise _Busy(f"{name}: no connection to {url.partition('/v2/')[0]} ({why})") from error
    except httpx2.HTTPError as error:
        raise _Busy(f"{name}: {str(error) or type(error).__name__}") from error


def _judge(response: httpx2.Response, name: str) -> None:
    """Raise what the status means, unless it is fine."""
    status = response.status_code
    if status == 200:
        return
    if status == 401:
        raise NeedsMending("the token is refused (401): it has ended or was revoked, make a new one")
    if status == 429:
        after = retry_after(response.headers.get("retry-after"), datetime.now(UTC))
        said = "" if after is None else f", it asks to wait {after:.0f} s"
        raise _Busy(f"{name}: too many requests (429){said}", after)
    if status >= 500:
        raise _Busy(f"{name}: the service answered {status}")
    if status == 403:
        raise _Refused(f"{name}: the token may not read it (403), or the subscription has ended")
    raise _Refused(f"{name}: the service answered {status}")


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait: the header is a number of them or a date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (TypeError, ValueError):
        return None


def _days(parts: Mapping[str, Any], today: date) -> Iterator[Day]:
    readiness, slept, stressed = (
        parts.get(name, {}) for name in ("daily_readiness", "sleep", "daily_stress")
    )
    for day in sorted({*readiness, *slept, *stressed}):
        if day <= today:
            hours, hrv = slept.get(day, (None, None))
            yield Day(day=day, readiness=readiness.get(day), sleep=hours, hrv=hrv, stress=stressed.get(day))


def scores(documents: Iterable[Mapping[str, Any]]) -> dict[date, float]:
    """``score`` by day; one that is null is not known yet."""
    found = ((_day(one), _number(one, "score")) for one in documents)
    return {day: score for day, score in found if score is not None}


def nights(documents: Iterable[Mapping[str, Any]]) -> dict[date, tuple[float | None, float | None]]:
    """Hours slept (naps count) and the HRV of the longest sleep, by the day on which it ended."""
    by_day: dict[date, list[Mapping[str, Any]]] = {}
    for one in documents:
        if one.get("type", "long_sleep") in SLEPT:
            by_day.setdefault(_day(one), []).append(one)
    found = {}
    for day, sleeps in by_day.items():
        lengths = [(length, one) for one in sleeps if (length := _number(one, "total_sleep_duration"))]
        longest = max(lengths, key=lambda pair: pair[0], default=(0.0, sleeps[0]))[1]
        hours = sum(length for length, _ in lengths) / 3600 if lengths else None
        found[day] = (hours, _hrv(longest))
    return found


def _hrv(document: Mapping[str, Any]) -> float | None:
    """The night's mean; from its samples where the service has not worked it out."""
    mean = _number(document, "average_hrv")
    samples = document.get("hrv")
    items = samples.get("items") if isinstance(samples, Mapping) else None
    if mean is None and isinstance(items, list):
        known = [float(one) for one in items if isinstance(one, int | float) and one > 0]
        mean = round(statistics.fmean(known), 1) if known else None
    return mean or None


def stress(documents: Iterable[Mapping[str, Any]]) -> dict[date, float]:
    """0-100 by day: stressful time of all the time that was either stressful or restorative."""
    found = {}
    for one in documents:
        high, rest = _number(one, "stress_high"), _number(one, "recovery_high")
        if high is None or rest is None or high + rest < STRESS_MEASURED.total_seconds():
            continue
        found[_day(one)] = 100 * high / (high + rest)
    return found


def _day(document: Mapping[str, Any]) -> date:
    try:
        found = cells.day(document.get("day"), UTC)
    except ValueError as error:
        raise _Refused(f"a document's day: {error}") from error
    if found is None:
        raise _Refused("a document has no day")
    return found


def _number(document: Mapping[str, Any], name: str) -> float | None:
    try:
        return cells.number(document.get(name))
    except ValueError as error:
        raise _Refused(f"{name} of {document.get('day')}: {error}") from error
