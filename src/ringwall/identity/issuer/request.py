"""Reads what is sent to the endpoints: bounded, and in exactly one way."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes, urlencode

from starlette.requests import Request

from ringwall.model.errors import RingwallError

MAX_BODY: Final = 8192
_MAX_PARAMETERS: Final = 32
REPEATABLE: Final = frozenset({"resource", "audience"})
"""Parameters that may occur more than once (RFC 8707, section 2; RFC 8693, section 2.1)."""
_FORM: Final = "application/x-www-form-urlencoded"
_ENCODED = re.compile(rb"(?:[^%\x00-\x20\x7f-\xff]|%[0-9A-Fa-f]{2})*")
_PLAIN = re.compile(rb"[!-$&-*,-~]*")
"""What means itself: no escape, no plus, no space."""


class RequestRefusedError(RingwallError):
    """A request is refused.

    Attributes:
        status: HTTP status to answer with.
        oauth: error code (RFC 6749, section 5.2).
        wait: seconds after which to try again; 0 where that would not help.
        headers: further headers of the answer, such as a nonce to try again with.
    """

    code = "request-refused"

    def __init__(
        self, status: int, oauth: str, message: str, *, wait: int = 0, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.oauth = oauth
        self.wait = wait
        self.headers = dict(headers or {})


class Parameters(dict[str, str]):
    """Decoded parameters of a query or a form, each with its first value. Only those in `REPEATABLE` can have more.

    A parameter without a value counts as absent (RFC 6749, section 3.1).
    """

    def __init__(self, first: Mapping[str, str], more: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__(first)
        self._more = more

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a parameter; empty where it is absent."""
        return (self[name], *self._more.get(name, ())) if name in self else ()

    def encoded(self) -> str:
        """Return them as a query."""
        return urlencode([(name, value) for name in self for value in self.all(name)])


def sent_path(request: Request) -> str:
    """Return the path as it was sent and as the proxies saw it, still encoded, below the issuer's URL."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return raw.partition(b"?")[0].decode("ascii", "replace")


async def read_body(request: Request, most: int = MAX_BODY) -> bytes:
    """Return the body, of so many bytes at most."""
    body: bytes = b""
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise RequestRefusedError(400, "invalid_request", "the request was broken off")
        body += message.get("body", b"")
        if len(body) > most:
            raise RequestRefusedError(413, "invalid_request", "the request body is too large")
        if not message.get("more_body", False):
            return body


def parse_parameters(raw: bytes, most: int = MAX_BODY) -> Parameters:
    """Return the parameters of a query or of a form's body (RFC 6749, appendix B).

    A parameter that is there twice is refused (RFC 6749, sections 3.1 and 3.2), unless it may be (RFC 8707, section 2).
    """
    if len(raw) > most:
        raise RequestRefusedError(414, "invalid_request", "the query is too long")
    first: dict[str, str] = {}
    more: dict[str, tuple[str, ...]] = {}
    pairs = raw.split(b"&") if raw else []
    if len(pairs) > _MAX_PARAMETERS:
        raise RequestRefusedError(400, "invalid_request", "the request has too many parameters")
    for pair in pairs:
        raw_name, _, raw_value = pair.partition(b"=")
        name, value = decode_parameter(raw_name), decode_parameter(raw_value)
        if name not in first:
            first[name] = value
        elif name in REPEATABLE:
            more[name] = (*more.get(name, ()), value)
        else:
            raise RequestRefusedError(400, "invalid_request", "a parameter occurs twice")
    return Parameters({name: value for name, value in first.items() if value}, more)


async def read_form(request: Request, most: int = MAX_BODY) -> Parameters:
    """Return the parameters of a form (RFC 6749, sections 3.2 and appendix B)."""
    media_type, _, _ = request.headers.get("content-type", "").partition(";")
    if media_type.strip().lower() != _FORM:
        raise RequestRefusedError(400, "invalid_request", f"the content type must be {_FORM}")
    return parse_parameters(await read_body(request, most), most)


def decode_parameter(raw: bytes) -> str:
    """Undo application/x-www-form-urlencoded; what is not exactly that, and not UTF-8, is refused."""
    if _PLAIN.fullmatch(raw):
        return raw.decode("ascii")
    if not _ENCODED.fullmatch(raw):
        raise RequestRefusedError(400, "invalid_request", "the parameters are not form-urlencoded")
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise RequestRefusedError(400, "invalid_request", "the parameters are not UTF-8") from None
