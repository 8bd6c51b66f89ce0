"""Can one bad edit hurt anything? Half-saved, invalid, swapped and shrunken files, broken handlers."""

from __future__ import annotations

import os
import time
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from tests.whole.beside import at_best, timed
from tests.whole.daemon import MARK, Daemon, Row, until

TICK = f"tick: {{every: 1s, command: '{MARK}'}}\n"
GENTLE = f"tick: {{every: 2s, command: '{MARK}'}}\n"


def active(daemon: Daemon) -> list[str]:
    """The running set."""
    return sorted(name for name, row in daemon.job_rows().items() if row["state"] != "retired")


def hundred(count: int = 100) -> str:
    jobs = "".join(
        f"  job-{number:03}:\n    every: 1h\n    command: echo {number} and something to say\n"
        for number in range(count)
    )
    return f"version: 1\njobs:\n{jobs}"


def test_an_edit_by_atomic_replace_is_taken_over_within_two_seconds(daemon: Daemon) -> None:
    jobs = [TICK]
    daemon.jobs(TICK).start()

    def edit() -> float:
        jobs.append(f"new-{len(jobs)}: {{every: 1s, command: '{MARK}'}}\n")
        daemon.jobs("".join(jobs))
        return timed(lambda: until(lambda: len(active(daemon)) == len(jobs), "the new job is known"))

    at_best(edit, 2.5)
    daemon.wait_for("new-1", "succeeded")


def test_an_edit_in_place_is_taken_over_within_two_seconds(daemon: Daemon) -> None:
    daemon.jobs(TICK).start()

    def edit() -> float:
        known = len(active(daemon))
        with daemon.config.open("a") as file:
            file.write(f"  new-{known}: {{every: 1s, command: '{MARK}'}}\n")
        return timed(lambda: until(lambda: len(active(daemon)) == known + 1, "the new job is known"))

    at_best(edit, 2.5)


def test_a_symlink_that_is_swapped_is_followed(daemon: Daemon) -> None:
    for number in (1, 2):
        release = daemon.folder / f"release-{number}"
        release.mkdir(mode=0o700)
        (release / "jobs.yaml").write_text(
            f"jobs:\n  {TICK}  only-{number}: {{every: 1h, command: 'true'}}\n"
        )
    current = daemon.folder / "current"
    current.symlink_to("release-1")
    daemon.config.symlink_to("current/jobs.yaml")
    daemon.start()
    assert active(daemon) == ["only-1", "tick"]
    (daemon.folder / "next").symlink_to("release-2")
    (daemon.folder / "next").replace(current)
    time.sleep(1.5)
    assert active(daemon) == ["only-1", "tick"], "half of the jobs disappear: that needs a confirmation"
    until(lambda: any("would disappear" in note["text"] for note in daemon.notes()), "and is said")
    (daemon.folder / "release-2" / "jobs.yaml").write_text(
        f"jobs:\n  {TICK}  only-1: {{every: 1h, command: 'true'}}\n  only-2: {{every: 1h, command: 'true'}}\n"
    )
    until(lambda: active(daemon) == ["only-1", "only-2", "tick"], "the new target is watched")


def test_an_edited_job_runs_its_new_self_and_keeps_what_was_due_before(daemon: Daemon) -> None:
    daemon.jobs(TICK).start()
    daemon.wait_for("tick", "succeeded", count=2)
    daemon.jobs(f"tick: {{every: 1s, command: '{MARK}; echo new >> news'}}")
    until(lambda: (daemon.folder / "news").exists(), "the new command ran")
    terms = daemon.rows("SELECT * FROM terms WHERE job = 'tick' ORDER BY id")
    assert len(terms) == 2
    assert terms[0]["until_at"] == terms[1]["from_at"]


def was_read(daemon: Daemon, said: int) -> bool:
    """Something was logged, or taken over."""
    return len(daemon.log()) > said or len(active(daemon)) < 100


