"""Who listens to whole trees, and what if that process ends, cannot be started, or loses its daemon?"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from jarvis.running.watch import ears
from jarvis.running.watch.listener import Listener
from tests.rooms.running_house import Running, running

JOBS = "jobs: {seen: {watch: {paths: in, debounce: 100ms, initial: false}, command: 'true'}}"
PATIENCE = 20.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in" / "deep" / "deeper").mkdir(parents=True)
    return tmp_path


def listeners() -> list[psutil.Process]:
    mine = psutil.Process().children()
    return [one for one in mine if any("watch.listener" in word for word in words(one))]


def words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def ends(process: psutil.Process) -> None:
    end = time.monotonic() + PATIENCE
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "it should have ended"
        time.sleep(0.02)


def the_listener(house: Running) -> psutil.Process:
    def listening() -> bool:
        return all(one.awake and one.verify_at for one in house.app.watching._all.values())

    house.until(lambda: listeners() and house.app.watching._all and listening())
    (found,) = listeners()
    return found


def test_the_daemon_itself_adds_no_folder_of_a_tree(folder: Path) -> None:
    """Adding many takes seconds in which the library lets no other thread of its process run."""
    with running(folder, JOBS) as house:
        listener = the_listener(house)
        assert ears.held([listener.pid]) == 3
    ends(listener)


def test_a_listener_that_was_killed_is_replaced_and_nothing_is_missed(folder: Path) -> None:
    with running(folder, JOBS) as house:
        first = the_listener(house)
        first.send_signal(signal.SIGSTOP)  # it hears nothing any more
        (folder / "in" / "deep" / "a").write_text("x")
        first.kill()
        (run,) = house.wait_for("seen", "succeeded")
        assert run.cause["watch"] == "in"
        house.until(lambda: [one.pid for one in listeners()] not in ([], [first.pid]))
        (folder / "in" / "deep" / "deeper" / "b").write_text("x")
        house.wait_for("seen", "succeeded", count=2)


def test_where_no_listener_can_live_the_tree_is_looked_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = folder / "python"
    python.write_text(
        f'#!/bin/sh\ncase "$*" in *watch.listener*) exit 7;; esac\nexec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with running(folder, JOBS) as house:
        house.until(lambda: "watch:seen (in)" in house.app.troubles.current())
        why = house.app.troubles.current()["watch:seen (in)"].why
        assert "the process that should listen ended with 7" in why
        house.until(lambda: house.sql("SELECT count(*) FROM watches") == [(1,)])
        (folder / "in" / "a").write_text("x")
        house.wait_for("seen", "succeeded")


@pytest.mark.parametrize("python", ["/nowhere/python", "/etc/hostname"])
def test_a_listener_that_cannot_be_started_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    ready: queue.SimpleQueue[bool] = queue.SimpleQueue()
    listener = Listener([str(folder)], hear=lambda _: None, ready=lambda: ready.put(True), patience=50)
    assert ready.get(timeout=PATIENCE) and listener.listens
    assert "no process can be started to listen" in listener.deaf[str(folder)]
    assert listener.pid is None
    listener.close()


def test_a_listener_ends_with_the_process_it_listens_for(folder: Path) -> None:
    script = f"""
import time
from jarvis.running.watch.listener import Listener
one = Listener([{str(folder)!r}], hear=lambda _: None, ready=lambda: print(one.pid, flush=True), patience=50)
time.sleep(600)
"""
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    listener = psutil.Process(int(owner.stdout.readline()))
    owner.kill()
    owner.communicate()
    ends(listener)


@pytest.mark.parametrize("said", ["", '{"folders": ["/tmp"]'])
def test_a_listener_whose_daemon_is_gone_before_it_said_anything_ends_without_a_word(said: str) -> None:
    words = [sys.executable, "-m", "jarvis.running.watch.listener"]
    done = subprocess.run(words, input=said, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        pytest.param("café 😀\n\u2028".encode(), True, id="with a line break"),
        pytest.param(b"caf\xe9", False, id="that is no text: the library gives up, so all is looked at"),
    ],
)
def test_a_strange_name_is_heard(folder: Path, name: bytes, told: bool) -> None:
    heard: queue.SimpleQueue[frozenset[str] | None] = queue.SimpleQueue()
    ready: queue.SimpleQueue[bool] = queue.SimpleQueue()
    listener = Listener([str(folder)], hear=heard.put, ready=lambda: ready.put(True), patience=50)
    assert ready.get(timeout=PATIENCE)
    path = Path(os.fsdecode(os.fsencode(folder / "in") + b"/" + name))
    path.write_text("x")
    paths = heard.get(timeout=PATIENCE)
    assert (paths is not None and str(path) in paths) if told else paths is None
    listener.close()
    assert listener.pid is not None and not psutil.pid_exists(listener.pid)
