"""`webhook_poll` with a URL: items of a real server's answers become events, each once."""

import gzip
import json
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from jarvis import Secret, testing
from jarvis.handling.stores import LazyStores
from jarvis.sources import feed
from jarvis.store.database import Database
from jarvis.store.events import Events


class Answers(BaseHTTPRequestHandler):
    """``server.answer(path, query, headers)`` gives status, headers and body; every request is noted."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        parts = urlsplit(self.path)
        self.server.seen.append((self.path, dict(self.headers)))
        given = {name.lower(): value for name, value in self.headers.items()}
        status, headers, body = self.server.answer(parts.path, parse_qs(parts.query), given)
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, *_):
        return


@pytest.fixture
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    made.daemon_threads = True
    made.seen, made.answer = [], lambda *_: (404, {}, {})
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    made.url = f"http://127.0.0.1:{made.server_port}/feed"
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def ledger(tmp_path):
    database = Database(tmp_path / "ledger.sqlite")
    database.open()
    yield database
    database.close()


@pytest.fixture
def poll(server, ledger, tmp_path):
    """Poll again and again: memory is kept between polls, as the conductor does."""
    memory = {}

    def run(**values):
        stores = LazyStores(ledger.url)
        try:
            outcome = testing.run_handler(
                "webhook_poll",
                testing.context(stores=stores, state=tmp_path, memory=memory),
                **({"url": server.url, "source": "test", "allow_private": True} | values),
            )
        finally:
            stores.close()
        memory.update(outcome.memory)
        for name in outcome.forgotten:
            del memory[name]
        return outcome

    run.memory = memory
    return run


def stored(ledger):
    return [(one.event_type, one.payload) for one in Events(ledger).pending(100_000)]


def serve(server, body, status=200, **headers):
    server.answer = lambda *_: (status, headers, body)


def test_the_items_of_an_answer_are_stored_once_each(server, poll, ledger):
    serve(server, {"data": {"items": [{"id": 1, "kind": "push"}, {"id": 2}]}})
    given = {"items": "data.items", "type_field": "kind"}
    assert poll(**given).result == "2 ingested, 0 failed, 0 skipped"
    serve(server, {"data": {"items": [{"id": 3}, {"id": 2, "changed": True}, {"id": 1}]}})
    assert poll(**given).result == "1 ingested, 0 failed, 2 skipped"
    assert stored(ledger) == [("push", {"id": 1, "kind": "push"}), ("item", {"id": 2}), ("item", {"id": 3})]


def test_an_item_without_an_id_is_known_by_its_content(server, poll, ledger):
    serve(server, [{"text": "a"}, "b", 3, {"text": "a"}])
    assert poll().result == "3 ingested, 0 failed, 1 skipped"
    assert poll().result == "0 ingested, 0 failed, 4 skipped"


def test_an_answer_that_is_no_list_is_one_item(server, poll, ledger):
    serve(server, {"id": "x", "state": "up"})
    assert poll().numbers["ingested"] == 1
    assert stored(ledger) == [("item", {"id": "x", "state": "up"})]


def test_what_has_not_changed_is_not_sent_again(server, poll):
    def answer(_path, _query, headers):
        if headers.get("if-none-match") == '"v1"':
            return 304, {}, b""
        return 200, {"ETag": '"v1"', "Last-Modified": "Fri, 20 Nov 2026 10:00:00 GMT"}, [{"id": 1}]

    server.answer = answer
    assert poll().numbers["ingested"] == 1
    assert poll().result == "nothing new"
    assert server.seen[1][1]["If-Modified-Since"] == "Fri, 20 Nov 2026 10:00:00 GMT"


def test_another_url_or_source_begins_anew(server, poll, ledger):
    serve(server, [{"id": 1}], ETag='"v1"')
    poll()
    assert poll(source="other").numbers["ingested"] == 1
    assert "If-None-Match" not in server.seen[1][1]


def test_a_cursor_of_the_answer_is_sent_the_next_time(server, poll):
    def answer(_path, query, _headers):
        since = int(query.get("since", ["0"])[0])
        return 200, {}, {"items": [{"id": since + 1}], "meta": {"next": since + 1}}

    server.answer = answer
    given = {"items": "items", "cursor_param": "since", "cursor_field": "meta.next"}
    assert [poll(**given).numbers["ingested"] for _ in range(3)] == [1, 1, 1]
    assert [path for path, _ in server.seen] == ["/feed", "/feed?since=1", "/feed?since=2"]


def test_a_cursor_of_the_newest_item_is_sent_the_next_time(server, poll):
    serve(server, [{"id": 1, "at": "10:00"}, {"id": 2, "at": "11:00 +01"}])
    given = {"cursor_param": "since", "cursor_item": "at"}
    poll(**given)
    serve(server, [])
    poll(**given)
    poll(**given)
    assert [path for path, _ in server.seen][1:] == ["/feed?since=11%3A00+%2B01"] * 2


@pytest.mark.parametrize("how", ["link", "field"])
def test_pages_are_followed_on_the_same_host(server, poll, how):
    def answer(_path, query, _headers):
        page = int(query.get("page", ["1"])[0])
        onward = f"/feed?page={page + 1}" if page < 3 else None
        headers = {"Link": f'<{onward}>; rel="next"'} if onward and how == "link" else {}
        return 200, headers, {"items": [{"id": page}], "next": onward if how == "field" else None}

    server.answer = answer
    given = {"items": "items"} | ({"next_field": "next"} if how == "field" else {})
    assert poll(**given).result == "3 ingested, 0 failed, 0 skipped"
    assert poll(**given, pages=2).result == "0 ingested, 0 failed, 2 skipped; more than 2 pages"


def test_a_page_on_another_host_is_not_followed(server, poll, ledger):
    serve(server, [{"id": 1}], Link='<http://127.0.0.2/next>; rel="next"')
    outcome = poll()
    assert outcome.status == "gave_up" and "another host" in outcome.error


def test_a_redirect_to_another_host_is_not_followed(server, poll):
    serve(server, b"", 302, Location="http://127.0.0.2/elsewhere")
    outcome = poll()
    assert outcome.status == "gave_up" and "redirects to another host are not followed" in outcome.error


def test_a_redirect_on_the_same_host_is_followed_with_the_headers(server, poll):
    def answer(path, _query, headers):
        if path == "/feed":
            return 302, {"Location": "/new"}, b""
        return 200, {}, [{"id": 1}] if headers.get("x-token") == "t0k3n" else []

    server.answer = answer
    assert poll(headers={"X-Token": Secret("t0k3n")}).numbers["ingested"] == 1


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        (400, "gave_up"),
        (401, "gave_up"),
        (404, "gave_up"),
        (408, "error"),
        (429, "error"),
        (500, "error"),
        (503, "error"),
    ],
)
def test_a_bad_status_says_whether_trying_again_can_help(server, poll, ledger, status, ending):
    serve(server, {"error": "x"}, status)
    outcome = poll()
    assert outcome.status == ending and f"answered {status}" in outcome.error
    assert stored(ledger) == [] and "feed" not in poll.memory


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_for_patience_is_left_alone_so_long(server, poll, status):
    serve(server, {}, status, **{"Retry-After": "120"})
    assert "asks to wait until" in poll().error
    skipped = poll()
    assert skipped.status == "skipped" and len(server.seen) == 1
    poll.memory["feed"]["wait_until"] = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    serve(server, [{"id": 1}])
    assert poll().numbers["ingested"] == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        (str(10**30), 86_400),
        ("86401", 86_400),
        ("86400", 86_400),
        ("86399", 86_399),
        (format_datetime(datetime(2026, 3, 1, 12, 1, tzinfo=UTC), usegmt=True), 60),
        ("soon", None),
        ("", None),
        (None, None),
    ],
    ids=str,
)
def test_patience_is_seconds_or_a_date_and_a_day_at_most(text, seconds):
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    expected = None if seconds is None else now + timedelta(seconds=seconds)
    assert feed._patience(text, now) == expected


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "did not answer with JSON"),
        (b"", "did not answer with JSON"),
        (b"\xff\xfe", "did not answer with JSON"),
        (b"[" * 200_000, "did not answer with JSON"),
        (b'[{"id": NaN}]', "NaN is not JSON"),
    ],
    ids=["html", "empty", "not_utf8", "deep", "nan"],
)
def test_an_answer_that_is_no_json_is_an_error_in_words(server, poll, ledger, body, said):
    serve(server, body)
    outcome = poll()
    assert outcome.status == "error" and said in outcome.error and "Traceback" not in outcome.error
    assert stored(ledger) == []


def test_an_answer_without_the_items_names_what_it_has(server, poll):
    serve(server, {"data": {}, "meta": 1})
    outcome = poll(items="data.items")
    assert outcome.status == "gave_up"
    assert "no list at items: data.items" in outcome.error and "it has data, meta" in outcome.error


def test_an_answer_that_is_too_much_is_not_read_to_its_end(server, poll, monkeypatch):
    monkeypatch.setattr(feed, "MOST_BYTES", 1_000_000)
    serve(server, gzip.compress(b" " * 50_000_000), **{"Content-Encoding": "gzip"})
    assert "has more than 1 MB" in poll().error


def test_an_answer_that_does_not_come_in_time_is_an_error(server, poll):
    gate = threading.Event()

    def answer(*_):
        gate.wait(10)
        return 200, {}, []

    server.answer = answer
    outcome = poll(timeout="200ms")
    gate.set()
    assert outcome.status == "error" and "no complete answer within 0.2 s" in outcome.error


def test_a_server_that_is_not_there_is_an_error(server, poll):
    outcome = poll(url="http://127.0.0.1:1/feed", timeout="2s")
    assert outcome.status == "error" and "127.0.0.1:1" in outcome.error


def test_ten_thousand_items_are_stored_once(server, poll, ledger):
    serve(server, [{"id": number, "text": "x" * 50} for number in range(10_000)])
    assert poll().numbers["ingested"] == 10_000
    again = poll()
    assert (again.numbers["ingested"], again.numbers["skipped"]) == (0, 10_000)
    assert len(json.dumps(poll.memory)) < 1_000_000


def test_an_item_that_is_no_event_is_told_and_does_not_stop_the_others(server, poll, ledger):
    serve(server, [{"id": 1}, {"id": 2, "text": "a" * 1_000_000}, {"id": 3}])
    outcome = poll()
    assert outcome.result == "2 ingested, 1 failed, 0 skipped"
    assert "1000000 are allowed" in outcome.alerts[0].text


def test_when_nothing_can_be_stored_the_next_poll_asks_for_everything_again(server, poll, ledger):
    serve(server, [{"id": 1}], ETag='"v1"')
    with ledger.write() as connection:
        connection.exec_driver_sql("ALTER TABLE events RENAME TO elsewhere")
    outcome = poll()
    assert outcome.status == "error" and "feed" not in poll.memory
    with ledger.write() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO events")
    assert poll().numbers["ingested"] == 1


def test_a_poll_that_was_killed_before_its_memory_was_kept_stores_nothing_twice(server, poll, ledger):
    serve(server, [{"id": 1}, {"id": 2}])
    poll()
    poll.memory.clear()
    assert poll().result == "0 ingested, 0 failed, 2 skipped"


class TestAddresses:
    def test_private_addresses_are_refused_unless_they_are_allowed(self, server, poll):
        serve(server, [{"id": 1}])
        outcome = poll(allow_private=False)
        assert outcome.status == "gave_up" and "allow_private is false" in outcome.error
        assert server.seen == []
        assert poll(allow_private=True).numbers["ingested"] == 1

    @pytest.mark.parametrize("address", ["169.254.169.254", "[fe80::1]", "100.100.100.200"])
    def test_link_local_and_metadata_addresses_are_never_asked(self, poll, address):
        outcome = poll(url=f"http://{address}/feed", allow_private=True, timeout="2s")
        assert outcome.status == "gave_up" and "never requested" in outcome.error

    @pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "gopher://host/", "feed"])
    def test_only_http_and_https_are_asked(self, poll, url):
        outcome = poll(url=url)
        assert outcome.status == "gave_up" and "Traceback" not in outcome.error


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"inbox": "/tmp"}, "url or inbox, not both"),
        ({"source": None}, "say the source"),
        ({"cursor_param": "since"}, "cursor_param goes with"),
        ({"cursor_field": "next"}, "cursor_param goes with"),
    ],
    ids=str,
)
def test_values_that_do_not_go_together_are_refused(poll, values, said):
    outcome = poll(**values)
    assert outcome.status == "gave_up" and said in outcome.error
