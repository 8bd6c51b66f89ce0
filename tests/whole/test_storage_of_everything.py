"""A full disk and a held ledger, while everything else than the clock wants to write: is it all there afterwards?"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise

import pytest

from tests.whole.beside import PAUSES
from tests.whole.daemon import MARK, SECOND, Daemon, until
from tests.whole.oracle import unaccounted
from tests.whole.test_storage import fill

CRY = '''
"""Cry out, again and again."""
from pathlib import Path
from jarvis import Context

def run(ctx: Context) -> str:
    count = 0
    while not ctx.wait(0.25):
        count += 1
        ctx.alert(f"cry {ctx.run.id}-{count}", severity="low")
        Path("cried").write_text(str(count))
    return f"cried {count} times"
'''
JOBS = f"""
poll: {{every: 1s, run: webhook_poll, with: {{inbox: INBOX}}}}
heard: {{on: {{event: "test/*"}}, command: '{MARK}'}}
seen: {{watch: {{paths: in, debounce: 300ms, initial: false}}, command: '{MARK}'}}
pauses: {{run: pause_sample, in: thread, service: {{wait: 1s}}, with: {{interval: 500ms, elevated_interval: 500ms}}}}
crier: {{run: cry, in: thread, service: {{wait: 1s}}}}
report: {{every: 1s, command: 'echo fire $JARVIS_FIRE.', deliver: {{to: file}}}}
"""
CHANNEL = "alerts: {storm: 10000, channels: {file: {journal: told.jsonl, rate: 200ms}}}\n"
LASTS = 5.0
"""Seconds in which nothing can be written."""


@contextmanager
def full(daemon: Daemon) -> Iterator[None]:
    ballast = fill(daemon.state)
    yield
    ballast.unlink()


@pytest.fixture
def daemon(daemons: Callable[..., Daemon], request: pytest.FixtureRequest) -> Iterator[Daemon]:
    """Its state directory is a small disk where the fault is a full one."""
    daemon = daemons()
    if request.getfixturevalue("fault") is not full:
        yield daemon
        return
    daemon.state.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs", str(daemon.state)]
    subprocess.run(mount, check=True)
    yield daemon
    if daemon.running:
        assert daemon.stop() == 0
    wrong = unaccounted(daemon)
    daemon.audited = False
    for process in daemon.processes():
        process.kill()
    unmount = ["umount", str(daemon.state)]
    until(lambda: subprocess.run(unmount, capture_output=True).returncode == 0, "unmounted")
    assert wrong == []


def drop(daemon: Daemon, name: str) -> None:
    draft = daemon.folder / "inbox" / f"{name}.draft"
    draft.write_text(json.dumps({"source": "test", "event_type": "knock", "payload": name}))
    os.utime(draft, (time.time() - 60, time.time() - 60))
    draft.rename(draft.with_suffix(".json"))


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(full, id="a full disk", marks=pytest.mark.needs("root", "linux", "mount")),
        pytest.param(Daemon.held, id="a held ledger"),
    ],
)
def test_what_happens_while_nothing_can_be_written_is_there_afterwards_and_once(
    daemon: Daemon, fault: Callable[[Daemon], AbstractContextManager[object]]
) -> None:
    for name in ("inbox", "in"):
        (daemon.folder / name).mkdir()
    daemon.handler("cry", CRY)
    daemon.jobs(JOBS.replace("INBOX", str(daemon.folder / "inbox")), CHANNEL).start()
    drop(daemon, "before")
    daemon.wait_for("heard", "succeeded")
    (daemon.folder / "in" / "a").write_text("x")
    daemon.wait_for("seen", "succeeded")
    until(lambda: len(daemon.rows("SELECT id FROM samples")) >= 3, "samples")
    with fault(daemon):
        began = time.time()
        files = [f"while-{number}" for number in range(5)]
        for name in files:
            drop(daemon, name)
        (daemon.folder / "in" / "b").write_text("x")
        until(lambda: "degraded: ledger" in daemon.log() + daemon.output(), "it says degraded")
        status = daemon.cli("status", "--json", code=1)
        assert status["degraded"] and status["running"] and status["troubles"]
        while time.time() < began + LASTS:
            assert daemon.running
            time.sleep(0.2)
        assert {path.stem for path in (daemon.folder / "inbox").glob("*.json")} == set(files), (
            "the files stay"
        )
        over = time.time()
    until(lambda: len(daemon.runs("heard", "succeeded")) == 6, "every event was heard")
    until(lambda: len(daemon.runs("seen", "succeeded")) == 2, "the change was seen")
    status = until(
        lambda: (one := daemon.cli("status", "--json", code=None)) and not one["degraded"] and one, "well"
    )
    assert status["troubles"] == []
    daemon.cli("jobs", "pause", "report")
    daemon.cli("jobs", "disable", "crier")
    until(
        lambda: not daemon.runs("crier", "running") and not daemon.runs("report", "running", "queued"), "ends"
    )
    left = "SELECT id FROM journal WHERE verdict IN ('new', 'held')"
    waiting = "SELECT id FROM deliveries WHERE status = 'queued'"
    until(lambda: not daemon.rows(left) and not daemon.rows(waiting), "everything is told")

    events = daemon.rows("SELECT * FROM events")
    assert Counter(row["file"] for row in events) == Counter([f"{one}.json" for one in [*files, "before"]])
    assert {row["status"] for row in events} == {"processed"}
    changes = [json.loads(row["cause"])["paths"] for row in daemon.runs("seen")]
    assert [[os.path.basename(path) for path in paths] for paths in changes] == [["a"], ["b"]]
    (crier,) = daemon.runs("crier")
    cries = [
        f"cry {crier['id']}-{number}" for number in range(1, int((daemon.folder / "cried").read_text()) + 1)
    ]
    assert Counter(row["title"] for row in daemon.notes() if row["job"] == "crier") == Counter(cries)
    lines = [json.loads(line) for line in (daemon.folder / "told.jsonl").read_text().splitlines()]
    ids = Counter(number for line in lines for number in line["ids"])
    assert ids == dict.fromkeys([row["id"] for row in daemon.rows("SELECT id FROM deliveries")], 1)
    fires = [row["fire"] for row in daemon.runs("report", "succeeded")]
    said = Counter(re.findall(r"fire (\S+)\.$", "\n".join(line["body"] for line in lines), re.MULTILINE))
    assert said == Counter(fires)
    newest = "SELECT id FROM samples WHERE at > ?"
    until(lambda: daemon.rows(newest, over * SECOND), "samples are written again")
    times = [row["at"] / SECOND for row in daemon.rows("SELECT at FROM samples ORDER BY at")]
    assert max(b - a for a, b in pairwise(times)) < LASTS, "sampling went on, and nothing of it is missing"
    assert not daemon.rows(PAUSES)
    assert not daemon.runs(None, "lost")
