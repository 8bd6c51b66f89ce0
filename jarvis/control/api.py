"""How are verbs asked over HTTP? ``POST /v1/jobs/list`` with a JSON form, on a unix socket only its owner can reach.

Reading verbs can be asked with GET, too. Every answer is JSON, also every error: ``{"error", "kind", "exit_code",
"problems"}`` with a 4xx; ``GET /healthz`` is 200 while the clock goes. ``GET /openapi.json`` describes it all.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import json
import logging
import socket
import threading
import typing
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from jarvis import errors
from jarvis.app import App
from jarvis.control import plain, verbs
from jarvis.control.desk import Desk
from jarvis.control.plain import Misfit
from jarvis.control.verbs import Verb
from jarvis.control.version import VERSION
from jarvis.errors import ConfigError, JarvisError

log = logging.getLogger("jarvis.api")

LARGEST = 1_000_000
"""Bytes of a body."""
AT_ONCE = 32
STATUS: Mapping[type[JarvisError], int] = {
    errors.NotFound: 404,
    errors.Refused: 409,
    errors.AlreadyRunning: 409,
    errors.ConfigError: 422,
    errors.StoreError: 503,
    errors.LaunchError: 503,
    errors.NotRunning: 503,
}
"""What is not here is a question that cannot be meant: 400."""
ERROR = {
    "type": "object",
    "required": ["error", "kind", "exit_code"],
    "properties": {
        "error": {"type": "string", "description": "what is wrong, where, and what to do"},
        "kind": {"type": "string", "description": "the class of the error"},
        "exit_code": {"type": "integer", "description": "what the jarvis command exits with"},
        "problems": {"type": "array", "items": {"type": "object"}},
    },
}


class _Patient(uvicorn.Server):
    """uvicorn, woken when it is to end: its own loop looks ten times a second, more than an idle Jarvis costs."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = asyncio.Event()

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self.on_tick(0)
        while not self.should_exit:
            await self._ending.wait()

    def end(self) -> None:
        """From any thread."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._ending.set)


class Server:
    """The control socket being served, in a thread of its own."""

    def __init__(self, app: App, path: Path) -> None:
        self._path = path
        self._socket = _bound(path)
        config = uvicorn.Config(
            build(Desk.of(app)),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = _Patient(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="jarvis-control", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take no more questions; those under way get a second."""
        self._path.unlink(missing_ok=True)
        self._server.end()
        self._thread.join(1.5)
        self._socket.close()


def serve(app: App, path: Path) -> Server:
    """Serve this app's verbs on a unix socket. Call it while the instance's lock is held: a socket that is there is
    stale then."""
    server = Server(app, path)
    server.start()
    return server


