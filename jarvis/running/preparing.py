"""From a run and its job to what a supervisor needs to know: argv, environment, limits, streams."""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jarvis.config import secrets
from jarvis.core.job import Command, Job
from jarvis.core.run import Run, instant
from jarvis.errors import JarvisError, LaunchError
from jarvis.handling import context, contract
from jarvis.handling.catalogue import Catalogue
from jarvis.handling.launch import Request, StepRequest, Stream

UNITS = {"B": 1, "kB": 1000, "KB": 1000, "MB": 1000**2, "GB": 1000**3}
PRIVATE = ("JARVIS_CRASH_AT", "JARVIS_CRASH_ONCE", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""Variables of the daemon itself that no job inherits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where this instance lives: what relative paths of jobs.yaml start from, and what a child is told."""

    folder: Path
    state: Path
    runs: Path
    database: str
    nice: int | None = None

    def directory(self, run: int) -> Path:
        return self.runs / str(run // 1000) / str(run)


def request(
    run: Run, job: Job, catalogue: Catalogue, place: Place, *, memory: Mapping[str, Any], now: datetime
) -> Request:
    """Everything the supervisor needs. Raises a JarvisError (a secret, a user, a file that is not there)."""
    spec, process = job.spec, job.spec.process
    given, known = _environment(run, job, place)
    handler = catalogue.get(job.run)
    shell = process.shell or "/bin/sh"
    path = given.get("PATH", os.defpath)
    cwd = _resolve(spec.cwd, place.folder) if spec.cwd else str(place.folder)
    payload = None
    if handler.kind == "program":
        try:
            argv = tuple(
                contract.program(handler, secrets.reveal(job.with_, os.environ), path=path, shell=shell)
            )
        except JarvisError as error:
            raise LaunchError(context.hide(str(error), known.values())) from error
    else:
        argv = (sys.executable, "-m", "jarvis.handling.child")
        payload = _payload(run, job, handler.path, place, memory, known, now)
    return Request(
        run=run.id,
        job=run.job,
        fire=run.fire,
        attempt=run.attempt,
        argv=_wrapped(argv, job, shell),
        env=given,
        cwd=cwd,
        payload=payload,
        stdin=_text(spec.stdin),
        before=tuple(
            StepRequest(argv=_argv(step.command, shell), ignore_failure=step.ignore_failure)
            for step in spec.before
        ),
        after=tuple(
            StepRequest(argv=_argv(step.command, shell), ignore_failure=step.ignore_failure)
            for step in spec.after
        ),
        timeout=job.timeout,
        stop_signal=signal.Signals[f"SIG{spec.stop.signal}"],
        stop_after=spec.stop.after,
        detach=spec.detach,
        success_codes=tuple(spec.success_codes),
        stdout=_stream(spec.output.stdout, cwd),
        stderr=_stream(spec.output.stderr, cwd),
        cap=size(spec.output.cap),
        umask=int(process.umask, 8) if process.umask else None,
        nice=process.nice if process.nice is not None else place.nice,
        io=process.io,
        cpu=process.cpu,
        limits={str(name): value for name, value in process.limits.items()},
        **_identity(process.user, process.group),
    )


def size(text: str) -> int:
    """Bytes of ``10MB``."""
    number, unit = re.fullmatch(r"([\d.]+)([A-Za-z]+)", text).groups()  # type: ignore[union-attr]
    return int(float(number) * UNITS[unit])


def _environment(run: Run, job: Job, place: Place) -> tuple[dict[str, str], dict[str, str]]:
    """The job's whole environment, and of it (and of ``with``) the secret values by name."""
    spec = job.spec
    env = {name: value for name, value in os.environ.items() if name not in PRIVATE}
    if spec.process.path is not None:
        env["PATH"] = os.pathsep.join(os.path.expanduser(part) for part in spec.process.path)
    files = [spec.env_file] if isinstance(spec.env_file, str) else spec.env_file
    for file in files:
        env |= _env_file(Path(_resolve(file.removeprefix("-"), place.folder)), optional=file.startswith("-"))
    known = hidden(job, os.environ)
    env |= {name: value if isinstance(value, str) else known[name] for name, value in spec.env.items()}
    env |= {f"JARVIS_WITH_{_variable(key)}": _plain(value) for key, value in run.params.items()}
    env |= {
        "JARVIS_RUN_ID": str(run.id),
        "JARVIS_JOB": run.job,
        "JARVIS_FIRE": run.fire,
        "JARVIS_ATTEMPT": str(run.attempt),
        "JARVIS_SCHEDULED_AT": instant(run.scheduled_at),
    }
    return env, known


def hidden(job: Job, environ: Mapping[str, str]) -> dict[str, str]:
    """The job's secrets: those of ``env`` by their variable, those of ``with`` by their reference.

    Raises SecretError for one that cannot be read.
    """
    found = {
        name: secrets.resolve(ref.secret, environ)
        for name, ref in job.spec.env.items()
        if not isinstance(ref, str)
    }
    return found | {ref: secrets.resolve(ref, environ) for ref in secrets.references(job.with_)}


def _variable(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", key).upper()


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _env_file(path: Path, *, optional: bool) -> dict[str, str]:
    """``NAME=value`` lines, # comments, quotes around a value taken off; ``-`` before the name: may be missing."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        if optional:
            return {}
        raise LaunchError(
            f"env_file {path}: {error.strerror}; write '-{path}' if it may be missing"
        ) from error
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip().removeprefix("export ")
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name.strip()):
            raise LaunchError(f"env_file {path}:{number}: expected NAME=value")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        found[name.strip()] = value
    return found


def _payload(
    run: Run,
    job: Job,
    file: Path,
    place: Place,
    memory: Mapping[str, Any],
    known: Mapping[str, str],
    now: datetime,
) -> str:
    deadline = now + job.timeout if job.timeout else None
    return json.dumps(
        {
            "handler": job.run,
            "file": str(file),
            "with": secrets.reveal({**job.with_, **run.params}, os.environ),
            "dir": str(place.directory(run.id)),
            "run": {
                "id": run.id,
                "job": run.job,
                "fire": run.fire,
                "attempt": run.attempt,
                "scheduled_at": run.scheduled_at.isoformat(),
                "params": dict(run.params),
            },
            "memory": dict(memory),
            "deadline": deadline.isoformat() if deadline else None,
            "secrets": dict(known),
            "database": place.database,
            "state": str(place.state),
            "timezone": job.timezone,
            "now": None,
        }
    )


def _wrapped(argv: tuple[str, ...], job: Job, shell: str) -> tuple[str, ...]:
    """The same program under a login shell, or keeping the machine awake, when the job asks for it."""
    if job.spec.process.login_shell:
        argv = (shell, "-l", "-c", 'exec "$@"', "jarvis", *argv)
    if job.spec.keep_awake:
        argv = (*_inhibitor(job.name), *argv)
    return argv


def _inhibitor(name: str) -> tuple[str, ...]:
    if sys.platform == "darwin":
        return ("/usr/bin/caffeinate", "-i")
    found = shutil.which("systemd-inhibit")
    if found is None:
        raise LaunchError("keep_awake needs systemd-inhibit, which is not on this machine; remove keep_awake")
    return (found, "--what=sleep:idle", "--who=jarvis", f"--why=job {name} is running", "--mode=block")


def _argv(command: Command, shell: str) -> tuple[str, ...]:
    return (shell, "-c", command) if isinstance(command, str) else tuple(command)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else secrets.resolve(value.secret, os.environ)


def _resolve(path: str, folder: Path | str) -> str:
    return str(Path(folder) / os.path.expanduser(path))


def _stream(said: str, cwd: str) -> Stream:
    kind, _, path = said.partition(":")
    return Stream(kind=kind, path=_resolve(path, cwd) if path else None)  # type: ignore[arg-type]


def _identity(user: str | None, group: str | None) -> dict[str, Any]:
    """uid, gid and groups to change to; nothing when it is who we are anyway."""
    if user is None and group is None:
        return {"uid": None, "gid": None, "groups": None}
    try:
        person = pwd.getpwnam(user) if user else pwd.getpwuid(os.getuid())
        gid = grp.getgrnam(group).gr_gid if group else person.pw_gid
    except KeyError as error:
        raise LaunchError(
            f"process: {str(error).strip(chr(39))}; name a user and group of this machine"
        ) from error
    if (person.pw_uid, gid) == (os.getuid(), os.getgid()):
        return {"uid": None, "gid": None, "groups": None}
    if os.getuid() != 0:
        raise LaunchError(
            f"only root can start a job as {person.pw_name}:{gid}; remove process.user and group"
        )
    groups = tuple(os.getgrouplist(person.pw_name, gid))
    return {"uid": person.pw_uid, "gid": gid, "groups": groups}
