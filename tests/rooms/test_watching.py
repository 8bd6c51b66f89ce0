"""Does a job run when files change: once for each change, whatever way it came about, and never for nothing?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from jarvis.core.changes import Pending
from jarvis.core.when import Watch
from jarvis.running.watch import mounts
from jarvis.running.watch.mounting import Mounting
from jarvis.running.watch.mounts import Volume
from jarvis.running.watch.watched import Watched
from jarvis.store import watches
from tests.rooms.running_house import GATE, running

QUICK = "debounce: 100ms"
QUIET = 0.8
"""Seconds after which a change that makes a quick watch fire would have done so."""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path


def job(watch, *, more=""):
    return f"""
        jobs:
          seen: {{watch: {{{watch}}}, command: 'true'{more}}}
    """


def fires(house, job="seen"):
    return [row for row in house.rows(job) if row.fire.startswith("watch:")]


def fired(house, count, job="seen"):
    """Wait for so many fires; a moment later there are no more."""
    house.until(lambda: len(fires(house, job)) >= count)
    time.sleep(QUIET)
    assert len(fires(house, job)) == count, [row.cause for row in fires(house, job)]
    return fires(house, job)


def listening(house):
    """The ears are there and everything was looked at once."""
    watching = house.app.watching

    def looked():
        every = watching._all.values()
        return every and all((one.awake and one.verify_at) or one.level for one in every)

    house.until(looked)
    return house


def names(run):
    return [Path(path).name for path in run.cause["paths"]]


LIMITED = Path(__file__).with_name("watching_limited.py")
"""Collected only when it is named: by the test that sets the limit."""

WAYS = {
    "a new file": lambda at: (at / "new").write_text("x"),
    "a file written to": lambda at: (at / "old").write_text("longer than before"),
    "a file of the same size written to": lambda at: (at / "old").write_text("bbb"),
    "a file that is gone": lambda at: (at / "old").unlink(),
    "a file replaced atomically": lambda at: (_draft(at.parent, "aaa")).replace(at / "old"),
    "a file moved in": lambda at: (_draft(at.parent, "x")).rename(at / "moved"),
    "a file moved out": lambda at: (at / "old").rename(at.parent / "out"),
    "a file renamed": lambda at: (at / "old").rename(at / "other"),
    "a file in a folder below": lambda at: (at / "sub" / "deep" / "new").write_text("x"),
    "an empty folder": lambda at: (at / "fresh").mkdir(),
    "a folder that is gone": lambda at: shutil.rmtree(at / "sub"),
    "a link that leads elsewhere": lambda at: _relink(at / "link", "old"),
}


def _draft(folder, text):
    draft = folder / "draft"
    draft.write_text(text)
    os.utime(draft, ns=(1, 1))
    return draft


def _relink(link, target):
    os.symlink(target, f"{link}.new")
    os.replace(f"{link}.new", link)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_change_a_folder_is_one_fire(folder, way):
    (folder / "in" / "sub" / "deep").mkdir(parents=True)
    (folder / "in" / "old").write_text("aaa")
    os.utime(folder / "in" / "old", ns=(1, 1))
    os.symlink("nowhere", folder / "in" / "link")
    with running(folder, job(f"paths: in, {QUICK}, initial: false")) as house:
        listening(house)
        WAYS[way](folder / "in")
        (run,) = fired(house, 1)
        assert run.cause["watch"] == "in"
        assert run.cause["count"] >= 1 and all(path.startswith(str(folder)) for path in run.cause["paths"])


def test_reading_and_changing_rights_is_no_change(folder):
    path = folder / "in" / "old"
    path.write_text("aaa")
    with running(folder, job(f"paths: in, {QUICK}, initial: false")) as house:
        listening(house)
        path.chmod(0o600)
        path.read_text()
        fired(house, 0)


def test_a_folder_made_and_filled_quickly_is_one_fire_that_names_everything(folder):
    with running(folder, job("paths: in, debounce: 300ms, initial: false")) as house:
        listening(house)
        for number in range(20):
            deep = folder / "in" / f"d{number}" / "e" / "f"
            deep.mkdir(parents=True)
            (deep / f"file{number}").write_text("x")
        (run,) = fired(house, 1)
        assert {f"file{number}" for number in range(20)} <= set(names(run))
        (folder / "in" / "d7" / "e" / "f" / "later").write_text("x")
        assert "later" in names(fired(house, 2)[1])


def test_changes_close_together_are_one_fire_and_continuous_ones_do_not_starve(folder):
    stop = threading.Event()
    apart = []

    def write():
        number, last = 0, time.monotonic()
        while not stop.wait(0.02):
            number += 1
            (folder / "in" / "busy").write_text(str(number))
            apart.append(time.monotonic() - last)
            last = time.monotonic()

    writer = threading.Thread(target=write)
    with running(folder, job("paths: in, debounce: 500ms, max_wait: 1500ms, initial: false")) as house:
        listening(house)
        begun = time.monotonic()
        writer.start()
        try:
            house.until(lambda: len(fires(house)) >= 2)
            took = time.monotonic() - begun
        finally:
            stop.set()
            writer.join()
        # Who pauses for as long as debounce on a busy machine has made changes that are over.
        assert took >= 2.9 or max(apart) > 0.4, "each fire waits for max_wait"
        house.until(lambda: len(fires(house)) >= 3 or time.monotonic() - begun > took + 3)
        assert names(fires(house)[0]) == ["busy"]


@pytest.mark.parametrize(
    ("first", "last", "now", "ripe"),
    [(0, 0, 1.999999, False), (0, 0, 2, True), (0, 1.5, 3.4, False), (0, 1.5, 3.5, True), (0, 29, 29.9, False),
     (0, 29, 30, True)],
)  # fmt: skip
def test_a_look_for_another_reason_fires_nothing_before_it_was_quiet_for_long_enough(
    folder, first, last, now, ripe
):
    """A new folder is listed once more, and everything is compared now and then, also between two changes."""
    watched = Watched("seen", Watch(paths="in"), folder)
    watched.begin(None)
    watched.pending = Pending(timedelta(seconds=first), timedelta(seconds=last))
    assert watched.ripe(timedelta(seconds=now)) is ripe


def test_only_files_that_match_count(folder):
    with running(
        folder, job(f'paths: in, {QUICK}, initial: false, globs: ["*.pdf"], ignore: [old]')
    ) as house:
        listening(house)
        (folder / "in" / "a.txt").write_text("x")
        (folder / "in" / "old").mkdir()
        (folder / "in" / "old" / "a.pdf").write_text("x")
        fired(house, 0)
        (folder / "in" / "a.pdf").write_text("x")
        assert names(fired(house, 1)[0]) == ["a.pdf"]


def test_folders_below_do_not_count_when_it_is_not_recursive(folder):
    (folder / "in" / "sub").mkdir()
    with running(folder, job(f"paths: in, {QUICK}, initial: false, recursive: false")) as house:
        listening(house)
        (folder / "in" / "sub" / "a").write_text("x")
        fired(house, 0)
        (folder / "in" / "a").write_text("x")
        assert names(fired(house, 1)[0]) == ["a"]


def test_a_watched_file_is_noticed_after_every_atomic_replacement(folder):
    path = folder / "in" / "settings"
    path.write_text("0")
    with running(folder, job(f"paths: in/settings, {QUICK}, initial: false")) as house:
        listening(house)
        for number in (1, 2, 3):
            draft = folder / "in" / "draft"
            draft.write_text(str(number))
            draft.replace(path)
            assert names(fired(house, number)[-1]) == ["settings"]
        (folder / "in" / "other").write_text("x")
        fired(house, 3)


def test_a_path_that_does_not_exist_yet_is_waited_for_and_may_go_and_come_again(folder):
    with running(folder, job(f"paths: later/inner, {QUICK}")) as house:
        listening(house)
        (folder / "later" / "inner").mkdir(parents=True)
        (folder / "later" / "inner" / "a").write_text("x")
        assert "a" in names(fired(house, 1)[0])
        shutil.rmtree(folder / "later")
        fired(house, 2)
        (folder / "later" / "inner").mkdir(parents=True)
        (folder / "later" / "inner" / "b").write_text("x")
        assert "b" in names(fired(house, 3)[2])
        (folder / "later" / "inner" / "c").write_text("x")
        assert names(fired(house, 4)[3]) == ["c"]


def test_a_link_to_a_folder_is_followed_and_followed_elsewhere(folder):
    (folder / "one").mkdir()
    (folder / "two").mkdir()
    (folder / "two" / "b").write_text("b")
    os.symlink("one", folder / "link")
    with running(folder, job(f"paths: link, {QUICK}, initial: false")) as house:
        listening(house)
        (folder / "one" / "a").write_text("x")
        (run,) = fired(house, 1)
        assert run.cause["paths"] == [str(folder / "link" / "a")]
        _relink(folder / "link", "two")
        fired(house, 2)
        (folder / "two" / "c").write_text("x")
        fired(house, 3)


def test_links_in_a_circle_do_not_hold_it_up(folder):
    (folder / "in" / "sub").mkdir()
    os.symlink("..", folder / "in" / "sub" / "up")
    with running(folder, job(f"paths: in, {QUICK}, initial: false")) as house:
        listening(house)
        (folder / "in" / "sub" / "a").write_text("x")
        fired(house, 1)


def test_jarvis_own_files_do_not_count(folder):
    """Its state directory is beside jobs.yaml here, and each run changes it."""
    with running(folder, job(f"paths: ., {QUICK}, initial: false")) as house:
        listening(house)
        (folder / "in" / "a").write_text("x")
        assert names(fired(house, 1)[0]) == ["a"]


def test_paths_may_begin_with_the_home_or_a_variable(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("WHERE", str(folder / "other"))
    (folder / "other").mkdir()
    with running(folder, job("paths: [~/in, '${WHERE}'], debounce: 100ms, initial: false")) as house:
        listening(house)
        (folder / "in" / "a").write_text("x")
        assert names(fired(house, 1)[0]) == ["a"]
        (folder / "other" / "b").write_text("x")
        assert names(fired(house, 2)[1]) == ["b"]


# The start.


def test_the_first_time_ever_what_is_there_is_one_fire(folder):
    (folder / "in" / "a").write_text("x")
    with running(folder, job(f"paths: in, {QUICK}")) as house:
        (run,) = fired(house, 1)
        assert names(run) == ["a"]


@pytest.mark.parametrize("watch", ["paths: in", "paths: in, initial: false", "paths: nowhere"])
def test_the_first_time_ever_is_no_fire_without_files_or_without_initial(folder, watch):
    if "initial" in watch:
        (folder / "in" / "a").write_text("x")
    with running(folder, job(f"{watch}, {QUICK}")) as house:
        listening(house)
        fired(house, 0)


@pytest.mark.parametrize(("initial", "count"), [("true", 2), ("false", 1)])
def test_what_changed_while_jarvis_was_down_is_noticed_at_the_start(folder, initial, count):
    text = job(f"paths: in, {QUICK}, initial: {initial}")
    (folder / "in" / "old").write_text("x")
    with running(folder, text) as house:
        listening(house)
        (folder / "in" / "a").write_text("x")
        house.until(lambda: any("a" in names(run) for run in fires(house)))
        before = len(fires(house))
    (folder / "in" / "b").write_text("x")
    with again(folder) as house:
        found = fired(house, before + count - 1)
        if initial == "true":
            assert names(found[-1]) == ["b"]
    with again(folder) as house:
        fired(house, before + count - 1)


def again(folder):
    """The same instance started once more."""
    from contextlib import contextmanager

    from tests.rooms.running_house import Running

    @contextmanager
    def restarted():
        house = Running.__new__(Running)
        house.folder = folder
        from jarvis.config import instance as instances

        house.instance = instances.find(str(folder / "jobs.yaml"), str(folder / "state"))
        with house.open():
            listening(house)
            yield house
        assert house.audit() == []

    return restarted()


# Runs.


def test_changes_during_a_run_are_one_more_fire_after_it(folder):
    text = f"""
        jobs:
          seen: {{watch: {{paths: in, {QUICK}, initial: false}}, command: '{GATE.format("gate")}'}}
    """
    with running(folder, text) as house:
        listening(house)
        (folder / "in" / "a").write_text("x")
        house.wait_for("seen", "running")
        for name in "bcd":
            (folder / "in" / name).write_text("x")
            time.sleep(0.2)
        fired(house, 1)
        house.let("gate")
        found = fired(house, 2)
        assert names(found[1]) == ["b", "c", "d"]
        assert found[1].queued_at >= found[0].ended_at
        assert [row.status.value for row in house.wait_for("seen", "succeeded", count=2)] == ["succeeded"] * 2


def test_with_overlap_allow_a_change_during_a_run_starts_another(folder):
    text = f"""
        jobs:
          seen: {{watch: {{paths: in, {QUICK}, initial: false}}, command: '{GATE.format("gate")}', overlap: allow}}
    """
    with running(folder, text) as house:
        listening(house)
        (folder / "in" / "a").write_text("x")
        house.wait_for("seen", "running")
        (folder / "in" / "b").write_text("x")
        house.wait_for("seen", "running", count=2)
        house.let("gate")


def test_a_job_is_told_what_changed(folder):
    command = 'printf "%s" "$JARVIS_CAUSE" > told'
    text = f"""
        jobs:
          seen: {{watch: {{paths: in, {QUICK}, initial: false}}, command: '{command}'}}
    """
    with running(folder, text) as house:
        listening(house)
        (folder / "in" / "a").write_text("x")
        house.wait_for("seen", "succeeded")
        assert str(folder / "in" / "a") in (folder / "told").read_text()


# Pauses and edits.


@pytest.mark.parametrize("initial", [True, False])
def test_changes_while_paused_are_no_fire_until_it_goes_on(folder, initial):
    with running(folder, job(f"paths: in, {QUICK}, initial: {str(initial).lower()}")) as house:
        listening(house)
        house.app.roster.pause("seen", None, "a test")
        (folder / "in" / "a").write_text("x")
        time.sleep(1)
        fired(house, 0)
        house.until(lambda: not next(iter(house.app.watching._all.values())).awake)
        house.app.roster.resume("seen")
        fired(house, int(initial)) if initial else (time.sleep(1.5), fired(house, 0))
        (folder / "in" / "b").write_text("x")
        assert "b" in names(fired(house, int(initial) + 1)[-1])


def test_a_job_that_is_switched_off_is_not_started(folder):
    with running(folder, job(f"paths: in, {QUICK}, initial: false")) as house:
        listening(house)
        house.app.roster.switch("seen", False)
        (folder / "in" / "a").write_text("x")
        fired(house, 0)


def test_an_edit_moves_the_watch_and_forgets_what_is_watched_no_longer(folder):
    (folder / "other").mkdir()
    (folder / "other" / "a").write_text("x")
    with running(folder, job(f"paths: in, {QUICK}, initial: false")) as house:
        listening(house)
        house.edit(job(f"paths: other, {QUICK}, initial: false"))
        house.until(lambda: [one.title for one in house.app.watching._all.values()] == ["other"])
        listening(house)
        (folder / "in" / "a").write_text("x")
        (folder / "other" / "b").write_text("x")
        assert names(fired(house, 1)[0]) == ["b"]
        assert house.sql("SELECT count(*) FROM watches WHERE job = 'seen'") == [(1,)]


# States.


def test_while_a_path_exists_its_job_is_started_again_after_ten_seconds_and_not_before_its_end(folder):
    text = f"""
        jobs:
          seen: {{watch: {{paths: flag, when: exists, {QUICK}}}, command: 'sleep 0.1'}}
    """
    with running(folder, text) as house:
        listening(house)
        fired(house, 0)
        (folder / "flag").touch()
        found = fired(house, 1)
        house.until(lambda: len(fires(house)) == 2)
        found = fires(house)
        assert (found[1].queued_at - found[0].queued_at).total_seconds() >= 10
        (folder / "flag").unlink()
        assert found[0].cause["paths"] == [str(folder / "flag")]


def test_a_queue_that_is_not_empty_starts_its_job_which_empties_it(folder):
    text = f"""
        jobs:
          seen: {{watch: {{paths: in, when: not_empty, ignore: [".*"], {QUICK}}}, command: 'rm in/*'}}
    """
    with running(folder, text) as house:
        listening(house)
        (folder / "in" / ".hidden").touch()
        (folder / "in" / "sub").mkdir()
        fired(house, 0)
        (folder / "in" / "sub").rmdir()
        (folder / "in" / "a").touch()
        fired(house, 1)
        house.until(lambda: not (folder / "in" / "a").exists())
        fired(house, 1)


# What cannot be watched.


def test_a_folder_that_cannot_be_read_is_told_and_the_rest_is_watched():
    """As somebody who may not read it (root reads everything, and becomes nobody for a while)."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    (folder / "in" / "closed").mkdir(parents=True)
    own = os.geteuid()
    (folder / "in" / "closed").chmod(0)
    try:
        from jarvis.core.changes import Filter
        from jarvis.running.watch.looking import Spot

        spot = Spot(folder / "in", Filter(), recursive=True)
        if own == 0:
            os.seteuid(65534)
        try:
            spot.turn()
            sight = spot.look(whole=True)
        finally:
            os.seteuid(own)
        assert sight.blind == [f"{folder / 'in' / 'closed'}: Permission denied"]
        before = spot.digest
        (folder / "in" / "a").touch()
        spot.heard(str(folder / "in" / "a"))
        assert spot.look().blind == [] and spot.digest != before
    finally:
        (folder / "in" / "closed").chmod(0o700)
        shutil.rmtree(folder)


