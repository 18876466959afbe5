"""What the operations read of a request and write into an answer, each in one way."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from ringwall.identity.issuer.administration.problems import ProblemError
from ringwall.identity.issuer.administration.routes import Asked
from ringwall.identity.issuer.answers import NO_STORE
from ringwall.identity.issuer.request import parse_parameters, read_body
from ringwall.identity.tokens.encoding import EncodingError, decode_json_object

BodyT = TypeVar("BodyT", bound=BaseModel)
FoundT = TypeVar("FoundT")

PAGE: Final = 100
MAX_PAGE: Final = 500
_MAX_CURSOR: Final = 1024
_ETAG = re.compile(r'"v(\d{1,15})"', re.ASCII)
_JSON: Final = "application/json"


async def read(asked: Asked, model: type[BodyT]) -> BodyT:
    """Return the JSON object of the body, `{}` for none; ProblemError says which member is wrong."""
    body = await read_body(asked.request)
    media_type = asked.request.headers.get("content-type", _JSON).partition(";")[0].strip().lower()
    if body and media_type != _JSON:
        raise ProblemError(415, "media-type", f"the body must be {_JSON}")
    try:
        return model.model_validate(decode_json_object(body) if body else {})
    except EncodingError as error:
        raise ProblemError(400, "bad-request", f"the body is {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:80]
        known = ", ".join(model.model_fields)
        raise ProblemError(
            400, "bad-request", f"`{where}`: {first['msg'].lower()}", hint=f"its members: {known}"
        ) from None


def tell(value: BaseModel, *, status: int = 200, version: int | None = None) -> Response:
    """Return an answer, with its version as an entity tag (RFC 9110, section 8.8.3) where it has one."""
    headers = {"cache-control": NO_STORE}
    if version is not None:
        headers["etag"] = f'"v{version}"'
    return Response(orjson.dumps(value.model_dump(mode="json")), status, headers, _JSON)


def query(asked: Asked, *known: str) -> dict[str, str]:
    """Return the parameters of the query; ProblemError for one that the operation has not."""
    raw: bytes = asked.request.scope.get("query_string", b"")
    found = dict(parse_parameters(raw))
    for name in found:
        if name not in known:
            raise ProblemError(
                400, "bad-request", f"there is no parameter {name[:80]!r}", hint=f"there are {', '.join(known)}"
            )
    return found


def limit_of(parameters: dict[str, str], default: int = PAGE) -> int:
    """Return how many are asked for: 1 to MAX_PAGE."""
    text = parameters.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PAGE)) and 0 < int(text) <= MAX_PAGE):
        raise ProblemError(400, "bad-request", f"`limit` is a number from 1 to {MAX_PAGE}")
    return int(text)


def cursor_of(*place: str | float) -> str:
    """Return a place in an order as the text of a cursor, which only means something here."""
    return base64.urlsafe_b64encode(orjson.dumps(list(place))).rstrip(b"=").decode()


def place_of(parameters: dict[str, str], *kinds: type) -> tuple[Any, ...] | None:
    """Return the place of the parameter `after`, None where it is absent; ProblemError for one that is no cursor."""
    text = parameters.get("after")
    if text is None:
        return None
    try:
        padded = text[:_MAX_CURSOR].encode("ascii") + b"=" * (-len(text) % 4)
        place = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        place = None
    if not isinstance(place, list) or [type(part) for part in place] != list(kinds):
        raise ProblemError(400, "bad-request", "`after` is no cursor of this list")
    return tuple(place)


def after_of(parameters: dict[str, str]) -> str:
    """Return the key after which a page in the order of one text begins; empty for the first page."""
    place = place_of(parameters, str)
    return str(place[0]) if place else ""


def next_of(found: Sequence[FoundT], limit: int, key: Callable[[FoundT], str]) -> str | None:
    """Return the cursor for what follows a page; None where the page is not full, so nothing does."""
    return cursor_of(key(found[-1])) if len(found) == limit else None


def expected_version(asked: Asked) -> int | None:
    """Return the version that `If-Match` asks for (RFC 9110, section 13.1.1); None where any will do."""
    text = asked.request.headers.get("if-match", "*").strip()
    if text == "*":
        return None
    found = _ETAG.fullmatch(text)
    if found is None:
        raise ProblemError(412, "changed-meanwhile", "`If-Match` is not the entity tag of one version")
    return int(found[1])
