"""Where does a test get a real PostgreSQL? A server of its own, started when first asked for, gone with the tests.

``from tests.postgres import postgres`` makes the fixture known to a module. ``postgres.database()`` is the URL of a
new, empty database, with a password in it. One server serves all tests of a process.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

STARTED_WITHIN = 60.0
PASSWORD = "s3cret-word"
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "40",
    "shared_buffers": "16MB",
    "listen_addresses": "127.0.0.1",
    "log_min_messages": "fatal",
}


def programs() -> Path | None:
    """The folder of the newest initdb and postgres on this machine."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[4].partition(".")[0])
    )
    on_path = shutil.which("initdb")
    candidates = [*reversed(found), *([Path(on_path).resolve()] if on_path else [])]
    return next((one.parent for one in candidates if (one.parent / "postgres").exists()), None)


@dataclass(kw_only=True)
class Server:
    """A running server. ``socket``: the folder of its socket; ``port`` on 127.0.0.1."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def url(self, database: str) -> str:
        return _url(self.port, database)

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
        return self.url(name)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


def _other() -> list[str]:
    """The server refuses to run as root: then it runs as postgres or nobody. It ends when the tests are killed."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0:
        return [setpriv, "--pdeathsig", "QUIT"] if setpriv else []
    assert setpriv, "as root, PostgreSQL needs setpriv (Debian: apt-get install util-linux)"
    user = _user()
    return [
        setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--pdeathsig", "QUIT"
    ]  # fmt: skip


def _user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def start(bin_: Path) -> Server:
    """A new cluster in a folder of its own. Raises AssertionError with the server's log when it does not start."""
    folder = Path(
        tempfile.mkdtemp(prefix="jarvis-pg-", dir="/tmp")
    )  # short: a socket's path may have 107 bytes
    if os.geteuid() == 0:
        os.chown(folder, _user().pw_uid, _user().pw_gid)
    log = folder / "log"
    environment = {"PATH": f"{bin_}:/usr/bin:/bin", "LC_ALL": "C", "HOME": str(folder)}
    word = folder / "word"
    word.write_text(PASSWORD)
    word.chmod(0o644)
    told = subprocess.run(
        [*_other(), bin_ / "initdb", "-D", folder / "data", "-U", "tester", "--pwfile", word,
         "-A", "scram-sha-256", "-E", "UTF8", "-N"],
        env=environment, cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    for _ in range(5):
        port = _free_port()
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*_other(), bin_ / "postgres", "-D", folder / "data", "-p", str(port), "-k", folder, *settings],
                env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        if _answers(process, port, folder / "data"):
            return Server(process=process, folder=folder, port=port)
    raise AssertionError(f"PostgreSQL did not start: {log.read_text()[-2000:]}")


def _url(port: int, database: str) -> str:
    return f"postgresql://tester:{PASSWORD}@127.0.0.1:{port}/{database}"


def execute(url: str, *statements: str) -> None:
    """As its owner, each statement committed."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _answers(process: subprocess.Popen[bytes], port: int, data: Path) -> bool:
    """Wait until it takes connections; False when it ended, as when somebody else took the port.

    That may be a server of other tests, which takes connections: whose data it serves tells them apart.
    """
    end = time.monotonic() + STARTED_WITHIN
    while process.poll() is None:
        try:
            with psycopg.connect(_url(port, "postgres"), connect_timeout=2) as connection:
                if connection.execute("SHOW data_directory").fetchone() == (str(data),):
                    return True
        except psycopg.OperationalError:
            assert time.monotonic() < end, "PostgreSQL takes more than a minute to start"
            time.sleep(0.05)
    return False


@functools.cache
def _running(bin_: Path) -> Server:
    server = start(bin_)
    atexit.register(server.stop)
    return server


@pytest.fixture
def postgres() -> Server:
    """A real PostgreSQL server."""
    return server()


def server() -> Server:
    """The server of this process; skips where there is none."""
    bin_ = programs()
    if bin_ is None:
        pytest.skip(
            "PostgreSQL's server programs (initdb, postgres) are not on this machine "
            "(Debian: apt-get install postgresql, macOS: brew install postgresql)"
        )
    return _running(bin_)
