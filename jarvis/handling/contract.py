"""What may a handler do, and what becomes of a call?

A handler is one file with one function: ``run(ctx, *, …)``, called here, or ``argv(…, *, …)``, which only
names the program to start. ``call`` is the one place where a handler's function is called: in a child
process, in a thread of the daemon and in its author's tests alike.
"""

from __future__ import annotations

import inspect
import math
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from jarvis import errors
from jarvis.handling import fitting

if TYPE_CHECKING:
    from jarvis.handling.context import Context
    from jarvis.handling.form import Form

ERROR_BYTES = 64 * 1024
RESULT_BYTES = 4 * 1024
SEVERITIES = ("info", "low", "medium", "high", "critical")
ALIASES = {"warning": "medium", "warn": "medium", "error": "high", "normal": "low", "notice": "info"}

Ending = Literal["ok", "error", "skipped", "gave_up"]


class Skip(Exception):
    """There was nothing to do: the run ends as ``skipped``, with this reason."""


class GiveUp(Exception):
    """It failed and trying again cannot help: the run ends as ``failed`` and is not retried."""


class Stopped(BaseException):
    """The run was told to end (a signal): raised in the handler so that every ``finally:`` runs."""


class BadValues(errors.JarvisError):
    """The values under ``with:`` do not fit the handler's form."""


