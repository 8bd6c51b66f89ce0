"""Does the ledger account for everything, by arithmetic that shares nothing with Jarvis' schedules and audit?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.whole.daemon import SECOND, Daemon, Row

TERMS = """
SELECT terms.*, body FROM terms JOIN definitions ON definition_id = definitions.id WHERE terms.job = ? ORDER BY terms.id
"""
LISTED = 10**12
"""Microseconds of a term up to which its moments are looked at one by one; longer ones are only counted."""


def unaccounted(daemon: Daemon) -> list[str]:
    """What is wrong.

    Every mark has its row and is the only one of its attempt. For every job with ``every:`` in whole seconds, the
    multiples of the period in each of its terms are exactly its rows and its counted spans, up to its next fire.
    """
    broken = [str(row) for row in daemon.rows("PRAGMA integrity_check") if row != {"integrity_check": "ok"}]
    moments = [wrong for name, row in daemon.job_rows().items() for wrong in _moments(daemon, name, row)]
    return [*broken, *_marks(daemon), *moments]


def _marks(daemon: Daemon) -> Iterator[str]:
    rows = {(row["job"], row["fire"], row["attempt"]): row for row in daemon.runs()}
    for mark, count in Counter(daemon.marks()).items():
        if count > 1:
            yield f"ran {count} times: {mark}"
        if mark not in rows:
            yield f"ran and has no row: {mark}"
        elif rows[mark]["status"] in ("missed", "skipped"):
            yield f"ran, and its row says {rows[mark]['status']}: {mark}"


def _moments(daemon: Daemon, name: str, job: Row) -> Iterator[str]:
    for term in daemon.rows(TERMS, name):
        body = json.loads(term["body"])
        period = _period(body.get("every"))
        if period is None or body.keys() & {"from", "until", "schedules"}:
            continue
        begin, end = term["from_at"], term["until_at"]
        if end is None:
            end = (job["next_fire_at"] or begin) - 1
        yield from _term(daemon, name, term["era"], begin, end, period)


def _term(daemon: Daemon, name: str, era: int, begin: int, end: int, period: int) -> Iterator[str]:
    """One term's moments m, begin < m <= end."""
    rows = [
        row["scheduled_at"] for row in daemon.runs(name)
        if row["fire"].startswith("schedule:") and row["attempt"] == 1 and begin < row["scheduled_at"] <= end
        and row["fire"].partition("@")[2] == (str(era) if era else "")
    ]  # fmt: skip
    spans = [
        span for span in daemon.spans(name)
        if span["era"] == era and begin < span["until_at"] and span["from_at"] <= end
    ]  # fmt: skip
    wanted = end // period - begin // period
    if wanted != len(rows) + sum(span["count"] for span in spans):
        yield f"{name}: {wanted} moments in {begin}..{end}, {len(rows)} rows, spans {spans}"
    if len(rows) != len(set(rows)):
        yield f"{name}: a moment has two rows"
    if end - begin > LISTED:
        return
    due = set(range((begin // period + 1) * period, end + 1, period))
    covered = {at for span in spans for at in due if span["from_at"] <= at < span["until_at"]}
    for at in sorted(due - covered - set(rows)):
        yield f"{name}: due at {at}, not accounted for"
    for at in sorted(covered & set(rows)):
        yield f"{name}: {at} has a row and lies in a span"


def _period(text: Any) -> int | None:
    whole = isinstance(text, str) and text.endswith("s") and text[:-1].isdigit()
    return int(text[:-1]) * SECOND if whole else None
