"""What does a machine say about itself? Linux' files as recorded, this machine's own, and macOS' formats."""

from __future__ import annotations

import os
import plistlib
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jarvis.core import vitals
from jarvis.sensing import clocks, linux, macos, pmset, powermetrics, processes
from jarvis.sensing.processes import Process
from jarvis.sensing.sampler import missing

FILES = {
    "proc/pressure/cpu": "some avg10=0.17 avg60=0.50 avg300=0.52 total=2521159\nfull avg10=0.00 avg60=0.00 total=0\n",
    "proc/pressure/memory": "some avg10=0.00 total=320764\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=115248\n",
    "proc/pressure/io": "some avg10=0.00 total=197707\nfull avg10=0.00 avg60=0.00 avg300=0.17 total=81034\n",
    "proc/stat": "cpu  1000 10 500 8000 200 5 85 200 300 0\ncpu0 1 2 3 4 5 6 7 8 9 0\nintr 5 0 1\nctxt 77\n",
    "proc/vmstat": "nr_free_pages 5\npgfault 9\npgmajfault 8869\npswpin 3\npswpout 4\noom_kill 16\n",
    "proc/meminfo": "MemTotal: 16000 kB\nMemFree: 1 kB\nMemAvailable:  4000 kB\nSwapTotal: 1000 kB\nSwapFree: 750 kB\n",
    "proc/loadavg": "1.50 0.80 0.40 2/300 12345\n",
    "proc/thread-self/schedstat": "123 2500000000 7\n",
    "proc/diskstats": (
        "   7       0 loop0 9 0 99 0 9 0 99 0 0 0 0\n 259       0 nvme0n1 10 0 100 5 20 0 200 5 0 0 0\n"
        " 259       1 nvme0n1p1 10 0 100 5 20 0 200 5 0 0 0\n 253       0 dm-0 10 0 100 5 20 0 200 5 0 0 0\n"
        "   8       0 sda 1 0 10 5 2 0 20 5 0 0 0\n"
    ),
    "proc/self/net/dev": (
        "Inter-|   Receive  |  Transmit\n face |bytes packets\n    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0\n"
        "  eth0: 1000 1 0 0 0 0 0 0 50 1 0 0 0 0 0 0\nveth12: 7 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n"
    ),
    "proc/self/cgroup": "0::/user.slice/jarvis\n",
    "sys/fs/cgroup/user.slice/jarvis/cpu.stat": "usage_usec 5\nnr_periods 9\nnr_throttled 4\n",
    "sys/block/nvme0n1/size": "1", "sys/block/sda/size": "1", "sys/block/loop0/size": "1", "sys/block/dm-0/size": "1",
    "sys/class/hwmon/hwmon0/name": "nvme\n", "sys/class/hwmon/hwmon0/temp1_input": "99000\n",
    "sys/class/hwmon/hwmon1/name": "coretemp\n", "sys/class/hwmon/hwmon1/temp1_input": "51000\n",
    "sys/class/hwmon/hwmon1/temp2_input": "62500\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "2000000\n",
    "sys/devices/system/cpu/cpufreq/policy1/scaling_cur_freq": "3000000\n",
    "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "3\n",
    "sys/class/drm/card0/device/gpu_busy_percent": "37\n",
}  # fmt: skip


def tree(folder: Path, *without: str) -> linux.Sensors:
    for name, text in FILES.items():
        if not name.startswith(without or ("no such",)):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return linux.Sensors(proc=folder / "proc", sys=folder / "sys")


def test_linux_files_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    seen = tree(tmp_path).read()
    tick = os.sysconf("SC_CLK_TCK")
    assert (seen.stall_cpu, seen.stall_memory_full, seen.stall_io_full) == (
        timedelta(microseconds=2_521_159), timedelta(microseconds=115_248), timedelta(microseconds=81_034),
    )  # fmt: skip
    assert (seen.accounted, seen.busy, seen.steal) == tuple(
        timedelta(seconds=n / tick) for n in (10_000, 1_800, 200)
    )
    assert (seen.own_wait, seen.load, seen.quota_hits) == (timedelta(seconds=2.5), 1.5, 4)
    assert (seen.memory_total, seen.memory_available) == (16_384_000, 4_096_000)
    assert (seen.swap_total, seen.swap_used) == (1_024_000, 256_000)
    assert (seen.disk_read, seen.disk_written) == (110 * 512, 220 * 512), "whole disks only, each byte once"
    assert (seen.net_received, seen.net_sent) == (1_000, 50)
    assert (seen.temperature, seen.frequency, seen.throttles, seen.gpu) == (62.5, 2_500.0, 3, 37.0)
    assert (seen.faults, seen.swapped_in, seen.swapped_out, seen.killed) == (8_869, 3, 4, 16)
    assert missing(seen) == []


