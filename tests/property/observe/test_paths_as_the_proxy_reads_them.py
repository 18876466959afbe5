"""`ringwall.plan.paths` against the pinned Envoy as the edge is configured: the same path or the same refusal."""

import random
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.enforce_plans import operation, plan, service
from tests.support.enforce_rig import Rig, running

from ringwall.plan.paths import UnroutablePathError, normalised

PLAN = plan(
    service("all", operation("all", "any", "GET", "/{rest...}", token=False), prefix=""),
)
PIECES = [
    *"//..;;%%~=ae2564fA{}|^`\"<>[]@:!$&'()*+,_-",
    *("%2e", "%2E", "%25", "%61", "%7e", "%3b", "%c3", "%0a", "%5", "%2"),
    *("..;", ".;", "/../", "/./", "\\", "\\..", "//"),
]
RANDOM = 4000
EVERY_BYTE = [f"/a{chr(code)}b" for code in range(0x21, 0x7F)] + [f"/a%{code:02x}b" for code in range(256)]
ODD = [
    "/",
    "//",
    "///",
    "/a//",
    "/a/..",
    "/a/.",
    "/../..",
    "/a/%2e%2e/b",
    "/a/.%2e/b",
    "/%2e",
    "/a/..;/b",
    "/a/..;x=1/b",
    "/a/%2e%2e;/b",
    "/a\\..;/b",
    "/a/..\\b",
    "/%25%2e",
    "/%%34%31",
    "/%4%31x",
    "/%%41%42",
    "/%2%66",
    "/%5%63",
    "/a/%zz/%",
    "/a/b//../../c",
    "/a/....",
]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(PLAN, tmp_path_factory.mktemp("read")) as started:
        yield started


class Client:
    """Sends raw request lines over one kept-alive connection, and opens another where it was closed."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._socket: socket.socket | None = None

    def read_as(self, path: str) -> str | None:
        """Return the path that the service got, None where the edge answered 400."""
        assert self._rig.bindings.edge is not None
        if self._socket is None:
            self._socket = self._rig.connect(self._rig.bindings.edge, self._rig.edge_context())
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head, _, body = self._receive().partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        if status == 400:
            self.close()
            return None
        assert status == 200, (path, head)
        del body
        return self._rig.apps["all"].seen[-1].path

    def _receive(self) -> bytes:
        assert self._socket is not None
        data = b""
        while True:
            head, found, body = data.partition(b"\r\n\r\n")
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            if found and len(body) >= int(lengths[0].split(b":")[1]) if lengths else False:
                return data
            more = self._socket.recv(65536)
            if not more:
                return data
            data += more

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def expected(path: str) -> str | None:
    """Return what the service is told: the edge and the service's own listener each normalise."""
    try:
        return normalised(normalised(path))
    except UnroutablePathError:
        return None


def test_the_same_path_or_the_same_refusal(rig: Rig, tmp_path: Path) -> None:
    chooser = random.Random(20_260_301)  # noqa: S311  # the same paths in every run
    made = ["/" + "".join(chooser.choices(PIECES, k=chooser.randint(1, 9))) for _ in range(RANDOM)]
    client = Client(rig)
    differing = []
    for path in [*ODD, *EVERY_BYTE, *made]:
        if "?" in path:
            continue
        got, wanted = client.read_as(path), expected(path)
        # Python's own server, which the test's application is, makes `//` at the beginning of a path `/`.
        if got != (re.sub("^//+", "/", wanted) if wanted is not None else None):
            differing.append((path, got, wanted))
    client.close()
    assert differing == []


@pytest.mark.parametrize(
    "path", ["", "a", "*", "/a b", "/ä", "/a\n", "/a\x7f", "/a#b", "/%00", "/a%2Fb", "/" + "a" * 99_999]
)
def test_what_cannot_be_sent_is_refused(path: str) -> None:
    with pytest.raises(UnroutablePathError):
        normalised(path)


def test_a_query_is_left_out() -> None:
    assert normalised("/a/%62?c=/../d") == "/a/b"
