"""WebSocket connections through both real proxies, to a server that nobody here wrote."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import h2.config
import h2.connection
import hpack
import hyperframe.frame
import pytest
import websockets
import websockets.sync.client
import websockets.sync.server
from tests.support.enforce_plans import operation, plan, service, spiffe
from tests.support.enforce_rig import Rig, running

from ringwall.enforce import websockets as limits
from ringwall.model.events import Outcome
from ringwall.observe.outcomes import outcome_of
from ringwall.plan.model import Cors
from ringwall.plan.operation import Operation
from ringwall.plan.rule import DENY

PAGE = "https://app.example"
LARGE = 3 << 20
"""More than `max_body`, which is about bodies and not about what a connection carries."""


def _opens(made: Operation) -> Operation:
    return made.model_copy(update={"websocket": True})


def _live(name: str, **more: Any) -> Any:
    return service(
        name,
        _opens(operation(name, "root", "GET", "/", token=False)),
        _opens(operation(name, "ws", "GET", "/ws", callers=("edge", "caller"))),
        _opens(operation(name, "open", "GET", "/open", token=False)),
        _opens(operation(name, "closed", "GET", "/closed", token=False, edge=DENY)),
        _opens(operation(name, "inner", "GET", "/inner", token=False, rule=DENY)),
        _opens(operation(name, "any", "*", "/any/{rest...}", token=False)),
        operation(name, "page", "GET", "/page", token=False, callers=("edge", "caller")),
        prefix=f"/{name}",
        max_body_bytes=1 << 20,
        **more,
    )


PLAN = plan(
    _live("live"),
    _live("named", cors=Cors(origins=(PAGE,), headers=())),
    service("caller", calls=("live",)),
)


def _serve(connection: websockets.sync.server.ServerConnection) -> None:
    """Tell what was asked for, then send back whatever comes."""
    request = connection.request
    assert request is not None
    connection.send(json.dumps({"path": request.path, "headers": dict(request.headers.raw_items())}))
    for message in connection:
        connection.send(message)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.ExitStack() as stack,
    ):
        patch.setattr(limits, "MAX_SECONDS", 6)  # nobody waits a quarter of an hour for a test
        patch.setattr(limits, "IDLE_SECONDS", 3)
        started = stack.enter_context(running(PLAN, tmp_path_factory.mktemp("websockets"), apps=False))
        for name in ("live", "named"):
            where = started.bindings.app[name]
            server = websockets.sync.server.serve(_serve, where.host, where.port, max_size=None, compression=None)
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
        yield started


def _connect(
    rig: Rig, path: str, *, token: str | None = None, origin: str | None = None, **more: Any
) -> websockets.sync.client.ClientConnection:
    assert rig.bindings.edge is not None
    raw = socket.create_connection((rig.bindings.edge.host, rig.bindings.edge.port), timeout=10)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection: websockets.sync.client.ClientConnection = websockets.sync.client.connect(
        f"wss://localhost:{rig.bindings.edge.port}{path}",
        sock=raw,
        ssl=rig.edge_context(),
        server_hostname="localhost",
        additional_headers=headers | more.pop("headers", {}),
        origin=None if origin is None else websockets.Origin(origin),
        max_size=None,
        proxy=None,
        **more,
    )
    return connection


def _refused(rig: Rig, path: str, **more: Any) -> int:
    with pytest.raises(websockets.InvalidStatus) as refused, _connect(rig, path, **more):
        pass
    return int(refused.value.response.status_code)


def _told(connection: websockets.sync.client.ClientConnection) -> Any:
    told = json.loads(connection.recv(10))
    return told["path"], {name.lower(): value for name, value in told["headers"].items()}


def test_a_connection_is_opened_and_carries_both_ways(rig: Rig) -> None:
    with _connect(rig, "/live/ws?room=7", token=rig.tokens.token()) as connection:
        path, headers = _told(connection)
        assert path == "/ws?room=7"
        assert headers["x-ringwall-subject"] == "alice"
        assert headers["x-ringwall-caller"] == spiffe("edge")
        assert headers["x-ringwall-operation"] == "live/ws"
        assert "authorization" not in headers
        for message in ("text", b"bytes", "x" * LARGE):
            connection.send(message)
            assert connection.recv(10) == message


@pytest.mark.parametrize("path", ["/live/open", "/live", "/live/", "/live/any/a/b", "/named/open"])
def test_every_way_to_write_an_operation_opens_one(rig: Rig, path: str) -> None:
    with _connect(rig, path) as connection:
        assert _told(connection)[0] in {"/open", "/", "/any/a/b"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/live/ws", 401),
        ("/live/closed", 403),
        ("/live/inner", 403),
        ("/live/page", 403),
        ("/live/nothing", 403),  # nothing can be upgraded there
    ],
)
def test_it_is_judged_as_its_get_is(rig: Rig, path: str, status: int) -> None:
    assert _refused(rig, path) == status


def test_a_request_that_asks_for_no_connection_is_a_plain_one(rig: Rig) -> None:
    assert rig.get("/live/open").status == 426, "the service's own answer"
    assert rig.get("/live/ws").status == 401
    assert rig.request("POST", "/live/any/x", body=b"x" * LARGE).status == 413
    upgrade = {"Upgrade": "websocket"}  # without Connection: it asks for nothing
    assert rig.request("POST", "/live/any/x", body=b"x" * LARGE, headers=upgrade).status == 413


@pytest.mark.parametrize("kind", ["foo", "tls/1.0", "connect-udp"])
def test_nothing_else_can_be_upgraded_to(rig: Rig, kind: str) -> None:
    for path in ("/live/open", "/live/page"):
        answer = rig.get(path, headers={"Upgrade": kind, "Connection": "upgrade"})
        assert answer.status in {403, 404}
        assert answer.headers["content-type"] == "application/problem+json"


def test_an_offer_of_http2_is_passed_over(rig: Rig) -> None:
    offer = {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
    assert rig.get("/live/page", headers=offer).status == 426, "the service's own answer"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost:{port}",
        "https://localhost",
        "https://localhost:{port}.evil.example",
        "https://evil.example/https://localhost:{port}",
        "null",
        PAGE,
    ],
)
def test_a_page_of_another_origin_opens_none(rig: Rig, origin: str) -> None:
    assert rig.bindings.edge is not None
    said = origin.format(port=rig.bindings.edge.port)
    assert _refused(rig, "/live/open", origin=said) == 403
    assert _refused(rig, "/live", origin=said) == 403
    assert _refused(rig, "/live/any/x", origin=said) == 403


def test_pages_of_the_edge_itself_and_those_named_do(rig: Rig) -> None:
    assert rig.bindings.edge is not None
    own = f"https://localhost:{rig.bindings.edge.port}"
    for path, origin in (("/live/open", own), ("/named/open", own), ("/named/open", PAGE)):
        with _connect(rig, path, origin=origin) as connection:
            assert _told(connection)[1]["origin"] == origin
    assert _refused(rig, "/named/open", origin="https://evil.example") == 403
    assert _refused(rig, "/named/open", origin=PAGE, headers={"origin": own}) == 403, "two origins are none"


def test_what_is_refused_is_recorded_with_its_reason(rig: Rig) -> None:
    _refused(rig, "/live/open", origin="https://refused.example")
    lines = rig.log("edge", lambda found: any("foreign-origin" in line.get("d", "") for line in found))
    line = next(line for line in lines if "foreign-origin" in line.get("d", ""))
    assert outcome_of(line["s"], line["d"], line["f"], "GET") is Outcome.REJECTED


def test_silence_ends_a_connection(rig: Rig) -> None:
    with _connect(rig, "/live/open", ping_interval=None) as silent:
        _told(silent)
        with pytest.raises(websockets.ConnectionClosed):
            silent.recv(10)


def test_age_ends_a_connection(rig: Rig) -> None:
    begun = time.monotonic()
    with _connect(rig, "/live/open") as busy, contextlib.suppress(websockets.ConnectionClosed):
        _told(busy)
        while time.monotonic() < begun + 60:
            busy.send("still here")
            assert busy.recv(10) == "still here"
            time.sleep(0.2)
    assert limits.IDLE_SECONDS < time.monotonic() - begun < 30, "it was not silence that ended it"


def test_one_service_opens_a_connection_to_another(rig: Rig) -> None:
    where = rig.bindings.outbound["caller>live"]
    raw = socket.create_connection((where.host, where.port), timeout=10)
    headers = {"Authorization": f"Bearer {rig.tokens.token()}"}
    with websockets.sync.client.connect("ws://live/ws", sock=raw, additional_headers=headers, proxy=None) as connection:
        assert _told(connection)[1]["x-ringwall-caller"] == spiffe("caller")
        connection.send("hello")
        assert connection.recv(10) == "hello"
    answer = rig.get("/page", to=where, headers={"Upgrade": "websocket", "Connection": "Upgrade"})
    assert answer.status == 403


def _extended(rig: Rig, path: str, protocol: str = "websocket", **headers: str) -> tuple[str, bytes]:
    """Ask for a connection in an HTTP/2 stream (RFC 8441) and return the status and what comes in its first frame."""
    asked = [
        (":method", "CONNECT"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", path),
        (":protocol", protocol),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        *headers.items(),
    ]
    status, offered = "0", False
    for frame, fields in _frames(rig, asked):
        if isinstance(frame, hyperframe.frame.SettingsFrame):
            offered = offered or frame.settings.get(frame.ENABLE_CONNECT_PROTOCOL) == 1
        elif isinstance(frame, hyperframe.frame.HeadersFrame):
            status = fields[":status"]
        elif isinstance(frame, hyperframe.frame.DataFrame):
            assert offered
            return status, frame.data
    return status, b""


def _frames(rig: Rig, asked: list[tuple[str, str]]) -> Iterator[tuple[hyperframe.frame.Frame, dict[str, str]]]:
    """Send one request and yield the frames that come back, one by one: `h2` takes none after a GOAWAY."""
    context = rig.edge_context()
    context.set_alpn_protocols(["h2"])
    assert rig.bindings.edge is not None
    state = h2.connection.H2Connection(h2.config.H2Configuration(validate_outbound_headers=False))
    state.initiate_connection()
    state.send_headers(1, asked)
    decoder = hpack.Decoder()
    with rig.connect(rig.bindings.edge, context) as connection, connection.makefile("rb") as reader:
        connection.sendall(state.data_to_send())
        while len(head := reader.read(9)) == 9:
            frame, length = hyperframe.frame.Frame.parse_frame_header(memoryview(head))
            frame.parse_body(memoryview(reader.read(length)))
            fields = decoder.decode(frame.data) if isinstance(frame, hyperframe.frame.HeadersFrame) else []
            yield frame, {str(name): str(value) for name, value in fields}
            if isinstance(frame, hyperframe.frame.RstStreamFrame):
                return


def test_it_is_carried_by_http2_as_well(rig: Rig) -> None:
    status, data = _extended(rig, "/live/ws", authorization=f"Bearer {rig.tokens.token()}")
    assert status == "200"
    assert b'"/ws"' in data
    assert b"alice" in data


@pytest.mark.parametrize(
    ("path", "protocol", "headers", "status"),
    [
        ("/live/ws", "websocket", {}, "401"),
        ("/live/closed", "websocket", {}, "403"),
        ("/live/page", "websocket", {}, "403"),
        ("/live/nothing", "websocket", {}, "403"),
        ("/live/open", "websocket", {"origin": "https://evil.example"}, "403"),
        ("/live/open", "connect-udp", {}, "404"),
        ("/live/open", "webtransport", {}, "403"),
    ],
)
def test_by_http2_no_more_is_opened(rig: Rig, path: str, protocol: str, headers: dict[str, str], status: str) -> None:
    assert _extended(rig, path, protocol, **headers)[0] == status


@pytest.mark.parametrize("target", ["localhost", "localhost:443", "127.0.0.1:22"])
def test_a_plain_connect_goes_nowhere(rig: Rig, target: str) -> None:
    answers = [
        fields[":status"] for _, fields in _frames(rig, [(":method", "CONNECT"), (":authority", target)]) if fields
    ]
    assert answers[:1] in ([], ["400"], ["403"], ["404"])
    answer = rig.raw(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    assert answer.split()[1] in {b"400", b"403", b"404"}
