"""The foreground life of a daemon: lock, log, signals, start, serve, stop.

1. Take the instance's lock; whoever holds it already is named.
2. Open the ledger, the handlers and jobs.yaml; start; open the control socket after the first pass.
3. Wait for a signal: TERM and INT end it (a second one changes nothing), HUP reads jobs.yaml again.
4. Stop in under two seconds; running jobs go on under their supervisors.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import filelock
import psutil

from jarvis.app import App
from jarvis.config import instance as instances
from jarvis.config import peek, siblings
from jarvis.config.instance import Instance
from jarvis.control import logs, presence
from jarvis.control.wishes import Wishes
from jarvis.errors import AlreadyRunning, JarvisError, StoreBusy
from jarvis.running import garbage, notify
from jarvis.running.watchdog import Watchdog

log = logging.getLogger("jarvis.daemon")

FIRST_PASS_WITHIN = 10.0
ASKED_WITHIN = 1.0
"""So long somebody without a pid file may hold an instance before it counts as a daemon that has none."""
TOLD_WITHIN = timedelta(seconds=10)
"""So long a process that does its work and ends waits for channels; what they did not take is sent by the next one."""


def up(
    instance: Instance,
    flags: Mapping[str, Any],
    *,
    once: bool = False,
    verbose: bool = False,
    foreground: bool = True,
    announce: bool = True,
) -> int:
    """Be the daemon until a signal says otherwise; returns the exit code. Raises JarvisError when it cannot start."""
    looked = peek.peek(instance.config, environ=os.environ, flags=flags)
    instance = peek.placed(instance, looked)
    instances.check_socket(instance)
    with locked(instance):
        instances.point(instance)
        level = "debug" if verbose else looked.settings.log_level
        logs.set_up(instance.log, level=level, as_json=looked.settings.log_json, foreground=foreground)
        _note(instance)
        wishes = Wishes()
        wishes.listen()
        app = App(instance=instance, settings=looked.settings, flags=flags)
        try:
            app.open(stopping=lambda: wishes.ending)
            code = _Life(app, wishes, once=once).live(announce=announce and foreground)
        except StoreBusy:
            if wishes.ending:
                return 0
            raise
        finally:
            wishes.deaf()
    if any(thread.name.startswith("jarvis-handler") for thread in threading.enumerate()):
        # A handler in a thread may never return; the interpreter would wait for it.
        logging.shutdown()
        os._exit(code)
    return code


def told(app: App) -> None:
    """Judge what is new, and give the channels a while to take what there is to say."""
    app.dispatcher.drain(TOLD_WITHIN)
    app.outbox.drain(TOLD_WITHIN)


def _note(instance: Instance) -> None:
    """For 'jarvis instances'; a home that cannot be written is no reason not to run jobs."""
    try:
        siblings.note(instance)
    except OSError as error:
        log.warning("'jarvis instances' will not know this one: %s", error)


@contextmanager
def locked(instance: Instance) -> Iterator[None]:
    """Hold the instance. Raises AlreadyRunning naming the process that does."""
    _private(instance)
    lock = filelock.FileLock(instance.lock, timeout=0, mode=0o600, thread_local=False)
    _acquire(lock, instance)
    try:
        started = psutil.Process().create_time()
        instance.pid.write_text(f"{os.getpid()}\n{started}\n", encoding="ascii")
        instance.pid.chmod(0o600)
        yield
    finally:
        instance.pid.unlink(missing_ok=True)
        lock.release()


def _acquire(lock: filelock.BaseFileLock, instance: Instance) -> None:
    """Who only asks whether the instance is held has its lock for a moment, too; a daemon has a pid file."""
    end = time.monotonic() + ASKED_WITHIN
    while True:
        try:
            lock.acquire()
            return
        except filelock.Timeout:
            if presence.pid(instance) is not None or time.monotonic() >= end:
                raise AlreadyRunning(_owner(instance)) from None
        time.sleep(0.005)


def _private(instance: Instance) -> None:
    try:
        instance.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        if instance.state.stat().st_uid == os.getuid():
            instance.state.chmod(0o700)
        probe = instance.state / ".write"
        probe.touch(mode=0o600)
        probe.unlink(missing_ok=True)  # another start may have removed it
    except OSError as error:
        raise JarvisError(
            f"the state directory {instance.state} cannot be written ({error.strerror}): "
            "give another one with --state or JARVIS_STATE"
        ) from error


def _owner(instance: Instance) -> str:
    try:
        pid, started, *_ = instance.pid.read_text(encoding="ascii").split()
        since = datetime.fromtimestamp(float(started)).astimezone()
        who = f"pid {pid}, started {since:%Y-%m-%d %H:%M:%S}"
    except (OSError, ValueError):
        who = "its pid file cannot be read"
    return f"Jarvis is already running for {instance.config} ({who}); 'jarvis restart' replaces it"


class _Life:
    """One daemon from start to stop."""

    def __init__(self, app: App, wishes: Wishes, *, once: bool) -> None:
        self._app = app
        self._once = once
        self._wishes = wishes
        self._server: Any = None
        self._beat_due = time.monotonic() + app.settings.heartbeat.total_seconds()
        self._notifier = notify.adopt()
        self._watchdog = Watchdog(
            {"clock": lambda: app.clock.passes, "conductor": lambda: app.conductor.rounds},
            alive=self._notifier.alive,
        )

    def live(self, *, announce: bool) -> int:
        self._app.start(services=not self._once)
        self._first_pass()
        self._watchdog.start()
        self._serve()
        garbage.keep_what_is_there()
        self._notifier.ready(f"{len(self._app.roster.lines)} jobs")
        self._say(announce)
        try:
            self._wait()
        finally:
            self._end(announce)
        return 0

    def _first_pass(self) -> None:
        patience = time.monotonic() + FIRST_PASS_WITHIN
        while self._app.clock.passes == 0 and time.monotonic() < patience and not self._wishes.ending:
            time.sleep(0.005)

    def _serve(self) -> None:
        from jarvis.control import (
            api,
        )  # a quarter of a second of imports that the first pass need not wait for

        self._app.stop_asked = self._wishes.end
        self._server = api.serve(self._app, self._app.instance.socket)

    def _say(self, announce: bool) -> None:
        app = self._app
        log.info("up: pid %d, %d jobs, state %s", os.getpid(), len(app.roster.lines), app.instance.state)
        for problem in app.config_problems:
            log.warning(problem)
        if announce:
            print(f"Jarvis runs {app.instance.config} ({len(app.roster.lines)} jobs).", file=sys.stderr)
            print(f"  control socket  {app.instance.socket}", file=sys.stderr)
            print(f"  log             {app.instance.log}", file=sys.stderr)
            me = os.environ.get("JARVIS_COMMAND", "jarvis")
            print(f"  look            {me} status · {me} jobs list · {me} runs list", file=sys.stderr)
            print(f"  stop            Ctrl-C, or {me} down", file=sys.stderr)

    def _wait(self) -> None:
        while not self._wishes.ending:
            if self._wishes.wait(0.2 if self._once else max(0.0, self._beat_due - time.monotonic())):
                self._notifier.reloading(self._app.clocks.read().awake)
                self._app.look_again()
                self._notifier.ready(f"{len(self._app.roster.lines)} jobs")
            if self._once and self._idle():
                return told(self._app)
            self._beat()

    def _beat(self) -> None:
        """One line a heartbeat: the log shows that it lives, and what it does."""
        now = time.monotonic()
        if now < self._beat_due:
            return
        self._beat_due = now + self._app.settings.heartbeat.total_seconds()
        floor, troubles = self._app.conductor.floor, self._app.troubles.current()
        words = (
            f"{len(self._app.roster.lines)} jobs, {len(floor.active)} running, {len(floor.waiting)} waiting"
        )
        if troubles:
            words += f"; degraded: {', '.join(sorted(troubles))}"
        log.info("heartbeat: %s", words)
        self._notifier.status(words)

    def _idle(self) -> bool:
        """Everything that was due is done, and a second look found nothing more."""
        floor, clock = self._app.conductor.floor, self._app.clock
        runs = [one.run for one in list(floor.active.values())] + [
            one.run for one in list(floor.waiting.values())
        ]
        if any(not run.fire.startswith("service:") for run in runs):  # a service has no end
            return False
        if clock.passes < 2:
            clock.wake()
        return clock.passes > 1

    def _end(self, announce: bool) -> None:
        self._notifier.stopping()
        self._watchdog.stop()
        if self._server is not None:
            self._server.stop()
        left = self._app.stop()
        if left:
            log.info("runs that go on and are collected at the next start: %s", ", ".join(map(str, left)))
            if announce:
                print(f"{len(left)} running jobs go on; the next start collects them.", file=sys.stderr)
        log.info("down: pid %d", os.getpid())
