"""What can be asked about Jarvis itself? How it is; and it can be told to look again and to stop."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from jarvis.app import App
from jarvis.config import zone
from jarvis.control import monitors, plain, presence, tail, verbs_alerts, verbs_channels, verbs_pauses, zones
from jarvis.control.desk import Desk
from jarvis.control.verbs_jobs import state_of
from jarvis.control.version import VERSION
from jarvis.core.telling import Alerts
from jarvis.errors import JarvisError
from jarvis.running import readings
from jarvis.running.timetable import Line
from jarvis.store import journal, queries, runs

log = logging.getLogger("jarvis.control")

FRESH = timedelta(seconds=30)
"""The clock looks at the time every five seconds; half a minute of silence is trouble."""
DAY = timedelta(hours=24)
LONGEST_END = 45.0
"""Seconds that runs told to stop are waited for; the watchdog ends a daemon whose clock stands still for sixty."""

Lines = Annotated[int, Field(ge=1, le=10_000)]


def health(desk: Desk) -> dict[str, Any]:
    """Is the clock going, and is anything wrong?"""
    troubles = desk.app.troubles.current() if desk.live else {}
    beating, _at = _heartbeat(desk)
    return {
        "ok": desk.live and beating,
        "degraded": bool(troubles),
        "version": VERSION,
        "pid": os.getpid() if desk.live else None,
        "jobs": len(desk.app.roster.lines) if desk.live else None,
    }


def _heartbeat(desk: Desk) -> tuple[bool, datetime | None]:
    last = readings.last_heartbeat(desk.instance.heartbeat)
    if last is None:
        return False, None
    now = readings.Clocks().read()
    # Time awake: neither a clock that was set nor a night asleep makes a heartbeat old.
    return last.boot_id == now.boot_id and now.awake - last.awake < FRESH, last.wall_at


def status(desk: Desk) -> dict[str, Any]:
    """Is Jarvis running, is it well, what is it doing?"""
    now = desk.now()
    beating, beat_at = _heartbeat(desk)
    held = desk.live or presence.held(desk.instance)
    started_at = desk.app.started_at if desk.live else None
    uptime = plain.seconds(now - started_at) if started_at else None
    return {
        "running": held and beating,
        "locked": held,
        "answers": desk.live,
        "pid": os.getpid() if desk.live else presence.pid(desk.instance) if held else None,
        "started_at": plain.instant(started_at),
        "uptime_seconds": uptime,
        "heartbeat_at": plain.instant(beat_at),
        "version": VERSION,
        "zones": zones.version(),
        "instance": desk.instance.name,
        "config": str(desk.instance.config),
        "state": str(desk.instance.state),
        "ledger": str(desk.instance.ledger),
        "log": str(desk.instance.log),
        **_troubles(desk),
        **_jobs(desk, desk.lines.values(), now),
        **_work(desk),
        **_past(desk, now),
        **verbs_alerts.counts(desk, _rules(desk), zone.local(os.environ)[0], now),
        **verbs_pauses.sampled(desk, now),
        "messages": verbs_channels.unsent(desk),
        "monitors": monitors.jobs(desk, now),
        "circuits": monitors.circuits(desk),
        "last_backup_at": _backup(desk),
    }


def _troubles(desk: Desk) -> dict[str, Any]:
    if not desk.live:
        return {"degraded": False, "troubles": [], "config_problems": [], "warnings": []}
    current = desk.app.troubles.current()
    return {
        "degraded": bool(current),
        "troubles": [
            {"what": one.what, "why": one.why, "since_at": plain.instant(one.since_at), "tries": one.tries}
            for one in current.values()
        ],
        "config_problems": list(desk.app.config_problems),
        "warnings": [str(problem) for problem in desk.app.config.warnings] if desk.app.config else [],
    }


def _jobs(desk: Desk, lines: Iterable[Line], now: datetime) -> dict[str, Any]:
    known = list(lines)
    states = Counter(state_of(desk, line, now)[0] for line in known)
    due = min(((line.next_at, line.name) for line in known if line.next_at is not None), default=None)
    return {
        "jobs": {"total": len(known), **dict(sorted(states.items()))},
        "next": {"job": due[1], "at": plain.instant(due[0])} if due else None,
    }


def _work(desk: Desk) -> dict[str, Any]:
    return {
        "running_runs": [
            {"run": one.run.id, "job": one.run.job, "started_at": plain.instant(one.run.started_at),
             "stopping": one.stopping}
            for one in desk.active()
        ],
        "waiting_runs": [
            {"run": one.held.run.id, "job": one.held.run.job, "why": one.held.why, "position": one.position,
             "since_at": plain.instant(one.held.since_at)}
            for one in desk.queue()
        ],
    }  # fmt: skip


def _past(desk: Desk, now: datetime) -> dict[str, Any]:
    if not desk.began:
        return {"last_24h": {}, "run_count": 0, "total_alerts": 0, "last_run": None, "alerts": []}
    with desk.database.read() as connection:
        last = queries.newest_run(connection)
        return {
            "last_24h": dict(sorted(runs.tally(connection, since=now - DAY).items())),
            "run_count": queries.runs_ever(connection),
            "total_alerts": queries.alerts_ever(connection),
            "last_run": plain.instant(last.started_at) if last else None,
            "alerts": [
                plain.note(one) for one in journal.newest(connection, since=now - DAY, limit=5, news=True)
            ],
        }


def _rules(desk: Desk) -> Alerts:
    return desk.app.config.alerts if desk.live and desk.app.config else Alerts()


def _backup(desk: Desk) -> str | None:
    folder = desk.instance.ledger.parent / "backups"
    copies = [file.stat().st_mtime for file in folder.glob("*.sqlite")] if folder.is_dir() else []
    return plain.instant(datetime.fromtimestamp(int(max(copies)), UTC)) if copies else None


def reload(desk: Desk, *, confirm: bool = False) -> dict[str, Any]:
    """Read jobs.yaml and the handlers again, now.

    Parameters:
        confirm: also when more than a fifth of the jobs would disappear
    """
    app = desk.daemon()
    change = app.reload(confirm=confirm)
    return {
        "added": list(change.added),
        "changed": list(change.changed),
        "removed": list(change.removed),
        "unchanged": change.unchanged,
        "warnings": [str(problem) for problem in app.config.warnings] if app.config else [],
    }


def stop(desk: Desk, *, stop_jobs: bool = False) -> dict[str, Any]:
    """End Jarvis. Running jobs go on under their supervisors and are collected at the next start.

    Parameters:
        stop_jobs: end them too, first
    """
    app = desk.daemon()
    at_work = [{"run": one.run.id, "job": one.run.job, "thread": one.thread} for one in desk.active()]
    if stop_jobs:
        threading.Thread(target=_end_jobs, args=(app, desk), name="jarvis-stopping", daemon=True).start()
    else:
        app.stop_asked()
    return {"pid": os.getpid(), "runs": at_work, "stop_jobs": stop_jobs}


def _end_jobs(app: App, desk: Desk) -> None:
    """No new fires; everything that waits or runs is told to end and waited for; then Jarvis ends."""
    app.clock.stop()
    app.services.leave()
    told: set[int] = set()
    longest = max((one.job.spec.stop.after.total_seconds() for one in desk.active()), default=0.0) + 5
    end = time.monotonic() + min(longest, LONGEST_END)
    while time.monotonic() < end:
        left = [one.held.run.id for one in desk.queue()] + [
            one.run.id for one in desk.active() if not one.thread
        ]
        if not left:
            break
        for number in left:
            if number not in told:
                told.add(number)
                _cancel(app, number)
        time.sleep(0.05)
    app.stop_asked()


def _cancel(app: App, number: int) -> None:
    try:
        app.conductor.cancel(number, "jarvis down --stop-jobs")
    except JarvisError as error:
        log.info("run %d: %s", number, error)


def logs(desk: Desk, *, lines: Lines = 50) -> dict[str, Any]:
    """The last lines of the log."""
    return {"path": str(desk.instance.log), "lines": tail.last_lines(desk.instance.log, lines)}
