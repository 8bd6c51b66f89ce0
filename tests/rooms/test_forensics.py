"""Is a moment that was wrong captured whole, seldom, and not for ever?"""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jarvis.core.clockfacts import Reading
from jarvis.core.stress import Factors
from jarvis.core.vitals import Counters, Vitals
from jarvis.sensing import capture, programs
from jarvis.sensing.capture import Moment
from jarvis.sensing.forensics import Forensics, Limits
from jarvis.sensing.processes import Process
from jarvis.sensing.programs import Program
from jarvis.store.database import Database
from jarvis.store.samples import Batch, Sample, Samples, Workers
from jarvis.store.stalls import Stall

NOW = datetime.now(UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def samples(tmp_path: Path) -> Iterator[Samples]:
    database = Database(tmp_path / "ledger.sqlite")
    database.open()
    yield Samples(database)
    database.close()


def until(what: Callable[[], Any]) -> Any:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.01)
    raise AssertionError("it never came")


def counters(at: datetime, **more: Any) -> Counters:
    zero = timedelta(0)
    return Counters(clocks=Reading(wall_at=at, awake=zero, since_boot=zero, boot_id=""), **more)


def a_pause(samples: Samples, at: datetime | None = None, **more: Any) -> Moment:
    """A pause of seventeen seconds that is in the ledger, with samples around it."""
    at = at or datetime.now(UTC)
    stall = Stall(
        kind="pause", from_at=at - timedelta(seconds=17), until_at=at, gap=timedelta(seconds=17),
        expected=timedelta(seconds=5), surplus=timedelta(seconds=12), cause="io stall", why="disks",
        evidence={"gap": 17.0}, stress=40, factors={"load": 12, "memory": 0, "thermal": None, "latency": 0, "io": 20},
        capture="wanted",
    )  # fmt: skip
    stall = replace(stall, **more)
    (number,) = samples.keep(Batch(stalls=[stall]), at)
    for seconds in (-120, -60.001, -60, -20, 0, 20, 47, 47.001):
        samples.keep(Batch(sample=a_sample(stall.from_at + timedelta(seconds=seconds))), at)
    busy = Process(pid=7, name="rsync", cpu=80.0, memory=5_000, io=9e6).dump()
    before = Workers(at=stall.from_at, why="due", processes=[busy])
    first = counters(stall.from_at, disk_written=1_000, faults=5, stall_io_full=timedelta(seconds=1))
    last = counters(stall.until_at, disk_written=9_000, faults=9, stall_io_full=timedelta(seconds=13))
    found = (Process(pid=8, name="tar", cpu=3.0, memory=9, io=1.0, suspect=True),)
    return Moment(
        stall=replace(stall, id=number), before=first, after=last, workers_before=before, found=found
    )


def a_sample(at: datetime) -> Sample:
    five = timedelta(seconds=5)
    return Sample(
        at=at, interval=five, gap=five, vitals=Vitals(load=1.0), factors=Factors(load=0), state="normal"
    )


class Captures:
    """Captures at work, and what they told."""

    def __init__(self, samples: Samples, folder: Path, **more: Any) -> None:
        self.samples, self.folder = samples, folder
        self.told: list[Path] = []
        more = {"after": timedelta(0)} | more
        self.at_work = Forensics(samples, folder, done=lambda _stall, path: self.told.append(path), **more)
        self.at_work.start()

    def ask(self, moment: Moment) -> Stall:
        self.at_work.ask(moment)
        return self.ended(moment.stall.id)

    def ended(self, number: int) -> Stall:
        return until(
            lambda: (found := self.samples.stalls.get(number)).capture not in ("wanted", "running") and found
        )


@pytest.fixture
def captures(samples: Samples, tmp_path: Path) -> Iterator[Captures]:
    made = Captures(samples, tmp_path / "pauses")
    yield made
    made.at_work.stop(5)


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


