"""Malformed and ambiguous requests on raw sockets: what reaches a service has come through the edge, whole."""

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support.enforce_plans import operation, plan, service, spiffe
from tests.support.enforce_rig import Rig, running
from tests.support.enforce_smuggling import corpus

PLAN = plan(
    service(
        "patients",
        operation("patients", "health", "GET", "/health", token=False),
        operation("patients", "echo", "POST", "/echo", token=False),
        prefix="/api",
        max_body_bytes=10_000,
    )
)
CORPUS = dict(corpus())
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(PLAN, tmp_path_factory.mktemp("smuggling")) as started:
        yield started


def test_nothing_in_the_corpus_reaches_a_service_unseen(rig: Rig) -> None:
    """Each request that a service sees must be one that the edge answered for, under an id of the edge's own making."""
    app = rig.apps["patients"]
    app.seen.clear()
    with ThreadPoolExecutor(80) as pool:
        answers = dict(zip(CORPUS, pool.map(lambda data: rig.raw(data, patience=1), CORPUS.values()), strict=True))
    sender: dict[str, str] = {}
    for name, answer in answers.items():
        assert answer == b"" or answer.startswith(b"HTTP/1.1 "), (name, answer[:80])
        sender |= dict.fromkeys(re.findall(r"x-request-id: ([^\r]+)\r\n", answer.decode("latin-1")), name)
    assert app.seen
    for seen in app.seen:
        request_id = seen.header("x-request-id")
        assert request_id is not None, seen
        assert _ID.fullmatch(request_id), seen
        assert request_id in sender, seen
        name = sender[request_id]
        assert seen.path in {"/health", "/echo"}, (name, seen.path)
        assert seen.header("x-ringwall-subject") is None, name
        assert seen.header("x-ringwall-caller") == spiffe("edge"), name
        assert seen.header("x-ringwall-operation") in {"patients/health", "patients/echo"}, name
        # RFC 9112, section 2.2 lets a lone LF end a line; Envoy reads it so, and writes CRLF to the service.
        assert seen.header("x-smuggled") is None or r"y\nX-Smuggled" in name, name


AMBIGUOUS = [
    name
    for name in CORPUS
    if name.startswith(("two lengths", "list of", "signed", "negative", "hex", "space before", "tab before"))
    or ("coding" in name and ("and a length" in name or "two codings" in name))
]


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_body_of_two_lengths_is_refused_and_the_connection_closed(rig: Rig, name: str) -> None:
    before = len(rig.apps["patients"].seen)
    answer = rig.raw(CORPUS[name])
    assert re.match(rb"HTTP/1\.1 (400|501) ", answer), answer
    assert answer.count(b"HTTP/1.1 ") == 1
    assert len(rig.apps["patients"].seen) == before


def test_a_header_that_never_ends_is_cut_off(rig: Rig) -> None:
    assert rig.bindings.edge is not None
    with rig.connect(rig.bindings.edge, rig.edge_context()) as connection:
        connection.settimeout(20)
        connection.sendall(b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n")
        began = time.monotonic()
        received = b""
        while chunk := connection.recv(4096):
            received += chunk
        assert received.startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 19


def test_a_silent_connection_is_closed(rig: Rig) -> None:
    """Neither a client that never says hello nor one that is content with a handshake keeps its place."""
    assert rig.bindings.edge is not None
    with socket.create_connection((rig.bindings.edge.host, rig.bindings.edge.port)) as silent:
        silent.settimeout(20)
        assert silent.recv(1) == b""


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"X: " + b"a" * 40_000 + b"\r\n", 431),
        (b"".join(b"X-%d: a\r\n" % n for n in range(200)), 431),
        (b"X: " + b"a" * 20_000 + b"\r\n", 200),
    ],
    ids=["long", "many", "within"],
)
def test_headers_that_are_too_much_are_refused(rig: Rig, headers: bytes, status: int) -> None:
    answer = rig.raw(b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + headers + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert (b"application/problem+json" in answer) is (status == 431)  # the edge's word, not the application's


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_long_is_refused(rig: Rig, *, chunked: bool) -> None:
    head = b"POST /api/echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    body = b"a" * 20_000
    if chunked:
        request = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    else:
        request = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    assert rig.raw(request).startswith(b"HTTP/1.1 413 ")
    assert rig.request("POST", "/api/echo", body=b"a" * 9_000).status == 200