def test_a_path_that_cannot_be_looked_at_is_a_trouble_and_an_alert_until_it_can(folder):
    os.symlink("loop", folder / "loop")
    with running(folder, job(f"paths: loop, {QUICK}")) as house:
        house.until(lambda: "watch:seen (loop)" in house.app.troubles.current())
        assert "Too many levels of symbolic links" in house.app.troubles.current()["watch:seen (loop)"].why
        assert "watch:seen" in [note.key for note in house.notes()]
        (folder / "loop").unlink()
        (folder / "loop").mkdir()
        (folder / "loop" / "a").write_text("x")
        fired(house, 1)
        house.until(lambda: "watch:seen (loop)" not in house.app.troubles.current())


@pytest.mark.needs("unshare", "linux")
def test_with_the_limit_of_watched_folders_reached_changes_are_noticed_by_looking():
    """A user namespace has a limit of its own, so that nobody else's is touched."""
    root, base = (
        Path(__file__).parents[2],
        Path(tempfile.mkdtemp(prefix="jw-")),
    )  # its socket needs a short path
    inside = f"{sys.executable} -m pytest -q -n0 -p no:cacheprovider --basetemp={base / 'b'} {LIMITED}"
    done = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", f"echo 4 > /proc/sys/user/max_inotify_watches && exec {inside}"],
        capture_output=True, text=True, cwd=root, timeout=100,
    )  # fmt: skip
    shutil.rmtree(base)
    if "unshare failed" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip("no user namespaces here")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_of_two_watches_of_one_job_one_may_be_in_trouble(folder):
    os.symlink("loop", folder / "loop")
    text = f"""
        jobs:
          seen:
            schedules: [{{watch: {{paths: loop, {QUICK}}}}}, {{watch: {{paths: in, {QUICK}, initial: false}}}}]
            command: 'true'
    """
    with running(folder, text) as house:
        house.until(lambda: "watch:seen (loop)" in house.app.troubles.current())
        house.until(lambda: house.sql("SELECT count(*) FROM watches")[0][0])
        (folder / "in" / "a").write_text("x")
        assert names(fired(house, 1)[0]) == ["a"]
        assert [note.key for note in house.notes()].count("watch:seen") == 1