def test_a_pause_is_captured_in_a_directory_that_says_what_it_was(captures: Captures) -> None:
    moment = a_pause(captures.samples)
    found = captures.ask(moment)
    assert (found.capture, found.capture_why) == ("done", None)
    local = moment.stall.until_at.astimezone()
    assert found.directory == local.strftime("%Y-%m-%d_%H-%M-%S")
    folder = captures.folder / found.directory
    assert until(lambda: captures.told) == [folder]
    about = read(folder, "metadata.json")
    assert {name: about[name] for name in ("id", "kind", "duration", "expected", "surplus", "ratio", "cause")} == {
        "id": found.id, "kind": "pause", "duration": 17.0, "expected": 5.0, "surplus": 12.0, "ratio": 3.4,
        "cause": "io stall",
    }  # fmt: skip
    assert about["timestamp"] == moment.stall.until_at.isoformat().replace("+00:00", "Z")
    written = {file.name for file in folder.iterdir()}
    assert written == {"metadata.json", *about["captured"]}
    assert {"samples.json", "stress.json", "processes.json", "counters.json", "jobs.json"} <= written
    assert written | set(about["not_captured"]) >= {"kernel.log"} or sys.platform == "darwin"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_it_has_the_samples_from_a_minute_before_to_half_a_minute_after(
    samples: Samples, tmp_path: Path
) -> None:
    captures = Captures(samples, tmp_path / "pauses", after=capture.AFTER)
    moment = a_pause(samples, datetime.now(UTC) - timedelta(seconds=31))
    folder = captures.folder / str(captures.ask(moment).directory)
    seconds = [
        round((datetime.fromisoformat(one["at"]) - moment.stall.from_at).total_seconds(), 3)
        for one in read(folder, "samples.json")
    ]
    assert seconds == [-60, -20, 0, 20, 47], "it lasted 17 s: 47 is exactly half a minute after it"
    captures.at_work.stop(5)


def test_factors_before_the_pause_name_their_culprits_and_suspects_are_always_named(
    captures: Captures,
) -> None:
    moment = a_pause(captures.samples)
    folder = captures.folder / str(captures.ask(moment).directory)
    said = read(folder, "stress.json")
    assert said["factors"]["io"] == 20
    assert {factor: [one["name"] for one in some] for factor, some in said["culprits"].items()} == {
        "load": ["rsync"], "io": ["rsync"],
    }  # fmt: skip
    assert [one["name"] for one in read(folder, "processes.json")["after"]] == ["tar"]
    assert capture_without_table(captures, moment)["suspects"][0]["name"] == "tar"


def capture_without_table(captures: Captures, moment: Moment) -> Any:
    """As right after the start, when nobody was looked at before."""
    folder = capture.begin(captures.folder, "by-hand", {}, 10_000)
    capture.immediate(folder, replace(moment, workers_before=None), [])
    said = read(folder.path, "stress.json")["culprits"]
    capture.finish(folder, {}, [])
    return said


def test_counters_are_kept_as_what_they_grew_by_and_unknown_stays_unknown(captures: Captures) -> None:
    folder = captures.folder / str(captures.ask(a_pause(captures.samples)).directory)
    said = read(folder, "counters.json")
    assert (said["disk_written"], said["faults"], said["stall_io_full"], said["stall_memory"]) == (
        8_000,
        4,
        12.0,
        None,
    )


def test_jarvis_own_runs_are_named(captures: Captures) -> None:
    from jarvis.store import tables

    row = {
        "id": 5, "job": "backup", "fire": "manual:1", "attempt": 1, "status": "running", "scheduled_at": NOW,
        "queued_at": NOW, "started_at": NOW, "pid": 77, "output_bytes": 0, "output_dropped": 0,
    }  # fmt: skip
    with captures.samples._database.write() as connection:
        connection.execute(tables.runs.insert().values(**row))
    folder = captures.folder / str(captures.ask(a_pause(captures.samples)).directory)
    assert [(one["id"], one["job"], one["pid"]) for one in read(folder, "jobs.json")] == [(5, "backup", 77)]


def test_a_second_one_in_the_same_second_has_a_number(samples: Samples, tmp_path: Path) -> None:
    captures = Captures(samples, tmp_path / "pauses", limits=Limits(spacing=timedelta(0)))
    at = datetime.now(UTC)
    names = [captures.ask(a_pause(samples, at)).directory for _ in range(3)]
    assert names == [names[0], f"{names[0]}_2", f"{names[0]}_3"]
    captures.at_work.stop(5)


# The limits.