def _bound(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        found.bind(str(path))
        path.chmod(0o600)
        found.listen(128)
    except OSError as error:
        found.close()
        raise JarvisError(f"the control socket {path} cannot be opened: {error.strerror}") from error
    return found


def build(desk: Desk) -> Starlette:
    """The application: one path a verb."""
    asker = _Asker(desk)
    routes = [
        Route(_path(verb), asker.endpoint(verb), methods=["GET", "POST"] if verb.reads else ["POST"])
        for verb in verbs.ALL
    ]
    routes += [Route("/healthz", asker.healthz), Route("/openapi.json", _described)]
    return Starlette(routes=routes, exception_handlers={HTTPException: _refused})


def _path(verb: Verb) -> str:
    return "/v1/" + verb.name.replace(".", "/")


class _Asker:
    """Turns requests into questions. Verbs run in daemon threads: one that hangs must not keep Jarvis from ending."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._room = asyncio.Semaphore(AT_ONCE)

    def endpoint(self, verb: Verb) -> Callable[[Request], Awaitable[Response]]:
        async def ask(request: Request) -> Response:
            try:
                values = await _body(request) if request.method == "POST" else _query(verb, request)
                return _answer(await self._in_thread(verb.name, values))
            except JarvisError as error:
                return _told(error)
            except Exception as error:
                log.exception("%s failed", verb.name)
                why = f"{verb.name} failed inside Jarvis ({type(error).__name__}); the log says more: 'jarvis logs'"
                return _answer({"error": why, "kind": "JarvisError", "exit_code": 1}, 500)

        return ask

    async def healthz(self, _request: Request) -> Response:
        said = await self._in_thread("health", {})
        return _answer(said, 200 if said["ok"] else 503)

    async def _in_thread(self, name: str, values: Mapping[str, Any]) -> Any:
        async with self._room:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[Any] = loop.create_future()

            def work() -> None:
                try:
                    said, failed = verbs.ask(self._desk, name, values), None
                except Exception as error:
                    said, failed = None, error
                try:
                    loop.call_soon_threadsafe(_settle, future, said, failed)
                except RuntimeError:  # the loop is closed: nobody waits for the answer any more
                    return

            threading.Thread(target=work, name=f"jarvis-verb-{name}", daemon=True).start()
            return await future


def _settle(future: asyncio.Future[Any], said: Any, failed: Exception | None) -> None:
    if future.done():
        return
    if failed is not None:
        future.set_exception(failed)
    else:
        future.set_result(said)


def _query(verb: Verb, request: Request) -> dict[str, Any]:
    """The form as query parameters; a list is a parameter given several times."""
    lists = {verbs.public(one.name) for one in verb.form.parameters if _listed(one.annotation)}
    return {
        name: request.query_params.getlist(name) if name in lists else request.query_params[name]
        for name in request.query_params
    }


def _listed(annotation: Any) -> bool:
    return list in (annotation, typing.get_origin(annotation)) or any(
        typing.get_origin(one) is list for one in typing.get_args(annotation)
    )


async def _body(request: Request) -> dict[str, Any]:
    """The form as a JSON object; no body is an empty one. Raises Misfit."""
    text = b""
    async for part in request.stream():
        text += part
        if len(text) > LARGEST:
            raise Misfit(f"the body is longer than {LARGEST:,} bytes")
    try:
        found = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise Misfit(f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise Misfit(f"the body is a JSON object with the verb's parameters, not {type(found).__name__}")
    return found


def _answer(data: Any, status: int = 200) -> Response:
    return Response(json.dumps(data, separators=(",", ":")), status, media_type="application/json")


def _told(error: JarvisError) -> Response:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 400)
    said: dict[str, Any] = {"error": str(error), "kind": type(error).__name__, "exit_code": error.exit_code}
    if isinstance(error, ConfigError):
        said["problems"] = plain.problems(error.problems)
    return _answer(said, status)


async def _refused(request: Request, error: Exception) -> Response:
    """What no verb answers: an unknown path (with the nearest one), or a change asked for with GET."""
    code = error.status_code if isinstance(error, HTTPException) else 500
    path = request.url.path
    if code == 405:
        said = f"{path} changes something: ask it with POST"
    elif code == 404:
        paths = [_path(verb) for verb in verbs.ALL]
        near = difflib.get_close_matches(path, paths, 1)
        said = f"nothing answers at {path[:200]}" + (
            f" (did you mean {near[0]}?)" if near else "; see /openapi.json"
        )
    else:
        said = str(error)
    kind = "NotFound" if code == 404 else "Misfit"
    return _answer({"error": said, "kind": kind, "exit_code": 1 if code == 404 else 2}, code)


async def _described(_request: Request) -> Response:
    """OpenAPI, each verb with its form."""
    failure = {"description": "what is wrong", "content": _json({"$ref": "#/components/schemas/Error"})}
    paths = {}
    for verb in verbs.ALL:
        operation = {
            "operationId": verb.name,
            "summary": verb.help,
            "tags": [verb.name.partition(".")[0]],
            "x-scope": "view" if verb.reads else "control",
            "requestBody": {"content": _json(verb.schema())},
            "responses": {"200": {"description": "the answer", "content": _json({})}, "4XX": failure},
        }
        paths[_path(verb)] = {"post": operation}
    return _answer(
        {
            "openapi": "3.1.0",
            "info": {"title": "Jarvis", "version": VERSION},
            "paths": paths,
            "components": {"schemas": {"Error": ERROR}},
        }
    )


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
