"""From a run and its job to what a supervisor needs to know: argv, environment, limits, streams."""

from __future__ import annotations

import grp
import json
import os
import pwd
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jarvis.config import secrets
from jarvis.core import causes
from jarvis.core.fields import Command
from jarvis.core.job import Job
from jarvis.core.parts import Process, Step
from jarvis.core.run import Run
from jarvis.errors import JarvisError, LaunchError
from jarvis.handling import context, contract
from jarvis.handling.catalogue import Catalogue
from jarvis.handling.contract import Handler
from jarvis.handling.launch import Request, StepRequest, Stream
from jarvis.running import awake, environment
from jarvis.running.telling import alarms
from jarvis.store.book import Entry


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


def called(entries: Iterable[Entry]) -> set[str]:
    """The handlers that are called in this process: those in threads, and those that name a program to start."""
    return {
        "command" if "command" in entry.body else str(entry.body.get("run"))  # what is stored may be damaged
        for entry in entries
        if not entry.python or entry.body.get("in") == "thread"
    }


def request(
    run: Run,
    job: Job,
    catalogue: Catalogue,
    place: Place,
    *,
    memory: Mapping[str, Any],
    now: datetime,
    withheld: Set[str] = frozenset(),
) -> Request:
    """Everything the supervisor needs. Raises a JarvisError (a secret, a user, a file that is not there)."""
    spec = job.spec
    given, known = environment.build(run, job, place.folder, withheld)
    shell = spec.process.shell or "/bin/sh"
    cwd = _resolve(spec.cwd, place.folder) if spec.cwd else str(place.folder)
    handler = catalogue.known(job.run)
    if handler.kind == "program":
        argv, payload = _program(job, catalogue.get(job.run), given, known, shell), None
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
        cause=causes.written(run.cause) if run.cause else None,
        stdin=_text(spec.stdin),
        hidden=_hidden(run, job, known),
        before=_steps(spec.before, shell),
        after=_steps(spec.after, shell),
        timeout=job.timeout,
        stop_signal=signal.Signals[f"SIG{spec.stop.signal}"],
        stop_after=spec.stop.after,
        detach=spec.detach,
        success_codes=tuple(spec.success_codes),
        stdout=_stream(spec.output.stdout, cwd),
        stderr=_stream(spec.output.stderr, cwd),
        cap=spec.output.cap_bytes,
        **_process(spec.process, place),
    )


def _hidden(run: Run, job: Job, known: Mapping[str, str]) -> tuple[str, ...]:
    """Every secret that this run is given, from wherever it comes."""
    stdin = job.spec.stdin
    others = {*secrets.references(run.params), *(() if isinstance(stdin, str | None) else (stdin.secret,))}
    return (*known.values(), *(secrets.resolve(one, os.environ) for one in sorted(others)))


def _program(
    job: Job, handler: Handler, given: Mapping[str, str], known: Mapping[str, str], shell: str
) -> tuple[str, ...]:
    path = given.get("PATH", os.defpath)
    try:
        return tuple(contract.program(handler, secrets.reveal(job.with_, os.environ), path=path, shell=shell))
    except JarvisError as error:
        raise LaunchError(context.hide(str(error), known.values())) from error


def _steps(steps: Sequence[Step], shell: str) -> tuple[StepRequest, ...]:
    return tuple(
        StepRequest(argv=_argv(step.command, shell), ignore_failure=step.ignore_failure) for step in steps
    )


def _process(process: Process, place: Place) -> dict[str, Any]:
    """Who the process is and what it may use, as fields of a Request."""
    return {
        "umask": int(process.umask, 8) if process.umask else None,
        "nice": process.nice if process.nice is not None else place.nice,
        "io": process.io,
        "cpu": process.cpu,
        "limits": dict(process.limits),
        **_identity(process.user, process.group),
    }


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
                "cause": dict(run.cause),
            },
            "memory": dict(memory),
            "deadline": deadline.isoformat() if deadline else None,
            "secrets": dict(known),
            "database": place.database,
            "state": str(place.state),
            "timezone": job.timezone,
            "service": job.service,
            "wanted": alarms.wanted(job).dump() if job.service else None,
            "now": None,
        }
    )


def _wrapped(argv: tuple[str, ...], job: Job, shell: str) -> tuple[str, ...]:
    """The same program under a login shell, or keeping the machine awake, when the job asks for it."""
    if job.spec.process.login_shell:
        argv = (shell, "-l", "-c", 'exec "$@"', "jarvis", *argv)
    if job.spec.keep_awake:
        argv = (*awake.inhibitor(job.name), *argv)
    return argv


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
