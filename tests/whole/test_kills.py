"""Is anything lost, doubled or unrecorded when the daemon is killed again and again, at any moment, under load?

The kills are random; the seed is printed, and ``JARVIS_TEST_SEED`` repeats one.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.whole.daemon import MARK, Daemon, until
from tests.whole.oracle import unaccounted

THREAD = '''
"""Leave a mark, after a while."""
import time
from jarvis import Context

def run(ctx: Context) -> None:
    time.sleep(0.1)
    with open("marks", "a") as file:
        file.write(f"{ctx.run.job} {ctx.run.fire} {ctx.run.attempt}\\n")
'''
QUICK = "".join(
    f"quick-{number:02}: {{every: 1s, jitter: {1 + number % 3 * 450}ms, command: '{MARK}'}}\n"
    for number in range(12)
)
JOBS = (
    QUICK
    + f"""
queued: {{every: 1s, overlap: queue, catch_up: all, command: 'sleep 0.05; {MARK}'}}
long: {{every: 4s, command: 'sleep 3; {MARK}'}}
thready: {{every: 1s, run: mark, in: thread}}
thready-again: {{every: 1s, run: mark, in: thread, on_lost: rerun}}
flaky: {{every: 1s, command: '{MARK}; test $JARVIS_ATTEMPT = 2', retry: {{times: 1, wait: 0.2s}}}}
hopeless: {{every: 2s, command: '{MARK}; exit 9', retry: {{times: 2, wait: 0.2s}}}}
slowish: {{every: 1s, command: 'sleep 0.4; {MARK}'}}
python: {{every: 3s, run: mark, retry: none}}
"""
)


@pytest.mark.parametrize(
    "kills",
    [
        # two hundred, where workers can share them
        *(
            pytest.param(50, id=f"fifty kills, {part} of 4", marks=pytest.mark.timeout(300))
            for part in range(1, 5)
        ),
        pytest.param(1_000, id="a thousand kills", marks=[pytest.mark.campaign, pytest.mark.timeout(1_200)]),
    ],
)
def test_nothing_is_lost_doubled_or_unrecorded_after(daemons: Callable[..., Daemon], kills: int) -> None:
    seed = int(os.environ.get("JARVIS_TEST_SEED", random.randrange(10**6)))
    print(f"JARVIS_TEST_SEED={seed}")
    dice = random.Random(seed)
    daemon = daemons()
    daemon.handler("mark", THREAD)
    daemon.jobs(JOBS).start()
    seen = 1
    for _ in range(kills):
        if dice.random() < 0.5:
            until(daemon.ready, "a start")
            seen += 1
            time.sleep(dice.uniform(0.0, 0.3))
        else:
            time.sleep(dice.uniform(0.2, 0.6))
        daemon.kill()
        daemon.launch()
    until(daemon.ready, "the last start")
    settle(daemon)
    assert daemon.stop() == 0
    assert len(daemon.facts("start")) >= seen > kills / 4, (
        "many daemons lived long enough to be killed at work"
    )
    judge(daemon, seed)


def settle(daemon: Daemon) -> None:
    """Every job has come round once more, and nothing of before is open."""
    now = int(time.time() * 1_000_000)
    names = {row["job"] for row in daemon.runs()}
    for name in sorted(names):
        daemon.wait_after(now, name, "succeeded", "failed")
    old = "SELECT * FROM runs WHERE status IN ('queued', 'running') AND queued_at < ?"
    until(lambda: not daemon.rows(old, now), "nothing of before is open")


def judge(daemon: Daemon, seed: int) -> None:
    """The ledger against what the jobs themselves wrote down."""
    assert unaccounted(daemon) == [], f"seed {seed}"
    marks, rows = Counter(daemon.marks()), daemon.runs()
    counted = Counter((row["job"].partition("-")[0], row["status"]) for row in rows)
    print(f"{len(rows)} rows, {sum(marks.values())} marks: {counted}")
    for row in rows:
        key = (row["job"], row["fire"], row["attempt"])
        if row["status"] == "succeeded":
            assert marks[key] == 1, f"seed {seed}: {row}"
        if row["status"] == "lost":
            assert row["job"].startswith("thready"), f"seed {seed}: {row}"
    for row in (row for row in rows if row["attempt"] > 1):
        (before,) = [
            r
            for r in rows
            if (r["job"], r["fire"], r["attempt"]) == (row["job"], row["fire"], row["attempt"] - 1)
        ]
        assert before["status"] in ("failed", "lost"), f"seed {seed}: {row}"
    for row in (row for row in rows if row["job"] == "thready-again" and row["status"] == "lost"):
        assert [
            r
            for r in rows
            if r["fire"] == row["fire"] and r["job"] == row["job"] and r["attempt"] == row["attempt"] + 1
        ]
