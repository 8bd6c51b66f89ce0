"""What does a handler know of its run, and what can it leave behind?

Nothing here reaches the scheduler. Alerts and memory are only collected: whoever called the handler
stores them together with the end of the run. Progress goes straight to a file of the run's directory, for
people watching.
"""

from __future__ import annotations

import functools
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload

from jarvis import errors
from jarvis.handling import contract
from jarvis.handling.contract import Alert, Outcome
from jarvis.handling.lean import veil
from jarvis.handling.memory import Memory
from jarvis.handling.secret import Secret

if TYPE_CHECKING:
    from jarvis.store.events import Events
    from jarvis.store.ledger import Ledger

PROGRESS_EVERY = 0.1


Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunView:
    """The run as its handler sees it. ``fire`` names the due moment, ``attempt`` counts from 1."""

    id: int
    job: str
    fire: str
    attempt: int = 1
    scheduled_at: datetime
    params: Mapping[str, Any] = field(default_factory=dict)


def view(data: Mapping[str, Any]) -> RunView:
    """A run from JSON data. Raises KeyError or ValueError when it is incomplete."""
    return RunView(
        id=int(data["id"]),
        job=data["job"],
        fire=data["fire"],
        attempt=int(data.get("attempt", 1)),
        scheduled_at=datetime.fromisoformat(data["scheduled_at"]),
        params=data.get("params") or {},
    )


class Stores(Protocol):
    """The parts of the ledger that a handler may use."""

    @property
    def events(self) -> Events: ...

    @property
    def ledger(self) -> Ledger: ...


