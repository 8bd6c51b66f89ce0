"""How does a handler speak of what it does? Event names with fields, in its run's output."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]


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
