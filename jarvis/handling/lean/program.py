"""How does one program of a run start, and what is said when it cannot?

A program with nothing special about it is started by posix_spawn, which is about as cheap as the machine
allows. One that needs another user, limits or a priority goes through a fork that sets them first and reports
over a pipe what it could not do.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import resource
import signal
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from . import processes

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
_IOPRIO_SET = {
    "x86_64": 251,
    "i686": 289,
    "aarch64": 30,
    "riscv64": 30,
    "armv7l": 314,
    "ppc64le": 273,
    "s390x": 282,
}
_IO_CLASSES = {"realtime": 1, "best-effort": 2, "idle": 3}
_libc = ctypes.CDLL(None, use_errno=True)


class Unstartable(Exception):
    """A program could not be started: a sentence and the exit code a shell would give."""

    def __init__(self, sentence: str, code: int = NOT_RUNNABLE) -> None:
        super().__init__(sentence)
        self.code = code


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
        """The descriptors for standard output and standard error. Raises Unstartable."""
        return self._one(self._specs[0], "stdout"), self._one(self._specs[1], "stderr")

    def open_ahead(self, request: Mapping[str, Any]) -> None:
        """Open the files in this process, as the job's user, when there is somewhere to lead them."""
        kinds = {spec["kind"] for spec in self._specs}
        if self._lead is None or not kinds & {"append", "truncate"}:
            return
        was = os.geteuid(), os.getegid(), os.getgroups()
        mask = None
        try:
            _attempt(f"user {request['uid']} and group {request['gid']}", lambda: _act_as(request))
            mask = _enter(request)
            self.open()
        finally:
            if mask is not None:
                os.umask(mask)
            _act_again_as(*was)

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
            try:
                self._opened[path] = os.open(path, flags, 0o666)
            except OSError as error:
                raise Unstartable(f"could not start: cannot open {path} for {name}: {_why(error)}") from None
            if self._lead:
                self._led[path] = self._lead(path, self._opened.pop(path))
                return self._led[path]
        return self._opened[path]


def start(request: Mapping[str, Any], argv: list[str], stdin: int, streams: Streams) -> int:
    """Start one program in a session of its own; its pid. Raises Unstartable."""
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
    raise Unstartable(sentence, code)


def _become(
    request: Mapping[str, Any], argv: list[str], stdin: int, streams: Streams, report: int
) -> NoReturn:
    """In the child: take on the job's limits, priority and user, then become its program."""
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in _DEFAULTED:
            signal.signal(number, signal.SIG_DFL)
        _attempt("limits", lambda: _limit(request["limits"] or {}))
        _attempt(f"nice {request['nice']}", lambda: _nice(request["nice"]))
        _attempt(f"io {request['io']}", lambda: _io(request["io"]))
        _attempt(f"cpu {request['cpu']}", lambda: _cpu(request["cpu"]))
        _attempt(f"user {request['uid']} and group {request['gid']}", lambda: _user(request))
        _enter(request)
        out, err = streams.open()
        for place, fd in enumerate((os.dup(stdin), os.dup(out), os.dup(err))):
            os.dup2(fd, place)
        _execute(argv, request["env"])
    except Unstartable as error:
        os.write(report, json.dumps([str(error), error.code]).encode())
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


def _limit(limits: Mapping[str, int | str]) -> None:
    for name, value in limits.items():
        number = getattr(resource, f"RLIMIT_{name.upper()}", None)
        if number is None:
            raise ValueError(f"this system has no limit {name!r}")
        amount = resource.RLIM_INFINITY if value == "unlimited" else int(value)
        try:
            resource.setrlimit(number, (amount, amount))
        except (OSError, ValueError):
            hard = resource.getrlimit(number)[1]
            raise ValueError(f"{name} {value} is above the limit this daemon itself has ({hard})") from None


def _nice(value: int | None) -> None:
    if value is not None:
        os.setpriority(os.PRIO_PROCESS, 0, value)


def _io(wish: str | None) -> None:
    if wish is None:
        return
    name, _, level = wish.partition(":")
    if processes.MACOS:
        # the disk policy of this process: 3 throttled, 1 important, 5 standard
        policy = {"idle": 3, "realtime": 1}.get(name, 5)
        failed = _libc.setiopolicy_np(0, 0, policy)
    elif platform.machine() in _IOPRIO_SET:
        value = _IO_CLASSES[name] << 13 | int(level or (0 if name == "idle" else 4))
        failed = _libc.syscall(_IOPRIO_SET[platform.machine()], 1, 0, value)
    else:
        raise ValueError(f"not known how on {platform.machine()}; leave process.io out")
    if failed:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _cpu(wish: str | None) -> None:
    if wish is None:
        return
    if processes.MACOS:
        # PRIO_DARWIN_PROCESS, PRIO_DARWIN_BG: what taskpolicy -b does; there is no batch class
        os.setpriority(4, 0, 0x1000 if wish == "idle" else 0)
        return
    policy = {"normal": os.SCHED_OTHER, "batch": os.SCHED_BATCH, "idle": os.SCHED_IDLE}[wish]
    os.sched_setscheduler(0, policy, os.sched_param(0))


def _user(request: Mapping[str, Any]) -> None:
    uid, gid, groups = request["uid"], request["gid"], request["groups"]
    if groups is not None or (uid is not None and uid != os.getuid()):
        os.setgroups(groups if groups is not None else [] if gid is None else [gid])
    if gid is not None:
        os.setgid(gid)
    if uid is not None:
        os.setuid(uid)


def _act_as(request: Mapping[str, Any]) -> None:
    """What ``_user`` does, so that it can be taken back: only what counts for opening files."""
    uid, gid, groups = request["uid"], request["gid"], request["groups"]
    if groups is not None or (uid is not None and uid != os.getuid()):
        os.setgroups(groups if groups is not None else [] if gid is None else [gid])
    if gid is not None:
        os.setegid(gid)
    if uid is not None:
        os.seteuid(uid)


def _act_again_as(uid: int, gid: int, groups: list[int]) -> None:
    if os.geteuid() != uid:
        os.seteuid(uid)
    if os.getegid() != gid:
        os.setegid(gid)
    if sorted(os.getgroups()) != sorted(groups):
        os.setgroups(groups)


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
