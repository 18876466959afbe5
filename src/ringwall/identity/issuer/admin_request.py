"""Reads what the operator's commands send to the administration socket."""

from collections.abc import Set as AbstractSet
from typing import Any, Final

from starlette.requests import Request

from ringwall.identity.issuer.request import RequestRefusedError, read_body
from ringwall.identity.tokens.encoding import EncodingError, decode_json_object

MAX_PAGE: Final = 500
_PAGE: Final = 100


async def read_object(request: Request, members: dict[str, type]) -> dict[str, Any]:
    """Return the JSON object of the body, {} for none; every member must be known and of its exact type."""
    body = await read_body(request)
    try:
        asked = decode_json_object(body) if body else {}
    except EncodingError as error:
        raise RequestRefusedError(400, "invalid_request", f"the body is {error}") from None
    for name, value in asked.items():
        if name not in members or type(value) is not members[name]:
            known = ", ".join(members)
            raise RequestRefusedError(
                400, "invalid_request", f"a member is unknown or of the wrong type; known: {known}"
            )
    return asked


def texts(asked: dict[str, Any], name: str) -> tuple[str, ...]:
    """Return a member that is a list of texts; empty where it is missing."""
    value = asked.get(name, [])
    if not all(isinstance(item, str) for item in value):
        raise RequestRefusedError(400, "invalid_request", f"`{name}` holds what is no text")
    return tuple(value)


def page_limit(request: Request, default: int = _PAGE) -> int:
    """Return how many the request wants to be told of: its `limit`, from 1 to MAX_PAGE."""
    text = request.query_params.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PAGE)) and 0 < int(text) <= MAX_PAGE):
        raise RequestRefusedError(400, "invalid_request", f"`limit` is a number from 1 to {MAX_PAGE}")
    return int(text)


def known_roles(roles: tuple[str, ...], known: AbstractSet[str]) -> tuple[str, ...]:
    """Return roles that are all among the `known` ones of the plan, or refuse the request."""
    for role in roles:
        if role not in known:
            there = ", ".join(sorted(known)[:20]) or "none"
            raise RequestRefusedError(
                400, "unknown_role", f"there is no role {role[:80]!r} in the plan; its roles: {there}"
            )
    return roles
