"""A service that is asked for a WebSocket connection and answers as if nobody had asked."""

from collections.abc import Iterator

import pytest
from tests.support.enforce_plans import operation, plan, service
from tests.support.enforce_rig import Rig, running

PLAN = plan(
    service(
        "plain",
        operation("plain", "any", "*", "/any/{rest...}", token=False, callers=("edge", "caller")).model_copy(
            update={"websocket": True}
        ),
        prefix="/plain",
    ),
    service("caller", calls=("plain",)),
)
_ASKS = (
    b"Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
_SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(PLAN, tmp_path_factory.mktemp("declined")) as started:
        yield started


@pytest.mark.parametrize("method", [b"GET", b"POST"])
@pytest.mark.parametrize("more", [b"", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_nobody_is_told_of_a_connection_that_is_none(rig: Rig, method: bytes, more: bytes) -> None:
    """What the client sends as if there were one must not reach the service, which would read requests in it."""
    app = rig.apps["plain"]
    app.seen.clear()
    answer = rig.raw(method + b" /plain/any/x HTTP/1.1\r\n" + _ASKS + more + b"\r\n" + _SMUGGLED, patience=1)
    assert answer.startswith(b"HTTP/1.1 502 "), answer
    assert answer.count(b"HTTP/1.1 ") == 1
    assert {seen.path for seen in app.seen} <= {"/any/x"}


def test_nor_is_a_service_that_calls_another(rig: Rig) -> None:
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    answer = rig.get("/any/x", headers=headers, to=rig.bindings.outbound["caller>plain"])
    assert answer.status == 502
