"""Every protocol a service may speak, and TLS as it is offered, with real Envoys."""

import contextlib
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import h2.connection
import h2.errors
import h2.events
import pytest
from tests.support.enforce_app import App
from tests.support.enforce_h2 import ask
from tests.support.enforce_plans import operation, plan, service, spiffe
from tests.support.enforce_rig import Rig, running

from ringwall.plan.bindings import Address
from ringwall.plan.model import Listen, Plan, Protocol
from ringwall.plan.rule import DENY

METHOD = "/test.Echo/Say"


def _plan(folder: Path) -> Plan:
    made = plan(
        service(
            "web",
            operation("web", "home", "GET", "/home", token=False),
            operation("web", "secured", "GET", "/secured"),
            prefix="/web",
            calls=("store",),
            listen=Listen(socket=str(folder / "web.sock")),
        ),
        service(
            "echo",
            operation("echo", "Say", "POST", METHOD, callers=("edge", "web")),
            operation("echo", "Closed", "POST", "/test.Echo/Closed", token=False, edge=DENY),
            prefix="",
            protocol=Protocol.GRPC,
        ),
        service("store", protocol=Protocol.TCP, tcp_callers=("web",)),
    )
    assert made.edge is not None
    return made.model_copy(update={"edge": made.edge.model_copy(update={"http3": True})})


class _Echo(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while line := self.rfile.readline():
            self.wfile.write(b"echo " + line)


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextlib.contextmanager
def _tcp(where: Address) -> Iterator[None]:
    with _Tcp((where.host, where.port), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def _grpc(where: Address) -> Iterator[list[dict[str, str]]]:
    seen: list[dict[str, str]] = []

    def say(request: bytes, context: Any) -> bytes:
        seen.append({key: str(value) for key, value in context.invocation_metadata()})
        return b"echo " + request

    server = grpc.server(futures.ThreadPoolExecutor(2))
    service_name, method = METHOD[1:].split("/")
    handler = grpc.method_handlers_generic_handler(service_name, {method: grpc.unary_unary_rpc_method_handler(say)})
    server.add_generic_rpc_handlers([handler])
    server.add_insecure_port(f"{where.host}:{where.port}")
    server.start()
    yield seen
    server.stop(grace=0).wait()


class _Running:
    def __init__(self, rig: Rig, calls: list[dict[str, str]]) -> None:
        self.rig, self.calls = rig, calls


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Running]:
    folder = tmp_path_factory.mktemp("protocols")
    made = _plan(folder)
    with running(made, folder / "state", apps=False) as rig:
        web = App(rig.bindings.app["web"])
        rig.apps["web"] = web
        with _grpc(rig.bindings.app["echo"]) as calls, _tcp(rig.bindings.app["store"]):
            yield _Running(rig, calls)


@pytest.fixture(scope="module")
def rig(system: _Running) -> Rig:
    return system.rig


def _h2(rig: Rig, headers: list[tuple[str, str]], body: bytes = b"") -> tuple[dict[str, str], bytes]:
    context = rig.edge_context()
    context.set_alpn_protocols(["h2"])
    assert rig.bindings.edge is not None
    with rig.connect(rig.bindings.edge, context) as connection:
        return ask(connection, headers, body)


HOME = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/web/home")]


def test_a_service_on_a_unix_socket_is_reached(rig: Rig) -> None:
    assert rig.get("/web/home").status == 200
    assert rig.apps["web"].seen[-1].path == "/home"


def test_http2_is_spoken_at_the_edge(rig: Rig) -> None:
    headers, _ = _h2(rig, HOME)
    assert headers[":status"] == "200"
    assert "x-request-id" in headers
    headers, body = _h2(rig, [*HOME[:3], (":path", "/web/secured")])
    assert headers[":status"] == "401"
    assert headers["content-type"] == "application/problem+json"
    assert b"Unauthorized" in body


@pytest.mark.parametrize(
    "extra",
    [
        ("x-ringwall-subject", "root"),
        ("X-Ringwall-Subject", "root"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-request-id", "chosen"),
        ("x_ringwall_subject", "root"),
        ("host", "evil.example"),
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("content-length", "5"),
        (":path", "/smuggled"),
        (":authority", "evil.example"),
        ("x", "a\r\nx-smuggled: yes"),
        ("x\r\nx-smuggled", "yes"),
        ("x:y", "z"),
        ("te", "chunked"),
        ("upgrade", "h2c"),
    ],
    ids=repr,
)
def test_what_http2_can_carry_and_http1_cannot_reaches_no_service(rig: Rig, extra: tuple[str, str]) -> None:
    app = rig.apps["web"]
    app.seen.clear()
    _h2(rig, [*HOME, extra])
    for seen in app.seen:
        assert seen.path == "/home"
        assert seen.header("host") == "localhost"
        assert seen.header("x-smuggled") is None
        assert seen.header("x-ringwall-subject") is None
        assert seen.header("x_ringwall_subject") is None
        assert seen.header("x-request-id") != "chosen"
        assert seen.header("x-forwarded-for") == "127.0.0.1"
        assert seen.header("transfer-encoding") is None


@pytest.mark.parametrize(
    "path", ["/web/home\x00", "/web/home x", "web/home", "", "*", "/web/home\r\nx: y", "//web/home#x"]
)
def test_an_odd_path_in_http2_is_refused(rig: Rig, path: str) -> None:
    before = len(rig.apps["web"].seen)
    headers, _ = _h2(rig, [*HOME[:3], (":path", path)])
    assert headers[":status"] in {"0", "400", "404"}
    assert len(rig.apps["web"].seen) == before


def _channel(rig: Rig) -> Any:
    assert rig.bindings.edge is not None
    credentials = grpc.ssl_channel_credentials(rig.credentials.trust_bundle())
    options = [("grpc.ssl_target_name_override", "localhost"), ("grpc.default_authority", "localhost")]
    return grpc.secure_channel(f"127.0.0.1:{rig.bindings.edge.port}", credentials, options)


def test_grpc_is_carried_and_secured(rig: Rig, system: _Running) -> None:
    with _channel(rig) as channel:
        say = channel.unary_unary(METHOD)
        assert say(b"hello", metadata=[("authorization", f"Bearer {rig.tokens.token()}")], timeout=5) == b"echo hello"
        assert system.calls[-1]["x-ringwall-subject"] == "alice"
        with pytest.raises(grpc.RpcError) as refused:
            say(b"hello", timeout=5)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary("/test.Echo/Closed")(b"", timeout=5)
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary("/test.Echo/Unknown")(b"", timeout=5)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


def _line(rig: Rig, where: Address, context: ssl.SSLContext | None) -> bytes:
    """Send a line to a TCP service and return what comes back, which is nothing where the connection is refused."""
    with contextlib.suppress(OSError), rig.connect(where, context) as connection:
        connection.sendall(b"hello\n")
        return connection.recv(100)
    return b""


def test_tcp_is_carried_for_the_named_caller_only(rig: Rig) -> None:
    store = rig.bindings.inbound["store"]
    assert _line(rig, rig.bindings.outbound["web>store"], None) == b"echo hello\n"
    assert _line(rig, store, rig.mesh_context(spiffe("web"))) == b"echo hello\n"
    assert _line(rig, store, rig.mesh_context(spiffe("echo"))) == b""
    assert _line(rig, store, rig.mesh_context(spiffe("edge"))) == b""
    assert _line(rig, store, rig.mesh_context(None)) == b""

    def told(lines: list[dict[str, Any]]) -> bool:
        return {line.get("c") for line in lines if line["h"] == "store"} >= {spiffe("web"), spiffe("echo")}

    refused = [x for x in rig.log("mesh", told) if x["h"] == "store" and x.get("c") == spiffe("echo")]
    assert "rbac" in refused[0]["d"]


def test_http3_is_offered(rig: Rig) -> None:
    assert rig.bindings.edge is not None
    assert rig.get("/web/home").headers["alt-svc"] == f'h3=":{rig.bindings.edge.port}"; ma=86400'
    assert "edge-http3" in rig.admin("edge", "/listeners")


def test_hops_use_the_post_quantum_key_exchange(rig: Rig) -> None:
    rig.get("/web/home")
    stats = rig.admin("mesh", "/stats")
    counts = dict(line.split(": ") for line in stats.splitlines() if ".ssl.curves." in line)
    hybrid = [int(count) for name, count in counts.items() if name.endswith("X25519MLKEM768")]
    assert sum(hybrid) > 0, counts


def test_tls12_with_forward_secrecy_is_served_at_the_edge_and_not_inside(rig: Rig) -> None:
    assert rig.bindings.edge is not None
    context = rig.edge_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert rig.get("/web/home", context=context, to=rig.bindings.edge).status == 200
    inner = rig.mesh_context(spiffe("edge"))
    inner.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, OSError)):
        rig.connect(rig.bindings.inbound["web"], inner)