# Mounts.

TABLE = (
    "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    "23 22 0:21 / /proc rw - proc proc rw\n"
    "24 22 0:22 / /run/user/1000 rw - tmpfs tmpfs rw\n"
    "25 22 8:17 / /media/My\\040Disk rw,nosuid shared:1 - vfat /dev/sdb1 rw\n"
    "26 22 8:33 / /run/media/me/x rw - ext4 /dev/sdc1 rw\n"
    "27 22 0:40 / /mnt/nas rw - nfs4 nas:/share rw\n"
    "28 22 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro\n"
    "broken line\n"
)


def test_volumes_are_told_from_what_the_system_mounts_for_itself():
    found = mounts.parse(TABLE).values()
    assert [(one.path, one.source, one.type) for one in found] == [
        ("/media/My Disk", "/dev/sdb1", "vfat"),
        ("/run/media/me/x", "/dev/sdc1", "ext4"),
        ("/mnt/nas", "nas:/share", "nfs4"),
    ]


@pytest.mark.needs("root", "mount", "linux")
def test_a_mounted_volume_starts_the_job_once(tmp_path):
    (tmp_path / "disk").mkdir()
    with running(tmp_path, "jobs: {seen: {start: mount, command: 'true'}}") as house:
        house.until(lambda: house.app.watching._mounting._known is not None)
        for count in (1, 2):
            subprocess.run(["mount", "-t", "tmpfs", "nothing", tmp_path / "disk"], check=True)
            try:
                house.until(lambda: len(house.rows("seen")) >= count)  # noqa: B023
                time.sleep(0.3)
            finally:
                subprocess.run(["umount", tmp_path / "disk"], check=True)
            time.sleep(0.3)
            rows = house.rows("seen")
            assert len(rows) == count
            assert rows[-1].fire.startswith("start:mount:")
            assert rows[-1].cause == {"mount": str(tmp_path / "disk"), "source": "nothing", "type": "tmpfs"}


