"""How does one program of a run start, and what is said when it cannot?

A program with nothing special about it is started by posix_spawn, which is about as cheap as the machine
allows. One that needs another user, limits or a priority goes through a fork that sets them first and reports
over a pipe what it could not do.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from . import allowance, identity, processes

NOT_FOUND, NOT_RUNNABLE = 127, 126
SPECIAL = ("nice", "io", "cpu", "limits", "uid", "gid", "groups")
_DEFAULTED = (
    *(
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGPIPE,
        signal.SIGALRM,
        signal.SIGTERM,
        signal.SIGUSR1,
    ),
    *(signal.SIGUSR2, signal.SIGCHLD, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGXFSZ),
)


class Unstartable(Exception):
    """A program could not be started: a sentence and the exit code a shell would give."""

    def __init__(self, sentence: str, code: int = NOT_RUNNABLE) -> None:
        super().__init__(sentence)
        self.code = code


class Unread(Exception):
    """A program's output is to go into a named pipe that nobody reads yet: it can be started once somebody does."""


class Streams:
    """What a run's programs get as their standard files; opened once, so that truncating happens once.

    ``lead``: given a file's path and descriptor, it returns the descriptor that programs get instead.
    """

    def __init__(
        self,
        request: Mapping[str, Any],
        pipe: int,
        null: int,
        lead: Callable[[str, int], int] | None = None,
    ) -> None:
        self._specs = (request["stdout"], request["stderr"])
        self._pipe = pipe
        self._null = null
        self._opened: dict[str, int] = {}
        self._led: dict[str, int] = {}
        self._lead = lead
        self.used = False

    def open(self) -> tuple[int, int]:
        """The descriptors for standard output and standard error. Raises Unstartable, Unread; never waits."""
        return self._one(self._specs[0], "stdout"), self._one(self._specs[1], "stderr")

    def open_ahead(self, request: Mapping[str, Any]) -> None:
        """Open the files in this process, as the job's user, when there is somewhere to lead them."""
        kinds = {spec["kind"] for spec in self._specs}
        if self._lead is None or not kinds & {"append", "truncate"}:
            return
        was = os.geteuid(), os.getegid(), os.getgroups()
        mask = None
        try:
            _attempt(f"user {request['uid']} and group {request['gid']}", lambda: identity.act_as(request))
            mask = _enter(request)
            self.open()
        finally:
            if mask is not None:
                os.umask(mask)
            identity.act_again_as(*was)

    def close(self) -> None:
        """No further program will be started."""
        for fd in self._opened.values():
            os.close(fd)

    def _one(self, spec: Mapping[str, Any], name: str) -> int:
        if spec["kind"] == "capture":
            return self._pipe
        if spec["kind"] == "discard":
            return self._null
        path = spec["path"]
        if path in self._led:
            return self._led[path]
        if path not in self._opened:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY
            if spec["kind"] == "truncate" and not self.used:
                flags |= os.O_TRUNC
            self._opened[path] = _open(path, flags, name)
            if self._lead:
                self._led[path] = self._lead(path, self._opened.pop(path))
                return self._led[path]
        return self._opened[path]


def _open(path: str, flags: int, name: str) -> int:
    """A file of the job's own, without waiting for anybody to read it."""
    try:
        file = os.open(path, flags | os.O_NONBLOCK, 0o666)
    except OSError as error:
        if error.errno == errno.ENXIO and _is_pipe(path):
            raise Unread(f"could not start: nobody reads {path}, the pipe for its {name}") from None
        raise Unstartable(f"could not start: cannot open {path} for {name}: {_why(error)}") from None
    os.set_blocking(file, True)
    return file


