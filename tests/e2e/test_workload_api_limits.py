"""What the Workload API does with callers that are unknown, wrong, slow, greedy or hostile."""

import contextlib
import gc
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import h2.connection
import h2.events
import h2.settings
import pytest
from spiffe import WorkloadApiClient
from spiffe._proto import workload_pb2, workload_pb2_grpc
from spiffe.errors import PySpiffeError

from ringwall.identity.keystore import MemoryKeyStore
from ringwall.identity.workload import server as server_module
from ringwall.identity.workload import session as session_module
from ringwall.identity.workload.attestation import ProcessRegistry
from ringwall.identity.workload.authority import WorkloadAuthority
from ringwall.identity.workload.server import WorkloadApiServer
from ringwall.model.clock import ManualClock
from ringwall.model.secret import Secret

PATIENTS = "spiffe://clinic/patients"
HEADER = (("workload.spiffe.io", "true"),)
PATIENCE = 30.0
METHODS = {
    "FetchX509SVID": workload_pb2.X509SVIDRequest(),
    "FetchX509Bundles": workload_pb2.X509BundlesRequest(),
    "FetchJWTSVID": workload_pb2.JWTSVIDRequest(audience=["billing"]),
    "FetchJWTBundles": workload_pb2.JWTBundlesRequest(),
    "ValidateJWTSVID": workload_pb2.ValidateJWTSVIDRequest(audience="billing", svid="x.y.z"),
}


class System:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "w.sock"
        self.clock = ManualClock(time.time())
        self.registry = ProcessRegistry()
        self.registry.register(PATIENTS, os.getpid())
        self.authority = WorkloadAuthority(MemoryKeyStore(), "clinic", self.clock, settle_seconds=0.0)
        self.server = WorkloadApiServer(self.authority, self.registry, self.path)

    def raw(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self.path))
        connection.settimeout(PATIENCE)
        return connection

    def still_serves(self) -> bool:
        client = WorkloadApiClient(self.server.address, default_timeout=PATIENCE)
        try:
            return str(client.fetch_x509_svid().spiffe_id) == PATIENTS
        except PySpiffeError:
            return False
        finally:
            client.close()


@pytest.fixture
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("l"))
    system.server.start()
    yield system
    system.server.stop()
    system.authority.stop()


@pytest.fixture
def channel(system: System) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"unix:{system.path}") as channel:
        yield channel


def call(channel: grpc.Channel, method: str, metadata: tuple[tuple[str, str], ...] = HEADER) -> tuple[str, str]:
    """Make one call; return the name of the status code, and the message."""
    rpc = getattr(workload_pb2_grpc.SpiffeWorkloadAPIStub(channel), method)  # type: ignore[no-untyped-call]
    answer = rpc(METHODS[method], metadata=metadata, timeout=PATIENCE)
    try:
        if hasattr(answer, "cancel"):
            next(answer)
            answer.cancel()
    except grpc.RpcError as error:
        return error.code().name, error.details() or ""
    return "OK", ""


def outcome(channel: grpc.Channel, method: str, metadata: tuple[tuple[str, str], ...] = HEADER) -> tuple[str, str]:
    try:
        return call(channel, method, metadata)
    except grpc.RpcError as error:
        return error.code().name, error.details() or ""


def send(channel: grpc.Channel, method: str, body: bytes) -> None:
    """Call a method that need not exist, with bytes that need not be a message."""
    rpc: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/SpiffeWorkloadAPI/{method}")
    rpc(body, metadata=HEADER, timeout=PATIENCE)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("workload.spiffe.io", "True"),),
        (("workload.spiffe.io", ""),),
        (("workload.spiffe.io", "true"), ("workload.spiffe.io", "true")),
        (("x-workload.spiffe.io", "true"),),
    ],
    ids=["missing", "capital", "empty", "twice", "other name"],
)
def test_the_header_against_forged_requests_is_required(
    channel: grpc.Channel, method: str, metadata: tuple[tuple[str, str], ...]
) -> None:
    code, message = outcome(channel, method, metadata)
    assert code == "INVALID_ARGUMENT"
    assert "workload.spiffe.io" in message


