"""What is left of a run whose supervisor is dead, and how is it ended?"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from jarvis.handling import rundir
from jarvis.handling.lean import processes

PATIENCE = 2.0


def bury(runs: Path, claim: rundir.Claim) -> int:
    """Kill every process that belongs to the run; how many there were.

    A process belongs to it by its session or group (when those are still the ones the claim names), by the
    run's folder in its environment, or by descent from one that does. A daemon that cleared its environment
    *and* left session and parent is beyond reach once the sub-reaper is dead.
    """
    if claim.boot != processes.boot():
        return 0
    killed: set[tuple[int, int]] = set()
    give_up = time.monotonic() + PATIENCE
    while left := _belonging(runs, claim):
        killed |= {(seen.pid, seen.started) for seen in left}
        processes.send(signal.SIGKILL, left)
        if time.monotonic() > give_up:
            break
        time.sleep(0.01)
    return len(killed)


def _belonging(runs: Path, claim: rundir.Claim) -> list[processes.Seen]:
    table = [seen for seen in processes.everybody() if seen.pid != os.getpid()]
    groups = _groups(claim, table)
    roots = {
        seen.pid for seen in table if not seen.zombie and (seen.group in groups or seen.session in groups)
    }
    roots |= {
        seen.pid for seen in processes.marked(f"JARVIS_RUN_DIR={rundir.folder(runs, claim.run)}", table)
    }
    found = {seen for seen in table if seen.pid in roots}
    return list(found | set(processes.below(roots, table)))


def _groups(claim: rundir.Claim, table: list[processes.Seen]) -> set[int]:
    """The groups and sessions that the run's programs led, without any whose number has passed to another."""
    now = {seen.pid: seen.started for seen in table}
    return {pid for pid, started in claim.children if started and now.get(pid, started) == started}
