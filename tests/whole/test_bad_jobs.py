"""Does one bad job hurt only itself? Raising, hanging, crashing, forking, shouting, hoarding."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from tests.whole.beside import TICK, Lasted, OnTime
from tests.whole.daemon import MARK, Daemon, Row, until

NO_RETRY = "retry: none"


def alive(pids: list[int]) -> list[int]:
    """Those that still run; a zombie does not."""
    found = []
    for pid in pids:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
        except psutil.Error:
            continue
    return found


def test_a_handler_that_raises_leaves_its_traceback_and_an_alert(daemon: Daemon, on_time: OnTime) -> None:
    daemon.handler(
        "bad",
        '''
        """Goes wrong."""
        from jarvis import Context

        def deep(number: int) -> None:
            if number:
                return deep(number - 1)
            raise RuntimeError("no such luck " + "x" * 200_000)

        def run(ctx: Context) -> None:
            deep(50)
    ''',
    )
    daemon.jobs(
        TICK
        + "bad: {start: daemon, run: bad, retry: none}\nthready: {start: daemon, run: bad, in: thread, retry: none}"
    ).start()
    for job in ("bad", "thready"):
        (row,) = daemon.wait_for(job, "failed")
        assert "RuntimeError: no such luck" in row["reason"] and len(row["reason"]) < 1_000
        assert "bad.py" in row["error"] and len(row["error"]) <= 65_536
        assert [note["severity"] for note in daemon.notes() if note["job"] == job] == ["high"]
    on_time(daemon)


def test_retries_end_and_only_the_last_failure_is_told(daemon: Daemon) -> None:
    daemon.jobs(
        TICK + f"bad: {{start: daemon, command: '{MARK}; exit 3', retry: {{times: 2, wait: 0.3s}}}}"
    ).start()
    rows = daemon.wait_for("bad", "failed", count=3)
    assert [(row["attempt"], row["exit_code"]) for row in rows] == [(1, 3), (2, 3), (3, 3)]
    assert len({row["fire"] for row in rows}) == 1
    assert all(b["started_at"] >= a["ended_at"] + 290_000 for a, b in pairwise(rows))
    (note,) = [note for note in daemon.notes() if note["job"] == "bad"]
    assert "attempt 3, the last" in note["title"]
    assert len([mark for mark in daemon.marks() if mark[0] == "bad"]) == 3


@pytest.mark.parametrize(
    "job",
    [
        pytest.param("command: 'sleep 300'", id="a program"),
        pytest.param("command: ['sleep', '300']", id="a program without a shell"),
        pytest.param("run: hang", id="a Python handler"),
    ],
)
def test_a_hang_ends_at_its_timeout(daemon: Daemon, job: str, on_time: OnTime, lasted: Lasted) -> None:
    daemon.handler(
        "hang",
        '''
        """Never returns."""
        import time
        from jarvis import Context

        def run(ctx: Context) -> None:
            time.sleep(300)
    ''',
    )
    daemon.jobs(TICK + f"hang: {{start: daemon, {job}, timeout: 2s, retry: none}}").start()
    (row,) = daemon.wait_for("hang", "timed_out")
    lasted(row, 2)
    assert "its timeout" in row["reason"]
    until(lambda: not daemon.named("sleep"), "the whole tree is gone")
    on_time(daemon)


@pytest.mark.parametrize(
    ("body", "reason", "code"),
    [
        pytest.param("ctypes.string_at(0)", "killed by signal 11", -11, id="a segfault"),
        pytest.param("os._exit(5)", "exit code 5", 5, id="an exit without goodbye"),
        pytest.param("os.kill(os.getpid(), 9)", "killed by signal 9", -9, id="a kill"),
        pytest.param("bytearray(2 * 10**9)", "MemoryError", 1, id="too much memory"),
        pytest.param("sys.exit(4)", "exit code 4", 1, id="sys.exit"),
        pytest.param("raise KeyboardInterrupt", "signal 2", -2, id="an interrupt of its own"),
    ],
)
def test_a_handler_that_brings_down_its_process_brings_down_nothing_else(
    daemon: Daemon, body: str, reason: str, code: int, on_time: OnTime
) -> None:
    daemon.handler(
        "crash",
        f'''
        """Crashes."""
        import ctypes, os, sys
        from jarvis import Context

        def run(ctx: Context) -> None:
            {body}
    ''',
    )
    daemon.jobs(
        TICK + "crash: {start: daemon, run: crash, retry: none, process: {limits: {as: 1500000000}}}"
    ).start()
    (row,) = daemon.wait_for("crash", "failed", "lost", "succeeded")
    assert (row["status"], row["exit_code"]) == ("failed", code), row
    assert reason in row["reason"]
    daemon.wait_for("tick", "succeeded", count=2)
    on_time(daemon)


SHAPES = {
    "a plain child": "sleep 300",
    "two in the background": "sleep 300 & sleep 300 & wait",
    "one that ignores SIGTERM": "trap '' TERM; sleep 300 & wait; sleep 300",
    "a grandchild in its own session": "setsid sleep 300 & wait; sleep 300",
    "a daemon by double fork": "(setsid sh -c 'sleep 300 & exec sleep 300' &) ; sleep 300",
    "a daemon with a cleared environment": "(env -i setsid /bin/sh -c 'sleep 300 & exec /bin/sleep 300' &) ; sleep 300",
}


@pytest.mark.needs("setsid")
@pytest.mark.parametrize("shape", [pytest.param(text, id=name) for name, text in SHAPES.items()])
def test_nothing_is_left_of_a_tree_after_its_timeout(
    daemon: Daemon, shape: str, tmp_path: Path, on_time: OnTime, lasted: Lasted
) -> None:
    (daemon.folder / "shape.sh").write_text(shape + "\n")
    daemon.jobs(
        TICK + "tree: {start: daemon, command: 'sh shape.sh', timeout: 1500ms, stop: {after: 1s}}"
    ).start()
    pids: set[int] = set()

    def over() -> list[Row]:
        pids.update(tree(daemon))
        return daemon.runs("tree", "timed_out")

    (row,) = until(over, "its timeout")
    assert pids, "it was seen while it lived"
    assert alive(sorted(pids)) == []
    lasted(row, 1.5, within=3)
    on_time(daemon)


def tree(daemon: Daemon) -> Iterator[int]:
    """The sleepers below the run's supervisor, whatever they did to hide."""
    for supervisor in daemon.named("jarvis-run"):
        with suppress(psutil.NoSuchProcess):
            for process in supervisor.children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if "sleep" in process.name():
                        yield process.pid


