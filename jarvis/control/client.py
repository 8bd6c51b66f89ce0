"""How does the command line reach the daemon? HTTP over its unix socket, and no import that a start would feel."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any

from jarvis import errors
from jarvis.config.instance import Instance
from jarvis.errors import ConfigError, JarvisError, NotRunning, Problem

PATIENCE = 5.0


def call(
    instance: Instance, verb: str, values: Mapping[str, Any] | None = None, *, within: float = PATIENCE
) -> Any:
    """Ask a running daemon. Raises NotRunning when there is none (or it does not answer in time), or its own error."""
    target = "/v1/" + verb.replace(".", "/")
    body = json.dumps(values or {}).encode()
    status, answer = _exchange(instance, f"POST {target}", body, within)
    if status == 200:
        return answer
    raise _error(
        answer if isinstance(answer, dict) else {"error": f"the daemon answered with status {status}"}
    )


def alive(instance: Instance, *, within: float = 1.0) -> bool:
    """A daemon answers, and its clock goes."""
    try:
        status, _answer = _exchange(instance, "GET /healthz", b"", within)
    except JarvisError:
        return False
    return status == 200


def _exchange(instance: Instance, request: str, body: bytes, within: float) -> tuple[int, Any]:
    """One request, one answer, on a connection of its own."""
    head = (
        f"{request} HTTP/1.1\r\nHost: jarvis\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(within)
            connection.connect(str(instance.socket))
            connection.sendall(head.encode() + body)
            parts = []
            while part := connection.recv(262_144):
                parts.append(part)
    except TimeoutError:
        raise NotRunning(
            f"Jarvis for {instance.config} did not answer within {within:g} s; see 'jarvis status' and 'jarvis logs'"
        ) from None
    except OSError:
        raise NotRunning(f"Jarvis is not running for {instance.config}; start it with 'jarvis up'") from None
    return _read(b"".join(parts), instance)


def _read(answer: bytes, instance: Instance) -> tuple[int, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    try:
        status = int(head.split(b" ", 2)[1])
        return status, json.loads(body)
    except (IndexError, ValueError):
        raise NotRunning(
            f"Jarvis for {instance.config} went away in the middle of its answer; ask again"
        ) from None


def _error(said: Mapping[str, Any]) -> JarvisError:
    """The error as the daemon raised it, with the same exit code."""
    kind = getattr(errors, str(said.get("kind")), JarvisError)
    message = str(said.get("error", "the daemon gave no reason"))
    if isinstance(kind, type) and issubclass(kind, ConfigError) and said.get("problems"):
        return kind([Problem(**problem) for problem in said["problems"]])
    error: JarvisError = JarvisError(message)
    if isinstance(kind, type) and issubclass(kind, JarvisError) and not issubclass(kind, ConfigError):
        error = kind(message)
    error.exit_code = int(said.get("exit_code", error.exit_code))
    return error
