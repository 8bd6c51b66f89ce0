"""`http`: real requests to real servers on loopback, and addresses that are never reached."""

import gzip
import ipaddress
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from jarvis import Secret, testing
from jarvis.sources import reaching


class Answers(BaseHTTPRequestHandler):
    """What a path answers is in ROUTES; every request is noted."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("content-length") or 0)
        self.server.seen.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
        status, headers, body = self.server.routes.get(self.path, (404, {}, b"not here"))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(b"" if self.command == "HEAD" else body)
        except OSError:
            self.close_connection = True

    do_GET = do_POST = do_HEAD = do_PUT = answer

    def log_message(self, *_):
        return


@contextmanager
def serving(context=None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    server.routes, server.seen = {}, []
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    server.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_port}"
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def server():
    with serving() as found:
        yield found


@pytest.fixture
def names(monkeypatch):
    """Names of our own: what the resolver answers, and how often it was asked."""
    real, known, asked = socket.getaddrinfo, {}, []

    def resolve(host, *args, **kwargs):
        if host not in known:
            return real(host, *args, **kwargs)
        asked.append(host)
        if not known[host]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [one for address in known[host] for one in real(address, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    known["asked"] = asked
    return known


def request(url, **values):
    return testing.run_handler("http", url=url, **values)


def test_an_answer_is_a_line_numbers_and_the_body_as_output(server, capfd):
    server.routes["/"] = (200, {"content-type": "text/plain"}, "grüße".encode())
    outcome = request(f"{server.url}/")
    assert outcome.status == "ok" and outcome.result.startswith("200 in 0.")
    assert (outcome.numbers["status"], outcome.numbers["bytes"]) == (200, 7) and outcome.numbers[
        "seconds"
    ] > 0
    assert capfd.readouterr().out == "grüße"


def test_what_is_sent(server):
    server.routes["/x"] = (204, {}, b"")
    values = {"method": "POST", "json": {"a": [1]}, "headers": {"X-Key": Secret("s3cret"), "X-Plain": "p"}}
    assert request(f"{server.url}/x", **values).status == "ok"
    assert request(f"{server.url}/x", method="PUT", body="text").status == "ok"
    assert request(f"{server.url}/x", method="POST", body=Secret("hidden")).status == "ok"
    (first, _, headers, body), (_, _, _, text), (_, _, _, hidden) = server.seen
    assert (first, body, text, hidden) == ("POST", b'{"a":[1]}', b"text", b"hidden")
    assert (headers["X-Key"], headers["X-Plain"], headers["Content-Type"]) == (
        "s3cret",
        "p",
        "application/json",
    )
    assert headers["Host"] == f"127.0.0.1:{server.server_port}"


EXPECTED = [
    ("any_success", 204, "2xx", True),
    ("not_a_success", 404, "2xx", False),
    ("one_status", 404, 404, True),
    ("another_status", 200, 204, False),
    ("a_range", 204, "200-204", True),
    ("beyond_the_range", 205, "200-204", False),
    ("a_list", 404, ["2xx", 404], True),
    ("not_in_the_list", 500, ["2xx", 404], False),
]


@pytest.mark.parametrize(
    ("status", "expect", "fine"), [row[1:] for row in EXPECTED], ids=[row[0] for row in EXPECTED]
)
def test_the_expected_statuses(server, status, expect, fine):
    server.routes["/"] = (status, {}, b"")
    outcome = request(f"{server.url}/", expect=expect)
    assert (outcome.status == "ok") is fine
    if not fine:
        assert (
            outcome.error.startswith(f"{server.url}/ answered {status}, expected")
            and "\n" not in outcome.error
        )


@pytest.mark.parametrize("expect", ["3", "6xx", "20", 99, 600, "200-", "ok", ["2xx", "x"]])
def test_an_expectation_that_cannot_be_is_refused_before_anything_is_sent(server, expect):
    assert request(f"{server.url}/", expect=expect).status == "gave_up" and server.seen == []


def test_a_text_that_must_be_there(server):
    server.routes["/"] = (
        200,
        {"content-type": "text/plain; charset=latin-1"},
        "schön ruhig".encode("latin-1"),
    )
    assert request(f"{server.url}/", expect_text="schön").status == "ok"
    outcome = request(f"{server.url}/", expect_text="laut")
    assert outcome.status == "error" and "without the text 'laut'" in outcome.error


def test_only_the_first_megabyte_is_read_and_shown(server, capfd):
    server.routes["/"] = (200, {}, b"a" * 30_000_000)
    outcome = request(f"{server.url}/")
    assert outcome.numbers["bytes"] == 1_000_000 == len(capfd.readouterr().out)


def test_a_compressed_answer_is_read(server, capfd):
    server.routes["/"] = (200, {"content-encoding": "gzip"}, gzip.compress(b"hello"))
    assert request(f"{server.url}/", expect_text="hello").numbers["bytes"] == 5


class TestRedirects:
    def test_on_the_same_host_are_followed(self, server):
        server.routes |= {"/a": (302, {"location": "/b"}, b""), "/b": (200, {}, b"there")}
        assert request(f"{server.url}/a").numbers["status"] == 200
        outcome = request(f"{server.url}/a", redirects="none")
        assert outcome.error.endswith(f"it points to {server.url}/b, which 'redirects' does not allow")
        assert request(f"{server.url}/a", redirects="none", expect=302).status == "ok"

    def test_to_another_host_are_not_followed_unless_asked_and_then_without_your_headers(self, server, names):
        names["other.example"] = ["127.0.0.1"]
        onward = f"http://other.example:{server.server_port}/b"
        server.routes |= {"/a": (302, {"location": onward}, b""), "/b": (200, {}, b"there")}
        outcome = request(f"{server.url}/a")
        assert outcome.status == "error" and onward in outcome.error and len(server.seen) == 1
        assert request(f"{server.url}/a", redirects="any", headers={"X-Key": Secret("s3cret")}).status == "ok"
        (_, _, first, _), (_, _, second, _) = server.seen[1:]
        assert (
            first["X-Key"] == "s3cret"
            and "X-Key" not in second
            and second["Host"].startswith("other.example")
        )

    def test_that_go_in_circles_end(self, server):
        server.routes["/a"] = (302, {"location": "/a"}, b"")
        outcome = request(f"{server.url}/a")
        assert (
            outcome.status == "gave_up"
            and "more than 10 redirects" in outcome.error
            and len(server.seen) == 10
        )

    def test_to_a_metadata_address_are_refused_even_then(self, server):
        server.routes["/a"] = (302, {"location": "http://169.254.169.254/latest"}, b"")
        outcome = request(f"{server.url}/a", redirects="any")
        assert outcome.status == "gave_up" and "which is never requested" in outcome.error


class TestAddresses:
    @pytest.mark.parametrize(
        "host",
        [
            "169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "[2002:a9fe:a9fe::]", "[64:ff9b::a9fe:a9fe]",
            "[fd00:ec2::254]", "100.100.100.200", "0.0.0.0", "[::]", "224.0.0.1", "2852039166", "0xa9fea9fe",
        ],
    )  # fmt: skip
    def test_some_are_never_requested(self, host):
        outcome = request(f"http://{host}/", retries=0, timeout="2s")
        assert outcome.status == "gave_up" and "leads to" in outcome.error

    def test_a_name_that_leads_there_is_refused_also_when_it_leads_elsewhere_too(self, server, names):
        names["rebind.example"] = ["127.0.0.1", "169.254.169.254"]
        outcome = request(f"http://rebind.example:{server.server_port}/")
        assert outcome.status == "gave_up" and "rebind.example leads to 169.254.169.254" in outcome.error
        assert server.seen == []

    def test_a_name_is_resolved_once_and_stays_in_the_host_header(self, server, names):
        names["pinned.example"] = ["127.0.0.1"]
        server.routes["/"] = (200, {}, b"")
        assert request(f"http://pinned.example:{server.server_port}/").status == "ok"
        assert names["asked"] == ["pinned.example"]
        assert server.seen[0][2]["Host"] == f"pinned.example:{server.server_port}"

    def test_the_next_address_of_a_name_is_tried(self, server, names):
        names["two.example"] = ["127.0.0.2", "127.0.0.1"]
        server.routes["/"] = (200, {}, b"")
        assert request(f"http://two.example:{server.server_port}/", retries=0).status == "ok"

    @pytest.mark.parametrize(
        "address", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "::1", "fd00::1", "100.64.0.1"]
    )
    def test_private_ones_are_refused_when_asked(self, address):
        found = ipaddress.ip_address(address)
        assert reaching.forbidden(found, True) is None
        assert "private" in reaching.forbidden(found, False)
        assert reaching.forbidden(ipaddress.ip_address("93.184.215.14"), False) is None

    def test_private_ones_are_not_connected_to_when_refused(self, server):
        outcome = request(f"{server.url}/", allow_private=False)
        assert outcome.status == "gave_up" and "allow_private is false" in outcome.error and server.seen == []


class TestTrouble:
    def test_a_name_nobody_knows_is_tried_again_and_said(self, names):
        names["nobody.example"] = []
        outcome = request("http://nobody.example/", retries=1)
        assert outcome.status == "error" and "the name nobody.example cannot be resolved" in outcome.error
        assert names["asked"] == ["nobody.example"] * 2

    def test_a_refused_connection_is_one_sentence(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            outcome = request(f"http://127.0.0.1:{closed.getsockname()[1]}/", retries=0)
        assert outcome.status == "error" and "refused" in outcome.error and "\n" not in outcome.error

    def test_a_connection_that_fails_first_is_made_by_a_retry(self, server, monkeypatch):
        server.routes["/"] = (200, {}, b"")
        real, tries = socket.getaddrinfo, iter(["127.0.0.2", "127.0.0.1"])
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *a, **k: real(next(tries) if host == "late" else host, *a, **k),
        )
        assert request(f"http://late:{server.server_port}/", retries=1).status == "ok"

    def test_a_server_that_is_silent_or_slow_ends_with_the_timeout(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            outcome = request(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout="100ms", retries=0)
        assert outcome.status == "error" and "no complete answer within 0.1 s" in outcome.error

    def test_a_dripping_answer_does_not_outlive_the_timeout(self):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            stop = threading.Event()

            def drip():
                connection, _ = listening.accept()
                with connection:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                    while not stop.wait(0.02):
                        try:
                            connection.sendall(b"x")
                        except OSError:
                            return

            thread = threading.Thread(target=drip)
            thread.start()
            outcome = request(f"http://127.0.0.1:{listening.getsockname()[1]}/", timeout="200ms", retries=0)
            stop.set()
            thread.join()
        assert outcome.status == "error" and "within 0.2 s" in outcome.error

    def test_rubbish_instead_of_http_is_one_sentence(self):
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def speak():
                connection, _ = listening.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"hello?\r\n\r\n")

            thread = threading.Thread(target=speak)
            thread.start()
            outcome = request(f"http://127.0.0.1:{listening.getsockname()[1]}/", retries=0)
            thread.join()
        assert outcome.status == "error" and "\n" not in outcome.error

    @pytest.mark.parametrize(
        "url", ["ftp://example.org/", "file:///etc/passwd", "example.org", "http://", "http://..", ""]
    )
    def test_what_is_no_url_is_final(self, url):
        outcome = request(url)
        assert outcome.status == "gave_up" and "\n" not in outcome.error

    def test_json_and_body_together_are_refused(self):
        assert "json or body" in request("http://x/", json={}, body="x").error


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
class TestCertificates:
    @pytest.fixture
    def certificate(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp("tls")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", folder / "key", "-out", folder / "cert", "-days", "2", "-subj", "/CN=named.example",
             "-addext", "subjectAltName=DNS:named.example"],
            check=True, capture_output=True,
        )  # fmt: skip
        return folder

    @pytest.fixture
    def secure(self, certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "cert", certificate / "key")
        with serving(context) as found:
            found.routes["/"] = (200, {}, b"")
            yield found

    def test_the_name_is_checked_although_the_address_is_connected_to(
        self, secure, names, certificate, monkeypatch
    ):
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert"))
        names["named.example"] = names["wrong.example"] = ["127.0.0.1"]
        assert request(f"https://named.example:{secure.server_port}/").status == "ok"
        outcome = request(f"https://wrong.example:{secure.server_port}/", retries=0)
        assert outcome.status == "error" and "certificate" in outcome.error.lower()

    def test_an_unknown_authority_fails_unless_verify_is_false(self, secure):
        assert "certificate" in request(f"{secure.url}/", retries=0).error.lower()
        assert request(f"{secure.url}/", verify=False).status == "ok"