def test_a_file_is_opened_once_and_read_again(tmp_path: Path) -> None:
    sensors = tree(tmp_path)
    assert sensors.read().load == 1.5
    (tmp_path / "proc/loadavg").write_text("9.25 0.80 0.40 2/300 12345\n")
    opened = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    assert sensors.read().load == 9.25
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/fd")) == opened
        sensors.close()
        assert len(os.listdir("/proc/self/fd")) < opened - 10


@pytest.mark.parametrize(
    ("own", "groups"),
    [
        pytest.param(b"0::/a/b\n", {"a/b": 1, "a": 4, "": 20}, id="version 2"),
        pytest.param(
            b"4:cpu,cpuacct:/a/b\n2:memory:/other\n0::/other\n", {"cpu/a/b": 1, "cpu/a": 4, "cpu": 20}, id="version 1"
        ),
    ],
)  # fmt: skip
def test_a_quota_of_a_group_around_ours_is_a_quota_too(
    tmp_path: Path, own: bytes, groups: dict[str, int]
) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_bytes(own)
    for name, count in groups.items():
        folder = tmp_path / "sys/fs/cgroup" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cpu.stat").write_text(f"nr_periods 9\nnr_throttled {count}\nthrottled_usec 7\n")
    sensors = linux.Sensors(proc=tmp_path / "proc", sys=tmp_path / "sys")
    assert sensors.read().quota_hits == 25
    sensors.close()


def test_a_container_without_pressure_information_leaves_it_unknown(tmp_path: Path) -> None:
    seen = tree(tmp_path, "proc/pressure", "sys/").read()
    assert (seen.stall_cpu, seen.stall_memory, seen.stall_memory_full, seen.stall_io_full) == (None,) * 4
    assert (seen.temperature, seen.frequency, seen.throttles, seen.gpu, seen.quota_hits) == (None,) * 5
    assert missing(seen) == [
        "pressure stall information", "temperature", "frequency", "gpu", "CPU quota", "throttling",
    ]  # fmt: skip
    assert vitals.between(seen, seen).stall_memory_full is None


def test_a_machine_that_tells_nothing_is_unknown_everywhere_and_never_zero(tmp_path: Path) -> None:
    seen = linux.Sensors(proc=tmp_path, sys=tmp_path).read()
    own = ("clocks", "cores", "own_cpu")
    assert [name for name in seen.__slots__ if name not in own and getattr(seen, name) is not None] == []
    assert len(missing(seen)) == 13


def test_files_that_are_written_otherwise_are_unknown_and_no_crash(tmp_path: Path) -> None:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"cpu some full  nvme0n1: x total=y\xff\n" * 3)
    seen = linux.Sensors(proc=tmp_path / "proc", sys=tmp_path / "sys").read()
    own = ("clocks", "cores", "own_cpu", "net_received", "net_sent", "disk_read", "disk_written")
    assert [name for name in seen.__slots__ if name not in own and getattr(seen, name) is not None] == []


@pytest.mark.needs("linux")
def test_this_machine_can_be_looked_at() -> None:
    sensors = linux.Sensors()
    before = sensors.read()
    until = time.process_time() + 0.02
    while time.process_time() < until:
        sum(range(1_000))
    seen = vitals.between(before, sensors.read())
    sensors.close()
    assert before.load is not None and before.memory_total
    assert seen.memory_available is not None and 0 < seen.memory_available <= 100


