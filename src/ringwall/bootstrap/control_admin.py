"""What the operator's own user may ask of the control plane: HTTP and JSON on a Unix socket (mode 0600)."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ringwall.bootstrap.control_plane import ControlPlane
from ringwall.model.errors import RingwallError

MAX_BODY_BYTES: Final = 65_536
IN_FORCE_SECONDS: Final = 15.0


class BadRequestError(RingwallError):
    """What was asked cannot be understood."""

    code = "bad-request"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of the table of what can be asked.

    Attributes:
        members: names and types of the members of the request's JSON object; all are needed.
        answer: carries it out, in a thread of its own.
        caller: who may ask; the socket's mode and folder hold to it.
    """

    method: str
    path: str
    members: dict[str, type]
    answer: Callable[[ControlPlane, dict[str, Any]], dict[str, Any]]
    caller: str = "the user who runs the system"


ENDPOINTS: Final = (
    Endpoint("GET", "/ready", {}, lambda _control, _asked: {}),
    Endpoint("GET", "/status", {}, lambda control, _asked: control.status()),
    Endpoint("POST", "/plan", {"digest": str}, lambda control, asked: control.apply(asked["digest"], IN_FORCE_SECONDS)),
    Endpoint(
        "POST",
        "/authority/rotate",
        {"compromised": bool},
        lambda control, asked: control.rotate_authority(compromised=asked["compromised"]),
    ),
)


def create_admin_app(control: ControlPlane) -> Starlette:
    """Return the application for the administration socket."""
    changing = asyncio.Lock()

    def route(endpoint: Endpoint) -> Route:
        async def serve(request: Request) -> Response:
            try:
                asked = _members(await _body(request), endpoint.members)
                if endpoint.method == "GET":
                    return _answer(await asyncio.to_thread(endpoint.answer, control, asked))
                async with changing:
                    return _answer(await asyncio.to_thread(endpoint.answer, control, asked))
            except BadRequestError as error:
                return _error(error, 400)
            except RingwallError as error:
                return _error(error, 409)

        return Route(endpoint.path, serve, methods=[endpoint.method])

    return Starlette(routes=[route(endpoint) for endpoint in ENDPOINTS])


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BadRequestError("the request is too large")
    return body


def _members(body: bytes, members: dict[str, type]) -> dict[str, Any]:
    try:
        asked = json.loads(body) if body else {}
    except (ValueError, RecursionError) as error:
        raise BadRequestError("the request is not JSON") from error
    if not isinstance(asked, dict) or asked.keys() != members.keys():
        raise BadRequestError(f"the request is a JSON object with the members {sorted(members)}")
    for name, kind in members.items():
        if type(asked[name]) is not kind:
            raise BadRequestError(f"{name!r} is of the wrong type")
    return asked


def _answer(data: dict[str, Any]) -> Response:
    return JSONResponse(data)


def _error(error: RingwallError, status: int) -> Response:
    return JSONResponse({"code": error.code, "message": error.message, "hint": error.hint}, status)
