"""How is a server reached that jobs.yaml names? Only where it may be: at addresses that were looked at first.

A name is resolved once and exactly the addresses found are connected to, while TLS and Host keep the name. Link-local
and cloud metadata addresses are never reached, private ones only when that is allowed; the same after a redirect.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jarvis.errors import JarvisError

if TYPE_CHECKING:
    import httpx2

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

HOPS = 10
METADATA = {"100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"}


class Forbidden(JarvisError):
    """This address, or this many redirects: trying again cannot help."""


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
    raise Forbidden(f"{request.url}: more than {HOPS} redirects")


def may_follow(request: httpx2.Request, onward: httpx2.Request, redirects: str) -> bool:
    """Never from https to http; to another host only when the job says so."""
    if request.url.scheme == "https" and onward.url.scheme != "https":
        return False
    return redirects == "any" or onward.url.host == request.url.host


def addresses(host: str, port: int, allow_private: bool) -> list[Address]:
    """Where a name leads, asked once. Raises Forbidden when any of it is an address that must not be reached."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise OSError(f"the name {host} cannot be resolved: {error.strerror}") from error
    reached = list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0])) for entry in found))
    for address in reached:
        if why := forbidden(address, allow_private):
            raise Forbidden(f"{host} leads to {address}, {why}")
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