def test_no_prefix_of_a_file_shrinks_the_running_set_by_more_than_a_fifth(daemon: Daemon) -> None:
    whole = hundred().encode()
    daemon.config.write_bytes(whole)
    daemon.start()
    assert len(active(daemon)) == 100
    for size in range(0, len(whole), 37):
        daemon.config.write_bytes(whole[:size])
        said = len(daemon.log())
        daemon.reload()
        until(partial(was_read, daemon, said), f"the prefix of {size} bytes was read")
        assert len(active(daemon)) >= 80, whole[:size].decode()[-100:]
        assert daemon.running
        if len(active(daemon)) < 100:
            daemon.config.write_bytes(whole)
            daemon.reload()
            until(lambda: len(active(daemon)) == 100, "healed")
    daemon.config.write_bytes(whole)
    until(lambda: len(active(daemon)) == 100, "healed")


def test_a_file_written_slowly_is_not_read_before_it_is_whole(daemon: Daemon) -> None:
    daemon.config.write_text(hundred())
    daemon.start()
    with daemon.config.open("wb", buffering=0) as file:
        for line in hundred(101).encode().splitlines(keepends=True):
            file.write(line)
            time.sleep(0.008)
            assert len(active(daemon)) >= 80
    until(lambda: len(active(daemon)) == 101, "the new set")


BOMB = "a: &a [x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in pairwise("abcdefghi")
)
BROKEN = {
    "a syntax error": ("jobs:\n  tick: {every: 1s, command: 'true'\n", ":2:"),
    "an unknown field": ("jobs:\n  tick: {every: 1s, comand: 'true'}\n", ":2:"),
    "a tab": ("jobs:\n\ttick: {every: 1s}\n", ":2:"),
    "an empty file": ("", "empty"),
    "a twin": ("jobs:\n  tick: {every: 1s, command: 'true'}\n  tick: {every: 2s, command: 'true'}\n", ":3:"),
    "a bad schedule": ("jobs:\n  tick: {cron: '61 * * * *', command: 'true'}\n", ":2:"),
    "no schedule word": ("jobs:\n  tick: {every: soon, command: 'true'}\n", ":2:"),
    "a list": ("- tick\n", ":1:"),
    "bytes": ("jobs: \x00\x01\n", ":1:"),
    "an alias bomb": (BOMB, ":"),
}  # fmt: skip


def newest(daemon: Daemon, known: int) -> Row | None:
    """The newest alert about jobs.yaml, if it is newer than the known one (of many repeats not all are kept)."""
    notes = [note for note in daemon.notes() if note["id"] > known and "jobs.yaml" in note["text"]]
    return notes[-1] if notes else None


def test_no_broken_file_replaces_the_running_set_and_each_is_named(daemon: Daemon) -> None:
    daemon.jobs(TICK).start()
    before = daemon.job_rows()["tick"]["definition_id"]
    for name, (text, address) in BROKEN.items():
        known = max((note["id"] for note in daemon.notes()), default=0)
        daemon.write(text)
        daemon.reload()
        note = until(partial(newest, daemon, known), f"{name} is noted")
        assert address in note["text"] and "jobs.yaml" in note["text"], (name, note)
        assert daemon.job_rows()["tick"]["definition_id"] == before
    done = len(daemon.runs("tick", "succeeded"))
    daemon.wait_for("tick", "succeeded", count=done + 2)
    daemon.jobs(TICK + "other: {every: 1h, command: 'true'}")
    until(lambda: active(daemon) == ["other", "tick"], "a good file heals it")


def test_a_restart_with_a_broken_file_runs_the_last_good_set(daemon: Daemon) -> None:
    daemon.jobs(TICK).start()
    daemon.wait_for("tick", "succeeded")
    assert daemon.stop() == 0
    daemon.write("jobs: {tick: [")
    daemon.start()
    done = len(daemon.runs("tick", "succeeded"))
    daemon.wait_for("tick", "succeeded", count=done + 2)
    assert any("cannot be used" in note["title"] for note in daemon.notes())


def test_a_first_start_with_a_broken_file_says_so_and_ends_with_two(daemon: Daemon) -> None:
    daemon.write("jobs:\n  tick: {every: 1s, comand: 'true'}\n")
    daemon.launch()
    assert daemon.ended() == 2
    assert "jobs.yaml:2:" in daemon.output() and "command" in daemon.output()


