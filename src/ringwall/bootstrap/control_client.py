"""Asks the control plane over its administration socket."""

import http.client
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ringwall.model.errors import RingwallError
from ringwall.plan.bindings import Bindings

_LARGEST_ANSWER: Final = 64 * 1024 * 1024


class ControlRequestError(RingwallError):
    """The control plane does not run, or refuses."""

    code = "control-request"


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


def ask(
    bindings: Bindings, method: str, path: str, body: Mapping[str, Any] | None = None, *, seconds: float = 15.0
) -> dict[str, Any]:
    """Return what the control plane answers; raise ControlRequestError where it does not answer or refuses."""
    connection = _UnixConnection(bindings.admin, seconds)
    try:
        connection.request(
            method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        value = json.loads(response.read(_LARGEST_ANSWER))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ControlRequestError(
            "the control plane does not answer", hint="is the system running? `ringwall status`"
        ) from error
    finally:
        connection.close()
    if response.status != http.client.OK or not isinstance(value, dict):
        described = value if isinstance(value, dict) else {}
        raise ControlRequestError(
            str(described.get("message", f"the control plane answered {response.status}")),
            hint=str(described.get("hint", "")),
        )
    return value
