"""What is so, right now? All targets of a check are looked at side by side, each for a limited time.

Latency is measured afterwards and a few at a time, so that looking at two hundred things does not make each of them
seem slow.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from jarvis.core import observation
from jarvis.core.invariants import Metric, Target
from jarvis.core.observation import Awaited, Reading, Seen, Unseen
from jarvis.errors import JarvisError
from jarvis.sources import network, probes
from jarvis.sources.probes import Blind

if TYPE_CHECKING:
    import httpx2

MEASURED_AT_ONCE = 8

Metrics = Callable[[Metric], list[float]]
"""The recorded values a metric is about, the oldest first. Raises JarvisError, or NotYet."""


class NotYet(Exception):
    """Nobody could have recorded it yet; the message says why."""


class _Loose(ThreadPoolExecutor):
    """Threads that nobody waits for: a name server or a disk that hangs must not keep a check from ending."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call it in a thread of its own."""
        future: Future[Any] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=work, daemon=True, name="observing").start()
        return future


@dataclass(kw_only=True)
class Looking:
    """How a check looks: ``each`` is the time for one observation, ``within`` for all, ``at_once`` how many."""

    each: timedelta
    within: timedelta
    at_once: int
    metrics: Metrics
    _clients: dict[bool, httpx2.AsyncClient] = field(default_factory=dict)
    _running: asyncio.Future[list[tuple[str, list[str]]]] | None = None

    async def look(self, targets: Sequence[Target]) -> dict[str, Reading]:
        """A reading for each key; what there was no time for is not observed."""
        asyncio.get_running_loop().set_default_executor(_Loose())
        readings: dict[str, Reading] = {}
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self.within.total_seconds()):
                    await self._open(targets, stack)
                    now = [one for one in targets if one.invariant.latency is None]
                    await self._side_by_side(now, readings, self.at_once)
                    later = [one for one in targets if one.invariant.latency is not None]
                    await self._side_by_side(later, readings, min(self.at_once, MEASURED_AT_ONCE))
            except TimeoutError:
                late = (
                    f"the check was over after {self.within.total_seconds():g} s, before this was looked at"
                )
                readings |= {one.key: Unseen(why=late) for one in targets if one.key not in readings}
        return readings

    async def _open(self, targets: Sequence[Target], stack: AsyncExitStack) -> None:
        """A client for those that check certificates and one for those that do not, where they are needed."""
        asked = {one.invariant.up.verify for one in targets if one.invariant.up and one.invariant.up.http}
        if not asked:
            return
        import httpx2

        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
        for verify in asked:
            client = await asyncio.to_thread(
                httpx2.AsyncClient, verify=verify, limits=limits, trust_env=False, timeout=None
            )
            self._clients[verify] = await stack.enter_async_context(client)

    async def _side_by_side(
        self, targets: Sequence[Target], readings: dict[str, Reading], at_once: int
    ) -> None:
        turns = asyncio.Semaphore(at_once)

        async def one(target: Target) -> None:
            async with turns:
                readings[target.key] = await self._one(target, readings)

        async with asyncio.TaskGroup() as group:
            for target in targets:
                group.create_task(one(target))

    async def _one(self, target: Target, readings: Mapping[str, Reading]) -> Reading:
        limit = (target.invariant.timeout or self.each).total_seconds()
        try:
            if target.invariant.latency is not None:
                return await self._measured(target, readings, limit)
            if target.invariant.up is not None:
                return await self._answering(target, limit)
            async with asyncio.timeout(limit):
                return await self._read(target, limit)
        except TimeoutError:
            return Unseen(why=f"no answer within {limit:g} s")
        except NotYet as error:
            return Awaited(why=str(error))
        except (Blind, JarvisError) as error:
            return Unseen(why=str(error))
        except Exception as error:
            return Unseen(why=f"it could not be looked at: {type(error).__name__}: {error}")

    async def _answering(self, target: Target, limit: float) -> Seen:
        """Up or not, and how long it took. No answer in time is no answer."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(limit):
                seen = await self._up(target)
        except TimeoutError:
            host = _host(target)
            if host is not None and not probes.local(host) and not network.routed():
                raise Blind(f"{_name(target)}: this machine has no network") from None
            return Seen(up=False, said=f"{_name(target)}: no answer within {limit:g} s")
        took = time.perf_counter() - began
        return Seen(up=seen.up, said=seen.said, value=seen.value, seconds=(took,))

    async def _up(self, target: Target) -> Seen:
        up = target.invariant.up
        assert up is not None
        match up.way:
            case "http":
                return await probes.http(self._clients[up.verify], target.what, up)
            case "tcp":
                return await probes.tcp(target.what, up)
            case "command":
                return await probes.command(target.what, up.contains)
        if self._running is None:  # one look at the process table serves all
            self._running = asyncio.ensure_future(asyncio.to_thread(probes.processes))
        return probes.process(target.what, await asyncio.shield(self._running))

    async def _measured(self, target: Target, readings: Mapping[str, Reading], limit: float) -> Reading:
        """So many samples of an entity that is up, each a whole request; a slow one is asked less often."""
        latency = target.invariant.latency
        assert latency is not None
        key = latency.of if target.entity is None else f"{latency.of}:{target.entity}"
        known = readings.get(key, Unseen(why=f"{key} was not looked at"))
        if not isinstance(known, Seen) or not known.up:
            return known if isinstance(known, Seen) else Seen(up=False, said=known.why)
        asked = target.measured
        assert asked is not None
        seconds: list[float] = []
        began = time.perf_counter()
        while len(seconds) < latency.samples and (not seconds or time.perf_counter() - began < limit):
            seen = await self._answering(asked, limit)
            if not seen.up:
                return seen
            seconds += seen.seconds
        return Seen(up=True, said=known.said, seconds=tuple(seconds))

    async def _read(self, target: Target, limit: float) -> Reading:
        invariant = target.invariant
        if invariant.disk is not None:
            return await asyncio.to_thread(_disk, target.what)
        if invariant.command is not None:
            return await _number(invariant.command.run)
        if invariant.sql is not None:
            within = timedelta(seconds=limit)
            return await asyncio.to_thread(_sql, invariant.sql.url, invariant.sql.query, within)
        assert invariant.metric is not None
        return await asyncio.to_thread(_metric, invariant.metric, self.metrics)


def _name(target: Target) -> str:
    if isinstance(target.what, str) and not target.what.startswith("http"):
        return target.what[:80]
    return target.key


def _host(target: Target) -> str | None:
    """The host that is asked over the network, if any."""
    up = target.invariant.up
    if up is None or up.way not in ("http", "tcp"):
        return None
    from urllib.parse import urlsplit

    return (
        (urlsplit(target.what).hostname or "")
        if up.way == "http"
        else target.what.rpartition(":")[0].strip("[]")
    )


def _disk(path: str) -> Reading:
    """How full the file system of a path is."""
    try:
        found = os.statvfs(os.path.expanduser(path))
    except OSError as error:
        return Unseen(why=f"{path} cannot be looked at: {error.strerror}")
    full = observation.used(found.f_blocks, found.f_bfree, found.f_bavail)
    if full is None:
        return Unseen(why=f"{path} has no size: how full it is cannot be told")
    return Seen(said=f"{path} is {full:.1f} % full", value=full)


async def _number(argv: str | list[str]) -> Reading:
    """The number on the last line a command writes. A command that fails says nothing."""
    ended = await probes.ended_of(argv)
    if ended.code != 0:
        return Unseen(why=f"{ended.name}: exit code {ended.code}{ended.last_words()}")
    try:
        value = float(ended.last_line())
    except ValueError:
        return Unseen(why=f"{ended.name}: its last line is no number{ended.last_words()}")
    return Seen(said=f"{ended.name} says {value:g}", value=value)


def _sql(url: str, query: str, within: timedelta) -> Reading:
    """The first column of the first row."""
    from jarvis.store import outside

    rows = outside.ask(url, query, within=within, limit=1)
    if not rows:
        return Unseen(why="the query answered no row")
    name, value = next(iter(rows[0].items()))
    if not isinstance(value, int | float | Decimal):
        return Unseen(why=f"the query answered {name} = {str(value)[:80]!r}, which is no number")
    return Seen(said=f"{name} is {float(value):g}", value=float(value))


def _metric(metric: Metric, metrics: Metrics) -> Reading:
    name = metric.sample or f"{metric.number} of {metric.job}"
    values = metrics(metric)
    value = observation.aggregated(values, metric.aggregate)
    if value is None:
        minutes = metric.window.total_seconds() / 60
        return Unseen(why=f"nothing was recorded of {name} in the last {minutes:g} min")
    how = "" if metric.aggregate == "last" else f"{metric.aggregate} of "
    return Seen(said=f"{how}{name} is {value:g}", value=value)


def look(
    targets: Sequence[Target], *, each: timedelta, within: timedelta, at_once: int, metrics: Metrics
) -> Awaitable[dict[str, Reading]]:
    """A reading for each key of ``targets``."""
    return Looking(each=each, within=within, at_once=at_once, metrics=metrics).look(targets)
