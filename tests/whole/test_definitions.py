"""What becomes of a job whose stored definition nobody can read?"""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.whole.daemon import MARK, Daemon, until


@pytest.mark.parametrize(
    "body", ['{"every": "0s", "command": "true"}', '{"everyy": "1s"}'], ids=["no period", "an unknown field"]
)
def test_a_bad_stored_definition_never_fires_again_and_again(daemon: Daemon, body: str) -> None:
    daemon.jobs(f"good: {{every: 1s, command: '{MARK}'}}\nbad: {{every: 1s, command: '{MARK}'}}").start()
    daemon.wait_for("bad", "succeeded")
    assert daemon.stop() == 0
    with closing(sqlite3.connect(daemon.ledger)) as connection, connection:
        connection.execute("UPDATE definitions SET body = ? WHERE job = 'bad'", (body,))
    daemon.audited = False  # nobody can say any more what was due under it; the audit says so
    before = len(daemon.runs("bad"))
    daemon.start()
    known = len(daemon.runs("good", "succeeded"))
    daemon.wait_for("good", "succeeded", count=known + 3)
    assert len(daemon.runs("bad")) == before
    (note,) = [note for note in daemon.notes() if note["job"] == "bad"]
    assert "set aside until jobs.yaml is edited" in note["title"]
    daemon.jobs(f"good: {{every: 1s, command: '{MARK}'}}\nbad: {{every: 2s, command: '{MARK}'}}")
    until(lambda: len(daemon.runs("bad", "succeeded")) > before, "an edit heals it")