@pytest.mark.parametrize("method", METHODS)
def test_unknown_callers_get_nothing_from_any_method(system: System, channel: grpc.Channel, method: str) -> None:
    system.registry.unregister(os.getpid())
    assert outcome(channel, method)[0] == "PERMISSION_DENIED"


@pytest.mark.parametrize("method", ["FetchWITSVID", "Nonsense"])
def test_methods_that_are_not_there(channel: grpc.Channel, method: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        send(channel, method, b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [
        ("FetchJWTSVID", b"", "INVALID_ARGUMENT"),
        ("FetchJWTSVID", workload_pb2.JWTSVIDRequest(audience=[""]).SerializeToString(), "INVALID_ARGUMENT"),
        ("FetchJWTSVID", b"\xff\xff\xff", "INVALID_ARGUMENT"),
        ("FetchJWTSVID", b"\x0a\x01\xff", "INVALID_ARGUMENT"),
        (
            "FetchJWTSVID",
            workload_pb2.JWTSVIDRequest(audience=["x" * 20_000]).SerializeToString(),
            "RESOURCE_EXHAUSTED",
        ),
        (
            "FetchJWTSVID",
            workload_pb2.JWTSVIDRequest(audience=list("123456789")).SerializeToString(),
            "INVALID_ARGUMENT",
        ),
        ("ValidateJWTSVID", b"", "INVALID_ARGUMENT"),
        ("ValidateJWTSVID", workload_pb2.ValidateJWTSVIDRequest(svid="x").SerializeToString(), "INVALID_ARGUMENT"),
        ("ValidateJWTSVID", workload_pb2.ValidateJWTSVIDRequest(audience="x").SerializeToString(), "INVALID_ARGUMENT"),
    ],
)
def test_wrong_requests(system: System, channel: grpc.Channel, method: str, body: bytes, code: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        send(channel, method, body)
    assert caught.value.code().name == code
    assert system.still_serves()


def test_where_the_ca_cannot_issue_the_client_is_told_to_try_again(system: System, channel: grpc.Channel) -> None:
    system.clock.jump(-86_400)
    code, message = outcome(channel, "FetchX509SVID")
    assert code == "UNAVAILABLE"
    assert "clock" in message


class RawClient:
    """An HTTP/2 client that does only what it is told to, such as never reading."""

    def __init__(self, connection: socket.socket, *, window: int | None = None) -> None:
        self.socket = connection
        self.http = h2.connection.H2Connection()
        self.http.initiate_connection()
        if window is not None:
            self.http.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.flush()

    def flush(self) -> None:
        self.socket.sendall(self.http.data_to_send())

    def begin(self, method: str) -> int:
        stream: int = self.http.get_next_available_stream_id()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", f"/SpiffeWorkloadAPI/{method}"),
            (":authority", "localhost"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            *HEADER,
        ]
        self.http.send_headers(stream, headers)
        return stream

    def send(self, stream: int, body: bytes, *, size: int | None = None, end: bool = True) -> None:
        prefix = struct.pack(">BI", 0, len(body) if size is None else size)
        self.http.send_data(stream, prefix + body, end_stream=end)
        self.flush()

    def events(self) -> Iterator[h2.events.Event]:
        """Yield what arrives until the server ends the connection."""
        while True:
            try:
                data = self.socket.recv(65_536)
            except ConnectionResetError:
                return
            if not data:
                return
            yield from self.http.receive_data(data)
            with contextlib.suppress(BrokenPipeError):  # what came last is still to be read
                self.flush()

    def status(self, stream: int) -> str:
        """Return the `grpc-status` of a stream, a number as text."""
        for event in self.events():
            if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived) and event.stream_id == stream:
                for name, value in event.headers or ():
                    if name in {b"grpc-status", "grpc-status"}:
                        return value if isinstance(value, str) else value.decode()
        raise AssertionError("the connection ended without a status")


@pytest.fixture
def raw(system: System) -> Iterator[socket.socket]:
    with system.raw() as connection:
        yield connection


def test_a_size_that_is_only_announced_costs_nothing(raw: socket.socket) -> None:
    client = RawClient(raw)
    stream = client.begin("FetchJWTSVID")
    client.send(stream, b"x", size=2**32 - 1, end=False)
    assert client.status(stream) == str(grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])