class Broken(errors.JarvisError):
    """A handler's file that cannot be used; the message has the file, the line and the reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """Something a person should know. ``key``: alerts with the same key are about the same trouble.

    ``once``: it happened, and nobody is told when it is over; an alert without a key is always such a one.
    """

    text: str
    key: str | None = None
    severity: str = "medium"
    title: str | None = None
    once: bool = False

    def dump(self) -> dict[str, Any]:
        said = {"text": self.text, "key": self.key, "severity": self.severity, "title": self.title}
        return said | ({"once": True} if self.once else {})


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a handler left. ``result`` of a skipped run is its reason; ``memory`` has only what changed.

    ``resolved``: keys of alerts that are over, after what ``alerts`` says.
    """

    status: Ending
    result: str | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    alerts: tuple[Alert, ...] = ()
    memory: Mapping[str, Any] = field(default_factory=dict)
    forgotten: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return {"ok": 0, "skipped": 0, "error": 1, "gave_up": 3}[self.status]

    def dump(self) -> dict[str, Any]:
        """As JSON data; ``load`` reads it back."""
        return {
            "status": self.status,
            "result": self.result,
            "numbers": dict(self.numbers),
            "error": self.error,
            "alerts": [alert.dump() for alert in self.alerts],
            "memory": dict(self.memory),
            "forgotten": list(self.forgotten),
            "resolved": list(self.resolved),
        }

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Outcome:
        """From JSON data. Raises ValueError when it is not what ``dump`` makes."""
        try:
            if data["status"] not in ("ok", "error", "skipped", "gave_up"):
                raise ValueError(f"unknown status {data['status']!r}")
            return cls(
                status=data["status"],
                result=data.get("result"),
                numbers={str(name): float(value) for name, value in data.get("numbers", {}).items()},
                error=data.get("error"),
                alerts=tuple(Alert(**alert) for alert in data.get("alerts", ())),
                memory=dict(data.get("memory", {})),
                forgotten=tuple(data.get("forgotten", ())),
                resolved=tuple(map(str, data.get("resolved", ()))),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an outcome: {error}") from error


DONE = Outcome(status="ok")
"""Nothing to say: what most runs of frequent handlers leave."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Handler:
    """What a job can run.

    ``kind``: ``python`` (its ``run`` is called) or ``program`` (its ``argv`` names what is started).
    ``broken``: why it cannot run, in words. ``shadows``: the file of the same name that it hides.
    ``digest`` names the content of its file.
    """

    name: str
    path: Path
    origin: str
    kind: Literal["python", "program"]
    digest: str
    description: str = ""
    doc: str = ""
    broken: str | None = None
    shadows: str | None = None
    function: Callable[..., Any] | None = field(default=None, compare=False, repr=False)
    form: Form | None = field(default=None, compare=False, repr=False)

    def ready(self) -> tuple[Callable[..., Any], Form]:
        """Its function and its form. Raises Broken."""
        if self.broken or self.function is None or self.form is None:
            raise Broken(f"handler {self.name}: {self.broken or 'was not loaded'}")
        return self.function, self.form


def severity(word: str) -> str:
    """One of SEVERITIES. Raises ValueError."""
    known = ALIASES.get(word.lower(), word.lower())
    if known not in SEVERITIES:
        raise ValueError(f"{word!r} is no severity; use {', '.join(SEVERITIES)}")
    return known


def call(handler: Handler, ctx: Context, values: Mapping[str, Any]) -> Outcome:
    """Run a Python handler to its end and say what became of it; raises nothing but KeyboardInterrupt.

    1. The values are read by the handler's form.
    2. Its function is called; a coroutine is run to its end.
    3. What it returned or raised becomes the outcome.
    4. Alerts and changed memory are added, known secrets are blacked out.
    """
    try:
        outcome = returned(_run(handler, ctx, values))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        outcome = raised(error, handler.path)
    return ctx._collect(outcome)


def _run(handler: Handler, ctx: Context, values: Mapping[str, Any]) -> Any:
    function, form = handler.ready()
    said = function(ctx, **form.bind(values))
    if not inspect.iscoroutine(said):
        return said
    import asyncio  # most handlers do without, and it is a third of a child's start-up

    return asyncio.run(said)


def program(handler: Handler, values: Mapping[str, Any], **given: Any) -> list[str]:
    """The argv of a program handler. ``given``: what the launcher knows of the job (path, shell).

    Raises BadValues, Broken or LaunchError, each in words.
    """
    function, form = handler.ready()
    kwargs = form.bind(values)
    try:
        argv = function(*(given[name] for name in form.given), **kwargs)
    except Exception as error:
        raise errors.LaunchError(f"handler {handler.name}: argv() failed: {_said(error)}") from error
    if not isinstance(argv, list) or not argv or not all(isinstance(word, str) for word in argv):
        # What it returned is not shown: it may hold a secret.
        raise errors.LaunchError(
            f"handler {handler.name}: argv() returned {type(argv).__name__}; it must return a list of texts, "
            "the program first"
        )
    if not argv[0] or any("\0" in word for word in argv):
        raise errors.LaunchError(
            f"handler {handler.name}: a program needs a name, and no word may hold a NUL"
        )
    return argv


def returned(said: Any) -> Outcome:
    """The outcome of what ``run`` returned: text, numbers, both as a pair, or nothing."""
    if said is None:
        return DONE
    if isinstance(said, tuple) and len(said) == 2 and isinstance(said[0], str):
        line, numbers = said
    else:
        line, numbers = (said, {}) if isinstance(said, str) else (None, said)
    if not isinstance(numbers, Mapping):
        raise TypeError(
            f"run() returned {type(said).__name__}; return a text, a mapping of numbers, "
            "both as a pair (text, numbers), or nothing"
        )
    return Outcome(
        status="ok",
        result=fitting.cut(line.strip(), RESULT_BYTES) if line else None,
        numbers=_numbers(numbers),
    )


def _numbers(given: Mapping[Any, Any]) -> dict[str, float]:
    """None and not-a-number mean "unknown": left out, never zero."""
    known = {}
    for name, value in given.items():
        if value is None:
            continue
        if not isinstance(value, Real):
            raise TypeError(
                f"run() returned {name!r}: {value!r:.80}; the values of a mapping must be numbers"
            )
        if math.isfinite(number := float(value)):
            known[str(name)] = number
    return known


def raised(error: BaseException, path: Path) -> Outcome:
    """The outcome of what ``run`` raised. ``path``: the handler's file, where the traceback begins."""
    match error:
        case Skip():
            return Outcome(status="skipped", result=str(error).strip() or "the handler gave no reason")
        case GiveUp():
            return Outcome(status="gave_up", error=str(error).strip() or "the handler gave no reason")
        case BadValues():
            return Outcome(status="gave_up", error=str(error))
        case errors.JarvisError():
            return Outcome(status="error", error=str(error))
        case Stopped():
            return Outcome(status="error", error=str(error) or "stopped")
        case SystemExit(code=None | 0):
            return Outcome(status="ok")
        case SystemExit(code=code):
            return Outcome(
                status="error", error=code if isinstance(code, str) else f"ended itself with exit code {code}"
            )
    return Outcome(status="error", error=trace(error, path))


def trace(error: BaseException, path: Path) -> str:
    """The traceback from the handler's first line on, at most 64 KB of it."""
    start: TracebackType | None = error.__traceback__
    while start is not None and start.tb_frame.f_code.co_filename != str(path):
        start = start.tb_next
    shown = traceback.TracebackException(type(error), error, start or error.__traceback__)
    return fitting.cut("".join(shown.format()).rstrip(), ERROR_BYTES)


def _said(error: BaseException) -> str:
    text = str(error)
    return (
        text
        if isinstance(error, errors.JarvisError | ValueError) and text
        else f"{type(error).__name__}: {text}"
    )
