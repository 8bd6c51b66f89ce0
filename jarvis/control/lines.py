"""How does a log record become a line, for people or for programs?

    2026-03-01T07:30:00.000000 [warning] the ledger could not be written attempt=2
    {"attempt": 2, "event": "the ledger could not be written", "level": "warning", "timestamp": "2026-..."}

The standard library's formatter with fields and colours: a logging library costs a daemon megabytes that it needs
for nothing else.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

_OWN = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"}
"""What every record has (and a coloured copy of the message that uvicorn adds)."""

_DIM, _BOLD, _PLAIN = "\033[2m", "\033[1m", "\033[0m"
_COLOURS = {"debug": "\033[32m", "info": "\033[32m", "warning": "\033[33m"}
_LOUD = "\033[31m"


class Text(logging.Formatter):
    """Moment (local time), level, what happened, the fields of ``extra=``, and a traceback without local variables."""

    def __init__(self, *, colours: bool) -> None:
        super().__init__()
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        level, said = record.levelname.lower(), record.getMessage()
        fields = "".join(f" {name}={value!r}" for name, value in _fields(record))
        moment = _moment(record)
        if self._colours:
            moment = f"{_DIM}{moment}{_PLAIN}"
            level = f"{_COLOURS.get(level, _LOUD)}{level}{_PLAIN}"
            said = f"{_BOLD}{said}{_PLAIN}"
        return "\n".join([f"{moment} [{level}] {said}{fields}", *self._more(record)])

    def _more(self, record: logging.LogRecord) -> Iterator[str]:
        if record.exc_info:
            yield self.formatException(record.exc_info)
        if record.stack_info:
            yield self.formatStack(record.stack_info)


class Json(Text):
    """The same as one JSON object a line; what JSON does not know is shown as Python shows it."""

    def __init__(self) -> None:
        super().__init__(colours=False)

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, Any] = {
            **dict(_fields(record)),
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "timestamp": _moment(record),
        }
        if more := "\n".join(self._more(record)):
            said["exception"] = more
        return json.dumps(said, sort_keys=True, default=repr)


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created).isoformat(timespec="microseconds")  # noqa: DTZ006 (local time is meant)


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in vars(record).items() if name not in _OWN)
