"""Run one Python handler in this process: ``python -m jarvis.handling.child``, the payload on stdin.

1. Read the payload (one JSON object); stdin becomes /dev/null, as for every job.
2. A stop signal raises Stopped in the handler, so that every ``finally:`` runs.
3. Load the file, call the handler.
4. Write ``outcome`` into the run's directory, synced and renamed, before the process ends.

Exit code: 0 done or skipped, 1 failed, 3 gave up.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from types import FrameType
from typing import Any

from jarvis import errors
from jarvis.handling import context, contract, mount, runview, stores
from jarvis.handling.contract import Outcome
from jarvis.handling.progress import Progress

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def main() -> int:
    """The whole life of the child; returns its exit code."""
    try:
        _listen()
        payload = _payload()
        outcome = _outcome(payload)
    except (ValueError, KeyError, TypeError) as error:
        print(f"jarvis: the payload on stdin cannot be used: {error!r}", file=sys.stderr)
        return 1
    except contract.Stopped as stopped:
        print(f"jarvis: {stopped} before the handler was called", file=sys.stderr)
        return 1
    if outcome.error:
        print(outcome.error, file=sys.stderr)
    try:
        write(Path(payload["dir"]) / "outcome", outcome)
    except OSError as error:
        print(f"jarvis: what the handler left could not be written: {error}", file=sys.stderr)
        return 1
    return outcome.exit_code


def _listen() -> None:
    """The first stop signal is heard, further ones are not: nothing may interrupt the cleaning up."""

    def stop(number: int, _frame: FrameType | None) -> None:
        _deafen()
        raise contract.Stopped(f"stopped by {signal.Signals(number).name}")

    for number in STOPPING:
        signal.signal(number, stop)


def _deafen() -> None:
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


def _payload() -> dict[str, Any]:
    payload = json.loads(sys.stdin.buffer.read())
    if not isinstance(payload, dict):
        raise ValueError(f"expected an object, not {payload!r:.80}")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return payload


def _outcome(payload: Mapping[str, Any]) -> Outcome:
    path = Path(payload["file"])
    opened = stores.LazyStores(payload.get("database"), _state(payload))
    ctx = _context(payload, opened)
    try:
        handler = mount.load(path, name=payload["handler"])
        outcome = contract.call(handler, ctx, payload.get("with") or {})
        _deafen()
    except (contract.Broken, contract.Stopped) as error:
        outcome = contract.raised(error, path)
    finally:
        opened.close()
    return outcome


def _context(payload: Mapping[str, Any], opened: stores.LazyStores) -> context.Context:
    secrets = payload.get("secrets") or {}
    run = runview.view(payload["run"])
    zone = _zone(payload.get("timezone"))
    return context.Context(
        run=run,
        now=(_instant(payload.get("now")) or datetime.now(UTC)).astimezone(zone),
        deadline=_instant(payload.get("deadline")),
        memory=payload.get("memory") or {},
        secrets=secrets,
        stores=opened,
        state=_state(payload),
        progress=Progress(Path(payload["dir"]) / "progress"),
        logger=_logger(secrets),
        live=_live(payload, opened, run) if payload.get("service") else None,
    )


def _live(payload: Mapping[str, Any], opened: stores.LazyStores, run: runview.RunView) -> stores.Live:
    from jarvis.core import alert

    return opened.live(run.id, run.job, alert.wanted(payload.get("wanted")))


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _zone(name: str | None) -> tzinfo:
    if name is None:
        return UTC
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


def _state(payload: Mapping[str, Any]) -> Path | None:
    """The state directory: as said, or where the ledger lies."""
    if said := payload.get("state"):
        return Path(said)
    try:
        return stores.ledger_path(payload.get("database")).parent
    except errors.StoreError:
        return None


class _Discreet(logging.Formatter):
    """Log lines in which secrets are hidden."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        return context.hide(super().format(record), self._secrets.values())


def _logger(secrets: Mapping[str, str]) -> logging.Logger:
    """Logging goes to stderr, and so into the run's output: the handler's and its libraries'."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Discreet(secrets))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # a line a request, with all that is in its address
    return logging.getLogger("jarvis.handler")


def write(path: Path, outcome: Outcome) -> None:
    """The outcome as JSON: complete on the disk, or not there at all."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(outcome.dump(), file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


if __name__ == "__main__":
    sys.exit(main())
