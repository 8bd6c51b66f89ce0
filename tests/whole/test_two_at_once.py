"""Two at one thing: two polls of an inbox, two daemons, a database or a remote that is gone while it is asked."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.whole.daemon import MARK, Daemon, until

CHANNEL = "alerts: {channels: {file: {journal: told.jsonl, rate: 10ms}}}\n"
GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org", "GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "ann@example.org",
}  # fmt: skip


def told(daemon: Daemon) -> str:
    path = daemon.folder / "told.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return "\n".join(f"{one['title']}\n{one['body']}" for one in map(json.loads, lines))


def problems(daemon: Daemon, key: str) -> list[dict[str, Any]]:
    return daemon.rows("SELECT * FROM problems WHERE key = ?", key)


def drop(inbox: Path, numbers: range) -> None:
    long_ago = time.time() - 60
    for number in numbers:
        draft = inbox / f"{number:04}.draft"
        draft.write_text(json.dumps({"source": "test", "event_type": "knock", "payload": number}))
        os.utime(draft, (long_ago, long_ago))
        draft.rename(inbox / f"{number:04}.json")


def test_two_polls_and_two_daemons_at_one_inbox_take_each_file_once(
    daemons: Callable[..., Daemon], tmp_path: Path
) -> None:
    both = [daemons(), daemons()]
    for daemon in both:
        daemon.jobs(f"""
            one: {{every: 1s, run: webhook_poll, with: {{inbox: {tmp_path}}}}}
            two: {{every: 1s, run: webhook_poll, with: {{inbox: {tmp_path}}}}}
            heard: {{on: {{event: "test/*"}}, command: '{MARK}', max_instances: 4}}
        """).start()
    for begin in range(0, 300, 50):
        drop(tmp_path, range(begin, begin + 50))
        for daemon in both:
            daemon.cli("jobs", "run", "one")
    until(lambda: not list(tmp_path.glob("*.json")), "every file was taken", 30)
    pending = "SELECT id FROM events WHERE status = 'pending'"
    until(lambda: not any(daemon.rows(pending) for daemon in both), "every event is dealt with", 30)
    found = [row for daemon in both for row in daemon.rows("SELECT * FROM events")]
    assert sorted(row["file"] for row in found) == [f"{number:04}.json" for number in range(300)]
    assert {row["status"] for row in found} == {"processed"}
    for daemon in both:
        ends = {row["status"] for job in ("one", "two") for row in daemon.runs(job) if row["ended_at"]}
        assert ends <= {"succeeded", "skipped"}, daemon.runs("one")
        assert len(daemon.runs("heard")) == len(daemon.rows("SELECT id FROM events"))


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, env=os.environ | GIT, capture_output=True, text=True)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout.strip()


def execute(database: Path, query: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(query)


@pytest.mark.needs("git")
def test_a_sync_that_is_offline_kept_from_its_tree_or_in_conflict_is_told_and_is_over_when_it_works(
    daemon: Daemon, tmp_path: Path
) -> None:
    remote, clone, other = tmp_path / "remote.git", tmp_path / "clone", tmp_path / "other"
    git(tmp_path, "init", "--quiet", "--bare", "-b", "main", str(remote))
    git(tmp_path, "clone", "--quiet", str(remote), str(clone))
    database = tmp_path / "data.sqlite"
    execute(database, "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    execute(database, "INSERT INTO notes VALUES (1, 'one')")
    daemon.env = {name: value for name, value in GIT.items() if "CONFIG" in name}
    values = f"database: 'sqlite:///{database}', repository: {clone}, tables: [notes]"
    daemon.jobs(f"sync: {{every: 1s, run: git_sync, retry: none, with: {{{values}}}}}", CHANNEL).start()
    daemon.wait_for("sync", "succeeded")

    remote.rename(tmp_path / "gone.git")
    execute(database, "INSERT INTO notes VALUES (2, 'two')")
    until(lambda: problems(daemon, "unreachable"), "that the remote is gone is told")
    (tmp_path / "gone.git").rename(remote)
    until(lambda: problems(daemon, "unreachable")[0]["ended_at"], "and that it is back")
    git(tmp_path, "clone", "--quiet", str(remote), str(other))
    file = other / "data" / "notes.jsonl"
    until(lambda: git(other, "pull", "--quiet") == "" and "two" in file.read_text(), "what waited was pushed")

    daemon.cli("jobs", "pause", "sync")
    until(lambda: not daemon.runs("sync", "running", "queued"), "nobody is at it")
    file.write_text(file.read_text().replace("one", "theirs"))
    git(other, "commit", "--quiet", "-am", "theirs")
    git(other, "push", "--quiet")
    execute(database, "UPDATE notes SET text = 'ours' WHERE id = 1")
    daemon.cli("jobs", "resume", "sync")
    daemon.wait_for("sync", "failed")
    until(lambda: "sync: failed" in told(daemon), "the conflict is told")
    assert git(clone, "status", "--porcelain", "--untracked-files=no") == "", "the tree is as it was"
    file.write_text(file.read_text().replace("theirs", "ours"))
    git(other, "commit", "--quiet", "-am", "theirs no more")
    git(other, "push", "--quiet")
    until(lambda: "over: sync: failed" in told(daemon), "and is over when they agree", 30)

    (other / "README").write_text("read me\n")
    git(other, "add", "README")
    git(other, "commit", "--quiet", "-m", "a file of ours")
    git(other, "pull", "--quiet", "--rebase")
    git(other, "push", "--quiet")
    mine = clone / "README"
    until(mine.exists, "it is pulled")
    mine.write_text("somebody is at work\n")
    execute(database, "INSERT INTO notes VALUES (3, 'three')")
    left_alone = len(daemon.runs("sync", "failed"))
    reason = daemon.wait_for("sync", "failed", count=left_alone + 2)[-1]["reason"]
    assert "has changes that are not committed (README)" in reason
    assert mine.read_text() == "somebody is at work\n"
    git(clone, "checkout", "--quiet", "README")
    known = len(daemon.runs("sync", "succeeded"))
    daemon.wait_for("sync", "succeeded", count=known + 2)


def test_a_database_that_cannot_be_asked_any_more_resolves_nothing_also_across_a_restart(
    daemon: Daemon, tmp_path: Path
) -> None:
    database = tmp_path / "shop.sqlite"
    execute(database, "CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    execute(database, "INSERT INTO orders VALUES (1), (2), (3)")
    asked = f"{{url: 'sqlite:///{database}', query: 'SELECT count(*) FROM orders', above: 2}}"
    daemon.jobs(
        f"check: {{every: 1s, run: invariants, with: {{invariants: {{orders: {{sql: {asked}}}}}}}}}", CHANNEL
    ).start()
    (ticket,) = until(lambda: daemon.rows("SELECT * FROM tickets WHERE key = 'orders'"), "a ticket")
    until(lambda: problems(daemon, "orders"), "a problem")
    database.rename(tmp_path / "gone.sqlite")
    until(lambda: problems(daemon, "cannot_observe:orders"), "that it cannot be observed")
    for end in (daemon.stop, daemon.kill):
        end()
        daemon.start()
        known = len(daemon.runs("check", "succeeded"))
        daemon.wait_for("check", "succeeded", count=known + 2)
        (still,) = daemon.rows("SELECT * FROM tickets WHERE key = 'orders'")
        assert (still["status"], still["first_seen_at"]) == ("open", ticket["first_seen_at"])
        assert problems(daemon, "orders")[0]["ended_at"] is None
        assert "over: " not in told(daemon)
    (tmp_path / "gone.sqlite").rename(database)
    until(lambda: problems(daemon, "cannot_observe:orders")[0]["ended_at"], "it can be observed again")
    assert problems(daemon, "orders")[0]["ended_at"] is None, "and it is as bad as before"
    execute(database, "DELETE FROM orders WHERE id = 3")
    until(
        lambda: daemon.rows("SELECT * FROM tickets WHERE key = 'orders'")[0]["status"] == "resolved",
        "exactly two are well",
    )
    until(lambda: "over: " in told(daemon) and problems(daemon, "orders")[0]["ended_at"], "that is told")
