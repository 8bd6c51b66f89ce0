"""A whole Jarvis in this process, its verbs served on a real socket: for the tests of verbs, API and command line."""

from __future__ import annotations

import os
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from jarvis.app import App
from jarvis.cli.asking import Asking
from jarvis.config import instance as instances
from jarvis.config import peek
from jarvis.config.instance import Instance
from jarvis.control import api, verbs
from jarvis.control.desk import Desk
from jarvis.errors import NotFound

PATIENCE = 45.0
"""Longer than anything here takes; reached only when a test fails."""

JOBS = """
    defaults: {timezone: Europe/London}
    jobs:
      nightly: {cron: "30 2 * * *", command: echo done, tags: [home, disk], description: Copies the documents}
      hello: {every: 28d, command: 'echo hello $JARVIS_WITH_WHOM'}
      broken-leg: {every: 28d, command: "echo it hurts >&2; exit 3"}
      long: {command: "echo begun; sleep 300", stop: {after: 1s}}
      line: {command: "sleep 300", overlap: queue, stop: {after: 1s}}
      idle: {every: 28d, command: "true", enabled: false}
      over: {at: "2020-01-01 00:00", command: "true"}
      greet: {run: greet, with: {whom: you}, retry: none}
"""
GREET = '''\
"""Say hello.

Parameters:
    whom: who is greeted
    times: how often
"""

import time

from jarvis import Context, Skip


def run(ctx: Context, *, whom: str, times: int = 1, slowly: bool = False) -> tuple[str, dict[str, float]]:
    if not whom:
        raise Skip("nobody is there")
    for done in range(times):
        print("hello", whom, flush=True)
        ctx.progress(done + 1, times, f"said {done + 1}")
    ctx.alert(f"{whom} was greeted", severity="low")
    return f"greeted {whom}", {"times": times}
'''


class House:
    """One instance. ``ask`` asks its verbs without HTTP."""

    def __init__(self, folder: Path, jobs: str) -> None:
        self.folder = folder
        folder.chmod(0o700)
        (folder / "jobs.yaml").write_text(textwrap.dedent(jobs))
        (folder / "handlers").mkdir(mode=0o700)
        (folder / "handlers" / "greet.py").write_text(GREET)
        self.instance: Instance = instances.find(str(folder / "jobs.yaml"), str(folder / "state"))
        self.app: App
        self.desk: Desk

    @property
    def options(self) -> list[str]:
        return ["--config", str(self.instance.config), "--state", str(self.instance.state)]

    @contextmanager
    def open(self) -> Iterator[House]:
        """With its daemon's rooms at work, served on the control socket."""
        looked = peek.peek(self.instance.config, environ=os.environ, flags={})
        self.app = App(instance=self.instance, settings=looked.settings)
        self.app.open()
        self.app.start()
        self.until(lambda: self.app.clock.passes > 0)
        self.desk = Desk.of(self.app)
        server = api.serve(self.app, self.instance.socket)
        try:
            with pytest.MonkeyPatch.context() as patch:
                # a command that is given in this process shares it with the daemon, and waits for it
                patch.setitem(Asking.ask.__kwdefaults__, "within", PATIENCE)
                yield self
        finally:
            server.stop()
            for active in self.desk.active():
                with suppress(NotFound):  # it ended by itself meanwhile
                    self.app.conductor.cancel(active.run.id, "the test is over")
            self.until(lambda: not self.app.conductor.floor.active)
            self.app.stop()

    def ask(self, verb: str, **values: Any) -> Any:
        return verbs.ask(self.desk, verb, values)

    def start(self, job: str, **values: Any) -> int:
        """Run a job and wait until it is running."""
        run = self.ask("jobs.run", name=job, **{"with": values})["id"]
        self.until(lambda: self.ask("runs.show", id=run)["status"] != "queued")
        return int(run)

    def run(self, job: str, **values: Any) -> dict[str, Any]:
        """Run a job to its end."""
        number = self.ask("jobs.run", name=job, **{"with": values})["id"]
        return self.ended(number)

    def ended(self, run: int) -> dict[str, Any]:
        self.until(lambda: self.ask("runs.show", id=run)["ended_at"])
        found: dict[str, Any] = self.ask("runs.show", id=run)
        return found

    @staticmethod
    def until(what: Callable[[], Any]) -> Any:
        """Wait until something is true; its value."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if value := what():
                return value
            time.sleep(0.01)
        raise AssertionError(f"not within {PATIENCE} s")
