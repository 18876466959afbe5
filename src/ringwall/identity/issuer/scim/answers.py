"""How SCIM answers: its media type, ETags, and errors of its own form (RFC 7644, sections 3.1, 3.12 and 3.14)."""

import logging
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.administration.problems import ProblemError
from ringwall.identity.issuer.answers import NO_STORE
from ringwall.identity.issuer.request import RequestRefusedError
from ringwall.identity.issuer.scim.errors import ScimError
from ringwall.identity.issuer.scim.if_match import is_known
from ringwall.identity.issuer.scim.projection import Projection
from ringwall.identity.issuer.scim.query import LIST, Found, Query
from ringwall.identity.people.errors import AccountError, BusyError, PeopleError
from ringwall.identity.store.errors import UnstorableError
from ringwall.identity.tokens.encoding import encode_json
from ringwall.model.errors import RingwallError

MEDIA_TYPE: Final = "application/scim+json"

_log = logging.getLogger(__name__)


def told(value: dict[str, Any]) -> Response:
    """Return JSON."""
    return _json(value, 200, {})


def answered(resource: dict[str, Any], projection: Projection, request: Request, *, status: int = 200) -> Response:
    """Return a resource with its ETag and place; 304 where the client has it already."""
    version, location = resource["meta"]["version"], resource["meta"]["location"]
    headers = {"etag": version, "location": location}
    if request.method == "GET" and is_known(request.headers.get("if-none-match"), version):
        return Response(status_code=304, headers=headers)
    return _json(projection.apply(resource), status, headers)


def listed_answer(found: Found, query: Query) -> Response:
    """Return a list (section 3.4.2; RFC 9865, section 2)."""
    body: dict[str, Any] = {"schemas": [LIST]}
    if found.total is not None:
        body["totalResults"] = found.total
    body["itemsPerPage"] = len(found.resources)
    if query.cursor is None:
        body["startIndex"] = query.start
    if found.following:
        body["nextCursor"] = found.following
    if found.resources:
        body["Resources"] = found.resources
    return _json(body, 200, {})


def error_of(error: RingwallError) -> ScimError:
    """Return what a request is refused with."""
    told = f"{error.message}; {error.hint}" if error.hint else error.message
    match error:
        case ScimError():
            found = error
        case ProblemError():
            found = ScimError(error.status, "", told)
        case RequestRefusedError():
            found = ScimError(error.status, "invalidSyntax" if error.status == 400 else "", error.message)  # noqa: PLR2004  # HTTP
        case BusyError():
            found = ScimError(503, "", error.message)
        case AccountError():
            found = ScimError(409, "", error.message)
        case PeopleError() | UnstorableError():
            found = ScimError(400, "invalidValue", error.message)
        case _:
            _log.error("cannot answer: %s", error)
            found = ScimError(503, "", "try again later")
    return found


def refused(error: RingwallError) -> Response:
    """Return an error."""
    found = error_of(error)
    headers = {"retry-after": "5"} if found.status == 503 else {}  # noqa: PLR2004  # HTTP
    if isinstance(error, ProblemError):
        headers |= error.headers
    return _json(found.told(), found.status, headers)


def _json(value: dict[str, Any], status: int, headers: dict[str, str]) -> Response:
    return Response(encode_json(value), status, {"cache-control": NO_STORE, **headers}, MEDIA_TYPE)