class Context:
    """What a handler is given first.

    ``now``          when this attempt began (aware)
    ``run``          id, job, fire, attempt, scheduled_at, params
    ``deadline``     when the run will be stopped (aware), or None
    ``log``          ``log.info("fetched", pages=3)``: a line in the run's output
    ``alert(…)``     tell a person something
    ``secret(name)`` a secret of this job
    ``memory``       a mapping that is the same at the job's next run; JSON values
    ``progress(…)``  how far it is, for those who watch
    ``events``, ``ledger``  stores of shipped handlers
    ``state``        the state directory
    """

    def __init__(
        self,
        *,
        run: RunView,
        now: datetime,
        deadline: datetime | None = None,
        memory: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        stores: Stores | None = None,
        state: Path | None = None,
        progress: Progress | None = None,
        logger: Logger | None = None,
    ) -> None:
        self.run = run
        self.now = now
        self.deadline = deadline
        self.memory = Memory(memory or {})
        self.log = Log(logger or logging.getLogger("jarvis.handler"))
        self._secrets = dict(secrets or {})
        self._stores = stores
        self._state = state
        self._progress = progress
        self._alerts: list[Alert] = []

    def alert(
        self, text: str, *, key: str | None = None, severity: str = "medium", title: str | None = None
    ) -> None:
        """Tell a person. Alerts with the same ``key`` are about the same trouble.

        ``severity``: info, low, medium (or warning), high, critical. Raises ValueError for another word.
        """
        if not text.strip():
            raise ValueError("an alert needs a text")
        self._alerts.append(Alert(text=text, key=key, severity=contract.severity(severity), title=title))

    def secret(self, name: str) -> Secret:
        """A secret of this job. Raises NotFound with what there is."""
        if name in self._secrets:
            return Secret(self._secrets[name])
        known = ", ".join(sorted(self._secrets)) or "none"
        raise errors.NotFound(f"this run was given no secret named {name!r} (it has: {known})")

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """``done`` of ``total``, with a word about it. Cheap: at most ten a second are written."""
        if self._progress is not None:
            self._progress.say(done, total, self._hide(text))

    @property
    def state(self) -> Path:
        """The state directory of this Jarvis. Raises JarvisError where there is none."""
        if self._state is None:
            raise errors.JarvisError("this run has no state directory: give the path as a parameter")
        return self._state

    @property
    def events(self) -> Events:
        """Events that arrived from outside."""
        return self._store().events

    @property
    def ledger(self) -> Ledger:
        """The history of runs: pruning and copies."""
        return self._store().ledger

    def _store(self) -> Stores:
        if self._stores is None:
            raise errors.StoreError("this run was given no ledger; pass stores= to the context")
        return self._stores

    def _collect(self, outcome: Outcome) -> Outcome:
        """The outcome with everything that was collected, secrets blacked out."""
        if self._progress is not None:
            self._progress.flush()
        try:
            changed, forgotten = self.memory.changes()
        except ValueError as error:
            changed, forgotten = {}, ()
            outcome = replace(outcome, status="error", error=f"{error}\n{outcome.error or ''}".rstrip())
        if not (self._secrets or self._alerts or changed or forgotten or outcome.result or outcome.error):
            return outcome
        return replace(
            outcome,
            result=self._hide(outcome.result),
            error=self._hide(outcome.error),
            alerts=tuple(
                replace(
                    alert,
                    text=self._hide(alert.text),
                    title=self._hide(alert.title),
                    key=self._hide(alert.key),
                )
                for alert in self._alerts
            ),
            memory=changed,
            forgotten=forgotten,
        )

    @overload
    def _hide(self, text: str) -> str: ...
    @overload
    def _hide(self, text: str | None) -> str | None: ...
    def _hide(self, text: str | None) -> str | None:
        return None if text is None else hide(contract.clean(text), self._secrets.values())


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text with ``[secret]`` where a secret stood, in any form that is hidden in output too."""
    return veil.hide(text, _forms(frozenset(secrets)))


@functools.lru_cache(maxsize=64)
def _forms(secrets: frozenset[str]) -> veil.Forms:
    return veil.Forms(secrets)


class Log:
    """Event names with fields: ``log.info("fetched", pages=3)``. ``bind`` makes one with fixed fields."""

    def __init__(
        self,
        logger: Logger,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        self._logger = logger
        self._fields = dict(fields or {})

    def bind(self, **fields: Any) -> Log:
        return Log(self._logger, self._fields | fields)

    def debug(self, event: str, *args: object, **fields: Any) -> None:
        self._say(logging.DEBUG, event, args, fields)

    def info(self, event: str, *args: object, **fields: Any) -> None:
        self._say(logging.INFO, event, args, fields)

    def warning(self, event: str, *args: object, **fields: Any) -> None:
        self._say(logging.WARNING, event, args, fields)

    def error(self, event: str, *args: object, **fields: Any) -> None:
        self._say(logging.ERROR, event, args, fields)

    def exception(self, event: str, *args: object, **fields: Any) -> None:
        self._say(logging.ERROR, event, args, {"exc_info": True} | fields)

    def _say(self, level: int, event: str, args: tuple[object, ...], fields: dict[str, Any]) -> None:
        traceback = fields.pop("exc_info", None)
        named = "".join(f" {name}={value!r}" for name, value in (self._fields | fields).items())
        text = (event % args if args else event) + named
        self._logger.log(level, "%s", text, exc_info=traceback)


class Progress:
    """The progress file of a run: one JSON line, replaced whole, at most ten times a second."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._due = -math.inf
        self._waiting: str | None = None

    def say(self, done: float, total: float | None, text: str) -> None:
        """Raises ValueError when ``done`` or ``total`` is no number."""
        line = json.dumps(
            {"done": _number(done), "total": None if total is None else _number(total), "text": text}
        )
        self._waiting = line
        if self._clock() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Write what was said last. A disk that is full must not fail the job: then it is said in the log."""
        if self._waiting is None:
            return
        self._due = self._clock() + PROGRESS_EVERY
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            part.write_text(self._waiting + "\n", encoding="utf-8")
            part.replace(self._path)
        except OSError as error:
            logging.getLogger("jarvis.handler").warning("progress could not be written: %s", error)
        self._waiting = None


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"progress is a number, not {value!r}")
    return value