@pytest.mark.parametrize(("size", "body"), [(10, b"123"), (None, None)], ids=["cut short", "no message at all"])
def test_a_message_that_does_not_come_whole(raw: socket.socket, size: int | None, body: bytes | None) -> None:
    client = RawClient(raw)
    stream = client.begin("FetchJWTSVID")
    if body is None:
        client.http.end_stream(stream)
        client.flush()
    else:
        client.send(stream, body, size=size)
    assert client.status(stream) == str(grpc.StatusCode.INVALID_ARGUMENT.value[0])


def test_a_compressed_message_is_refused(raw: socket.socket) -> None:
    client = RawClient(raw)
    stream = client.begin("FetchJWTSVID")
    client.http.send_data(stream, struct.pack(">BI", 1, 1) + b"x", end_stream=True)
    client.flush()
    assert client.status(stream) == str(grpc.StatusCode.INVALID_ARGUMENT.value[0])


def test_a_request_that_never_comes_ends(raw: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "REQUEST_SECONDS", 0.1)
    client = RawClient(raw)
    stream = client.begin("FetchX509SVID")
    client.flush()
    assert client.status(stream) == str(grpc.StatusCode.DEADLINE_EXCEEDED.value[0])


def test_a_client_that_does_not_read_is_disconnected_and_holds_up_nobody(
    system: System, raw: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "SEND_SECONDS", 0.2)
    client = RawClient(raw, window=0)
    client.send(client.begin("FetchX509SVID"), b"")
    assert system.still_serves()
    for _ in client.events():
        pass  # until the server ends the connection
    assert system.still_serves()


def test_what_a_slow_client_was_being_given_counts_as_in_use(
    system: System, raw: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "SEND_SECONDS", 0.2)
    client = RawClient(raw, window=0)
    client.send(client.begin("FetchX509SVID"), b"")
    for _ in client.events():
        pass
    until(lambda: not +system.authority._ca._holds)
    expected = system.authority.svid(PATIENTS).not_after
    assert system.authority._ca._handed_out == {system.authority.status().issuing: expected}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_calls_of_one_connection_are_bounded(system: System, raw: socket.socket) -> None:
    client = RawClient(raw)
    for _ in range(session_module.MAX_CALLS):
        client.send(client.begin("FetchX509Bundles"), b"")
    one_more = client.begin("FetchX509Bundles")
    client.send(one_more, b"")
    assert client.status(one_more) == str(grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])
    assert system.still_serves()


def test_calls_that_ended_make_room(raw: socket.socket) -> None:
    client = RawClient(raw)
    for _ in range(session_module.MAX_CALLS * 2):
        stream = client.begin("FetchJWTSVID")
        client.send(stream, b"")
        assert client.status(stream) == str(grpc.StatusCode.INVALID_ARGUMENT.value[0])


def greeted(connection: socket.socket) -> bool:
    """Return whether the server keeps a new connection: then its HTTP/2 settings stay, and no end follows."""
    connection.settimeout(0.3)
    try:
        while connection.recv(4_096):
            pass
    except TimeoutError:
        return True
    except ConnectionResetError:
        pass
    return False