def test_a_rapid_reset_is_cut_off(rig: Rig) -> None:
    """CVE-2023-44487: a connection that opens streams and resets them is closed, before Envoy itself would: at 250."""
    with _http2(rig) as client:
        for number in range(200):
            client.begin(2 * number + 1)
            client.state.reset_stream(2 * number + 1, h2.errors.ErrorCodes.CANCEL)
            client.flush()
        assert client.ended(20)
    assert rig.get("/web/home").status == 200


def test_a_client_that_gives_up_now_and_then_is_not_cut_off(rig: Rig) -> None:
    """Readers close pages before they are there: a third of all requests is cancelled here."""
    with _http2(rig) as client:
        for number in range(300):
            stream = 2 * number + 1
            client.begin(stream)
            if number % 3 == 0:
                client.state.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
                client.flush()
            else:
                client.flush()
                assert client.answered(stream, 20)
        assert not client.ended(0.5)


class _Http2:
    """A connection whose streams a test opens, cancels and waits for."""

    def __init__(self, connection: socket.socket) -> None:
        self.state = h2.connection.H2Connection()
        self._connection = connection
        self._answered: set[int] = set()
        self._over = False
        self.state.initiate_connection()

    def begin(self, stream: int) -> None:
        self.state.send_headers(stream, HOME, end_stream=True)

    def flush(self) -> None:
        with contextlib.suppress(OSError):  # `ended` tells
            self._connection.sendall(self.state.data_to_send())

    def answered(self, stream: int, seconds: float) -> bool:
        return self._wait(seconds, lambda: stream in self._answered) and stream in self._answered

    def ended(self, seconds: float) -> bool:
        return self._wait(seconds, lambda: self._over)

    def _wait(self, seconds: float, condition: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + seconds
        while not condition() and not self._over and time.monotonic() < deadline:
            self._connection.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                data = self._connection.recv(65536)
            except TimeoutError:
                break
            except OSError:
                data = b""
            self._over = not data
            for event in self.state.receive_data(data) if data else ():
                self._over = self._over or isinstance(event, h2.events.ConnectionTerminated)
                if isinstance(event, h2.events.StreamEnded):
                    self._answered.add(event.stream_id)
            self.flush()
        return condition()


@contextlib.contextmanager
def _http2(rig: Rig) -> Iterator[_Http2]:
    context = rig.edge_context()
    context.set_alpn_protocols(["h2"])
    assert rig.bindings.edge is not None
    with rig.connect(rig.bindings.edge, context) as connection:
        yield _Http2(connection)