def test_volumes_that_are_there_at_first_are_no_news_but_those_that_came_during_a_restart_are(tmp_path):
    table = {"1": Volume(id="1", path="/mnt/a", source="a", type="ext4")}
    text = "jobs: {seen: {start: mount, command: 'true'}, other: {start: daemon, command: 'true'}}"
    with running(tmp_path, text) as house:

        def started(boot):
            """As a daemon of this boot would begin."""
            made = Mounting(
                clock=house.app.clock,
                roster=house.app.roster,
                boot=boot,
                changed=lambda: None,
                mounted=lambda: dict(table),
            )
            with house.app.database.read() as connection:
                seen = watches.recall(connection)
            made.follow(("seen",), seen, house.app.clocks.read().wall_at)
            made.close()
            return [row.cause["mount"] for row in house.rows("seen")]

        house.app.watching.stop()
        house.sql("DELETE FROM watches")
        assert started("boot one") == []
        table["2"] = Volume(id="2", path="/mnt/b", source="b", type="ext4")
        assert started("boot one") == ["/mnt/b"]
        assert started("boot one") == ["/mnt/b"], "once"
        table["3"] = Volume(id="3", path="/mnt/c", source="c", type="ext4")
        assert started("boot two") == ["/mnt/b"], "the machine mounted it when it began"
        assert len(house.rows("other")) == 1
