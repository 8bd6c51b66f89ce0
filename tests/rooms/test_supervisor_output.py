"""Output is kept: all of it when it is little, its beginning and its end when it is too much."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jarvis.handling import launch, transcript
from jarvis.handling.lean import output
from tests.rooms import launch_house
from tests.rooms.launch_house import House, until

STREAM = launch.Stream


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with launch_house.house(tmp_path / "runs") as made:
        yield made


def _expected(text: bytes, cap: int) -> tuple[bytes, int]:
    """What is to be kept of ``text``, said plainly; and how much is not."""
    head, tail = cap - cap // 2, cap // 2
    if len(text) <= cap:
        return text, 0
    dropped = len(text) - cap
    gap = b"\n... %d bytes not kept ...\n" % dropped if tail else b""
    return text[:head] + gap + text[len(text) - tail :], dropped


@pytest.mark.parametrize("cap", [1, 2, 999, 1_000, 100_000, 1_000_000, 10_000_000])
@pytest.mark.parametrize("size", [0, 1, 2, 999, 1_000, 1_001, 1_500, 70_000, 1_000_001])
def test_head_and_tail_are_kept_and_the_gap_is_said(tmp_path: Path, cap: int, size: int) -> None:
    text = (b"%07d\n" * 130_000 % tuple(range(130_000)))[:size]
    capture = output.Capture(str(tmp_path), cap)
    for start in range(0, size, 30_011):
        os.write(capture.writer, text[start : start + 30_011])
        capture.pump()
    capture.close_writer()
    capture.drain()
    capture.finish()
    capture.forget_ring()
    capture.close()
    kept, dropped = _expected(text, cap)
    file = tmp_path / "output"
    assert (file.read_bytes() if file.exists() else b"") == kept
    assert (capture.total, capture.dropped, capture.problem) == (size, dropped, None)
    assert not (tmp_path / "output.tail").exists()


def test_a_run_keeps_its_output_by_the_same_rule(house: House) -> None:
    text = b"".join(b"%d\n" % number for number in range(1, 200_001))
    run = house.start("/usr/bin/seq", "200000", cap=300_000)
    result = house.result(run)
    kept, dropped = _expected(text, 300_000)
    assert house.file(run, "output").read_bytes() == kept
    assert (result.output_bytes, result.output_dropped, result.output_problem) == (len(text), dropped, None)
    assert house.output(run) == kept
    assert not house.file(run, "output.tail").exists()


@pytest.mark.parametrize(
    "position", [0, 10, 149_999, 150_000, 200_000, 1_138_893, 1_138_894, 1_138_895, 1_288_894, 5_000_000]
)
def test_a_finished_run_can_be_read_from_anywhere(house: House, position: int) -> None:
    text = b"".join(b"%d\n" % number for number in range(1, 200_001))
    run = house.start("/usr/bin/seq", "200000", cap=300_000)
    house.result(run)
    read, at = b"", position
    while True:
        part, at = transcript.read(house.runs, run, at, 7_000)
        if not part:
            break
        read += part
    head, first = 150_000, len(text) - 150_000
    if position < first:
        gap = output.gap(first - max(position, head))
        assert read == text[min(position, head) : head] + gap + text[first:]
    else:
        assert read == text[position:]


def test_output_can_be_followed_while_the_run_goes_on(house: House, tmp_path: Path) -> None:
    """Also once it is more than the cap: what was read in time is read whole, the rest has a line that says so."""
    steps = [tmp_path / f"step{number}" for number in range(4)]
    waits = [f"while [ ! -e {step} ]; do sleep 0.005; done" for step in steps]
    script = (
        f"echo first; {waits[0]}; seq 100; {waits[1]}; seq 10000; {waits[2]}; seq 300; {waits[3]}; echo last"
    )
    run = house.start("/bin/sh", "-c", script, cap=1_000)
    position = 0

    def follow(enough: bytes) -> bytes:
        nonlocal position
        text = b""

        def more() -> bool:
            nonlocal position, text
            part, position = transcript.read(house.runs, run, position)
            text += part
            return text.endswith(enough)

        until(more)
        return text

    hundred = b"".join(b"%d\n" % number for number in range(1, 101))
    assert follow(b"first\n") == b"first\n"
    steps[0].touch()
    assert follow(b"\n100\n") == hundred
    steps[1].touch()
    text = follow(b"\n10000\n")
    assert b" bytes not kept ...\n" in text
    steps[2].touch()
    follow(b"\n300\n")
    steps[3].touch()
    assert follow(b"last\n").endswith(b"last\n")
    result = house.result(run)
    assert position == result.output_bytes
    assert transcript.read(house.runs, run, position) == (b"", position)


def test_reading_beside_a_fast_writer_never_shows_overwritten_bytes(tmp_path: Path) -> None:
    """Whatever is read must be the stream at that place: lines of their own number, or the line for a gap."""
    runs = tmp_path / "runs"
    (runs / "0/1").mkdir(parents=True)
    capture = output.Capture(str(runs / "0/1"), 100_000)
    count = 60_000

    def write() -> None:
        with os.fdopen(capture.writer, "wb") as pipe:
            capture.writer = -1
            for number in range(count):
                pipe.write(b"%09d\n" % number)

    def pump() -> None:
        while capture.pump() != 0:
            pass

    threads = [threading.Thread(target=write), threading.Thread(target=pump)]
    for thread in threads:
        thread.start()
    position, reads = 0, 0
    while position < count * 10:
        part, after = transcript.read(runs, 1, position, 10_000)
        if b"not kept" in part:
            gap, _, part = part.partition(b" ...\n")
            position += int(gap.split()[1])
        assert position + len(part) == after
        lines = [part[at : at + 10] for at in range(-position % 10, len(part) - 9, 10)]
        first = -(-position // 10)
        assert lines == [b"%09d\n" % number for number in range(first, first + len(lines))]
        position, reads = after, reads + 1
    for thread in threads:
        thread.join()
    capture.close()
    assert reads > 5


def test_both_streams_are_kept_in_the_order_they_were_written(house: House) -> None:
    run = house.start("/bin/sh", "-c", "for i in 1 2 3; do echo out $i; echo err $i >&2; done")
    house.result(run)
    assert house.output(run) == b"out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n"


def test_output_need_not_be_text(house: House) -> None:
    run = house.start("/bin/sh", "-c", r"printf '\000\377\n'")
    house.result(run)
    assert house.output(run) == b"\x00\xff\n"


@pytest.mark.parametrize(
    ("out", "err", "output_", "first", "second"),
    [
        pytest.param("capture", "append", b"out\n", b"old\nerr\n", b"", id="errors appended"),
        pytest.param("append", "append", b"", b"old\nout\nerr\n", b"", id="both to one file"),
        pytest.param("truncate", "capture", b"err\n", b"", b"out\n", id="a new file every time"),
        pytest.param("truncate", "truncate", b"", b"", b"out\nerr\n", id="both to one new file"),
        pytest.param("discard", "capture", b"err\n", b"old\n", b"old\n", id="discarded"),
        pytest.param("discard", "discard", b"", b"old\n", b"old\n", id="all discarded"),
    ],
)
@pytest.mark.parametrize("fields", [{}, {"nice": 1}], ids=["spawned", "forked"])
def test_streams_go_where_they_should(
    house: House,
    tmp_path: Path,
    fields: dict[str, int],
    out: str,
    err: str,
    output_: bytes,
    first: bytes,
    second: bytes,
) -> None:
    paths = {"append": str(tmp_path / "a"), "truncate": str(tmp_path / "t")}
    for path in paths.values():
        Path(path).write_bytes(b"old\n")
    run = house.start(
        *("/bin/sh", "-c", "echo out; echo err >&2"),
        stdout=STREAM(kind=out, path=paths.get(out)),  # type: ignore[arg-type]
        stderr=STREAM(kind=err, path=paths.get(err)),  # type: ignore[arg-type]
        **fields,
    )
    assert house.result(run).exit_code == 0
    assert house.output(run) == output_
    if "append" in (out, err):
        assert Path(paths["append"]).read_bytes() == first
    if "truncate" in (out, err):
        assert Path(paths["truncate"]).read_bytes() == second


@pytest.mark.parametrize("fields", [{}, {"nice": 1}], ids=["spawned", "forked"])
def test_a_truncated_file_is_truncated_once_for_all_steps(
    house: House, tmp_path: Path, fields: dict[str, int]
) -> None:
    log = tmp_path / "log"
    log.write_text("yesterday\n")
    steps = (launch.StepRequest(argv=("/bin/echo", "step")),)
    stream = STREAM(kind="truncate", path="log")
    house.run("/bin/echo", "program", before=steps, after=steps, stdout=stream, cwd=str(tmp_path), **fields)
    assert log.read_text() == "step\nprogram\nstep\n"


def test_a_file_for_output_has_the_umask_of_the_job(house: House, tmp_path: Path) -> None:
    stream = STREAM(kind="append", path=str(tmp_path / "log"))
    house.run("/bin/true", stdout=stream, umask=0o027)
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o640


def test_what_is_kept_of_a_run_is_for_its_user_only(house: House) -> None:
    run = house.start("/usr/bin/seq", "1000", cap=100, umask=0)
    house.result(run)
    folder = house.file(run, "claim").parent
    assert {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()} == dict.fromkeys(
        ("claim", "output", "result"), 0o600
    )


def test_a_great_deal_of_output_takes_little_memory(house: House) -> None:
    """The program waits for its reader, so that the supervisor is measured after it has read everything."""
    run = house.start("/bin/sh", "-c", "head -c 200000000 /dev/zero; sleep 60")
    house.notice("started", run)
    (supervisor,) = house.supervisors()
    tail = house.file(run, "output.tail")
    until(lambda: tail.exists() and int.from_bytes(tail.read_bytes()[:8], "little") == 200_000_000)
    status = Path(f"/proc/{supervisor}/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0])
    assert peak < 30_000
    assert tail.stat().st_size <= 5_000_000 + output.RING_HEADER
    house.launcher.stop_run(run, "enough")
    result = house.result(run)
    assert (result.output_bytes, result.output_dropped) == (200_000_000, 190_000_000)
    assert transcript.read(house.runs, run, 10**9) == (b"", 10**9)


def test_what_a_dead_supervisor_had_kept_can_still_be_read(house: House) -> None:
    run = house.start("/bin/sh", "-c", "seq 1000; sleep 60", cap=1_000)
    house.notice("started", run)
    until(lambda: house.output(run).endswith(b"\n1000\n"))
    finding = house.launcher.find(run)
    assert isinstance(finding, launch.Alive)
    os.kill(finding.claim.pid, 9)
    house.notice("gone", run)
    house.launcher.bury(run)
    text = house.output(run)
    assert text.startswith(b"1\n2\n") and text.endswith(b"\n1000\n")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.needs("root", "linux", "mount")
def test_a_full_disk_cuts_the_output_and_not_the_run(small_disk: Path) -> None:
    with launch_house.house(small_disk / "runs") as house:
        run = house.start("/bin/sh", "-c", "head -c 6000000 /dev/zero; exit 3")
        result = house.result(run)
        assert result.exit_code == 3
        assert result.output_problem == "output not kept in full: No space left on device"
        assert result.output_bytes == 6_000_000
        kept = house.file(run, "output").stat().st_size
        assert result.output_dropped == 6_000_000 - kept
        assert house.output(run).startswith(b"\0" * kept)
        # on the full disk nothing can be claimed, and so nothing is started
        assert shutil.disk_usage(small_disk).free < 16_384
        refused = house.start("/bin/sh", "-c", "exit 4")
        assert "No space left on device" in (house.notice("gone", refused).reason or "")
        assert house.launcher.find(refused) == launch.NeverStarted()
        house.file(run, "output").unlink()
        assert house.run("/bin/true").exit_code == 0


@pytest.mark.needs("root", "linux", "mount")
def test_a_disk_that_fills_up_during_a_run_does_not_keep_its_end_from_being_recorded(
    small_disk: Path,
) -> None:
    with launch_house.house(small_disk / "runs") as house:
        run = house.start(
            "/bin/sh", "-c", f"cat /dev/zero > {small_disk}/filler; echo cannot be kept; exit 6"
        )
        result = house.result(run)
        # what is free now is what the result did not need of the room allocated for it
        assert shutil.disk_usage(small_disk).free < 16_384
        assert result.exit_code == 6
        assert result.output_problem
