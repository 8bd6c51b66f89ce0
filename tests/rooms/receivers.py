"""Receivers of messages on loopback that behave as badly as real ones: slow, closing, refusing, and a mail server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message as Mail
from typing import Any

from aiosmtpd.controller import Controller


class Mailbox:
    """What a mail server was given; ``answer`` is what it says to each mail."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.answer = "250 OK"
        self.port = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content))
        return self.answer

    def url(self, query: str = "") -> str:
        return (
            f"mailto://127.0.0.1:{self.port}?from=jarvis@example.org&to=me@example.org&mode=insecure{query}"
        )

    def texts(self) -> list[str]:
        """Every part of every mail, decoded."""
        parts = [part for mail in self.mails for part in mail.walk() if not part.is_multipart()]
        return [bytes(part.get_payload(decode=True)).decode() for part in parts]


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """A real SMTP server."""
    box = Mailbox()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        box.port = taken.getsockname()[1]
        controller = _Listening(box, hostname="127.0.0.1", port=box.port)
        controller.taken = taken
        controller.start()
        try:
            yield box
        finally:
            controller.stop()


class _Listening(Controller):
    """Listens on a port that is its own already: nobody can take it meanwhile."""

    taken: socket.socket

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self.taken)


@contextmanager
def refusing() -> Iterator[int]:
    """A port on which nobody listens, and nobody can as long as this lasts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


class Line:
    """A TCP server: ``behave`` is called with each connection, in a thread of its own."""

    def __init__(self, behave: Callable[[socket.socket, threading.Event], None]) -> None:
        self.connections = 0
        self.answering = False
        self.over = threading.Event()
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.recv(1, socket.MSG_PEEK)
            self.answering = True
            self._behave(connection, self.over)

    def close(self) -> None:
        self.over.set()
        self._listener.close()


def stalls(connection: socket.socket, over: threading.Event) -> None:
    """Takes the connection and everything that is said, and answers nothing."""
    connection.settimeout(0.05)
    while not over.is_set():
        try:
            if not connection.recv(65_536):
                return
        except TimeoutError:
            continue
        except OSError:
            return


def drips(connection: socket.socket, over: threading.Event) -> None:
    """Answers, a byte at a time, without an end: no timeout of a socket ever notices."""
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not over.wait(0.02):
        try:
            connection.sendall(b".")
        except OSError:
            return


def hangs_up(connection: socket.socket, _over: threading.Event) -> None:
    """Closes in the middle of its answer."""
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")


@contextmanager
def line(behave: Callable[[socket.socket, threading.Event], None]) -> Iterator[Line]:
    """A receiver that behaves like this."""
    made = Line(behave)
    try:
        yield made
    finally:
        made.close()