def test_connections_of_one_process_are_bounded(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS_PER_PROCESS", 3)
    held = [system.raw() for _ in range(3)]
    try:
        assert all(greeted(connection) for connection in held)
        with system.raw() as one_more:
            assert not greeted(one_more)
    finally:
        for connection in held:
            connection.close()
    until(system.still_serves)


def test_connections_are_bounded_in_all(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 3)
    held = [system.raw() for _ in range(3)]
    try:
        assert all(greeted(connection) for connection in held)
        with system.raw() as one_more:
            assert not greeted(one_more)
    finally:
        for connection in held:
            connection.close()
    until(system.still_serves)


def test_unknown_processes_cannot_crowd_out_workloads(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_UNKNOWN_CONNECTIONS", 2)
    system.registry.unregister(os.getpid())
    held = [system.raw() for _ in range(2)]
    try:
        assert all(greeted(connection) for connection in held)
        with system.raw() as one_more:
            assert not greeted(one_more)
        system.registry.register(PATIENTS, os.getpid())
        assert system.still_serves()
    finally:
        for connection in held:
            connection.close()


def test_connections_that_end_are_forgotten(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 4)
    monkeypatch.setattr(server_module, "MAX_UNKNOWN_CONNECTIONS", 4)
    for known in (True, False):
        if not known:
            system.registry.unregister(os.getpid())
        for _ in range(12):
            with system.raw():
                pass
        until(lambda: one_is_kept(system))
    system.registry.register(PATIENTS, os.getpid())
    until(system.still_serves)


def one_is_kept(system: System) -> bool:
    with system.raw() as connection:
        return greeted(connection)


def test_nothing_that_is_sent_brings_it_down(system: System, caplog: pytest.LogCaptureFixture) -> None:
    rng = random.Random(2)  # noqa: S311  # reproducible noise, nothing secret
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    for attempt in range(150):
        noise = rng.randbytes(rng.choice((1, 9, 40, 400)))
        frame = (
            struct.pack(">I", len(noise))[1:]
            + bytes((rng.randrange(16), rng.randrange(256)))
            + struct.pack(">I", rng.choice((0, 1, 3, 2**31)))
        )
        data = (noise, preface + noise, preface + settings + frame + noise, b"GET / HTTP/1.1\r\n\r\n")[attempt % 4]
        with system.raw() as connection:
            connection.sendall(data)
    until(system.still_serves)
    assert "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(
    "headers",
    [
        [(":method", "GET"), (":scheme", "http"), (":path", "/SpiffeWorkloadAPI/FetchX509SVID"), (":authority", "x")],
        [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "x")],
        [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "x"), ("content-type", "text/html")],
    ],
)
def test_what_a_browser_sends_gets_nothing(system: System, raw: socket.socket, headers: list[tuple[str, str]]) -> None:
    client = RawClient(raw)
    stream = client.http.get_next_available_stream_id()
    client.http.send_headers(stream, headers, end_stream=True)
    client.flush()
    for event in client.events():
        assert not isinstance(event, h2.events.DataReceived)
        if isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
            break
    assert system.still_serves()


@pytest.mark.parametrize(
    "headers",
    [
        [(":scheme", "http"), (":path", "/SpiffeWorkloadAPI/FetchX509SVID"), (":authority", "x")],
        [(":method", "POST"), (":scheme", "http"), (":authority", "x")],
        [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":path", "/a"), (":authority", "x")],
        [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "x"), ("te", "gzip")],
        [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "x"), ("X-Capital", "1")],
    ],
    ids=["no method", "no path", "two paths", "forbidden te", "capitals"],
)
def test_requests_that_http_forbids_end_the_connection(
    system: System, headers: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    with system.raw() as connection:
        client = RawClient(connection)
        client.http.config.validate_outbound_headers = False
        client.http.config.normalize_outbound_headers = False
        client.http.send_headers(client.http.get_next_available_stream_id(), headers, end_stream=True)
        client.flush()
        for event in client.events():
            assert not isinstance(event, h2.events.ResponseReceived)
    assert system.still_serves()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_stopping_while_connections_are_taken_loses_none(tmp_path_factory: pytest.TempPathFactory) -> None:
    system = System(tmp_path_factory.mktemp("l"))
    for _ in range(10):
        system.server.start()
        with system.raw():
            pass
        system.server.stop()
    gc.collect()  # a connection that was lost would complain here
    system.authority.stop()


def test_no_thread_and_no_descriptor_is_left(tmp_path_factory: pytest.TempPathFactory) -> None:
    system = System(tmp_path_factory.mktemp("l"))
    for _ in (1, 2):  # the second time, whatever is opened only once is open
        system.server.start()
        system.server.stop()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        system.server.start()
        connections = [system.raw() for _ in range(5)]
        assert all(greeted(connection) for connection in connections)
        for connection in connections:
            connection.close()
        system.server.stop()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert "workload-api" not in {thread.name for thread in threading.enumerate()}
    system.authority.export_root_key(Secret("an unrelated call still works"))
    system.authority.stop()
