"""Requests of unrelated clients share a connection between two proxies: none may hold up or end the others."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import h2.connection
import h2.errors
import h2.events
import pytest
from tests.support.enforce_plans import operation, plan, service
from tests.support.enforce_rig import Rig, running

from ringwall.plan.bindings import Address

_BIG = 4 * 1024 * 1024
_STUCK = 8
"""More clients than full windows of 256 KiB would fit into the window of one client's own connection."""

PLAN = plan(
    service(
        "web",
        *(operation("web", name, "*", f"/{name}", token=False) for name in ("quick", "wait", "big", "deaf", "odd")),
        prefix="/web",
        max_body_bytes=64 * 1024 * 1024,
        timeout_seconds=30,
    ),
)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/wait":
                go_on = self.server.go_on
                self.server.waiting.release()
                go_on.wait(20)
                self._answer(b"waited")
            case "/big":
                self._answer(b"x" * _BIG)
            case "/odd":
                self._answer(b"odd", headers=self.server.odd)
            case _:
                self._answer(b"quick")

    def do_POST(self) -> None:
        """Never read the body, where the path says so."""
        if self.path == "/deaf":
            self.server.go_on.wait(20)
            self.close_connection = True
        else:
            self._answer(str(len(self.rfile.read(int(self.headers["content-length"])))).encode())

    def _answer(self, body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.send_response(200)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, where: Address) -> None:
        self.begin()
        super().__init__((where.host, where.port), _Handler)

    def begin(self) -> None:
        """Forget what was before; who waited then goes by what was said then."""
        self.go_on = threading.Event()
        self.waiting = threading.Semaphore(0)
        self.odd: tuple[tuple[str, str], ...] = ()

    def handle_error(self, *_: Any) -> None:
        """A client that went away is no failure of the test."""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(PLAN, tmp_path_factory.mktemp("shared"), apps=False) as started:
        yield started


@pytest.fixture(scope="module")
def server(rig: Rig) -> Iterator[_Server]:
    with _Server(rig.bindings.app["web"]) as started:
        thread = threading.Thread(target=started.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield started
        started.shutdown()
        thread.join()


@pytest.fixture
def app(server: _Server) -> Iterator[_Server]:
    server.begin()
    yield server
    server.go_on.set()


@contextlib.contextmanager
def _in_flight(rig: Rig, app: _Server) -> Iterator[None]:
    """Have a request under way while the block runs; it is answered afterwards, over the connection it began on."""
    connection = rig.open()
    connection.request("GET", "/web/wait")
    assert app.waiting.acquire(timeout=10)
    before = _connections(rig)
    yield
    app.go_on.set()
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"waited")
    assert _connections(rig) == before == 1


def _connections(rig: Rig) -> int:
    """Return how many connections are open to the service's inbound listener."""
    text = rig.admin("mesh", "/stats?filter=^http\\.inbound\\.downstream_cx_active$")
    return int(text.split()[-1])


def test_clients_that_go_away_do_not_end_the_requests_of_others(rig: Rig, app: _Server) -> None:
    with _in_flight(rig, app):
        for _ in range(8):
            _ask_and_go_away(rig, app, requests=80)


def _ask_and_go_away(rig: Rig, app: _Server, requests: int) -> None:
    """Send requests that all reach the service, and reset all: too few for the edge to cut this client off."""
    context = rig.edge_context()
    context.set_alpn_protocols(["h2"])
    assert rig.bindings.edge is not None
    with rig.connect(rig.bindings.edge, context) as connection:
        state = h2.connection.H2Connection()
        state.initiate_connection()
        opened = range(1, 2 * requests, 2)
        for number in opened:
            headers = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/web/wait")]
            state.send_headers(number, headers, end_stream=True)
        connection.sendall(state.data_to_send())
        for _ in opened:
            assert app.waiting.acquire(timeout=10)
        for number in opened:
            state.reset_stream(number, h2.errors.ErrorCodes.CANCEL)
        connection.sendall(state.data_to_send())


