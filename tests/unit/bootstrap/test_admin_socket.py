import asyncio
import contextlib
import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ringwall.bootstrap.admin_socket import Action, RefusedError, request, serve
from ringwall.bootstrap.state import NotRunningError
from ringwall.model.errors import Diagnostic, InvalidBlueprintError, RingwallError, Severity, Span

FOUND = Diagnostic(Severity.ERROR, "unknown-key", "no key 'x'", Span("ringwall.yaml", 1, 2), "x", "did you mean 'y'?")


async def double(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {"twice": asked["number"] * 2}


async def refuse(_asked: Mapping[str, Any]) -> dict[str, Any]:
    raise RingwallError("not now", hint="later")


async def invalid(_asked: Mapping[str, Any]) -> dict[str, Any]:
    raise InvalidBlueprintError((FOUND,))


ACTIONS = {"double": Action(double, {"number": int}), "refuse": Action(refuse), "invalid": Action(invalid)}


def ask(tmp_path: Path, work: Callable[[Path], Any]) -> Any:
    async def scenario() -> Any:
        server = await serve(tmp_path / "s", ACTIONS)
        try:
            return await asyncio.to_thread(work, tmp_path / "s")
        finally:
            server.close()

    return asyncio.run(scenario())


def raw(path: Path, line: bytes) -> Any:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(line)
        client.shutdown(socket.SHUT_WR)
        data = b""
        while piece := client.recv(65536):
            data += piece
        return json.loads(data) if data else None


def test_a_request_is_carried_out(tmp_path: Path) -> None:
    assert ask(tmp_path, lambda path: request(path, "double", number=21)) == {"twice": 42}


def test_a_refusal_keeps_code_and_hint(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="not now") as caught:
        ask(tmp_path, lambda path: request(path, "refuse"))
    assert caught.value.hint == "later"


def test_diagnostics_come_through_whole(tmp_path: Path) -> None:
    with pytest.raises(InvalidBlueprintError) as caught:
        ask(tmp_path, lambda path: request(path, "invalid"))
    assert caught.value.diagnostics == (FOUND,)


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b'{"do": "nothing"}\n',
        b'{"do": ["double"]}\n',
        b'{"do": "double"}\n',
        b'{"do": "double", "number": "1"}\n',
        b'{"do": "double", "number": true}\n',
        b'{"do": "double", "number": 1, "more": 2}\n',
        b"\xff\xfe\n",
        b"[" * 60_000 + b"\n",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_cannot_be_understood_is_answered_with_an_error(tmp_path: Path, line: bytes) -> None:
    assert ask(tmp_path, lambda path: raw(path, line))["error"]["code"] == "bad-request"


def test_a_line_without_end_is_dropped_and_the_server_goes_on(tmp_path: Path) -> None:
    def work(path: Path) -> Any:
        with contextlib.suppress(OSError):
            raw(path, b"x" * 10_000_000)
        return request(path, "double", number=1)

    assert ask(tmp_path, work) == {"twice": 2}


def test_the_socket_is_for_the_owner_only(tmp_path: Path) -> None:
    assert ask(tmp_path, lambda path: path.stat().st_mode & 0o777) == 0o600


def test_nobody_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotRunningError):
        request(tmp_path / "none", "status")
