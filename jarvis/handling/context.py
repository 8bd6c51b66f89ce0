"""What does a handler know of its run, and what can it leave behind?

Nothing here reaches the scheduler. Alerts and memory are only collected: whoever called the handler
stores them together with the end of the run. Progress goes straight to a file of the run's directory, for
people watching.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload

from jarvis import errors
from jarvis.handling import contract, fitting
from jarvis.handling.contract import Alert, Outcome
from jarvis.handling.ending import Ending
from jarvis.handling.lean import veil
from jarvis.handling.log import Log, Logger
from jarvis.handling.memory import Memory
from jarvis.handling.progress import Progress
from jarvis.handling.runview import RunView
from jarvis.handling.secret import Secret

if TYPE_CHECKING:
    from jarvis.store.breakers import Breakers
    from jarvis.store.cache import Cache
    from jarvis.store.events import Events
    from jarvis.store.known import Known
    from jarvis.store.ledger import Ledger
    from jarvis.store.metrics import Metrics
    from jarvis.store.rules import Rules
    from jarvis.store.samples import Samples
    from jarvis.store.tickets import Tickets


class Stores(Protocol):
    """The parts of the ledger that a handler may use."""

    @property
    def events(self) -> Events: ...

    @property
    def ledger(self) -> Ledger: ...

    @property
    def breakers(self) -> Breakers: ...

    @property
    def rules(self) -> Rules: ...

    @property
    def known(self) -> Known: ...

    @property
    def cache(self) -> Cache: ...

    @property
    def tickets(self) -> Tickets: ...

    @property
    def samples(self) -> Samples: ...

    @property
    def metrics(self) -> Metrics: ...


class Live(Protocol):
    """Says at once what others leave for the end of the run. Both raise StoreError."""

    def tell(self, alert: Alert) -> None: ...

    def resolve(self, key: str) -> None: ...


class Context:
    """What a handler is given first.

    ``now``          when this attempt began (aware)
    ``run``          id, job, fire, attempt, scheduled_at, params, cause
    ``deadline``     when the run will be stopped (aware), or None
    ``log``          ``log.info("fetched", pages=3)``: a line in the run's output
    ``alert(…)``     tell a person something
    ``resolve(key)`` what was told under this key is over
    ``secret(name)`` a secret of this job
    ``memory``       a mapping that is the same at the job's next run; JSON values
    ``progress(…)``  how far it is, for those who watch
    ``events``, ``ledger``  stores of shipped handlers
    ``breakers``     circuit breakers: ``breakers.get("oura").call(fetch)``
    ``rules``, ``known``, ``cache``  rules; delegations, decisions, facts; values kept for a while
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
        ending: Ending | None = None,
        live: Live | None = None,
    ) -> None:
        """``ending``: set when the run is told to end. ``live``: says it at once, for those that never return."""
        self.run = run
        self.now = now
        self.deadline = deadline
        self.memory = Memory(memory or {})
        self.log = Log(logger or logging.getLogger("jarvis.handler"))
        self._secrets = dict(secrets or {})
        self._stores = stores
        self._state = state
        self._progress = progress
        self._ending = ending or Ending()
        self._live = live
        self._alerts: list[Alert] = []
        self._resolved: dict[str, None] = {}

    def wait(self, seconds: float) -> bool:
        """Wait so long; True as soon as the run is told to end. For services: ``while not ctx.wait(5): …``."""
        return self._ending.wait(seconds)

    def alert(
        self,
        text: str,
        *,
        key: str | None = None,
        severity: str = "medium",
        title: str | None = None,
        once: bool = False,
    ) -> None:
        """Tell a person. Alerts with the same ``key`` are about the same trouble.

        ``severity``: info, low, medium (or warning), high, critical. Raises ValueError for another word.
        ``once``: it happened; without it a key stays a problem until a later run succeeds and does not raise it.
        """
        if not text.strip():
            raise ValueError("an alert needs a text")
        alert = Alert(text=text, key=key, severity=contract.severity(severity), title=title, once=once)
        if not once:
            self._resolved.pop(key or "", None)
        if self._live is None or not self._said(partial(self._live.tell, self._discreet(alert))):
            self._alerts.append(alert)

    def resolve(self, key: str) -> None:
        """The problem that this job raised under ``key`` is over, also while the run goes on; nothing if there is none.

        For services, whose runs may never succeed. Without it a problem is over when a run succeeds without raising it.
        """
        if not key:
            raise ValueError("resolve() needs the key of the alert that is over")
        unsaid = any(alert.key == key for alert in self._alerts)
        if self._live is None or unsaid or not self._said(partial(self._live.resolve, self._hide(key))):
            self._resolved[key] = None

    def _said(self, say: Callable[[], None]) -> bool:
        """Said at once; what cannot be said now is told with the run's end."""
        try:
            say()
        except errors.StoreError as error:
            self.log.warning("an alert waits for the end of the run: %s", error)
            return False
        return True

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

    @property
    def breakers(self) -> Breakers:
        """Circuit breakers of outside services: one that fails again and again is left alone for a while."""
        return self._store().breakers

    @property
    def rules(self) -> Rules:
        """The rules of the ledger, and what they ask it."""
        return self._store().rules

    @property
    def known(self) -> Known:
        """Delegations, decisions and facts."""
        return self._store().known

    @property
    def cache(self) -> Cache:
        """Values kept for a while: ``get``, ``set(key, value, ttl)``; the same for every job."""
        return self._store().cache

    @property
    def tickets(self) -> Tickets:
        """Violations and their tickets."""
        return self._store().tickets

    @property
    def metrics(self) -> Metrics:
        """Numbers that runs and pause sampling recorded."""
        return self._store().metrics

    def hidden(self, text: str) -> str:
        """The text with ``[secret]`` where a secret of this job stood: for what is stored elsewhere."""
        return self._hide(text)

    @property
    def samples(self) -> Samples:
        """How this machine was: samples, pauses (``samples.stalls``)."""
        return self._store().samples

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
        left = self._secrets or self._alerts or self._resolved or changed or forgotten
        if not (left or outcome.result or outcome.error):
            return outcome
        return replace(
            outcome,
            result=self._hide(outcome.result),
            error=self._hide(outcome.error),
            alerts=tuple(map(self._discreet, self._alerts)),
            resolved=tuple(map(self._hide, self._resolved)),
            memory=changed,
            forgotten=forgotten,
        )

    def _discreet(self, alert: Alert) -> Alert:
        return replace(
            alert, text=self._hide(alert.text), title=self._hide(alert.title), key=self._hide(alert.key)
        )

    @overload
    def _hide(self, text: str) -> str: ...
    @overload
    def _hide(self, text: str | None) -> str | None: ...
    def _hide(self, text: str | None) -> str | None:
        return None if text is None else hide(fitting.clean(text), self._secrets.values())


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text with ``[secret]`` where a secret stood, in any form that is hidden in output too."""
    return veil.hide(text, _forms(frozenset(secrets)))


@functools.lru_cache(maxsize=64)
def _forms(secrets: frozenset[str]) -> veil.Forms:
    return veil.Forms(secrets)
