"""How do I test my handler? ``context()`` makes a real context in memory, ``run_handler`` runs one in place.

from jarvis.testing import run_handler

outcome = run_handler("handlers/certificate.py", host="example.org")
assert outcome.status == "ok"
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jarvis import errors
from jarvis.handling import catalogue, contract, mount
from jarvis.handling.context import Context, Stores
from jarvis.handling.contract import Outcome
from jarvis.handling.progress import Progress
from jarvis.handling.runview import RunView

__all__ = ["Outcome", "context", "run_handler"]


def context(
    *,
    now: datetime | None = None,
    deadline: datetime | None = None,
    memory: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    stores: Stores | None = None,
    state: Path | None = None,
    progress: Path | None = None,
    job: str = "test",
    fire: str = "manual:1",
    attempt: int = 1,
    scheduled_at: datetime | None = None,
    params: Mapping[str, Any] | None = None,
    cause: Mapping[str, Any] | None = None,
) -> Context:
    """A context as a run would get it; everything it collects stays in memory.

    ``stores``: an object with ``events`` and ``ledger``. ``progress``: a file to write progress to.
    """
    now = now or datetime.now(UTC)
    if now.tzinfo is None:
        raise ValueError(f"now={now!r} has no zone; write datetime(…, tzinfo=UTC)")
    run = RunView(
        id=1, job=job, fire=fire, attempt=attempt, scheduled_at=scheduled_at or now, params=dict(params or {}),
        cause=dict(cause or {}),
    )  # fmt: skip
    return Context(
        run=run,
        now=now,
        deadline=deadline,
        memory=memory,
        secrets=secrets,
        stores=stores,
        state=state,
        progress=Progress(progress) if progress else None,
        logger=logging.getLogger("jarvis.handler"),
    )


def run_handler(handler: str | Path, /, ctx: Context | None = None, **values: Any) -> Outcome:
    """Run a handler here and now and say what became of it, as the daemon would.

    ``handler``: the path of its file, or the name of a shipped one. ``values``: what ``with:`` would say.
    Raises NotFound when there is no such file, Broken when it cannot be used, Refused for a program handler.
    """
    found = mount.load(_path(handler))
    if found.kind == "program":
        raise errors.Refused(f"handler {found.name} names a program instead of running here: call its argv()")
    return contract.call(found, ctx or context(), values)


def _path(handler: str | Path) -> Path:
    """The file itself; a bare name is a shipped handler's."""
    path = Path(handler)
    if path.is_file():
        return path.absolute()
    if (shipped := catalogue.shipped() / f"{handler}.py").is_file():
        return shipped
    raise errors.NotFound(f"no handler file {path} and no shipped handler of that name")
