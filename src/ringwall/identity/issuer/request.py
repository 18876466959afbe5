"""Reads what a client sends to the token endpoint: bounded, and in exactly one way."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.requests import ClientDisconnect, Request

from ringwall.model.errors import RingwallError
from ringwall.model.secret import Secret

MAX_BODY: Final = 8192
_MAX_PARAMETERS: Final = 32
_FORM: Final = "application/x-www-form-urlencoded"
_ENCODED = re.compile(rb"(?:[^%\x00-\x20\x7f-\xff]|%[0-9A-Fa-f]{2})*")


class RequestRefusedError(RingwallError):
    """A request is refused.

    Attributes:
        status: HTTP status to answer with.
        oauth: error code (RFC 6749, section 5.2).
        wait: seconds after which to try again; 0 where that would not help.
    """

    code = "request-refused"

    def __init__(self, status: int, oauth: str, message: str, *, wait: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.oauth = oauth
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client shows of itself; nothing has been checked."""

    client: str
    secret: Secret


async def read_body(request: Request) -> bytes:
    """Return the body, at most MAX_BODY bytes."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                raise RequestRefusedError(413, "invalid_request", "the request body is too large")
    except ClientDisconnect:
        raise RequestRefusedError(400, "invalid_request", "the request was broken off") from None
    return bytes(body)


async def read_form(request: Request) -> dict[str, str]:
    """Return the parameters of a form (RFC 6749, appendix B).

    A parameter that is there twice is refused, one without a value counts as absent (RFC 6749, section 3.2).
    """
    media_type, _, _ = request.headers.get("content-type", "").partition(";")
    if media_type.strip().lower() != _FORM:
        raise RequestRefusedError(400, "invalid_request", f"the content type must be {_FORM}")
    body = await read_body(request)
    parameters: dict[str, str] = {}
    pairs = body.split(b"&") if body else []
    if len(pairs) > _MAX_PARAMETERS:
        raise RequestRefusedError(400, "invalid_request", "the request has too many parameters")
    for pair in pairs:
        raw_name, _, raw_value = pair.partition(b"=")
        name, value = _decode(raw_name), _decode(raw_value)
        if name in parameters:
            raise RequestRefusedError(400, "invalid_request", "a parameter occurs twice")
        parameters[name] = value
    return {name: value for name, value in parameters.items() if value}


def read_credentials(request: Request, form: dict[str, str]) -> Credentials:
    """Return client_secret_basic or client_secret_post credentials (RFC 6749, section 2.3.1); exactly one of them."""
    headers = request.headers.getlist("authorization")
    if not headers:
        if "client_id" not in form or "client_secret" not in form:
            raise unauthenticated()
        return Credentials(form["client_id"], Secret(form["client_secret"]))
    if len(headers) > 1 or "client_secret" in form:
        raise RequestRefusedError(400, "invalid_request", "the client authenticates in more than one way")
    scheme, _, encoded = headers[0].partition(" ")
    if scheme.lower() != "basic":
        raise unauthenticated()
    try:
        name, colon, secret = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        credentials = Credentials(_decode(name), Secret(_decode(secret)))
    except (binascii.Error, ValueError, RequestRefusedError):
        raise unauthenticated() from None
    if not colon or form.get("client_id", credentials.client) != credentials.client:
        raise unauthenticated()
    return credentials


def unauthenticated() -> RequestRefusedError:
    """Return the one refusal for a client that is unknown, shows a wrong secret, or shows none."""
    return RequestRefusedError(401, "invalid_client", "the client could not be authenticated")


def _decode(raw: bytes) -> str:
    """Undo application/x-www-form-urlencoded; what is not exactly that, and not UTF-8, is refused."""
    if not _ENCODED.fullmatch(raw):
        raise RequestRefusedError(400, "invalid_request", "the parameters are not form-urlencoded")
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise RequestRefusedError(400, "invalid_request", "the parameters are not UTF-8") from None