def test_a_mass_deletion_needs_a_confirmation(daemon: Daemon) -> None:
    daemon.config.write_text(hundred(10))
    daemon.start()
    daemon.config.write_text(hundred(5))
    until(
        lambda: any("5 of 10 jobs would disappear" in note["text"] for note in daemon.notes()),
        "it is refused",
    )
    assert len(active(daemon)) == 10
    daemon.cli("reload", code=1)
    assert len(active(daemon)) == 10
    daemon.cli("reload", "--confirm")
    assert len(active(daemon)) == 5


def test_a_mass_deletion_made_while_jarvis_was_down_is_not_taken_over_either(daemon: Daemon) -> None:
    daemon.config.write_text(hundred(10))
    daemon.start()
    assert daemon.stop() == 0
    daemon.config.write_text(hundred(5))
    daemon.start()
    assert len(active(daemon)) == 10
    assert any("would disappear" in note["text"] for note in daemon.notes())
    assert daemon.stop() == 0
    daemon.config.write_text(hundred(9))
    daemon.start()
    assert len(active(daemon)) == 9


GOOD = '''
"""A handler."""
from jarvis import Context

def run(ctx: Context) -> str:
    return "good"
'''


def test_a_broken_handler_breaks_only_its_own_jobs_and_heals_when_it_is_saved(daemon: Daemon) -> None:
    daemon.handler("mine", GOOD)
    daemon.jobs(
        TICK
        + "mine: {every: 1s, run: mine, retry: none}\nthready: {every: 1s, run: mine, in: thread, retry: none}"
    ).start()
    for job in ("mine", "thready"):
        daemon.wait_for(job, "succeeded")
    daemon.handler("mine", "def run(ctx:\n")
    for job in ("mine", "thready"):
        row = daemon.wait_for(job, "failed")[-1]
        assert "mine.py" in row["reason"], row
    before = daemon.job_rows()["mine"]
    assert before["state"] == "active"
    good = len(daemon.runs("tick", "succeeded"))
    daemon.wait_for("tick", "succeeded", count=good + 2)
    daemon.handler("mine", GOOD.replace("good", "better"))
    for job in ("mine", "thready"):
        until(partial(better, daemon, job), f"{job} heals")


def better(daemon: Daemon, job: str) -> bool:
    return bool(daemon.runs(job)[-1]["result"] == "better")


def test_a_start_with_a_broken_handler_keeps_its_jobs(daemon: Daemon) -> None:
    daemon.handler("mine", GOOD)
    daemon.jobs(TICK + "mine: {every: 1s, run: mine, retry: none}").start()
    daemon.wait_for("mine", "succeeded")
    assert daemon.stop() == 0
    daemon.handler("mine", "import nothing_of_that_name\n" + GOOD)
    daemon.start()
    daemon.wait_for("mine", "failed")
    assert active(daemon) == ["mine", "tick"]
    daemon.handler("mine", GOOD)
    until(lambda: daemon.runs("mine")[-1]["status"] == "succeeded", "it heals")


@pytest.mark.parametrize("what", ["jobs.yaml", "the folder", "a handler"])
def test_what_others_can_write_is_refused(daemon: Daemon, what: str) -> None:
    path: Path = daemon.handler("mine", GOOD)
    daemon.jobs(TICK + "mine: {every: 1s, run: mine}")
    path = {"jobs.yaml": daemon.config, "the folder": daemon.folder, "a handler": path}[what]
    path.chmod(path.stat().st_mode | 0o002)
    daemon.launch()
    if what == "a handler":
        (row,) = daemon.wait_for("mine", "failed")[:1]
        assert "can write" in row["reason"] and "mine.py" in row["reason"]
        daemon.wait_for("tick", "succeeded")
    else:
        assert daemon.ended() == 2
        assert str(path) in daemon.output() and "chmod" in daemon.output()
    path.chmod(path.stat().st_mode & ~0o002)


def test_a_file_that_becomes_writable_for_others_changes_nothing_any_more(daemon: Daemon) -> None:
    daemon.jobs(TICK).start()
    daemon.jobs(TICK + f"evil: {{every: 1s, command: '{MARK}'}}")
    os.chmod(daemon.config, 0o666)
    until(lambda: any("can write" in note["text"] for note in daemon.notes()), "it is refused")
    assert active(daemon) == ["tick"]
    os.chmod(daemon.config, 0o600)
