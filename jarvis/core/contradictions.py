"""Which fields of a job contradict each other, and which of the defaults do not concern it?

A contradiction is an error only where the job itself wrote the field; a default that cannot apply to a job is
simply not applied to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from jarvis.core.job import JobSpec
from jarvis.core.when import KINDS

Clash = tuple[tuple[str | int, ...], str, str | None]
"""Where in the job, what is wrong, what to do."""

OF_A_PROCESS = ("process", "env", "env_file", "cwd", "stdin", "success_codes", "detach", "before", "after")
"""What a thread inside the daemon cannot have."""
OF_A_PROGRAM = ("stdin", "success_codes")
"""What a Python function does not have, wherever it runs."""
OF_A_SHELL = ("shell", "login_shell")

TIMES = ("timeout", "misfire_grace", "min_spacing")
ALONE = ("run", "command")


def concerning(defaults: Mapping[str, Any], *, python: bool, thread: bool) -> dict[str, Any]:
    """The defaults that can apply to a job of this kind."""
    kept = dict(defaults)
    if not python:
        kept.pop("in", None)
    dropped = OF_A_PROCESS if thread else OF_A_PROGRAM if python else ()
    for name in dropped:
        kept.pop(name, None)
    if python and isinstance(kept.get("process"), dict):
        kept["process"] = {name: value for name, value in kept["process"].items() if name not in OF_A_SHELL}
    if thread and isinstance(kept.get("output"), dict):
        kept["output"] = {name: value for name, value in kept["output"].items() if name in ("cap", "keep")}
    return kept


def which(body: Mapping[str, Any]) -> Clash | None:
    """Exactly one of run and command; ``with`` is the form of ``run``."""
    given = [name for name in ALONE if body.get(name) is not None]
    if not given:
        return (), "it has neither run nor command", "name a handler with run:, or write command:"
    if len(given) == 2:
        return ("command",), "it has both run and command", "keep one of them"
    if given == ["command"] and body.get("with"):
        return ("with",), "with belongs to run, not to command", "use env: to give a command values"
    return None


def clashes(spec: JobSpec, body: Mapping[str, Any], *, python: bool) -> Iterator[Clash]:
    """Everything contradictory in the fields a job wrote itself (``body``). ``spec`` has the defaults in it."""
    yield from _place(spec, body, python)
    yield from _shell(body, python)
    yield from _times(spec, body)
    yield from _together(spec, body)
    yield from _service(spec, body)


def _place(spec: JobSpec, body: Mapping[str, Any], python: bool) -> Iterator[Clash]:
    if spec.in_ == "thread":
        if not python:
            yield (
                ("in",),
                "only Python handlers can run in a thread; this is a program",
                "take in: thread away",
            )
            return
        for name in OF_A_PROCESS:
            if name in body:
                yield (
                    (name,),
                    f"{name} needs a process of its own, but this job runs in: thread",
                    "keep one of them",
                )
        for name in ("stdout", "stderr"):
            if name in (body.get("output") or {}):
                yield (
                    ("output", name),
                    f"output.{name} needs a process, but this job runs in: thread",
                    "keep one of them",
                )
        return
    if python:
        for name in OF_A_PROGRAM:
            if name in body:
                yield (
                    (name,),
                    f"{name} is for programs; this is a Python handler",
                    "use with: to give it values",
                )


def _shell(body: Mapping[str, Any], python: bool) -> Iterator[Clash]:
    if not python and isinstance(body.get("command"), str):
        return
    if "command" not in body and not python:
        return
    why = "a Python handler" if python else "a command written as a list"
    for name in OF_A_SHELL:
        if name in (body.get("process") or {}):
            yield ("process", name), f"process.{name} has no meaning for {why}", "take it away"


def _times(spec: JobSpec, body: Mapping[str, Any]) -> Iterator[Clash]:
    for name in TIMES:
        if name in body and getattr(spec, name) == timedelta(0):
            none = "write none for no limit" if name == "timeout" else "take it away"
            yield (name,), f"{name} of zero", none


def _together(spec: JobSpec, body: Mapping[str, Any]) -> Iterator[Clash]:
    several = spec.max_instances > 1 or (
        spec.overlap == "allow" and "max_instances" not in spec.model_fields_set
    )
    if spec.lock and several and {"lock", "max_instances", "overlap"} & body.keys():
        yield (
            ("lock",),
            "a lock is held by one run at a time, but the job allows several at once",
            "keep one of them",
        )
    catch_up = spec.catch_up
    if not isinstance(catch_up, str) and catch_up.run == "none" and catch_up.after == "sleep":
        yield (
            ("catch_up", "after"),
            "run: none catches up nothing, so after has no meaning",
            "write catch_up: none",
        )
    if spec.condition is not None and not spec.condition.model_fields_set and "condition" in body:
        yield ("condition",), "the condition asks nothing", "take it away, or write for example on_ac: true"
    if (
        isinstance(spec.catch_up, str)
        and spec.catch_up == "all"
        and spec.overlap == "replace"
        and "overlap" in body
    ):
        yield (
            ("overlap",),
            "catch_up: all with overlap: replace would end each run by the next",
            "use overlap: queue",
        )


def _service(spec: JobSpec, body: Mapping[str, Any]) -> Iterator[Clash]:
    """A service runs all the time: it is due at no moment, and it is one."""
    if spec.service is None:
        return
    for name in (*KINDS, "schedules"):
        if body.get(name):
            yield (name,), f"a service runs all the time; {name} says when a job is due", "keep one of them"
    if body.get("retry") not in (None, "none", {}):
        yield ("retry",), "a service is started again as its service: says, not by retry", "take retry away"
    if "max_instances" in body and spec.max_instances > 1:
        yield ("max_instances",), "a service is one run at a time", "write one job for each"
    if spec.service.max_wait < spec.service.wait:
        yield ("service", "max_wait"), "max_wait is less than wait", "swap them"
