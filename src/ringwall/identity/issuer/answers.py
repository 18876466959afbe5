"""How the issuer answers: JSON, never cached unless said otherwise, errors all of one shape."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.access_tokens import TokenNotIssuedError
from ringwall.identity.issuer.request import RequestRefusedError
from ringwall.identity.store.errors import UnstorableError
from ringwall.identity.tokens.encoding import encode_json
from ringwall.model.errors import RingwallError

NO_STORE: Final = "no-store"
"""RFC 6749, section 5.1."""

Handler = Callable[[Request, Exception], Awaitable[Response]]
"""Answers an error."""

_log = logging.getLogger(__name__)


def answer(value: dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return JSON, which nobody keeps unless the headers say so."""
    return Response(encode_json(value), status, {"cache-control": NO_STORE, **(headers or {})}, "application/json")


def cacheable(seconds: int) -> dict[str, str]:
    """Return the headers of an answer that anybody may keep for so long."""
    return {"cache-control": f"public, max-age={seconds}"}


def refusal(status: int, oauth: str, message: str, *, headers: dict[str, str] | None = None) -> Response:
    """Return an error (RFC 6749, section 5.2)."""
    return answer({"error": oauth, "error_description": message}, status=status, headers=headers)


async def on_refused(_: Request, error: Exception) -> Response:
    """Answer a request that is refused."""
    assert isinstance(error, RequestRefusedError)  # noqa: S101  # registered for this type only
    headers = dict(error.headers)
    if error.oauth == "invalid_client":
        headers["www-authenticate"] = 'Basic realm="ringwall", charset="UTF-8"'
    if error.wait:
        headers["retry-after"] = str(error.wait)
    return refusal(error.status, error.oauth, error.message, headers=headers)


async def on_not_issued(_: Request, error: Exception) -> Response:
    """Answer where no token is given; the hint is for the operator, so it goes to the log."""
    assert isinstance(error, TokenNotIssuedError)  # noqa: S101  # registered for this type only
    _log.warning("no token issued: %s (%s)", error.message, error.hint)
    return refusal(400, error.oauth, error.message)


async def on_not_issued_to_operator(_: Request, error: Exception) -> Response:
    """Answer the operator where no token is given, hint included."""
    assert isinstance(error, TokenNotIssuedError)  # noqa: S101  # registered for this type only
    return answer({"error": error.oauth, "error_description": error.message, "hint": error.hint}, status=400)


async def on_unavailable(_: Request, error: Exception) -> Response:
    """Answer where the issuer cannot do its work now, such as on a full disk."""
    _log.error("cannot answer: %s", error)
    return refusal(503, "temporarily_unavailable", "try again later", headers={"retry-after": "5"})


async def on_unstorable(_: Request, error: Exception) -> Response:
    """Answer a request that holds what no database keeps, such as a NUL character: it is the request that is wrong."""
    assert isinstance(error, UnstorableError)  # noqa: S101  # registered for this type only
    return refusal(400, "invalid_request", error.message)


async def on_http(_: Request, error: Exception) -> Response:
    """Answer an unknown path or a wrong method, and what the framework itself refuses."""
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this type only
    kind = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    return refusal(error.status_code, kind, "there is nothing here", headers=dict(error.headers or {}))


HANDLERS: Final[dict[Any, Handler]] = {
    RequestRefusedError: on_refused,
    TokenNotIssuedError: on_not_issued,
    UnstorableError: on_unstorable,
    RingwallError: on_unavailable,
    HTTPException: on_http,
}
"""For the public endpoints."""

OPERATOR_HANDLERS: Final[dict[Any, Handler]] = {**HANDLERS, TokenNotIssuedError: on_not_issued_to_operator}
"""For the administration socket."""
