"""Where do log lines go? A rotating file always; stderr too when somebody is watching, never both in one file."""

from __future__ import annotations

import logging
import os
import sys
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from jarvis.control import lines

SIZE = 10_000_000
COPIES = 5
CHATTY = (
    "jarvis.apscheduler",
    "uvicorn",
    "alembic",
    "asyncio",
    "filelock",
    "tzlocal",
    "watchfiles",
    "httpcore2",
    "httpx2",
    "requests",
    "urllib3",
)
"""What they have to say helps nobody, also when everything is logged; and some name addresses with tokens in them."""


class _File(RotatingFileHandler):
    """The original formats each record twice: once only to see whether it still fits."""

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        os.fchmod(stream.fileno(), 0o600)  # each new file, not only the first
        return stream

    def shouldRollover(self, record: logging.LogRecord) -> bool:
        return self.stream is not None and self.stream.tell() >= self.maxBytes

    def handleError(self, record: logging.LogRecord) -> None:
        """On a full disk the log has gaps; that nothing can be written is said by the ledger's own trouble."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def set_up(file: Path, *, level: str, as_json: bool, foreground: bool) -> None:
    """Send all logging to ``file`` (10 MB, five old ones kept) and, in the foreground, to stderr."""
    to_file = _File(file, maxBytes=SIZE, backupCount=COPIES, encoding="utf-8", errors="backslashreplace")
    to_file.setFormatter(_formatter(as_json, colours=False))
    handlers: list[logging.Handler] = [to_file]
    if foreground and not _same(file):
        to_people = logging.StreamHandler(sys.stderr)
        to_people.setFormatter(_formatter(as_json, colours=sys.stderr.isatty()))
        handlers.append(to_people)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level.upper())
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _same(file: Path) -> bool:
    """stderr already goes into this very file."""
    try:
        return os.path.samestat(os.fstat(sys.stderr.fileno()), file.stat())
    except (OSError, ValueError):
        return False


def _formatter(as_json: bool, *, colours: bool) -> logging.Formatter:
    return lines.Json() if as_json else lines.Text(colours=colours)
