"""Which row of the journal does a handler's alert become, whether it is said at once or at the end of its run?"""

from __future__ import annotations

from datetime import datetime

from jarvis.core.alert import Wanted
from jarvis.handling.contract import Alert
from jarvis.store.journal import Note

TITLE_KEPT = 200


def raised(alert: Alert, *, run: int, job: str, wanted: Wanted, now: datetime) -> Note:
    """With a key it lasts until a run succeeds without it. ``wanted``: what the job's ``alert:`` asks for."""
    text = alert.text.strip()
    return Note(
        at=now,
        severity=alert.severity,
        key=alert.key,
        job=job,
        run_id=run,
        title=alert.title or (text.splitlines()[0][:TITLE_KEPT] if text else job),
        text=alert.text,
        kind="notice" if alert.once or not alert.key else "problem",
        wanted=wanted,
    )


def resolved(key: str, *, run: int, job: str, now: datetime) -> Note:
    """A handler's word that what it raised under this key is over."""
    title = f"run {run} said that it is over"
    return Note(at=now, severity="info", key=key, job=job, run_id=run, title=title, kind="recovery")
