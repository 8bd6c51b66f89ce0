"""A daemon that lives at a time of our choosing: its wall clock, and nothing else, can be moved while it runs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from tests.whole.daemon import Daemon

SOURCE = Path(__file__).with_name("clockshift.c")
AS_PYTHON = "import runpy, sys; sys.executable = sys.argv.pop(1); {run}"


@cache
def library() -> Path:
    """The shared object, compiled once a session."""
    made = Path(tempfile.mkdtemp(prefix="clockshift-")) / "clockshift.so"
    command = ["cc", "-O2", "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(made), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return made


class Shifted(Daemon):
    """``now`` is what its clock says; ``step`` sets it; the test's own clock stays as it is."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._file = folder / "shift"
        self._file.write_bytes(bytes(8))
        self._offset = timedelta(0)
        self.env = {"LD_PRELOAD": str(library()), "CLOCKSHIFT": str(self._file)}
        # The spawner is given no environment: its Python has to bring the shifted clock along.
        python = folder / "python"
        lines = [f"export {name}={shlex.quote(value)}" for name, value in self.env.items()]
        python.write_text("\n".join(["#!/bin/sh", *lines, f'exec {shlex.quote(sys.executable)} "$@"\n']))
        python.chmod(0o700)
        run = "runpy.run_module('jarvis', run_name='__main__')"
        self.program = [sys.executable, "-c", AS_PYTHON.format(run=run), str(python), "up"]

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def step(self, by: timedelta) -> None:
        """Set the clock by so much (whole seconds), at once, also under a running daemon."""
        self._offset += by
        seconds = self._offset // timedelta(seconds=1)
        with self._file.open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), seconds.to_bytes(8, "little", signed=True), 0)

    def at(self, text: str) -> Shifted:
        """Let it be this moment (ISO, UTC), on the second: the next whole one is waited for."""
        time.sleep(1 - time.time() % 1)
        self.step(timedelta(seconds=round((datetime.fromisoformat(text) - self.now).total_seconds())))
        return self


def micros(text: str) -> int:
    """A moment as the ledger stores it."""
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000
