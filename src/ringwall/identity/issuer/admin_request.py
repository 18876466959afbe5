"""Reads what the operator's commands send to the administration socket."""

from typing import Any

from starlette.requests import Request

from ringwall.identity.issuer.request import RequestRefusedError, read_body
from ringwall.identity.tokens.encoding import EncodingError, decode_json_object


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
