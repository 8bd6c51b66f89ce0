"""How does plain APScheduler do the same? Run by itself, in the environment of the peers; one JSON argument says what.

BackgroundScheduler, SQLAlchemyJobStore on SQLite in WAL mode, ThreadPoolExecutor; nothing is dropped for being late.
It says ``ready`` when it is started and runs until its input ends.
"""

from __future__ import annotations

import itertools
import json
import mmap
import os
import struct
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import Engine, create_engine, event

ASKED: dict[str, Any] = json.loads(sys.argv[1])
with open(ASKED["marks"], "r+b") as file:
    MARKS = mmap.mmap(file.fileno(), 0)
DAY = 86_400
NEXT = itertools.count().__next__


def mark() -> None:
    """The job that does nothing but note the time of its start."""
    struct.pack_into("<q", MARKS, 8 * NEXT(), time.time_ns())


def touch(path: str) -> None:
    """The job that runs a command."""
    subprocess.run(["touch", path], stdin=subprocess.DEVNULL, check=True)


def database(synchronous: list[str]) -> Engine:
    """SQLite in WAL mode. ``synchronous``: its last word is what new connections do."""
    engine = create_engine(f"sqlite:///{ASKED['database']}")

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous[-1]}")

    return engine


def scheduler(engine: Engine) -> BackgroundScheduler:
    """As fast as it can be set up without giving up what it stores."""
    return BackgroundScheduler(
        jobstores={"default": SQLAlchemyJobStore(engine=engine)},
        executors={"default": ThreadPoolExecutor(ASKED.get("threads", 10))},
        job_defaults={"misfire_grace_time": None, "coalesce": True},
        timezone=UTC,
    )


def trigger(begins: datetime, period: float) -> BaseTrigger:
    """What is daily is daily at a time of day, as it is in the jobs.yaml beside it."""
    if period == DAY:
        return CronTrigger(hour=begins.hour, minute=begins.minute, second=begins.second, timezone=UTC)
    return IntervalTrigger(seconds=period, start_date=begins, timezone=UTC)


def main() -> None:
    """Add the jobs (as a program that owns them does at every start), start, and wait."""
    synchronous = ["OFF" if ASKED.get("loading_is_not_measured") else "FULL"]
    engine = database(synchronous)
    made = scheduler(engine)
    count = ASKED["count"]
    begins = datetime.fromtimestamp(ASKED["first"], UTC)
    for number in range(count):
        made.add_job(
            touch if ASKED.get("touch") else mark,
            trigger(begins, ASKED["period"]),
            args=[f"{ASKED['touch']}/{number}"] if ASKED.get("touch") else [],
            id=f"job-{number}",
            replace_existing=True,
        )
    if ASKED.get("at_once"):
        made.add_job(mark, "date", run_date=datetime.now(UTC) - timedelta(seconds=1), id="at-once")
    if ASKED.get("loading_is_not_measured"):
        made.start(paused=True)
        synchronous.append("FULL")
        engine.dispose()
        made.resume()
    else:
        made.start()
    print("ready", flush=True)
    sys.stdin.read()
    made.shutdown(wait=False)
    os._exit(0)


if __name__ == "__main__":
    main()
