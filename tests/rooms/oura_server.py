"""A server on loopback that speaks the shapes of the Oura API, version 2, and can be made to misbehave."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "a-token-of-somebody"


@dataclass
class Trouble:
    """An answer instead of the right one, ``times`` times; ``delay`` seconds before it."""

    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    times: int = 10_000


class OuraServer(ThreadingHTTPServer):
    """``data``: documents by collection; ``troubles``: by collection, or ``*``; ``asked``: (collection, query)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.data: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.troubles: dict[str, Trouble] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.page = 10
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever hangs up early is no error of the server."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def day(self, day: date, *, readiness: Any = None, hours: float | None = None, hrv: Any = None,
            stress: tuple[int, int] | None = None) -> None:  # fmt: skip
        """A day as the service describes it; ``stress``: minutes (stressful, restorative)."""
        common = {"day": str(day), "timestamp": f"{day}T00:00:00+00:00"}
        if readiness is not None:
            self.data["daily_readiness"].append(
                {"id": f"r-{day}", **common, "score": readiness, "temperature_deviation": -0.1,
                 "contributors": {"hrv_balance": 60, "resting_heart_rate": 80}}
            )  # fmt: skip
        if hours is not None or hrv is not None:
            self.sleep(day, hours=hours, hrv=hrv)
        if stress is not None:
            high, rest = (minutes * 60 for minutes in stress)
            self.data["daily_stress"].append(
                {
                    "id": f"s-{day}",
                    "day": str(day),
                    "stress_high": high,
                    "recovery_high": rest,
                    "day_summary": "normal",
                }
            )

    def sleep(
        self, day: date, *, hours: float | None, hrv: Any, kind: str = "long_sleep", **more: Any
    ) -> None:
        """One period of sleep that ended on ``day``."""
        night = {
            "bedtime_start": f"{day - timedelta(days=1)}T23:05:00+00:00",
            "bedtime_end": f"{day}T06:55:00+00:00",
        }
        seconds = None if hours is None else round(hours * 3600)
        samples = {"interval": 300.0, "items": [None, 40, 50], "timestamp": night["bedtime_start"]}
        self.data["sleep"].append(
            {"id": f"n-{day}-{len(self.data['sleep'])}", "day": str(day), "type": kind, "period": 0, **night,
             "total_sleep_duration": seconds, "average_hrv": hrv, "average_heart_rate": 52.5, "hrv": samples} | more
        )  # fmt: skip


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: OuraServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        name = parts.path.rpartition("/")[2]
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.server.asked.append((name, query))
        found = (self.server.troubles.get(key) for key in (name, "*"))
        trouble = next((one for one in found if one is not None and one.times > 0), None)
        if trouble is not None:
            trouble.times -= 1
            time.sleep(trouble.delay)
            if trouble.status != 200 or trouble.body is not None:
                body = b'{"detail": "trouble"}' if trouble.body is None else trouble.body
                self._answer(trouble.status, body, trouble.headers)
                return
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            self._answer(401, b'{"detail": "Unauthorized"}', {})
        elif not parts.path.startswith("/v2/usercollection/"):
            self._answer(404, b'{"detail": "Not Found"}', {})
        else:
            self._page(name, query)

    def _page(self, name: str, query: dict[str, str]) -> None:
        """Documents from start_date up to, without, end_date; next_token is where the next page begins."""
        found = [
            one for one in self.server.data[name] if query["start_date"] <= one["day"] < query["end_date"]
        ]
        start = int(query.get("next_token", 0))
        end = start + self.server.page
        body = {"data": found[start:end], "next_token": str(end) if end < len(found) else None}
        self._answer(200, json.dumps(body).encode(), {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        said = {"content-type": "application/json", "content-length": str(len(body))} | headers
        for key, value in said.items():
            self.send_header(key, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def serving() -> Iterator[OuraServer]:
    server = OuraServer()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
