"""Watch this machine (disks, memory, load, battery, temperature, clock) and, with a wearable, its person.

What cannot be measured here (no battery, no sensors) is left out of the numbers, never zero. Each trouble
of the machine is an alert with a key of its own, so that one that lasts is one alert. What the wearable
says about today is told once for each level and day. A threshold of null is not watched.

Parameters:
    disks: the folders whose file systems are watched
    disk_warning: per cent used, at least
    disk_critical: per cent used, at least
    memory_warning: per cent available, below
    memory_critical: per cent available, below
    swap_warning: per cent used, at least
    swap_critical: per cent used, at least
    load_warning: load of five minutes for each core, at least
    load_critical: load of five minutes for each core, at least
    battery_warning: per cent left while discharging, below
    battery_critical: per cent left while discharging, below
    temperature_warning: degrees Celsius of the hottest sensor, at least
    temperature_critical: degrees Celsius of the hottest sensor, at least
    clock: alert with this severity when the clock is not synchronised; null does not watch it
    machine: whether this machine is watched; false leaves only the wearable
    wearable: where its days come from and its thresholds: token, url, cache, table, columns, query, max_age,
        timeout, tries; readiness_, sleep_, hrv_ and stress_ with warning and critical; hrv_days, hrv_nights
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jarvis import Context, GiveUp
from jarvis.core import wellbeing

from ._life import Wearable, Worth, read, tell  # noqa: TID252 (a handler's folder is a package of its own)

STA_UNSYNC = 0x0040


@dataclass(frozen=True, kw_only=True)
class Worn(wellbeing.Limits, Wearable):
    """The block ``wearable:``."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One measured value. ``low``: trouble is below the limits, not at or above them."""

    name: str
    label: str
    value: float
    unit: str
    warning: float | None
    critical: float | None
    low: bool = False
    about: str = ""

    def severity(self) -> str | None:
        """Which limit it is past; a warning is of medium severity."""
        if self._reaches(self.critical):
            return "critical"
        return "medium" if self._reaches(self.warning) else None

    def _reaches(self, limit: float | None) -> bool:
        if limit is None:
            return False
        return self.value < limit if self.low else self.value >= limit

    def text(self, severity: str) -> str:
        """The sentence of its alert."""
        limit = self.critical if severity == "critical" else self.warning
        rule = "below" if self.low else "from"
        value = f"{self.label} is at {self.value:g}{self.unit}"
        return f"{value} ({severity} {rule} {limit:g}{self.unit}){self.about}"


def check(*, machine: bool, wearable: Worn | None) -> None:
    if not machine and wearable is None:
        raise GiveUp("machine is false and there is no wearable: nothing is left to watch")


def run(
    ctx: Context,
    *,
    disks: list[Path] = [Path("/")],  # noqa: B006 (never changed; shown as the form's default)
    disk_warning: float | None = 85,
    disk_critical: float | None = 95,
    memory_warning: float | None = 10,
    memory_critical: float | None = 5,
    swap_warning: float | None = 80,
    swap_critical: float | None = 95,
    load_warning: float | None = 2,
    load_critical: float | None = 4,
    battery_warning: float | None = 20,
    battery_critical: float | None = 10,
    temperature_warning: float | None = 85,
    temperature_critical: float | None = 95,
    clock: Literal["low", "medium", "high", "critical"] | None = "medium",
    machine: bool = True,
    wearable: Worn | None = None,
) -> tuple[str, dict[str, float]]:
    if not machine:
        assert wearable is not None  # check() was asked
        return judged(ctx, wearable).or_skip()
    readings = [
        *disk(disks, disk_warning, disk_critical),
        *memory(memory_warning, memory_critical),
        *swap(swap_warning, swap_critical),
        *load(load_warning, load_critical),
        *battery(battery_warning, battery_critical),
        *temperature(temperature_warning, temperature_critical),
    ]
    said, numbers = stated(ctx, readings, disks, clock)
    if wearable is not None:
        worth = judged(ctx, wearable)
        said, numbers = f"{said}; wearable: {worth.said}", numbers | worth.numbers
    return said, numbers


def judged(ctx: Context, worn: Worn) -> Worth:
    """Today as the wearable saw it."""
    answer = read(ctx, worn.sources(ctx.now, worn.hrv_days), worn.max_age)
    if answer.got is None:
        return Worth(skipped=answer.why_not())
    verdict = wellbeing.judge(answer.got.value, ctx.now.date(), worn)
    known = ", ".join(f"{name} {value:.3g}" for name, value in verdict.numbers.items())
    return Worth(said=tell(ctx, verdict.findings, known, answer, verdict.unknown), numbers=verdict.numbers)


