"""Request a URL and check how it answers.

The answer's body becomes the run's output (its first megabyte). A name is resolved once and exactly the
addresses found are connected to; link-local and cloud metadata addresses are always refused, also after a
redirect. Proxies and netrc of the environment are not used.

Parameters:
    url: what to request, http or https
    method: the request's method
    headers: sent with it; values may be secrets
    json: sent as a JSON body
    body: sent as it is; a text or a secret
    expect: the statuses that are fine: 200, "2xx", "200-204", or a list of these
    expect_text: must occur in the first megabyte of the answer
    timeout: for the whole request
    redirects: follow them on the same host, to any host (your headers are then left out), or not at all
    verify: check the server's certificate
    retries: how often a connection that fails is tried again
    allow_private: loopback and private addresses may be connected to
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urljoin

from pydantic import Field

from jarvis import Context, GiveUp, Secret
from jarvis.errors import JarvisError
from jarvis.sources.reaching import Forbidden, follow, pinned

if TYPE_CHECKING:
    import httpx2

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
Number = Annotated[int, Field(ge=100, le=599)]
Range = Annotated[str, Field(pattern=r"^[1-5](xx|\d\d(-[1-5]\d\d)?)$")]
Status = Number | Range

KEPT = 1_000_000


class Failed(JarvisError):
    """The answer, or its absence, in one sentence."""


def run(
    ctx: Context,
    *,
    url: str,
    method: Method = "GET",
    headers: dict[str, str | Secret] = {},  # noqa: B006 (never changed; shown as the form's default)
    json: Any = None,
    body: str | Secret | None = None,
    expect: Status | list[Status] = "2xx",
    expect_text: str | None = None,
    timeout: timedelta = timedelta(seconds=30),
    redirects: Literal["same-host", "any", "none"] = "same-host",
    verify: bool = True,
    retries: Annotated[int, Field(ge=0, le=10)] = 2,
    allow_private: bool = True,
) -> tuple[str, dict[str, float]]:
    import httpx2

    if json is not None and body is not None:
        raise GiveUp("give json or body, not both")
    began = time.monotonic()
    end = began + timeout.total_seconds()
    content = body.reveal() if isinstance(body, Secret) else body
    with httpx2.Client(transport=pinned(verify, allow_private, retries, end), trust_env=False) as client:
        try:
            request = client.build_request(method, url, headers=plain(headers), json=json, content=content)
            response = follow(client, request, redirects, set(headers))
            kept = body_of(response, end)
        except Forbidden as error:
            raise GiveUp(str(error)) from error
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, ValueError) as error:
            raise GiveUp(f"{url}: {error}") from error
        except httpx2.TimeoutException as error:
            raise Failed(f"{url}: no complete answer within {timeout.total_seconds():g} s") from error
        except httpx2.HTTPError as error:
            raise Failed(f"{url}: {str(error) or type(error).__name__}") from error
    seconds = time.monotonic() - began
    sys.stdout.buffer.write(kept)
    sys.stdout.flush()
    judge(response, expect, expect_text, kept.decode(response.encoding or "utf-8", "replace"))
    numbers = {"status": response.status_code, "seconds": round(seconds, 4), "bytes": len(kept)}
    return f"{response.status_code} in {seconds:.2f} s, {len(kept)} bytes", numbers


def plain(headers: dict[str, str | Secret]) -> dict[str, str]:
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in headers.items()}


def body_of(response: httpx2.Response, end: float) -> bytes:
    """The first megabyte; more is not even fetched."""
    import httpx2

    kept = bytearray()
    try:
        for chunk in response.iter_bytes():
            kept += chunk
            if len(kept) >= KEPT:
                break
            if time.monotonic() > end:
                raise httpx2.ReadTimeout("the answer is too slow", request=response.request)
    finally:
        response.close()
    return bytes(kept[:KEPT])


def judge(response: httpx2.Response, expect: Any, text: str | None, body: str) -> None:
    """Raise Failed unless the status is expected and the text is there."""
    wanted = expect if isinstance(expect, list) else [expect]
    if not any(fits(response.status_code, one) for one in wanted):
        said = (
            f"{response.request.url} answered {response.status_code}, expected {', '.join(map(str, wanted))}"
        )
        if onward := response.headers.get("location"):
            target = urljoin(str(response.request.url), onward)
            said += f"; it points to {target}, which 'redirects' does not allow"
        raise Failed(said)
    if text is not None and text not in body:
        raise Failed(f"{response.request.url} answered {response.status_code}, but without the text {text!r}")


def fits(status: int, wanted: int | str) -> bool:
    text = str(wanted)
    if text.endswith("xx"):
        return status // 100 == int(text[0])
    low, _, high = text.partition("-")
    return int(low) <= status <= int(high or low)