@pytest.mark.needs("setsid")
@pytest.mark.parametrize(
    "detach",
    [pytest.param(False, id="by default they are ended"), pytest.param(True, id="detach lets them live")],
)
def test_what_a_job_leaves_behind_when_it_ends(daemon: Daemon, detach: bool) -> None:
    said = "true" if detach else "false"
    daemon.jobs(
        TICK
        + f"leaver: {{start: daemon, detach: {said}, command: 'setsid sleep 60 & echo $! > left; exit 0'}}"
    ).start()
    daemon.wait_for("leaver", "succeeded")
    pid = int((daemon.folder / "left").read_text())
    assert (alive([pid]) == [pid]) is detach
    if detach:
        assert daemon.stop() == 0
        assert alive([pid]) == [pid]
        os.kill(pid, 9)


def test_a_gigabyte_of_output_costs_the_daemon_no_memory(daemon: Daemon, on_time: OnTime) -> None:
    daemon.jobs(
        TICK + "loud: {start: daemon, command: 'yes | head -c 500000000; yes | head -c 500000000 >&2'}"
    ).start()
    daemon.wait_for("loud", "running", "succeeded")
    begun = psutil.Process(daemon.pid).memory_info().rss
    most = begun
    while not daemon.runs("loud", "succeeded", "failed"):
        most = max(most, psutil.Process(daemon.pid).memory_info().rss)
        time.sleep(0.05)
    assert most - begun < 10_000_000
    (row,) = daemon.runs("loud")
    assert row["output_bytes"] == 1_000_000_000
    kept = daemon.state / "runs" / "0" / str(row["id"]) / "output"
    assert kept.stat().st_size < 10_100_000
    assert row["output_bytes"] - row["output_dropped"] <= 10_000_000
    assert b"bytes not kept" in kept.read_bytes()
    on_time(daemon, within=2.0)