def _is_pipe(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False


def start(request: Mapping[str, Any], argv: list[str], stdin: int, streams: Streams) -> int:
    """Start one program in a session of its own; its pid. Raises Unstartable, Unread."""
    special = processes.MACOS or any(request[name] not in (None, {}) for name in SPECIAL)
    streams.open_ahead(request)
    pid = (_start_by_fork if special else _spawn)(request, argv, stdin, streams)
    streams.used = True
    return pid


def _spawn(request: Mapping[str, Any], argv: list[str], stdin: int, streams: Streams) -> int:
    mask = _enter(request)
    try:
        out, err = streams.open()
        return os.posix_spawn(
            _find(argv[0], request["env"]),
            argv,
            request["env"],
            file_actions=[(os.POSIX_SPAWN_DUP2, fd, place) for place, fd in enumerate((stdin, out, err))],
            setsid=True,
            setsigmask=(),
            setsigdef=_DEFAULTED,
        )
    except (OSError, ValueError) as error:
        raise _cannot_execute(argv[0], error) from None
    finally:
        if mask is not None:
            os.umask(mask)


def _enter(request: Mapping[str, Any]) -> int | None:
    """Go to the job's folder and umask; the umask there was, when it changed."""
    folder = request["cwd"] or request["env"].get("HOME") or "/"
    try:
        os.chdir(folder)
    except (OSError, ValueError) as error:
        raise _no_folder(folder, error) from None
    return None if request["umask"] is None else os.umask(request["umask"])


def _find(name: str, env: Mapping[str, str]) -> str:
    """Where a program is, by the job's own PATH."""
    if "/" in name:
        return name
    path = env.get("PATH") or os.defpath
    for folder in path.split(":"):
        candidate = f"{folder or '.'}/{name}"
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
            return candidate
    raise Unstartable(
        f"could not start: no such program: {name} is not in PATH ({path}); give its full path or set PATH in env",
        NOT_FOUND,
    )


def _start_by_fork(request: Mapping[str, Any], argv: list[str], stdin: int, streams: Streams) -> int:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _become(request, argv, stdin, streams, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    if not said:
        return pid
    os.waitpid(pid, 0)
    sentence, code = json.loads(said)
    raise Unread(sentence) if code is None else Unstartable(sentence, code)


def _become(
    request: Mapping[str, Any], argv: list[str], stdin: int, streams: Streams, report: int
) -> NoReturn:
    """In the child: take on the job's limits, priority and user, then become its program."""
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in _DEFAULTED:
            signal.signal(number, signal.SIG_DFL)
        _attempt("limits", lambda: allowance.limit(request["limits"] or {}))
        _attempt(f"nice {request['nice']}", lambda: allowance.nice(request["nice"]))
        _attempt(f"io {request['io']}", lambda: allowance.io(request["io"]))
        _attempt(f"cpu {request['cpu']}", lambda: allowance.cpu(request["cpu"]))
        _attempt(f"user {request['uid']} and group {request['gid']}", lambda: identity.become(request))
        _enter(request)
        out, err = streams.open()
        for place, fd in enumerate((os.dup(stdin), os.dup(out), os.dup(err))):
            os.dup2(fd, place)
        _execute(argv, request["env"])
    except (Unstartable, Unread) as error:
        code = error.code if isinstance(error, Unstartable) else None
        os.write(report, json.dumps([str(error), code]).encode())
    except BaseException as error:
        os.write(report, json.dumps([f"could not start: {error}", NOT_RUNNABLE]).encode())
    finally:
        os._exit(NOT_RUNNABLE)


def _execute(argv: list[str], env: Mapping[str, str]) -> None:
    try:
        os.execve(_find(argv[0], env), argv, env)
    except (OSError, ValueError) as error:
        raise _cannot_execute(argv[0], error) from None


def _attempt(what: str, act: Callable[[], None]) -> None:
    try:
        act()
    except (OSError, ValueError) as error:
        hint = "; only root may do that" if isinstance(error, PermissionError) else ""
        raise Unstartable(f"could not start: cannot set {what}: {_why(error)}{hint}") from None


def _no_folder(folder: str, error: Exception) -> Unstartable:
    if isinstance(error, FileNotFoundError):
        return Unstartable(f"could not start: cwd {folder} does not exist; create it or change cwd")
    return Unstartable(f"could not start: cannot enter cwd {folder}: {_why(error)}")


def _cannot_execute(name: str, error: Exception) -> Unstartable:
    code = getattr(error, "errno", None)
    if code == errno.ENOENT and os.path.exists(name):
        return Unstartable(
            f"could not start: the interpreter in the first line of {name} does not exist", NOT_FOUND
        )
    if code in (errno.ENOENT, errno.ENOTDIR):
        return Unstartable(f"could not start: no such file: {name}; check the path and cwd", NOT_FOUND)
    if code == errno.EACCES:
        return Unstartable(f"could not start: permission denied: {name}; is it executable (chmod +x)?")
    if code == errno.ENOEXEC:
        return Unstartable(
            f"could not start: {name} is not a program; a script needs a first line such as #!/bin/sh"
        )
    if code == errno.E2BIG:
        return Unstartable(
            f"could not start: the arguments and environment of {name} are too long for this system"
        )
    return Unstartable(f"could not start: {name}: {_why(error)}")


def _why(error: Exception) -> str:
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
