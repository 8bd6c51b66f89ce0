"""How was this machine between two looks at it?

A ``Counters`` is what the kernel says at one moment, a ``Vitals`` what two of them say about the time between. What
a machine does not tell is None everywhere, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from jarvis.core.clockfacts import Reading

ZERO = timedelta(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Counters:
    """One look. Lengths only grow; bytes are bytes; ``frequency`` is MHz, ``temperature`` degrees Celsius, ``gpu`` %.

    ``own_cpu``, ``own_wait``: the processor time of this process, and how long the looking thread waited for a
    processor. ``busy``, ``accounted``, ``steal``: of all ``cores`` together. ``quota_hits``: how often the control
    group's CPU quota was used up. ``throttles``: how often the hardware slowed down; ``throttled``: it is slowed
    down now. ``pressure_level``: macOS' memory pressure, 1, 2 or 4. ``stall_…``: pressure stall information.
    """

    clocks: Reading
    cores: int = 1
    own_cpu: timedelta | None = None
    own_wait: timedelta | None = None
    busy: timedelta | None = None
    accounted: timedelta | None = None
    steal: timedelta | None = None
    load: float | None = None
    memory_total: int | None = None
    memory_available: int | None = None
    swap_total: int | None = None
    swap_used: int | None = None
    disk_read: int | None = None
    disk_written: int | None = None
    net_received: int | None = None
    net_sent: int | None = None
    temperature: float | None = None
    frequency: float | None = None
    throttles: int | None = None
    throttled: bool | None = None
    gpu: float | None = None
    pressure_level: int | None = None
    quota_hits: int | None = None
    stall_cpu: timedelta | None = None
    stall_memory: timedelta | None = None
    stall_memory_full: timedelta | None = None
    stall_io: timedelta | None = None
    stall_io_full: timedelta | None = None
    faults: int | None = None
    swapped_in: int | None = None
    swapped_out: int | None = None
    killed: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Vitals:
    """The time between two looks. Shares are per cent, rates bytes a second, ``load`` is of one minute."""

    cpu: float | None = None
    load: float | None = None
    memory_available: float | None = None
    swap: float | None = None
    disk_read: float | None = None
    disk_written: float | None = None
    net_received: float | None = None
    net_sent: float | None = None
    temperature: float | None = None
    frequency: float | None = None
    throttled: bool | None = None
    gpu: float | None = None
    stall_cpu: float | None = None
    stall_memory: float | None = None
    stall_memory_full: float | None = None
    stall_io: float | None = None
    stall_io_full: float | None = None

    @property
    def io(self) -> float | None:
        """Bytes a second read and written together."""
        if self.disk_read is None or self.disk_written is None:
            return None
        return self.disk_read + self.disk_written


def between(before: Counters | None, after: Counters) -> Vitals:
    """What two looks say; with only one, what it says by itself."""
    levels = {
        "load": after.load,
        "memory_available": share(after.memory_available, after.memory_total),
        "swap": share(after.swap_used, after.swap_total),
        "temperature": after.temperature,
        "frequency": after.frequency,
        "gpu": after.gpu,
    }
    if before is None:
        return Vitals(throttled=after.throttled, **levels)
    awake = after.clocks.awake - before.clocks.awake
    return Vitals(
        **levels,
        cpu=_busy(before, after),
        disk_read=rate(before.disk_read, after.disk_read, awake),
        disk_written=rate(before.disk_written, after.disk_written, awake),
        net_received=rate(before.net_received, after.net_received, awake),
        net_sent=rate(before.net_sent, after.net_sent, awake),
        throttled=_throttled(before, after),
        stall_cpu=_stalled(before.stall_cpu, after.stall_cpu, awake),
        stall_memory=_stalled(before.stall_memory, after.stall_memory, awake),
        stall_memory_full=_stalled(before.stall_memory_full, after.stall_memory_full, awake),
        stall_io=_stalled(before.stall_io, after.stall_io, awake),
        stall_io_full=_stalled(before.stall_io_full, after.stall_io_full, awake),
    )


def share(part: float | None, whole: float | None) -> float | None:
    """Per cent; None where the whole is unknown or nothing."""
    return None if part is None or not whole else round(100 * part / whole, 2)


def rate(before: int | None, after: int | None, length: timedelta) -> float | None:
    """A second; None where the counter is unknown or began again."""
    grown = growth(before, after)
    return None if grown is None or length <= ZERO else round(grown / length.total_seconds(), 1)


def growth(before: int | None, after: int | None) -> int | None:
    """By how much a counter grew; None where it is unknown or began again."""
    return None if before is None or after is None or after < before else after - before


def lapse(before: timedelta | None, after: timedelta | None) -> timedelta | None:
    """By how much a length grew; None where it is unknown or began again."""
    return None if before is None or after is None or after < before else after - before


def _busy(before: Counters, after: Counters) -> float | None:
    busy, accounted = lapse(before.busy, after.busy), lapse(before.accounted, after.accounted)
    if busy is None or not accounted:
        return None
    return round(min(100 * (busy / accounted), 100.0), 1)


def _throttled(before: Counters, after: Counters) -> bool | None:
    if after.throttled is not None:
        return after.throttled
    grown = growth(before.throttles, after.throttles)
    return None if grown is None else grown > 0


def _stalled(before: timedelta | None, after: timedelta | None, awake: timedelta) -> float | None:
    stalled = lapse(before, after)
    return None if stalled is None or awake <= ZERO else round(min(100 * (stalled / awake), 100.0), 2)