def test_a_job_deaf_to_sigterm_is_killed_after_its_grace(
    daemon: Daemon, on_time: OnTime, lasted: Lasted
) -> None:
    daemon.jobs(
        TICK
        + "deaf: {start: daemon, timeout: 1s, stop: {after: 1s},"
        + """ command: "trap '' TERM INT HUP; while :; do sleep 0.2; done"}"""
    ).start()
    (row,) = daemon.wait_for("deaf", "timed_out")
    lasted(row, 2)
    on_time(daemon)


def test_a_grandchild_that_keeps_the_pipe_open_keeps_nothing_waiting(daemon: Daemon) -> None:
    daemon.jobs(TICK + "pipe: {start: daemon, command: 'sleep 300 & echo done'}").start()
    (row,) = daemon.wait_for("pipe", "succeeded")
    assert row["output_bytes"] == 5
    until(lambda: not daemon.named("sleep"), "the grandchild is gone")


def test_standard_input_is_empty(daemon: Daemon) -> None:
    daemon.jobs(
        TICK
        + "reader: {start: daemon, command: 'cat; test -t 0 || echo no terminal; readlink /proc/self/fd/0'}"
    ).start()
    (row,) = daemon.wait_for("reader", "succeeded")
    output = (daemon.state / "runs" / "0" / str(row["id"]) / "output").read_text()
    assert output == "no terminal\n/dev/null\n"


def test_ten_hangs_use_up_their_slots_and_no_others(daemon: Daemon, on_time: OnTime) -> None:
    daemon.handler(
        "quick",
        '''
        """Comes back at once."""
        from jarvis import Context

        def run(ctx: Context) -> None:
            return None
    ''',
    )
    hangs = "".join(
        f"hang{number}: {{start: daemon, command: 'while test ! -e go; do sleep 0.5; done'}}\n"
        for number in range(10)
    )
    daemon.jobs(
        hangs
        + f"waits: {{every: 2s, command: '{MARK}'}}\n"
        + "thready: {every: 1s, overlap: allow, catch_up: all, run: quick, in: thread}",
        more="slots: {process: 10, thread: 2}",
    ).start()
    daemon.wait_for("hang9", "running")
    daemon.wait_for("thready", "succeeded", count=3)
    on_time(daemon, "thready")
    until(lambda: daemon.runs("waits", "missed"), "a moment of it was superseded by the next")
    assert daemon.runs("waits", "queued")
    assert not daemon.runs("waits", "succeeded")
    queued = daemon.cli("status", "--json")
    assert "waits" in json.dumps(queued) and "no free process slot" in json.dumps(queued), queued
    (daemon.folder / "go").touch()
    daemon.wait_for("waits", "succeeded")
    superseded = daemon.runs("waits", "missed")
    assert superseded and all("no free process slot" in row["reason"] for row in superseded)


@pytest.mark.needs("root")
def test_a_fork_bomb_of_an_unprivileged_user_meets_its_limit(daemon: Daemon, on_time: OnTime) -> None:
    bomb = "i=0; while [ $i -lt 300 ]; do sleep 5 & i=$((i+1)); done; wait"
    daemon.jobs(
        TICK
        + f"bomb: {{start: daemon, cwd: /, command: '{bomb}', timeout: 4s,"
        + " process: {user: nobody, limits: {nproc: 40}}}"
    ).start()
    daemon.wait_for("bomb", "failed", "timed_out")
    daemon.wait_for("tick", "succeeded", count=2)
    on_time(daemon)
