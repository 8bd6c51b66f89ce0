"""Does it answer? Web servers, ports, processes and commands, looked at once.

Each probe says what it saw. It raises Blind when nothing can be said about the thing, because this machine could not
look: no network at all, no file handles, a command that cannot be started, a resolver that does not answer.
"""

from __future__ import annotations

import asyncio
import errno
import fnmatch
import ipaddress
import os
import socket
import ssl
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jarvis.core.invariants import Up
from jarvis.core.observation import Seen
from jarvis.sources import commands, network

if TYPE_CHECKING:
    import httpx2

HOPS = 10
LOOKED_AT = 1_000_000
"""So many bytes of an answer are searched for ``contains``."""

BLINDING = {
    errno.ENETUNREACH, errno.ENETDOWN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL,
    errno.EPERM, errno.EACCES,
}  # fmt: skip
"""These say something about this machine, not about the one that was asked."""

UNNAMED = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
"""The resolver answered: there is no such name. Any other failure of it says nothing."""

NOT_STARTED = {126: "it could not be started", 127: "there is no such program"}
"""What a shell says of a command that it could not run."""


class Blind(Exception):
    """Nothing can be said about it; the message says why."""


async def http(client: httpx2.AsyncClient, url: str, how: Up) -> Seen:
    """Up: the answer has an expected status and ``contains`` its text. Redirects are followed on the same host."""
    import httpx2

    try:
        request = client.build_request("GET", url, headers=how.headers)
        for _ in range(HOPS + 1):
            response = await client.send(request, stream=True)
            try:
                onward = response.next_request
                if onward is None or not _same_place(request, onward):
                    return await _judged(response, url, how)
            finally:
                await response.aclose()
            request = onward
    except httpx2.TimeoutException:
        raise TimeoutError from None
    except (httpx2.HTTPError, ssl.SSLError, OSError) as error:
        return failed(_shown(url), error, urlsplit(url).hostname or "")
    except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
        raise Blind(f"{_shown(url)} cannot be requested: {error}") from error
    return Seen(up=False, said=f"{_shown(url)}: more than {HOPS} redirects")


def _same_place(request: httpx2.Request, onward: httpx2.Request) -> bool:
    """On the same host, and never from https to http."""
    downgraded = request.url.scheme == "https" and onward.url.scheme != "https"
    return onward.url.host == request.url.host and not downgraded


async def _judged(response: httpx2.Response, url: str, how: Up) -> Seen:
    said = f"{_shown(url)} answered {response.status_code}"
    wanted = how.expect if isinstance(how.expect, list) else [how.expect]
    if not any(fits(response.status_code, one) for one in wanted):
        onward = response.headers.get("location")
        to = f", it points to {_shown(str(response.url.join(onward)))}" if onward else ""
        return Seen(up=False, said=f"{said}, expected {', '.join(map(str, wanted))}{to}")
    if how.contains is None:
        return Seen(up=True, said=said)
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if how.contains.encode() in body:
            return Seen(up=True, said=said)
        if len(body) > LOOKED_AT:
            break
    return Seen(up=False, said=f"{said}, but without the text {how.contains!r}")


def fits(status: int, wanted: int | str) -> bool:
    """``200``, ``2xx``, ``200-204``."""
    text = str(wanted)
    if text.endswith("xx"):
        return status // 100 == int(text[0])
    low, _, high = text.partition("-")
    return int(low) <= status <= int(high or low)