def test_clients_that_do_not_read_hold_up_nobody(rig: Rig, app: _Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(_STUCK):
            stuck = stack.enter_context(contextlib.closing(_connection(rig)))
            stuck.request("GET", "/web/big")
        time.sleep(0.5)
        assert rig.get("/web/quick").status == 200
        assert rig.get("/web/big").body == b"x" * _BIG
    app.go_on.set()


def test_a_service_that_does_not_read_one_body_gets_the_next_request(rig: Rig, app: _Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(_STUCK):
            stuck = stack.enter_context(contextlib.closing(_connection(rig)))
            stuck.sock.settimeout(0.3)
            stuck.putrequest("POST", "/web/deaf")
            stuck.putheader("content-length", str(16 * 1024 * 1024))
            stuck.endheaders()
            with contextlib.suppress(OSError):
                for _ in range(16):
                    stuck.send(b"x" * 1024 * 1024)
        assert rig.request("POST", "/web/quick", body=b"x" * _BIG).body == str(_BIG).encode()
        app.go_on.set()


def _connection(rig: Rig) -> http.client.HTTPConnection:
    assert rig.bindings.edge is not None
    raw = rig.connect(rig.bindings.edge, rig.edge_context())
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection = http.client.HTTPConnection("localhost")
    connection.sock = raw
    return connection


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (tuple((f"x-many-{number}", "1") for number in range(80)), 200),
        (tuple((f"x-many-{number}", "1") for number in range(150)), 502),
        ((("x-long", "x" * 70_000),), 503),
        ((("connection", "keep-alive"), ("keep-alive", "timeout=5")), 200),
        ((("upgrade", "h2c"), ("connection", "upgrade, keep-alive")), 200),
        ((("upgrade", "h2c"),), 200),
        ((("te", "gzip"),), 502),
        ((("proxy-connection", "close"),), 200),
        ((("x-odd name", "1"),), 502),
        ((("x-odd", "a\x01b"),), 502),
        ((("content-length", "7"),), 502),
    ],
    ids=[
        "80-headers",
        "150-headers",
        "70-kB",
        "keep-alive",
        "upgrade-connection",
        "upgrade",
        "te",
        "proxy-connection",
        "name",
        "value",
        "two-lengths",
    ],
)
def test_an_odd_answer_ends_one_request(
    rig: Rig, app: _Server, headers: tuple[tuple[str, str], ...], status: int
) -> None:
    app.odd = headers
    with _in_flight(rig, app):
        answer = rig.get("/web/odd")
        assert (answer.status, answer.headers["x-request-id"] != "") == (status, True)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"".join(b"x-many-%d: 1\r\n" % number for number in range(98)), 200),
        (b"".join(b"x-many-%d: 1\r\n" % number for number in range(120)), 431),
        (b"x-long: " + b"x" * 32_000 + b"\r\n", 200),
        (b"x-long: " + b"x" * 33_000 + b"\r\n", 431),
        (b"te: gzip\r\nkeep-alive: 1\r\nproxy-connection: keep-alive\r\nupgrade: h2c\r\n", 200),
        (b"connection: upgrade, x-mine\r\nupgrade: websocket\r\nx-mine: 1\r\n", 403),
        (b"http2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n", 200),
        (b"x-odd: caf\xc3\xa9\r\nx-odder: \xff\xfe\r\n", 200),
        (b"cookie: a=1\r\ncookie: b=2\r\n", 200),
        (b"expect: 100-continue\r\n", 200),
        (b"x-empty:\r\nx!#$%&'*+-.^`|~: 1\r\n", 200),
    ],
    ids=["most", "too-many", "long", "too-long", "hop", "upgrade", "settings", "bytes", "cookies", "expect", "signs"],
)
def test_an_odd_request_ends_itself_alone(
    rig: Rig, app: _Server, monkeypatch: pytest.MonkeyPatch, head: bytes, status: int
) -> None:
    monkeypatch.setattr(http.client, "_MAXHEADERS", 200)  # what Python's own server takes
    with _in_flight(rig, app):
        request = b"GET /web/quick HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n"
        answer = rig.raw(request, patience=1)
        assert b"HTTP/1.1 %d " % status in answer, answer[:300]
