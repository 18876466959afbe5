"""Administration of Ringwall's own processes: JSON over a Unix socket, one request and one answer a line.

A request is `{"do": NAME, …}`, an answer `{"ok": …}` or `{"error": …}`. It is not HTTP, because no browser and no
proxy is to speak to it, and because the processes that answer must load in milliseconds.

Who may ask: the user who runs the system (and root) may ask everything, nobody else anything. The kernel says who
is at the other end (unix(7), SO_PEERCRED), besides the socket's mode.
"""

import asyncio
import contextlib
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from ringwall.bootstrap.state import NotRunningError
from ringwall.model.errors import Diagnostic, InvalidBlueprintError, RingwallError, Severity, Span

_LONGEST_REQUEST: Final = 65_536
_LONGEST_ANSWER: Final = 16 * 1024 * 1024
_PEER: Final = struct.Struct("3i")


class BadRequestError(RingwallError):
    """What was asked cannot be understood."""

    code = "bad-request"


class RefusedError(RingwallError):
    """The running system refused what it was asked; carries the code, the hint and the exit code that it gave."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__(str(data.get("message", "refused")), hint=str(data.get("hint", "")))
        self.code = str(data.get("code", "error"))
        self.exit_code = int(data.get("exit_code", 1))


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be asked.

    Attributes:
        run: carries it out, given the request's members; returns JSON data.
        members: names and types of the request's members; all are needed.
    """

    run: Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
    members: Mapping[str, type] = field(default_factory=dict)


async def serve(path: Path, actions: Mapping[str, Action]) -> asyncio.Server:
    """Answer requests on a Unix socket; whoever calls this must be the only one to use that path."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Whoever asked may have gone, or talk something else: then there is nobody to tell.
        with contextlib.suppress(OSError, ValueError):
            if _peer_uid(writer) in {os.geteuid(), 0} and (line := await reader.readline()):
                writer.write(json.dumps(await _carry_out(line, actions), default=str).encode() + b"\n")
                await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(answer, sock=_listen(path), limit=_LONGEST_REQUEST)


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(os.fspath(path))
    path.chmod(0o600)
    return listener


async def _carry_out(line: bytes, actions: Mapping[str, Action]) -> dict[str, Any]:
    try:
        action, members = _understand(line, actions)
        return {"ok": await action.run(members)}
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


def _understand(line: bytes, actions: Mapping[str, Action]) -> tuple[Action, Mapping[str, Any]]:
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadRequestError("the request is not JSON") from error
    name = asked.pop("do", None) if isinstance(asked, dict) else None
    if not isinstance(name, str) or name not in actions:
        raise BadRequestError("the request names nothing that can be done here", hint=f"known: {', '.join(actions)}")
    action = actions[name]
    if asked.keys() != action.members.keys():
        raise BadRequestError(f"{name!r} needs the members {sorted(action.members)}, not {sorted(asked)}")
    for member, kind in action.members.items():
        if type(asked[member]) is not kind:
            raise BadRequestError(f"{member!r} of {name!r} is of the wrong type")
    return action, asked


def _peer_uid(writer: asyncio.StreamWriter) -> int:
    peer: socket.socket = writer.get_extra_info("socket")
    return int(_PEER.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))[1])


def request(path: Path, do: str, *, seconds: float = 60.0, **members: object) -> dict[str, Any]:
    """Ask a process of the running system, and return its answer.

    Raises:
        NotRunningError: nobody answers.
        InvalidBlueprintError, RefusedError: it refuses.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(seconds)
    try:
        connection.connect(os.fspath(path))
        connection.sendall(json.dumps({"do": do, **members}).encode() + b"\n")
        with connection.makefile("rb") as file:
            answer = json.loads(file.readline(_LONGEST_ANSWER))
    except (OSError, ValueError) as error:
        raise NotRunningError(
            "the system does not answer", hint="`ringwall status` tells more; `ringwall up` starts it"
        ) from error
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