async def tcp(address: str, how: Up) -> Seen:
    """Up: it takes the connection, and says the text of ``contains``. All addresses of a name are tried."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    loop, last = asyncio.get_running_loop(), OSError(errno.EADDRNOTAVAIL, "it has no address")
    try:
        found = await loop.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return failed(address, error, host)
    for family, kind, protocol, _, where in found:
        with socket.socket(family, kind, protocol) as connection:
            connection.setblocking(False)
            try:
                await loop.sock_connect(connection, where)
                return await _heard(connection, address, how.contains)
            except OSError as error:
                last = error
    return failed(address, last, host)


async def _heard(connection: socket.socket, address: str, wanted: str | None) -> Seen:
    heard = bytearray()
    while wanted is not None and wanted.encode() not in heard:
        chunk = await asyncio.get_running_loop().sock_recv(connection, 65_536)
        heard += chunk
        if not chunk or len(heard) > LOOKED_AT:
            return Seen(up=False, said=f"{address} takes connections, but does not say {wanted!r}")
    return Seen(up=True, said=f"{address} takes connections")


def failed(name: str, error: BaseException, host: str) -> Seen:
    """What a failure to talk to it means. Raises Blind when it says nothing about the other side."""
    causes = list(_causes(error))
    words = _words(causes)
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            if cause.errno not in UNNAMED or not network.routed():
                raise Blind(f"{name}: the name {host} cannot be looked up: {words}") from error
        elif isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) and cause.errno in BLINDING:
            raise Blind(f"{name} cannot be reached from here: {words}") from error
    if not local(host) and not network.routed():
        raise Blind(f"{name}: this machine has no network ({words})") from error
    return Seen(up=False, said=f"{name}: {words}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and everything it came from."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [*getattr(one, "exceptions", ()), one.__cause__, one.__context__]


def _words(causes: Sequence[BaseException]) -> str:
    """The plainest of the sentences: of the system where it said something."""
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid: {cause.verify_message}"
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {cause.reason or cause}"
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror:
            # asyncio puts its own words where the system's stood.
            said = (
                os.strerror(cause.errno) if cause.errno and cause.errno in errno.errorcode else cause.strerror
            )
            return said[:1].lower() + said[1:]
    return str(causes[0]) or type(causes[0]).__name__


def local(host: str) -> bool:
    """It is this very machine, which needs no network."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _shown(url: str) -> str:
    """A URL without user, password and question: those may be secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def processes() -> list[tuple[str, list[str]]]:
    """Name and words of the command line of every process but this one and dead ones. Raises Blind."""
    import psutil

    found = []
    try:
        for one in psutil.process_iter(["pid", "name", "cmdline", "status"]):
            if one.info["pid"] != os.getpid() and one.info["status"] != psutil.STATUS_ZOMBIE:
                found.append((one.info["name"] or "", one.info["cmdline"] or []))
    except (psutil.Error, OSError) as error:
        raise Blind(f"the processes of this machine cannot be listed: {error}") from error
    return found


def process(wanted: str, running: Iterable[tuple[str, list[str]]]) -> Seen:
    """Up: one runs whose name is this (``*`` stands for anything); with a space or slash: whose command line has it."""
    whole = " " in wanted or "/" in wanted
    count = sum(_matches(wanted, name, words, whole) for name, words in running)
    if count:
        return Seen(up=True, said=f"{count} process{'es' if count > 1 else ''} {wanted!r}", value=count)
    return Seen(up=False, said=f"no process {wanted!r} is running")


def _matches(wanted: str, name: str, words: list[str], whole: bool) -> bool:
    if whole:
        return fnmatch.fnmatchcase(" ".join(words), f"*{wanted}*")
    program = os.path.basename(words[0]) if words else ""
    return fnmatch.fnmatchcase(name, wanted) or fnmatch.fnmatchcase(program, wanted)


async def command(argv: str | list[str], contains: str | None) -> Seen:
    """Up: exit code 0, and ``contains`` in the first megabyte it wrote."""
    ended = await ended_of(argv)
    if ended.code != 0:
        said = f"killed by signal {-ended.code}" if ended.code < 0 else f"exit code {ended.code}"
        return Seen(up=False, said=f"{ended.name}: {said}{ended.last_words()}")
    if contains is not None and contains.encode() not in ended.head:
        return Seen(up=False, said=f"{ended.name}: exit code 0, but without the text {contains!r}")
    return Seen(up=True, said=f"{ended.name}: exit code 0")


async def ended_of(argv: str | list[str]) -> commands.Ended:
    """A command, run to its end. Raises Blind when it could not be started."""
    try:
        ended = await commands.run(argv)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise Blind(f"{commands.named(argv)} cannot be started: {said}") from error
    if isinstance(argv, str) and ended.code in NOT_STARTED:
        raise Blind(f"{ended.name}: {NOT_STARTED[ended.code]}{ended.last_words()}")
    return ended
