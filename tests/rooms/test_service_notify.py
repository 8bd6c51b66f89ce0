"""What arrives at systemd's socket when Jarvis speaks?"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from jarvis.running import notify
from jarvis.running.notify import Notifier


@pytest.fixture(params=["a path", pytest.param("an abstract name", marks=pytest.mark.needs("linux"))])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    address = str(tmp_path / "notify") if request.param == "a path" else f"@jarvis-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address.replace("@", "\0"))
        listening.settimeout(5)
        yield listening, address


@pytest.mark.parametrize(
    ("say", "heard"),
    [
        pytest.param(lambda to: to.ready("12 jobs"), "READY=1\nSTATUS=12 jobs", id="ready with a status"),
        pytest.param(lambda to: to.ready(), "READY=1", id="ready without one"),
        pytest.param(
            lambda to: to.status("next: backup\nat 02:30"), "STATUS=next: backup at 02:30", id="one line"
        ),
        pytest.param(lambda to: to.alive(), "WATCHDOG=1", id="alive"),
        pytest.param(
            lambda to: to.reloading(timedelta(seconds=12, microseconds=7)),
            "RELOADING=1\nMONOTONIC_USEC=12000007",
            id="reloading says when",
        ),
        pytest.param(
            lambda to: to.stopping("2 jobs go on"), "STOPPING=1\nSTATUS=2 jobs go on", id="stopping"
        ),
        pytest.param(lambda to: to.status("x" * 900), "STATUS=" + "x" * 300, id="a long status is cut"),
    ],
)
def test_each_word_is_one_datagram(listener: tuple[socket.socket, str], say: object, heard: str) -> None:
    listening, address = listener
    assert say(Notifier(address=address)) is True  # type: ignore[operator]
    assert listening.recv(4096).decode() == heard


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(None, id="started in a terminal"),
        pytest.param("/nowhere/notify", id="a socket that is gone"),
        pytest.param("/" + "x" * 300, id="a path no socket can have"),
    ],
)
def test_nobody_listening_is_no_trouble(address: str | None) -> None:
    assert Notifier(address=address).ready("12 jobs") is False


@pytest.mark.needs("linux")
def test_a_full_socket_does_not_hold_the_scheduler(
    listener: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "PATIENCE", timedelta(milliseconds=20))
    _, address = listener
    assert not all(Notifier(address=address).alive() for _ in range(10_000))


@pytest.mark.parametrize(
    ("environ", "every"),
    [
        pytest.param({"WATCHDOG_USEC": "60000000"}, timedelta(seconds=30), id="half the interval"),
        pytest.param(
            {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "77"}, timedelta(seconds=30), id="meant for us"
        ),
        pytest.param(
            {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None, id="meant for another process"
        ),
        pytest.param({"WATCHDOG_USEC": "soon"}, None, id="not a number"),
        pytest.param({"WATCHDOG_USEC": "0"}, None, id="zero"),
        pytest.param({}, None, id="no watchdog"),
    ],
)
def test_the_sign_of_life_is_due_at_half_the_interval(
    environ: dict[str, str], every: timedelta | None
) -> None:
    assert notify.from_environment({"NOTIFY_SOCKET": "/run/x"} | environ, 77).watchdog_every == every


def test_jobs_do_not_inherit_the_socket() -> None:
    environ = {
        "NOTIFY_SOCKET": "/run/x",
        "WATCHDOG_USEC": "1000000",
        "WATCHDOG_PID": str(os.getpid()),
        "HOME": "/h",
    }
    notifier = notify.adopt(environ)
    assert notifier == Notifier(address="/run/x", watchdog_every=timedelta(milliseconds=500))
    assert environ == {"HOME": "/h"}


def test_an_address_that_is_no_unix_socket_is_ignored() -> None:
    assert notify.from_environment({"NOTIFY_SOCKET": "vsock:2:1234", "WATCHDOG_USEC": "5"}, 1) == Notifier()