def test_clocks_that_were_read_apart_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped between the two clocks, the difference would look like sleep."""
    stops = iter([0.0, 100.0, 160.0, 160.0, 160.0, 160.0])
    monkeypatch.setattr(time, "clock_gettime", lambda _clock: next(stops))
    seen = clocks.read()
    assert seen.since_boot - seen.awake == timedelta(0)


# macOS.


def test_macos_says_pressure_and_thermal_level_to_anybody() -> None:
    numbers = {macos.PRESSURE: 2, macos.AVAILABLE: 40}
    seen = macos.Sensors(number=numbers.get, thermal=lambda: 1).read()
    assert (seen.pressure_level, seen.throttled, seen.own_wait) == (2, True, None)
    assert seen.memory_total and seen.memory_available == seen.memory_total * 40 // 100
    assert seen.accounted is not None and seen.busy is not None and seen.busy < seen.accounted


def test_a_mac_that_tells_nothing_leaves_it_unknown() -> None:
    seen = macos.Sensors(number=lambda _name: None, thermal=lambda: None).read()
    assert (seen.pressure_level, seen.throttled) == (None, None)
    assert seen.memory_available
    assert macos.Sensors(number=lambda _name: None, thermal=lambda: 0).read().throttled is False


def test_a_system_without_these_calls_has_no_answer() -> None:
    assert macos.Sysctl(None)(macos.PRESSURE) is None
    assert macos.Notified(None, macos.THERMAL)() is None


PMSET = (
    b"2026-11-20 07:58:01 +0100 Assertions          \tPID 120(coreaudiod) Created PreventUserIdleSystemSleep \n"
    b"2026-11-20 08:00:00 +0100 Sleep               \tEntering Sleep state due to 'Clamshell Sleep': Using AC 62 secs\n"
    b"UUID: 1B3C\n"
    b"2026-11-20 08:01:02 +0100 DarkWake            \tDarkWake from Deep Idle [CDN] : due to \xff\xfe SMC\n"
    b"2026-11-20 08:30:00 +0100 Wake                \tWake from Deep Idle [CDNVA] : due to UserActivity\n"
    b"Total Sleep/Wakes since boot:12\n"
    b"2026-99-20 08:30:00 +0100 Wake                \tno such day\n"
)


def test_the_log_of_pmset_tells_when_a_mac_slept() -> None:
    turns = list(pmset.parse(PMSET))
    assert [(turn.kind, turn.at) for turn in turns] == [
        ("Sleep", datetime(2026, 11, 20, 7, 0, tzinfo=UTC)),
        ("DarkWake", datetime(2026, 11, 20, 7, 1, 2, tzinfo=UTC)),
        ("Wake", datetime(2026, 11, 20, 7, 30, tzinfo=UTC)),
    ]
    assert turns[0].text == "Entering Sleep state due to 'Clamshell Sleep': Using AC 62 secs"
    assert "\N{REPLACEMENT CHARACTER}" in turns[1].text
    near = pmset.around(
        PMSET, datetime(2026, 11, 20, 7, 10, tzinfo=UTC), datetime(2026, 11, 20, 8, tzinfo=UTC)
    )
    assert [turn.kind for turn in near] == ["DarkWake", "Wake"]


def document(**more: Any) -> bytes:
    return plistlib.dumps(
        {
            "elapsed_ns": 1_000_000_000,
            "processor": {"clusters": [{"name": "E", "freq_hz": 972e6}, {"name": "P", "freq_hz": 3_228e6}]},
            "thermal_pressure": "Nominal",
            "gpu": {"idle_ratio": 0.75},
            "tasks": [
                {"pid": 1, "name": "launchd", "cputime_ns": 1_000_000},
                {"pid": 88, "name": "WindowServer", "cputime_ns": 1_500_000_000},
            ],
        }
        | more
    )


def test_a_document_of_powermetrics_is_read() -> None:
    seen = powermetrics.parse(b"\0" + document())
    assert seen is not None
    assert (seen.frequency, seen.gpu, seen.throttled) == (3_228.0, 25.0, False)
    assert list(seen.tasks) == [
        {"name": "WindowServer", "pid": 88, "cpu": 150.0}, {"name": "launchd", "pid": 1, "cpu": 0.1},
    ]  # fmt: skip
    heavy = powermetrics.parse(document(thermal_pressure="Heavy", gpu={}, processor={}, tasks="?"))
    assert heavy is not None
    assert (heavy.throttled, heavy.gpu, heavy.frequency, list(heavy.tasks)) == (True, None, None, [])


@pytest.mark.parametrize("bad", [b"", b"<plist>", document()[:200], plistlib.dumps([1, 2]), b"\xff\xfe\0"])
def test_what_is_no_document_is_none(bad: bytes) -> None:
    assert powermetrics.parse(bad) is None


def test_documents_are_cut_at_their_nul_however_they_arrive() -> None:
    stream = document() + b"\0" + document(thermal_pressure="Heavy") + b"\0" + document()[:50]
    for size in (1, 7, 1_000, len(stream)):
        pieces = (stream[place : place + size] for place in range(0, len(stream), size))
        found = [powermetrics.parse(one) for one in powermetrics.documents(pieces)]
        assert [one and one.throttled for one in found] == [False, True, None]


FAKE = """#!{python}
import sys, time
assert sys.argv[1:] == ["--format", "plist", "--sample-rate", "1000", "--samplers", "cpu_power,gpu_power,thermal,tasks"]
sys.stdout.buffer.write(bytes.fromhex("{document}") + b"\\0")
sys.stdout.flush()
time.sleep(60)
"""


def until(what: Callable[[], Any]) -> Any:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.01)
    raise AssertionError("it never came")


def test_powermetrics_is_followed_in_the_background_and_ended(tmp_path: Path) -> None:
    program = tmp_path / "powermetrics"
    program.write_text(FAKE.format(python=sys.executable, document=document().hex()))
    program.chmod(0o700)
    stream = powermetrics.Stream(timedelta(seconds=1), str(program))
    assert stream.latest() is None and stream.why == "powermetrics has not said anything yet"
    stream.start()
    assert until(stream.latest).gpu == 25.0
    assert stream.why is None
    process = stream._process
    assert process is not None
    stream.stop()
    assert until(lambda: process.poll() is not None)


def test_a_powermetrics_that_is_not_there_is_said(tmp_path: Path) -> None:
    stream = powermetrics.Stream(timedelta(seconds=1), str(tmp_path / "none"))
    stream.start()
    assert until(lambda: stream.why and "cannot be started: No such file" in stream.why)
    stream.stop()


# Who works.


def process(pid: int, **more: Any) -> Process:
    return Process(**{"pid": pid, "name": f"p{pid}", "cpu": None, "memory": None, "io": None} | more)


def test_ten_by_processor_five_by_disks_and_the_suspects_are_kept() -> None:
    busy = [process(pid, cpu=float(pid)) for pid in range(1, 31)]
    disks = [process(100 + pid, io=float(pid)) for pid in range(1, 11)]
    both, suspect, idle = process(200, cpu=99.0, io=99.0), process(300, suspect=True), process(400)
    kept = {one.pid for one in processes.top([*busy, *disks, both, suspect, idle])}
    assert kept == {200, *range(22, 31), *range(107, 111), 300}


def test_who_only_sits_on_the_memory_is_kept_and_named() -> None:
    busy = [process(pid, cpu=float(pid), io=float(pid), memory=1_000) for pid in range(1, 31)]
    idle = [process(100 + pid, cpu=0.0, io=0.0, memory=pid * 10**9) for pid in range(1, 8)]
    kept = processes.top([*busy, *idle])
    assert {one.pid for one in kept} == {*range(21, 31), *range(103, 108)}
    said = processes.culprits(kept, {"memory": 15, "load": 0})
    assert [one["pid"] for one in said["memory"]] == [107, 106, 105, 104, 103]


@pytest.mark.parametrize(("points", "named"), [(9, False), (10, True)])
def test_a_factor_of_ten_points_names_its_five_worst(points: int, named: bool) -> None:
    found = [
        process(pid, cpu=float(pid), memory=1_000 - pid, io=1.0 if pid == 3 else 0.0) for pid in range(1, 9)
    ]
    said = processes.culprits(found, {"load": points, "memory": points, "io": points, "thermal": None})
    if not named:
        assert said == {}
        return
    assert {factor: [one["pid"] for one in some] for factor, some in said.items()} == {
        "load": [8, 7, 6, 5, 4], "memory": [1, 2, 3, 4, 5], "io": [3],
    }  # fmt: skip


def test_suspects_are_always_named() -> None:
    said = processes.culprits([process(1), process(2, suspect=True)], {"load": 0})
    assert [one["pid"] for one in said["suspects"]] == [2]


def test_a_process_that_works_is_found(tmp_path: Path) -> None:
    table = processes.Table(["*PYTHON*"])
    worker = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        first = next(one for one in table.scan() if one.pid == worker.pid)
        assert (first.cpu, first.io) == (None, None), "there is nothing to compare with"
        found = until(
            lambda: next(
                (one for one in table.scan() if one.pid == worker.pid and one.cpu and one.memory), None
            )
        )
        assert found.suspect and found.cpu > 1
    finally:
        worker.kill()
        worker.wait()
