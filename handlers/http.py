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

import ipaddress
import socket
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urljoin

from pydantic import Field

from jarvis import Context, GiveUp, Secret
from jarvis.errors import JarvisError

if TYPE_CHECKING:
    import httpx2

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
Number = Annotated[int, Field(ge=100, le=599)]
Range = Annotated[str, Field(pattern=r"^[1-5](xx|\d\d(-[1-5]\d\d)?)$")]
Status = Number | Range
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

KEPT = 1_000_000
HOPS = 10
METADATA = {"100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"}


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


def follow(client: httpx2.Client, request: httpx2.Request, redirects: str, own: set[str]) -> httpx2.Response:
    """Send it, and follow redirects as far as allowed; one not followed is the answer."""
    for _ in range(HOPS):
        response = client.send(request, stream=True)
        onward = response.next_request
        if onward is None or redirects == "none" or not may_follow(request, onward, redirects):
            return response
        response.close()
        if onward.url.host != request.url.host:
            for name in own:
                onward.headers.pop(name, None)
        request = onward
    raise GiveUp(f"{request.url}: more than {HOPS} redirects")


def may_follow(request: httpx2.Request, onward: httpx2.Request, redirects: str) -> bool:
    """Never from https to http; to another host only when the job says so."""
    if request.url.scheme == "https" and onward.url.scheme != "https":
        return False
    return redirects == "any" or onward.url.host == request.url.host


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


def addresses(host: str, port: int, allow_private: bool) -> list[Address]:
    """Where a name leads, asked once. Raises GiveUp when any of it is an address that must not be reached."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise OSError(f"the name {host} cannot be resolved: {error.strerror}") from error
    reached = list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0])) for entry in found))
    for address in reached:
        if why := forbidden(address, allow_private):
            raise GiveUp(f"{host} leads to {address}, {why}")
    return reached


def forbidden(address: Address, allow_private: bool) -> str | None:
    """Why an address must not be connected to; those that carry another one inside are judged by that one."""
    for inner in inside(address):
        if inner.is_link_local or str(inner) in METADATA:
            return "a link-local or metadata address, which is never requested"
        if inner.is_multicast or inner.is_unspecified:
            return "which is no address of a server"
        if not allow_private and not inner.is_global:
            return "a private address, and allow_private is false"
    return None


def inside(address: Address) -> Iterator[Address]:
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        packed = int(address)
        yield from filter(None, (address.ipv4_mapped, address.sixtofour))
        if packed >> 32 == 0x0064FF9B << 64:
            yield ipaddress.IPv4Address(packed & 0xFFFFFFFF)


def pinned(verify: bool, allow_private: bool, retries: int, end: float) -> httpx2.BaseTransport:
    """A transport that connects to the addresses it has checked, while TLS and Host keep the name."""
    import httpx2
    import tenacity

    class Pinned(httpx2.BaseTransport):
        def __init__(self) -> None:
            self.inner = httpx2.HTTPTransport(verify=verify)  # SSL_CERT_FILE may name a private authority
            left = end - time.monotonic()
            self.again = tenacity.Retrying(
                stop=tenacity.stop_after_attempt(retries + 1) | tenacity.stop_before_delay(left),
                wait=tenacity.wait_exponential(multiplier=0.1, max=5),
                retry=tenacity.retry_if_exception_type((httpx2.ConnectError, httpx2.ConnectTimeout)),
                reraise=True,
            )

        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            return self.again(self.once, request)

        def once(self, request: httpx2.Request) -> httpx2.Response:
            if request.url.scheme not in ("http", "https"):
                raise httpx2.UnsupportedProtocol("only http and https can be requested", request=request)
            try:
                reached = addresses(request.url.host, request.url.port or 443, allow_private)
            except OSError as error:
                raise httpx2.ConnectError(str(error), request=request) from error
            for address in reached[:-1]:
                try:
                    return self.inner.handle_request(self.to(address, request))
                except (httpx2.ConnectError, httpx2.ConnectTimeout):
                    continue  # the name has further addresses
            return self.inner.handle_request(self.to(reached[-1], request))

        def to(self, address: Address, request: httpx2.Request) -> httpx2.Request:
            left = max(0.001, end - time.monotonic())
            timeout = dict.fromkeys(("connect", "read", "write", "pool"), left)
            return httpx2.Request(
                request.method,
                request.url.copy_with(host=str(address)),
                headers=request.headers,
                stream=request.stream,
                extensions=request.extensions | {"sni_hostname": request.url.host, "timeout": timeout},
            )

        def close(self) -> None:
            self.inner.close()

    return Pinned()