@pytest.mark.parametrize(
    ("ago", "why"),
    [
        ([600], None),
        ([599], "another was captured 599 s before (at most one in 10 min)"),
        ([-30], "another was captured 30 s before (at most one in 10 min)"),
        ([86_399, 80_000, 70_000, 60_000], None),
        ([86_399, 80_000, 70_000, 60_000, 50_000], "5 were captured in 24 hours (at most 5)"),
        ([86_400, 80_000, 70_000, 60_000, 50_000], None),
    ],
)
def test_one_in_ten_minutes_and_five_a_day(ago: list[int], why: str | None) -> None:
    assert Limits().refuse([NOW - timedelta(seconds=each) for each in ago], NOW) == why


def test_limits_are_counted_in_the_ledger_so_that_a_restart_does_not_forget_them(
    samples: Samples, tmp_path: Path
) -> None:
    first = Captures(samples, tmp_path / "pauses")
    assert first.ask(a_pause(samples)).capture == "done"
    first.at_work.stop(5)
    second = Captures(samples, tmp_path / "pauses")
    refused = second.ask(a_pause(samples))
    assert refused.capture == "refused" and "at most one in 10 min" in str(refused.capture_why)
    assert refused.directory is None and len(list((tmp_path / "pauses").iterdir())) == 1
    second.at_work.stop(5)


def test_the_defaults_are_sixty_seconds_and_twenty_megabytes() -> None:
    limits = Limits()
    assert (limits.time, limits.size) == (timedelta(seconds=60), 20_000_000)


def test_what_does_not_fit_is_left_out_and_named(tmp_path: Path) -> None:
    folder = capture.begin(tmp_path, "x", {}, room=100)
    folder.write("small.json", [1])
    folder.write("big.json", ["x" * 200])
    assert folder.captured == ["small.json"]
    assert folder.missing["big.json"].startswith("no room: 20")
    written = capture.finish(folder, {"id": 1}, [])
    assert read(written, "metadata.json")["not_captured"] == folder.missing


def programs_are(monkeypatch: pytest.MonkeyPatch, **codes: str) -> None:
    """A capture asks these instead of this system's own; each is a real one."""
    known = [Program(file=name, alternatives=[(sys.executable, "-c", code)]) for name, code in codes.items()]
    monkeypatch.setattr(programs, "known", lambda *_: known)


