"""What does every test with a real daemon end with? An audit of its ledger, and no process left over."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from jarvis.running import auditing
from jarvis.store.database import Database
from tests.whole.beside import TICK, Lasted, Metronome, OnTime
from tests.whole.daemon import Daemon, until
from tests.whole.oracle import unaccounted
from tests.whole.warm import Quick


@pytest.fixture
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Daemon]]:
    """Make daemons; each is stopped, audited and searched for leftovers when the test is over."""
    made: list[Daemon] = []

    def make(kind: type[Daemon] = Quick) -> Daemon:
        # a short name: a socket's path has room for a hundred letters
        made.append(kind(tmp_path_factory.mktemp("w")))
        return made[-1]

    yield make
    try:
        for daemon in made:
            finish(daemon)
    finally:
        for daemon in made:
            end_everything(daemon)


@pytest.fixture
def daemon(daemons: Callable[..., Daemon]) -> Daemon:
    """Forked from a process that has its imports behind it: most tests are not about the start."""
    return daemons()


@pytest.fixture
def cold(daemons: Callable[..., Daemon]) -> Daemon:
    """Started from scratch, as a person or a service manager starts it."""
    return daemons(Daemon)


@pytest.fixture(scope="session")
def metronome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metronome]:
    daemon = Quick(tmp_path_factory.mktemp("w")).jobs(TICK).start()
    yield Metronome(daemon)
    daemon.stop()
    end_everything(daemon)


@pytest.fixture
def on_time(metronome: Metronome) -> OnTime:
    return metronome.on_time


@pytest.fixture
def lasted(metronome: Metronome) -> Lasted:
    return metronome.lasted


@pytest.fixture
def port() -> Iterator[int]:
    """A port where nobody listens. On Linux it is kept from others all the while, also while its server is down."""
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        port = int(kept.getsockname()[1])
        if sys.platform != "linux":
            kept.close()
        yield port


def finish(daemon: Daemon) -> None:
    """Stop it properly; then everything must be accounted for and gone."""
    if daemon.running:
        assert daemon.stop() == 0, daemon.output()
    assert "Traceback" not in daemon.output(), daemon.output()
    assert "Traceback" not in daemon.log(), daemon.log()[-6_000:]
    until(lambda: not daemon.processes(), "the last process of the instance has ended")
    if daemon.audited and daemon.ledger.exists():
        assert unaccounted(daemon) == []
        audit(daemon)


def audit(daemon: Daemon) -> None:
    """What ``jarvis audit`` says of the ledger that is left."""
    database = Database(daemon.ledger)
    try:
        report = auditing.audit(database, None, daemon.now)
    finally:
        database.close()
    assert report.clean, "\n".join(map(str, report.violations))


def end_everything(daemon: Daemon) -> None:
    """Whatever a failed test left: only what belongs to its instance."""
    if daemon.running:
        assert daemon.process is not None
        daemon.process.kill()
        daemon.process.wait()
    for process in daemon.processes():
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.Error:
            continue
