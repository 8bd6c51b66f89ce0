"""Does a job's ``condition`` hold right now? Each answer is None (it holds) or why it does not."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from jarvis.core.job import Job
from jarvis.core.parts import Condition
from jarvis.core.run import Run
from jarvis.sources import network

EXEC_LIMIT = 10.0
"""Seconds an ``exec`` condition may take; longer counts as false."""

IDLE_LOAD = 0.25
"""Below this load per core the machine is idle."""


class Asker:
    """Asks conditions in threads of its own: an ``exec`` may take its time. ``answered`` is called there."""

    def __init__(self, *, folder: Path, answered: Callable[[int, str | None], None]) -> None:
        self._folder = folder
        self._answered = answered
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="jarvis-condition")

    def ask(self, run: Run, job: Job) -> None:
        """Answered for this run soon; a condition that cannot be asked does not hold."""
        if job.spec.condition is not None:
            self._pool.submit(self._ask, run.id, job.spec.condition)

    def _ask(self, run: int, condition: Condition) -> None:
        try:
            why = unmet(condition, self._folder)
        except Exception as error:
            why = f"could not be asked: {type(error).__name__}: {error}"
        self._answered(run, why)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def unmet(condition: Condition, cwd: Path) -> str | None:
    """The first thing that does not hold, in words. Relative paths are looked up from ``cwd``."""
    return next(filter(None, _answers(condition, cwd)), None)


def _answers(condition: Condition, cwd: Path) -> Iterator[str | None]:
    if condition.on_ac is not None:
        yield _on_ac(condition.on_ac)
    if condition.path_exists is not None:
        yield (
            None if _path(condition.path_exists, cwd).exists() else f"{condition.path_exists} does not exist"
        )
    if condition.glob is not None:
        pattern = os.path.expanduser(condition.glob)
        found = next(glob.iglob(pattern, root_dir=cwd, recursive=True), None)
        yield None if found else f"nothing matches {condition.glob}"
    if condition.not_empty is not None:
        yield _not_empty(condition.not_empty, cwd)
    if condition.executable is not None:
        name = condition.executable
        known = shutil.which(str(_path(name, cwd)) if "/" in name else name)
        yield None if known else f"{name} is not an executable file"
    if condition.network is not None:
        yield (
            None
            if network.routed() is condition.network
            else f"the network is {'down' if condition.network else 'up'}"
        )
    if condition.idle is not None:
        busy = os.getloadavg()[0] / (os.cpu_count() or 1)
        yield None if (busy < IDLE_LOAD) is condition.idle else f"load per core is {busy:.2f}"
    if condition.exec is not None:
        yield _exec(condition.exec, cwd)


def _path(text: str, cwd: Path) -> Path:
    return cwd / os.path.expanduser(text)


def _on_ac(wanted: bool) -> str | None:
    battery = psutil.sensors_battery()
    on_ac = battery is None or bool(battery.power_plugged)
    return None if on_ac is wanted else ("on battery" if wanted else "on mains power")


def _not_empty(text: str, cwd: Path) -> str | None:
    path = _path(text, cwd)
    try:
        full = any(path.iterdir()) if path.is_dir() else path.stat().st_size > 0
    except OSError as error:
        return f"{text}: {error.strerror}"
    return None if full else f"{text} is empty"


def _exec(command: str | list[str], cwd: Path) -> str | None:
    shown = command if isinstance(command, str) else " ".join(command)
    try:
        asked = subprocess.Popen(
            command,
            shell=isinstance(command, str),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        return f"'{shown}' could not start: {error.strerror}"
    try:
        code = asked.wait(EXEC_LIMIT)
    except subprocess.TimeoutExpired:
        # A shell's children are in its group.
        os.killpg(asked.pid, signal.SIGKILL)
        asked.wait()
        return f"'{shown}' took longer than {EXEC_LIMIT:g}s"
    return None if code == 0 else f"'{shown}' ended with exit code {code}"
