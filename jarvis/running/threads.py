"""Runs of trusted, very frequent handlers in the daemon's own threads (``in: thread``).

No supervisor, no result file: a crash of the daemon leaves such a run ``lost``, a timeout can only be noted.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from jarvis.config import secrets
from jarvis.core.job import Job
from jarvis.core.run import Run
from jarvis.handling import context, contract
from jarvis.handling.catalogue import Catalogue
from jarvis.handling.contract import Outcome
from jarvis.handling.ending import Ending
from jarvis.handling.runview import RunView
from jarvis.handling.stores import LazyStores
from jarvis.running import awake, environment
from jarvis.running.hands import Hands
from jarvis.running.preparing import Place
from jarvis.running.telling import alarms
from jarvis.store.database import Database

AS_IT_IS = nullcontext()


@dataclass(frozen=True, kw_only=True, slots=True)
class Called:
    """A handler in a thread came to its end."""

    run: int
    started_at: datetime
    ended_at: datetime
    outcome: Outcome


class _Discreet(logging.LoggerAdapter[logging.Logger]):
    """A handler's log in the daemon's own, with the run's secrets blacked out."""

    def __init__(self, logger: logging.Logger, known: Iterable[str]) -> None:
        super().__init__(logger, {})
        self._known = tuple(known)

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        text = str(msg) % args if args else str(msg)
        if kwargs.pop("exc_info", None):
            text = f"{text}\n{traceback.format_exc()}"
        self.logger.log(level, "%s", context.hide(text, self._known))


class Threads:
    """The handler threads. ``done`` is called in the handler's thread."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        place: Place,
        done: Callable[[Called], None],
        ours: Database | None = None,
    ) -> None:
        """``ours``: the daemon's ledger, which hears of what handlers write to it."""
        # The conductor's slots limit how many run at once.
        self._hands = Hands("jarvis-handler")
        self._catalogue = catalogue
        self._place = place
        self._done = done
        self._stores = LazyStores(place.database, place.state, ours=ours)
        self._ends: dict[int, Ending] = {}
        self._services: set[int] = set()
        self._logger = logging.getLogger("jarvis.handler")
        self._plain = _Discreet(self._logger, ())

    def start(self, run: Run, job: Job, memory: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        """Call the job's handler in a thread."""
        self._ends[run.id] = Ending()
        self._hands.do(partial(self._run, run, job, memory, environ))

    def end(self, run: int, why: str) -> None:
        """Tell a handler to end: it hears it in ``ctx.wait``, if it waits there."""
        if told := self._ends.get(run):
            self._logger.info("run %d is told to end: %s", run, why)
            told.set()

    def end_all(self, why: str, within: timedelta) -> None:
        """Tell all of them, and wait so long for those that listen."""
        until = time.monotonic() + within.total_seconds()
        services = self._services.copy()
        for run in services:
            self.end(run, why)
        while self._services & services and time.monotonic() < until:
            time.sleep(0.005)

    def _run(self, run: Run, job: Job, memory: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        started_at = datetime.now(UTC)
        if job.service:
            self._services.add(run.id)
        try:
            given = {**job.with_, **run.params}
            values = secrets.reveal(given, environ) if given else given
            ctx = self._context(run, job, memory, environ, started_at)
            with awake.kept(job) if job.spec.keep_awake else AS_IT_IS:
                outcome = contract.call(self._catalogue.get(job.run), ctx, values)
        except BaseException as error:  # whatever happens, the run must come to an end
            outcome = contract.raised(error, self._place.folder)
        del self._ends[run.id]
        self._done(Called(run=run.id, started_at=started_at, ended_at=datetime.now(UTC), outcome=outcome))
        self._services.discard(run.id)

    def _context(
        self, run: Run, job: Job, memory: Mapping[str, Any], environ: Mapping[str, str], now: datetime
    ) -> context.Context:
        known = environment.hidden(job, environ)
        return context.Context(
            run=RunView(
                id=run.id, job=run.job, fire=run.fire, attempt=run.attempt, scheduled_at=run.scheduled_at,
                params=run.params, cause=self._stores.events.whole(run.cause) if run.cause else {},
            ),
            now=now.astimezone(ZoneInfo(job.timezone)),
            deadline=now + job.timeout if job.timeout else None,
            memory=memory,
            secrets=known,
            stores=self._stores,
            state=self._place.state,
            logger=_Discreet(self._logger, known.values()) if known else self._plain,
            ending=self._ends[run.id],
            live=self._stores.live(run.id, run.job, alarms.wanted(job)) if job.service else None,
        )  # fmt: skip

    def close(self) -> None:
        """Take no more; what runs is left alone."""
        self._hands.close()
        self._stores.close()
