"""The supervisor's own socket: JSON, one request and one answer a line.

Not HTTP: the supervisor must start in milliseconds, so it loads no server library.
Who may ask what: the user who runs the system may ask everything, and nobody else anything.
"""

import asyncio
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from ringwall.bootstrap.state import NotRunningError
from ringwall.model.errors import Diagnostic, InvalidBlueprintError, RingwallError, Severity, Span

_LONGEST_LINE: Final = 16 * 1024 * 1024
_PEER = struct.Struct("3i")

Action = Callable[[], Awaitable[dict[str, Any]]]
"""Carries out a request."""


class RefusedError(RingwallError):
    """The running system refused what it was asked; carries the code, the hint and the exit code it gave."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__(str(data["message"]), hint=str(data.get("hint", "")))
        self.code = str(data.get("code", "error"))
        self.exit_code = int(data.get("exit_code", 1))


async def serve(path: Path, actions: Mapping[str, Action]) -> asyncio.Server:
    """Answer requests `{"do": NAME}` on a Unix socket with `{"ok": …}` or `{"error": …}`."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if _peer_uid(writer) in {os.geteuid(), 0} and (line := await reader.readline()):
                writer.write(json.dumps(await _carry_out(line, actions), default=str).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            pass  # whoever asked has gone, or talks something else
        finally:
            writer.close()

    return await asyncio.start_unix_server(answer, sock=_listen(path))


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # the lock of the state folder is held, so nobody listens there
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(os.fspath(path))
    path.chmod(0o600)
    return listener


async def _carry_out(line: bytes, actions: Mapping[str, Action]) -> dict[str, Any]:
    try:
        asked = json.loads(line)
        action = actions[asked["do"]]
    except (ValueError, KeyError, TypeError):
        return {"error": {"code": "bad-request", "message": "this is not a request that the supervisor knows"}}
    try:
        return {"ok": await action()}
    except RingwallError as error:
        data: dict[str, Any] = {
            "code": error.code,
            "message": error.message,
            "hint": error.hint,
            "exit_code": error.exit_code,
        }
        if isinstance(error, InvalidBlueprintError):
            data["diagnostics"] = [asdict(found) for found in error.diagnostics]
        return {"error": data}


def _peer_uid(writer: asyncio.StreamWriter) -> int:
    peer: socket.socket = writer.get_extra_info("socket")
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    return int(_PEER.unpack(credentials)[1])


def request(path: Path, do: str, *, seconds: float = 60.0) -> dict[str, Any]:
    """Ask the supervisor and return its answer.

    Raises:
        NotRunningError: nobody answers.
        InvalidBlueprintError, RefusedError: it refuses.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(seconds)
    try:
        connection.connect(os.fspath(path))
        connection.sendall(json.dumps({"do": do}).encode() + b"\n")
        with connection.makefile("rb") as file:
            answer = json.loads(file.readline(_LONGEST_LINE))
    except (OSError, ValueError) as error:
        raise NotRunningError("the system does not run", hint="start it with `ringwall up`") from error
    finally:
        connection.close()
    if "error" not in answer:
        return dict(answer["ok"])
    if found := answer["error"].get("diagnostics"):
        raise InvalidBlueprintError(tuple(diagnostic_of(each) for each in found))
    raise RefusedError(answer["error"])


def diagnostic_of(data: Mapping[str, Any]) -> Diagnostic:
    """Return a diagnostic from its JSON form."""
    return Diagnostic(
        severity=Severity(data["severity"]),
        code=data["code"],
        message=data["message"],
        span=Span(**data["span"]),
        excerpt=data["excerpt"],
        hint=data["hint"],
    )