def test_all_of_a_capture_has_its_time_and_what_comes_too_late_is_named(
    samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = "import time; print('begun', flush=True); time.sleep(60)"
    programs_are(monkeypatch, first=slow, second=slow)
    for seconds in (1, 10):  # on a busy machine a second may be over before the first one begins
        limits = Limits(time=timedelta(seconds=seconds), spacing=timedelta(0))
        captures = Captures(samples, tmp_path / "pauses", limits=limits, after=MINUTE)
        began = time.monotonic()
        found = captures.ask(a_pause(samples))
        assert found.capture == "done" and time.monotonic() - began < 50
        captures.at_work.stop(5)
        about = read(captures.folder / str(found.directory), "metadata.json")
        assert about["not_captured"]["second"] == "no time was left"
        assert "samples.json" in about["captured"]
        if about["not_captured"]["first"] != "no time was left":
            break
    assert f"took longer than {seconds} s" in about["not_captured"]["first"]


def test_programs_that_write_without_end_leave_room_for_the_samples(
    samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = "while True: print('x' * 1000)"
    programs_are(monkeypatch, first=endless, second=endless)
    captures = Captures(samples, tmp_path / "pauses", limits=Limits(size=200_000))
    found = captures.ask(a_pause(samples))
    folder = captures.folder / str(found.directory)
    about = read(folder, "metadata.json")
    assert {"first", "second", "samples.json"} <= set(about["captured"])
    assert about["not_captured"]["first"].endswith("bytes") and about["not_captured"]["second"].startswith(
        "cut: "
    )
    rest = [file.stat().st_size for file in folder.iterdir() if file.name != "metadata.json"]
    assert 100_000 < sum(rest) <= 200_000
    captures.at_work.stop(5)


def test_the_log_of_pmset_explains_when_the_machine_slept(
    samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = datetime.now(UTC).replace(microsecond=0)
    lines = "".join(
        f"{(at - timedelta(seconds=ago)).astimezone():%Y-%m-%d %H:%M:%S %z} {kind}   \t{text}\n"
        for ago, kind, text in (
            (900, "Wake", "long ago"), (600, "Sleep", "before it"), (60, "DarkWake", "due to \udcff"),
            (2, "Assertions", "of no interest"), (-5, "Sleep", "after it"),
        )
    )  # fmt: skip
    (tmp_path / "said").write_text(lines, errors="surrogateescape")
    known = [Program(file="pmset.log", alternatives=[("cat", str(tmp_path / "said"))])]
    monkeypatch.setattr(programs, "known", lambda *_: known)
    captures = Captures(samples, tmp_path / "pauses")
    folder = captures.folder / str(captures.ask(a_pause(samples, at)).directory)
    said = [(one["kind"], one["text"]) for one in read(folder, "power.json")]
    assert said == [("Sleep", "before it"), ("DarkWake", "due to \N{REPLACEMENT CHARACTER}")]
    assert "power.json" in read(folder, "metadata.json")["captured"]
    captures.at_work.stop(5)


# Programs.


def attempt(folder: Path, *code: str, limit: float = 10, most: int = 1_000_000, **more: Any) -> str | None:
    tries = [
        (sys.executable, "-c", each, "{file}") if more.pop("itself", False) else (sys.executable, "-c", each)
        for each in code
    ]
    program = Program(file="out.txt", alternatives=tries, **more)
    return programs.run(program, folder, timedelta(seconds=limit), most, threading.Event())


def test_the_output_of_a_program_is_kept(tmp_path: Path) -> None:
    assert attempt(tmp_path, "print('hello')") is None
    assert (tmp_path / "out.txt").read_text() == "hello\n"
    assert attempt(tmp_path, "import sys; open(sys.argv[1], 'w').write('own')", itself=True) is None
    assert (tmp_path / "out.txt").read_text() == "own"


def test_a_program_that_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    began = time.monotonic()
    code = "import subprocess, time; print('begun', flush=True); subprocess.run(['sleep', '60'])"
    assert attempt(tmp_path, code, limit=0.5) == f"cut: {Path(sys.executable).name} took longer than 0 s"
    assert time.monotonic() - began < 50
    assert (tmp_path / "out.txt").read_text() in ("begun\n", "")


def test_a_program_that_writes_too_much_is_cut(tmp_path: Path) -> None:
    why = attempt(tmp_path, "while True: print('x' * 1000)", most=5_000)
    assert why is not None and why.startswith("cut: ")
    assert (tmp_path / "out.txt").stat().st_size == 5_000


def test_the_next_one_is_tried_and_the_last_reason_is_said(tmp_path: Path) -> None:
    assert attempt(tmp_path, "raise SystemExit('not permitted')", "print('second')") is None
    assert (tmp_path / "out.txt").read_text() == "second\n"
    name = Path(sys.executable).name
    assert attempt(tmp_path, "print('x')\nraise SystemExit('not permitted')") == f"{name}: not permitted"
    assert not (tmp_path / "out.txt").exists(), "what a failed program wrote is nothing to go by"
    assert attempt(tmp_path, "") == f"{name}: it had nothing to say"
    missing = Program(file="out.txt", alternatives=[("/no/such/program",)])
    assert (
        programs.run(missing, tmp_path, MINUTE, 10, threading.Event()) == "program: No such file or directory"
    )


def test_what_only_root_may_is_named_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 501)
    assert attempt(tmp_path, "print('x')", root=True) == "needs root"
    assert not (tmp_path / "out.txt").exists()


FROM, TO = datetime(2026, 11, 20, 12, 0, tzinfo=UTC), datetime(2026, 11, 20, 12, 1, 30, tzinfo=UTC)


def test_linux_is_asked_for_its_kernel_s_log() -> None:
    (log,) = programs.known(FROM, TO, "linux")
    assert log.file == "kernel.log"
    assert [list(each) for each in log.alternatives] == [
        [
            "journalctl", "--dmesg", "--since", "@1795176000", "--until", "@1795176091", "--lines", "2000", "--output",
            "short-iso-precise", "--no-pager", "--quiet",
        ],
        ["dmesg", "--time-format", "iso"],
    ]  # fmt: skip


def test_macos_is_asked_for_tailspin_spindump_its_log_and_pmset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    found = programs.known(FROM, TO, "darwin")
    monkeypatch.undo()
    time.tzset()
    assert [(one.file, one.root, [list(each) for each in one.alternatives]) for one in found] == [
        ("trace.tailspin", True, [["/usr/bin/tailspin", "save", "{file}"]]),
        ("spindump.txt", True, [["/usr/sbin/spindump", "-notarget", "5", "10", "-file", "{file}"]]),
        (
            "system.log", False,
            [[
                "/usr/bin/log", "show", "--style", "syslog", "--start", "2026-11-20 13:00:00+0100", "--end",
                "2026-11-20 13:01:31+0100", "--predicate", programs.PREDICATE,
            ]],
        ),
        ("pmset.log", False, [["/bin/sh", "-c", "/usr/bin/pmset -g log | /usr/bin/tail -n 4000"]]),
    ]  # fmt: skip


# Killed in the middle.


def interrupted(samples: Samples, folder: Path) -> Moment:
    """As a kill leaves it: noted as running, its directory begun."""
    moment = a_pause(samples, datetime.now(UTC) - MINUTE)
    samples.stalls.capture(moment.stall.id, "running", captured_at=NOW, directory="2026-11-20_09-00-00")
    begun = capture.begin(folder, "2026-11-20_09-00-00", capture.metadata(moment.stall), 10_000)
    begun.write("stress.json", {"factors": {}})
    return moment


def test_a_capture_that_was_killed_in_the_middle_is_completed_by_the_next_start(
    samples: Samples, tmp_path: Path
) -> None:
    moment = interrupted(samples, tmp_path / "pauses")
    captures = Captures(samples, tmp_path / "pauses", after=capture.AFTER)
    found = captures.ended(moment.stall.id)
    assert (found.capture, found.capture_why) == ("done", "Jarvis was ended while it captured this")
    folder = tmp_path / "pauses" / "2026-11-20_09-00-00"
    about = read(folder, "metadata.json")
    assert about["captured"] == ["samples.json", "stress.json"]
    assert about["not_captured"] == {"the rest": "Jarvis was ended while it captured this"}
    assert len(read(folder, "samples.json")) == 5
    captures.at_work.stop(5)
    assert [path.name for path in (tmp_path / "pauses").iterdir()] == ["2026-11-20_09-00-00"]


def test_what_cannot_be_completed_is_said_and_litter_is_swept(samples: Samples, tmp_path: Path) -> None:
    folder = tmp_path / "pauses"
    empty, wanted = interrupted(samples, folder), a_pause(samples, datetime.now(UTC) - MINUTE)
    (folder / "2026-11-20_09-00-00.part" / "metadata.json").unlink()
    (folder / "2026-01-01_00-00-00.part").mkdir()
    captures = Captures(samples, folder)
    assert captures.ended(wanted.stall.id).capture_why == "Jarvis was ended before it began"
    found = captures.ended(empty.stall.id)
    assert (found.capture, found.directory) == ("failed", None)
    captures.at_work.stop(5)
    assert list(folder.iterdir()) == []


def test_one_that_was_renamed_and_not_noted_is_noted(samples: Samples, tmp_path: Path) -> None:
    moment = interrupted(samples, tmp_path / "pauses")
    part = tmp_path / "pauses" / "2026-11-20_09-00-00.part"
    part.rename(part.with_name("2026-11-20_09-00-00"))
    captures = Captures(samples, tmp_path / "pauses")
    assert captures.ended(moment.stall.id).capture == "done"
    captures.at_work.stop(5)


def test_told_to_end_it_finishes_with_what_it_has(samples: Samples, tmp_path: Path) -> None:
    captures = Captures(samples, tmp_path / "pauses", after=timedelta(seconds=30))
    moment = a_pause(samples)
    captures.at_work.ask(moment)
    until(lambda: list((tmp_path / "pauses").glob("*.part/jobs.json")))
    captures.at_work.stop(20)
    found = samples.stalls.get(moment.stall.id)
    assert found.capture == "done"
    about = read(tmp_path / "pauses" / str(found.directory), "metadata.json")
    assert about["not_captured"]["samples after it"] == "Jarvis was ended meanwhile"


def test_a_folder_that_cannot_be_written_is_a_reason_and_no_crash(samples: Samples, tmp_path: Path) -> None:
    (tmp_path / "pauses").write_text("in the way")
    captures = Captures(samples, tmp_path / "pauses")
    found = captures.ask(a_pause(samples))
    assert found.capture == "failed" and found.directory is None
    assert "File exists" in str(found.capture_why) or "Not a directory" in str(found.capture_why)
    captures.at_work.stop(5)