def stated(
    ctx: Context, readings: list[Reading], disks: list[Path], clock: str | None
) -> tuple[str, dict[str, float]]:
    """The machine's state in a line and numbers; every trouble is alerted."""
    numbers = {reading.name: reading.value for reading in readings}
    bad = [label for reading in readings if (label := warn(ctx, reading))]
    synchronised = clock_synchronised()
    if synchronised is not None:
        numbers["clock_synchronised"] = float(synchronised)
        if clock and not synchronised:
            ctx.alert("the clock is not synchronised: check NTP", key="clock", severity=clock)
            bad.append("clock")
    for folder in disks:
        if not folder.exists():
            ctx.alert(
                f"{folder} is not there, so its disk is not watched", key=f"disk:{folder}", severity="medium"
            )
            bad.append(f"disk {folder}")
    return (f"trouble: {', '.join(bad)}" if bad else f"all well, {len(numbers)} readings"), numbers


def warn(ctx: Context, reading: Reading) -> str | None:
    """Alert when a reading is past its limits; returns its label then."""
    severity = reading.severity()
    if severity is None:
        return None
    ctx.alert(
        reading.text("warning" if severity == "medium" else severity), key=reading.name, severity=severity
    )
    return reading.label


def disk(folders: list[Path], warning: float | None, critical: float | None) -> Iterator[Reading]:
    """How full each file system is."""
    import psutil

    for folder in folders:
        try:
            usage = psutil.disk_usage(str(folder))
        except OSError:
            continue  # said by run(), which knows that the folder was asked for
        if usage.total > 0:
            yield Reading(
                name=f"disk:{folder}",
                label=f"disk {folder}",
                value=usage.percent,
                unit=" %",
                warning=warning,
                critical=critical,
                about=f", {usage.free / 1e9:.1f} GB free",
            )


def memory(warning: float | None, critical: float | None) -> Iterator[Reading]:
    """What programs can still get."""
    import psutil

    found = psutil.virtual_memory()
    available = round(100 * found.available / found.total, 1)
    yield Reading(
        name="memory_available", label="available memory", value=available, unit=" %",
        warning=warning, critical=critical, low=True,
    )  # fmt: skip


def swap(warning: float | None, critical: float | None) -> Iterator[Reading]:
    """How full the swap is, where there is any."""
    import psutil

    try:
        found = psutil.swap_memory()
    except (OSError, RuntimeError):
        return
    if found.total > 0:
        yield Reading(
            name="swap", label="swap", value=found.percent, unit=" %", warning=warning, critical=critical
        )


def load(warning: float | None, critical: float | None) -> Iterator[Reading]:
    """How many processes want each core."""
    value = round(os.getloadavg()[1] / (os.cpu_count() or 1), 2)
    yield Reading(
        name="load_per_core", label="load per core", value=value, unit="", warning=warning, critical=critical
    )


def battery(warning: float | None, critical: float | None) -> Iterator[Reading]:
    """What is left of the battery; its limits hold while it discharges."""
    import psutil

    found = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    if found is not None:
        watched = not found.power_plugged
        yield Reading(
            name="battery", label="battery", value=round(found.percent, 1), unit=" %",
            warning=warning if watched else None, critical=critical if watched else None, low=True,
        )  # fmt: skip


def temperature(warning: float | None, critical: float | None) -> Iterator[Reading]:
    """The hottest sensor, where there are any; a dead one says zero."""
    import psutil

    sensors = psutil.sensors_temperatures() if hasattr(psutil, "sensors_temperatures") else {}
    found = [one.current for group in sensors.values() for one in group if one.current and one.current > 0]
    if found:
        yield Reading(
            name="temperature", label="temperature", value=round(max(found), 1), unit=" °C",
            warning=warning, critical=critical,
        )  # fmt: skip


class Timex(ctypes.Structure):
    """The beginning of struct timex, which Linux and macOS share; the rest is room."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("room", ctypes.c_byte * 512),
    ]


def clock_synchronised() -> bool | None:
    """What the kernel says about its clock; None where it cannot be asked."""
    try:
        ask = ctypes.CDLL(None, use_errno=True).ntp_adjtime
    except (OSError, AttributeError):
        return None
    answer = Timex()
    if ask(ctypes.byref(answer)) < 0:
        return None
    return not answer.status & STA_UNSYNC
