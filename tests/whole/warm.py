"""A daemon that starts at once: forked from a process that has its imports behind it, hundreds of times a minute."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests.whole.daemon import Daemon

_warm = multiprocessing.get_context("forkserver")
_warm.set_forkserver_preload(
    ["jarvis.control.api", "jarvis.control.daemon", "jarvis.cli.main", "jarvis.cli.tree"]
)


def _life(arguments: list[str], folder: str, environment: Mapping[str, str], said: str) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    from jarvis.cli import main
    from jarvis.store import crashpoint

    importlib.reload(crashpoint)  # it looked at another environment
    sys.argv = ["jarvis", "up", *arguments]
    sys.exit(main.main())


class Quick(Daemon):
    """A daemon whose process is forked from one that has already imported everything: hundreds of starts a minute."""

    def launch(self, *more: str, **env: str) -> Any:
        arguments = (self.arguments(*more), str(self.folder), self.environment | env, str(self.said))
        child = _warm.Process(target=_life, args=arguments)
        child.start()
        self.process = _Forked(child)  # type: ignore[assignment]
        return self.process


class _Forked:
    """What ``Daemon`` asks of a subprocess, answered by multiprocessing."""

    def __init__(self, child: Any) -> None:
        self._child = child
        self.pid: int = child.pid

    def poll(self) -> int | None:
        code: int | None = self._child.exitcode
        return code

    def wait(self, timeout: float | None = None) -> int:
        self._child.join(timeout)
        if self._child.exitcode is None:
            raise subprocess.TimeoutExpired("jarvis up", timeout or 0)
        return int(self._child.exitcode)

    def kill(self) -> None:
        self._child.kill()

    def terminate(self) -> None:
        self._child.terminate()
