"""How does one job run in this terminal when no daemon does? Under the instance's lock, without a clock."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from jarvis.app import App
from jarvis.config import peek
from jarvis.config.instance import Instance
from jarvis.control import logs, verbs_orders
from jarvis.control.daemon import locked, told
from jarvis.control.desk import Desk
from jarvis.core.run import Run
from jarvis.handling import transcript
from jarvis.running.queueing import Asked
from jarvis.store import queries, runs

LOOK_EVERY = 0.05


def run(
    instance: Instance,
    name: str,
    params: Mapping[str, Any],
    flags: Mapping[str, Any],
    *,
    deliver: bool | None = None,
    said: Callable[[Run, bytes], None],
    ended: Callable[[Run], None],
) -> Run:
    """Run a job and its retries to the end; returns the last attempt. Raises JarvisError when it may not start.

    ``said`` is given output as it comes, ``ended`` each attempt that is followed by another.
    """
    looked = peek.peek(instance.config, environ=os.environ, flags=flags)
    instance = peek.placed(instance, looked)
    with locked(instance):
        logs.set_up(instance.log, level="warning", as_json=False, foreground=False)
        app = App(instance=instance, settings=looked.settings, flags=flags)
        app.open()
        app.start(clock=False)
        try:
            line = app.roster.line(name)
            verbs_orders.fitting(Desk.of(app), line, params)
            cause = verbs_orders.wish(line, deliver)
            first = app.conductor.submit(
                Asked(job=line.job, kind="manual", definition=line.definition, params=params, cause=cause)
            )
            last = _followed(app, first, said, ended)
            told(app)
            return last
        finally:
            app.stop()


def _followed(app: App, run: Run, said: Callable[[Run, bytes], None], ended: Callable[[Run], None]) -> Run:
    position = 0
    while True:
        closed = _now(app, run)
        data, position = transcript.read(app.instance.runs, run.id, position)
        if data:
            said(run, data)
        elif closed.status.ended:
            again = _next_attempt(app, closed)
            if again is None:
                return closed
            ended(closed)
            run, position = again, 0
        else:
            time.sleep(LOOK_EVERY)


def _now(app: App, run: Run) -> Run:
    with app.database.read() as connection:
        return runs.get(connection, run.id) or run


def _next_attempt(app: App, run: Run) -> Run | None:
    with app.database.read() as connection:
        attempts = queries.attempts(connection, run)
    return next((one for one in attempts if one.attempt == run.attempt + 1), None)
